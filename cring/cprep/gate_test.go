//go:build linux && cgo

package cprep_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

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
	out, err := exec.Command(cc, "-fsyntax-only", "-x", "c", "-I", dir, filepath.Join("..", "polyfill.h")).CombinedOutput()
	require.Error(t, err)
	require.Contains(t, string(out), "liburing 2.3 or newer is required")
}
