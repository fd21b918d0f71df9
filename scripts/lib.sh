# lib.sh: what the scripts share. POSIX sh; sourced, never run, with $root set to the repository.

# go_wanted is the oldest Go that builds every module of the workspace.
go_wanted=$(sed -n 's/^go //p' "$root/go.work")

# From Go 1.21 on, an older go fetches the one that go.mod asks for by itself.
go_fetching=1.21

# What the packages are called, for those who install them by hand.
by_hand="gcc and the C library's headers, make, pkg-config, strace, liburing 2.3 or newer with its headers,
and Go $go_fetching or newer"

say() {
	printf '%s\n' "$*"
}

die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}

# usage prints the comment that opens the calling script.
usage() {
	sed -n '2,/^[^#]/s/^# \{0,1\}//p' "$0"
}

# version_ge A B: A is version B or newer.
version_ge() {
	[ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]
}

# as_root runs a command as root; sudo is needed, and so asked for, only by other users.
as_root() {
	if [ "$(id -u)" -eq 0 ]; then
		"$@"
	elif command -v sudo >/dev/null; then
		sudo "$@"
	else
		die "root or sudo is needed to run: $*"
	fi
}

# apt_install runs a command of apt-get that installs something, without a question.
apt_install() {
	as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o Dpkg::Use-Pty=0 \
		--no-install-recommends "$@" </dev/null
}

# go_version DIR prints the version of DIR/go itself, whatever toolchain it would switch to.
go_version() {
	(cd / && GOTOOLCHAIN=local "$1/go" version 2>/dev/null) | sed -n 's/^go version go\([0-9.]*\).*/\1/p'
}

# find_go puts a Go that can build the workspace into PATH: the first that is new enough, or else the
# first that fetches one that is. It fails where there is neither.
find_go() {
	go_dir=
	for dir in "$(dirname "$(command -v go || echo /nonexistent/go)")" /usr/local/go/bin /usr/lib/go-*/bin; do
		[ -x "$dir/go" ] || continue
		go_have=$(go_version "$dir")
		if version_ge "${go_have:-0}" "$go_wanted"; then
			go_dir=$dir
			break
		fi
		if [ -z "$go_dir" ] && version_ge "${go_have:-0}" "$go_fetching"; then
			go_dir=$dir
		fi
	done
	[ -n "$go_dir" ] || return 1
	PATH=$go_dir:$PATH
	export PATH
	if ! version_ge "$(go_version "$go_dir")" "$go_wanted"; then
		GOTOOLCHAIN=auto # Some machines say "local", which would stop it from fetching.
		export GOTOOLCHAIN
	fi
}

# go_env sets what every use of Go in this repository needs. Stamping the version into test programs is
# of no use, and fails in a checkout that belongs to another user.
go_env() {
	find_go || die "no Go $go_fetching or newer found; scripts/install-deps installs one"
	GOFLAGS="${GOFLAGS:+$GOFLAGS }-buildvcs=false"
	export GOFLAGS
}

# go_setting NAME prints this machine's setting of Go, or nothing where there is no Go.
go_setting() {
	(find_go && go env "$1") || true
}

# need_docker stops where there is no Docker that answers.
need_docker() {
	command -v docker >/dev/null || die "please install Docker"
	docker version >/dev/null 2>&1 || die "the Docker daemon does not answer"
}

# apt_settings prints the machine's settings of apt that its mirror may need.
apt_settings() {
	apt-config dump | grep -E '^Acquire::(https?::|Check-|Retries)' || true
}

# derive_source SUITES DIR [ARCHIVE] writes to DIR an apt source for other suites of this machine's distribution: the
# machine's own entry (mirror, options, keyring), with only the suites replaced. ARCHIVE is -security where they are
# those of the security archive.
derive_source() (
	suites=$1 dir=$2 archive=${3-}
	. /etc/os-release
	own="(${VERSION_CODENAME:-sid}|stable|oldstable|testing)$archive"
	mkdir -p "$dir/sources"
	rm -f "$dir/sources/derived$archive".*
	set -- /etc/apt/sources.list.d/*.sources
	[ ! -e "$1" ] || awk -v RS= -v own="[ \t]$own([ \t]|\$)" -v suites="$suites" '
		/(^|\n)Enabled: *no/ || !/(^|\n)Types:[^\n]*deb([ \n]|$)/ { next }
		{
			ours = 0
			n = split($0, line, "\n")
			for (i = 1; i <= n; i++) {
				if (line[i] ~ /^Suites:/ && line[i] ~ own) { line[i] = "Suites: " suites; ours = 1 }
				if (line[i] ~ /^Types:/) line[i] = "Types: deb"
			}
			if (!ours) next
			for (i = 1; i <= n; i++) print line[i]
			exit
		}' "$@" >"$dir/sources/derived$archive.sources"
	[ ! -s "$dir/sources/derived$archive.sources" ] || exit 0
	rm -f "$dir/sources/derived$archive.sources"

	for list in /etc/apt/sources.list /etc/apt/sources.list.d/*.list; do
		[ ! -e "$list" ] || cat "$list"
	done | awk -v own="^$own\$" -v suites="$suites" '
		$1 == "deb" {
			for (i = 3; i < NF; i++) {
				if ($i !~ own) continue
				n = split(suites, suite, " ")
				for (j = 1; j <= n; j++) { $i = suite[j]; print }
				exit
			}
		}
	' >"$dir/sources/derived$archive.list"
	[ -s "$dir/sources/derived$archive.list" ] || die "found no apt source of this system to derive one for $suites from"
)

# private_apt DIR COMMAND...: apt's COMMAND with the sources that derive_source left in DIR and no others,
# and with all its state in DIR: the machine's own lists and cache stay as they are.
private_apt() {
	apt_dir=$1 apt_command=$2
	shift 2
	mkdir -p "$apt_dir/lists/partial" "$apt_dir/cache/archives/partial"
	"$apt_command" -qq -o APT::Sandbox::User= -o Dir::Cache="$apt_dir/cache" \
		-o Dir::State::Lists="$apt_dir/lists" -o Dir::Etc::SourceList=/dev/null \
		-o Dir::Etc::SourceParts="$apt_dir/sources" "$@"
}
