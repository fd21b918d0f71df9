//go:build linux && cgo

package cprep_test

//kerneltest:on it has nothing to do with io_uring

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/cprep"
	"github.com/sockring/uring/internal/testutil"
)

var versionMacro = regexp.MustCompile(`IO_URING_VERSION_(MAJOR|MINOR)\s+(\d+)`)

// TestVersionIsThatOfTheHeadersFound also fails where the go command took the package from its cache, compiled against
// another liburing that was installed in the same place. A GOCACHE of its own for each helps.
func TestVersionIsThatOfTheHeadersFound(t *testing.T) {
	testutil.InSource(t)
	dir, err := cprep.IncludeDir()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "liburing", "io_uring_version.h"))
	if os.IsNotExist(err) { // it came with 2.4
		require.Equal(t, 203, cprep.Version())
		return
	}
	require.NoError(t, err)
	number := map[string]int{}
	for _, m := range versionMacro.FindAllStringSubmatch(string(text), -1) {
		number[m[1]], err = strconv.Atoi(m[2])
		require.NoError(t, err)
	}
	require.Equal(t, number["MAJOR"]*100+number["MINOR"], cprep.Version(), "headers in %s", dir)
}

// TestBufRing tries io_uring_setup_buf_ring(3) and io_uring_free_buf_ring(3), which are polyfilled for liburing 2.3.
func TestBufRing(t *testing.T) {
	caps, err := uring.Probe()
	require.NoError(t, err)
	testutil.SkipIfUnsupported(t, caps.Require("IORING_REGISTER_PBUF_RING"))
	require.Zero(t, cprep.BufRing(8, 1))
	require.Negative(t, cprep.BufRing(3, 1), "not a power of two")
}

func TestHas(t *testing.T) {
	require.True(t, cprep.Has("io_uring_prep_nop"))
	require.True(t, cprep.Has("io_uring_prep_send_bundle"), "polyfilled")
	require.False(t, cprep.Has("io_uring_prep_nonsense"))
}
