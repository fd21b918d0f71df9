//go:build linux && cgo

package release

//kerneltest:host it is about the go command, git and the source tree

import (
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

const (
	root    = "../.."
	library = "github.com/sockring/uring"
	// version is newer than any that there is, so that the script has something to change.
	version = "v0.999.0"
)

// notOurs are in the root and not of the source tree. A .git, which is a file in a work tree of its own, would have
// the rehearsal happen in the repository itself.
var notOurs = []string{".git", ".bin", ".cache", "report"}

// TestRelease makes a release in a copy of the source tree, and has modules outside of it use the library as the page
// about building says. The third-party modules come from the machine's module cache, so no network is needed where
// the tests of this repository were built.
func TestRelease(t *testing.T) { // found 41
	if testing.Short() {
		t.Skip("it builds all examples and a program in each way that the page about building has")
	}
	if race.Enabled {
		testutil.Skip(t, testutil.NeedsNoRace, "it runs other programs, which the detector does not see")
	}
	testutil.InSource(t)
	need(t, "git")
	r := &rehearsal{work: t.TempDir()}
	r.release(t)
	recipes := r.recipes(t)
	run := func(name, program string, check func(t *testing.T, out string)) {
		t.Run(name, func(t *testing.T) {
			commands, ok := recipes[name]
			require.True(t, ok, "docs/building.md has no recipe %q", name)
			delete(recipes, name)
			if strings.Contains(commands, "musl-gcc") {
				need(t, "musl-gcc")
			}
			module := r.module(t, program)
			r.run(t, module, "sh", "-euc", commands)
			check(t, r.run(t, module, "./server"))
		})
	}

	// A static program, or one of another C library, can what this one can.
	works := func(t *testing.T, out string) {
		ring, err := uring.New(8)
		if err == nil {
			require.NoError(t, ring.Close())
			require.Contains(t, out, "uring: works")
		} else {
			require.Contains(t, out, "uring: unsupported")
		}
		require.Contains(t, out, "socketops: hello")
	}
	run("Getting it", "server", works)
	run("The adapter to Prometheus", "metrics", func(t *testing.T, out string) {
		require.Contains(t, out, "prometheus: true")
	})
	run("Vendored", "server", works)
	run("Without cgo", "server", func(t *testing.T, out string) {
		require.Contains(t, out, "uring: unsupported")
		require.Contains(t, out, "socketops: hello")
	})
	run("Static, with glibc", "server", works)
	run("Static, with musl", "server", works)

	t.Run("The examples", func(t *testing.T) {
		r.run(t, r.work, "sh", "-euc", recipes["The examples"])
		delete(recipes, "The examples")
		installed, err := os.ReadDir(filepath.Join(r.work, "bin"))
		require.NoError(t, err)
		var names []string
		for _, program := range installed {
			names = append(names, program.Name())
		}
		require.Equal(t, examples(t), names)
		require.Contains(t, r.run(t, r.work, "bin/probe"), "io_uring on ")
	})
	require.Empty(t, recipes, "recipes of docs/building.md that nothing tries")
}

// TestReleaseIsAllOrNothing holds that a release that cannot be made leaves a repository as it was.
func TestReleaseIsAllOrNothing(t *testing.T) { // found 41
	if testing.Short() {
		t.Skip("it copies the source tree")
	}
	testutil.InSource(t)
	need(t, "git")
	r := &rehearsal{work: t.TempDir()}
	r.copyTree(t)
	before := r.state(t)

	out := r.refused(t, "scripts/release", version)
	require.Contains(t, out, `CHANGELOG.md has no section "## `+version[1:]+`"`)
	for _, bad := range []string{"0.1.0", "v1", "v2.0.0"} {
		require.Regexp(t, "Usage:|is not a version", r.refused(t, "scripts/release", bad), bad)
	}
	require.Equal(t, before, r.state(t))

	// The sums of the library need its requirements, which are nowhere to be had.
	r.changelog(t)
	before = r.state(t)
	r.env = append(r.env, "GOPROXY=off", "GOMODCACHE="+filepath.Join(r.work, "empty"))
	require.Contains(t, r.refused(t, "scripts/release", version), "Nothing is released")
	require.Equal(t, before, r.state(t))
}

// rehearsal is a copy of the source tree in a repository of its own, and the environment of those who use it.
type rehearsal struct {
	work string // everything is in here
	env  []string
}

func (r *rehearsal) tree() string { return filepath.Join(r.work, "tree") }

// release copies the tree, releases it there, and has r.env find it where the library is published.
func (r *rehearsal) release(t *testing.T) {
	r.copyTree(t)
	r.changelog(t)
	r.run(t, r.tree(), "scripts/release", version)
	require.Equal(t, "examples/"+version+"\nsocketops/prometheus/"+version+"\n"+version+"\n",
		r.run(t, r.tree(), "git", "tag", "--list"))

	machine := strings.Split(r.run(t, r.tree(), "go", "env", "GOMODCACHE", "GOPROXY"), "\n")
	r.env = append(r.env,
		"GOWORK=off",
		"GOPROXY=file://"+machine[0]+"/cache/download,"+machine[1],
		// What is not published must not get into the machine's module cache, where it would stay. Programs have the
		// names of directories, as those that users build: without them the standard library would be built anew.
		"GOMODCACHE="+filepath.Join(r.work, "mod"),
		"GOFLAGS=-modcacherw",
		"GOBIN="+filepath.Join(r.work, "bin"),
		"GOPRIVATE="+library,
		"GOSUMDB=off",
		"GIT_CONFIG_COUNT=1",
		"GIT_CONFIG_KEY_0=url.file://"+r.tree()+".insteadOf",
		"GIT_CONFIG_VALUE_0=https://"+library,
	)
}

// copyTree makes a repository of the source tree as it is.
func (r *rehearsal) copyTree(t *testing.T) {
	// The settings of whoever runs this are not for the copy.
	r.env = []string{
		"GIT_CONFIG_GLOBAL=/dev/null", "GIT_CONFIG_NOSYSTEM=1",
		"GIT_AUTHOR_NAME=rehearsal", "GIT_AUTHOR_EMAIL=rehearsal@example.org",
		"GIT_COMMITTER_NAME=rehearsal", "GIT_COMMITTER_EMAIL=rehearsal@example.org",
	}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		switch {
		case err != nil:
			return err
		case slices.Contains(notOurs, name) && entry.IsDir():
			return filepath.SkipDir
		case slices.Contains(notOurs, name) || !entry.Type().IsRegular():
			return nil
		}
		to := filepath.Join(r.tree(), name)
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		return os.WriteFile(to, content, info.Mode().Perm())
	})
	require.NoError(t, err)
	require.NoFileExists(t, filepath.Join(r.tree(), ".git"))
	r.run(t, r.tree(), "git", "init", "-q", "-b", "main")
	require.DirExists(t, filepath.Join(r.tree(), ".git"))
	r.commit(t)
}

// changelog gives the copy what scripts/release demands.
func (r *rehearsal) changelog(t *testing.T) {
	path := filepath.Join(r.tree(), "CHANGELOG.md")
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	content = append(content, "\n## "+version[1:]+"\n"...)
	require.NoError(t, os.WriteFile(path, content, 0o600))
	r.commit(t)
}

func (r *rehearsal) commit(t *testing.T) {
	r.run(t, r.tree(), "git", "add", "-A")
	r.run(t, r.tree(), "git", "commit", "-q", "-m", "the tree")
}

// state is all of the copy that a release changes.
func (r *rehearsal) state(t *testing.T) string {
	return r.run(t, r.tree(), "git", "rev-parse", "HEAD") + r.run(t, r.tree(), "git", "tag", "--list") +
		r.run(t, r.tree(), "git", "status", "--porcelain")
}

// recipe is a section of the page about building, with the commands that open it.
var recipe = regexp.MustCompile("(?m)^## (.*)\n\n```sh\n((?:.*\n)*?)```\n")

// recipes returns the commands of each section of the page about building.
func (r *rehearsal) recipes(t *testing.T) map[string]string {
	page, err := os.ReadFile(filepath.Join(r.tree(), "docs/building.md"))
	require.NoError(t, err)
	recipes := map[string]string{}
	for _, section := range recipe.FindAllStringSubmatch(string(page), -1) {
		recipes[section[1]] = section[2]
	}
	return recipes
}

// module makes a module of a program in testdata, outside of the tree.
func (r *rehearsal) module(t *testing.T, program string) string {
	dir := t.TempDir()
	main, err := os.ReadFile(filepath.Join("testdata", program, "main.go"))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "main.go"), main, 0o600))
	r.run(t, dir, "go", "mod", "init", "example.org/server")
	return dir
}

// run runs a command that has to succeed and returns what it printed to its standard output.
func (r *rehearsal) run(t *testing.T, dir, name string, args ...string) string {
	t.Helper()
	start := time.Now()
	out, errs, err := r.command(t, dir, name, args...)
	require.NoError(t, err, "in %s: %s %s\n%s%s", dir, name, strings.Join(args, " "), out, errs)
	if took := time.Since(start); took > time.Second {
		t.Logf("%4.1f s: %s %s", took.Seconds(), name, strings.Join(args, " "))
	}
	return out
}

// refused runs a command in the tree that has to fail, and returns all that it printed.
func (r *rehearsal) refused(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, errs, err := r.command(t, r.tree(), name, args...)
	require.Error(t, err, "%s %s", name, strings.Join(args, " "))
	return out + errs
}

func (r *rehearsal) command(t *testing.T, dir, name string, args ...string) (out, errs string, err error) {
	if strings.Contains(name, "/") {
		// Relative to the directory, whatever exec makes of it.
		name = filepath.Join(dir, name)
	}
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Dir = dir
	cmd.Env = append(slices.DeleteFunc(os.Environ(), func(s string) bool { return strings.HasPrefix(s, "GIT_") }),
		"CGO_ENABLED=1", "PWD="+dir)
	cmd.Env = append(cmd.Env, r.env...)
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.String(), stderr.String(), err
}

// examples returns the names of the programs in examples/.
func examples(t *testing.T) []string {
	mains, err := filepath.Glob(filepath.Join(root, "examples/*/main.go"))
	require.NoError(t, err)
	var names []string
	for _, path := range mains {
		names = append(names, filepath.Base(filepath.Dir(path)))
	}
	require.NotEmpty(t, names)
	return names
}

// need skips the test where a program is not installed.
func need(t *testing.T, program string) {
	if _, err := exec.LookPath(program); err != nil {
		testutil.Skip(t, testutil.NeedsProgram, "%s is not installed", program)
	}
}
