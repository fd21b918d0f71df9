//go:build linux && cgo

package cprep_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// TestPolyfillRefusesOldHeaders compiles polyfill.h against a liburing.h that defines nothing newer than 2.2 did.
func TestPolyfillRefusesOldHeaders(t *testing.T) {
	testutil.InSource(t)
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "liburing.h"), []byte("struct io_uring;\n"), 0o600))
	cc := os.Getenv("CC")
	if cc == "" {
		cc = "cc"
	}
	polyfill := filepath.Join("..", "..", "cring", "polyfill.h")
	out, err := exec.Command(cc, "-fsyntax-only", "-x", "c", "-I", dir, polyfill).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "liburing 2.3 or newer is required")
}

// TestBuildWithoutLiburingSaysWhatToInstall builds with a compiler whose header directories have all that this
// machine's have but liburing.
func TestBuildWithoutLiburingSaysWhatToInstall(t *testing.T) { // found 42
	if race.Enabled {
		testutil.Skip(t, testutil.NeedsNoRace, "it is about a build, which takes long and is the same")
	}
	testutil.InSource(t)
	flags := "-nostdinc"
	for _, dir := range headerDirs(t) {
		flags += " -isystem " + withoutLiburing(t, dir)
	}
	packages := []string{".", "./cring", "./internal/ctest"}
	build := exec.Command("go", append([]string{"build"}, packages...)...)
	build.Dir, build.Env = filepath.Join("..", ".."), append(os.Environ(), "CGO_ENABLED=1", "CGO_CFLAGS="+flags)
	out, err := build.CombinedOutput()
	require.Error(t, err)
	failures := strings.Split(string(out), "# github.com/sockring/uring")[1:]
	require.Len(t, failures, 2, "cring, on which all else depends, and ctest, which has C alone: %s", out)
	for _, failure := range failures {
		for _, help := range []string{
			"liburing is missing", "liburing-dev (Debian, Ubuntu, Alpine)", "liburing-devel (Fedora)", "liburing (Arch)",
			"CGO_ENABLED=0",
		} {
			require.Contains(t, failure, help)
		}
	}
}

// headerDirs returns the directories in which the compiler looks for headers, in their order.
func headerDirs(t *testing.T) []string {
	t.Helper()
	cc, err := exec.Command("go", "env", "CC").Output()
	require.NoError(t, err)
	command := append(strings.Fields(string(cc)), "-E", "-v", "-x", "c", os.DevNull)
	out, err := exec.Command(command[0], command[1:]...).CombinedOutput()
	require.NoError(t, err)
	_, list, _ := strings.Cut(string(out), "#include <...> search starts here:\n")
	list, _, found := strings.Cut(list, "End of search list.")
	require.True(t, found, "%s", out)
	return strings.Fields(list)
}

// withoutLiburing returns a directory with links to all that dir has but liburing.
func withoutLiburing(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	require.NoError(t, err)
	hidden := t.TempDir()
	for _, entry := range entries {
		if !strings.HasPrefix(entry.Name(), "liburing") {
			require.NoError(t, os.Symlink(filepath.Join(dir, entry.Name()), filepath.Join(hidden, entry.Name())))
		}
	}
	return hidden
}
