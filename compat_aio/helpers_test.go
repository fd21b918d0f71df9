//go:build linux

package aio

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// bothWays runs the test with events read from the ring, and with events read by system call.
func bothWays(t *testing.T, test func(t *testing.T, opts ...Option)) {
	t.Helper()
	t.Run("ring", func(t *testing.T) { test(t) })
	t.Run("system call", func(t *testing.T) { test(t, WithSyscallReap()) })
}

// newContext returns a Context that is closed at the end of the test, which must not leave anything in flight.
func newContext(t testing.TB, requests int, opts ...Option) *Context {
	t.Helper()
	c, err := NewContext(requests, opts...)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// needAIO skips the test where there is no AIO.
func needAIO(t testing.TB) {
	t.Helper()
	newContext(t, 1)
}

// taken returns an IOCB.
func taken(t testing.TB, c *Context) *IOCB {
	t.Helper()
	cb, err := c.IOCB()
	require.NoError(t, err)
	return cb
}

// submit submits what must be accepted.
func submit(t testing.TB, c *Context, iocbs ...*IOCB) {
	t.Helper()
	n, err := c.Submit(iocbs...)
	require.NoError(t, err)
	require.Equal(t, len(iocbs), n)
}

// await returns the next n events.
func await(t testing.TB, c *Context, n int) []Event {
	t.Helper()
	events := make([]Event, n)
	got, err := c.GetEvents(n, events, 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, n, got)
	return events
}

// directory is where tests make files: AIO_TEST_DIR, for another file system than the one of temporary files.
func directory(t testing.TB) string {
	t.Helper()
	base := os.Getenv("AIO_TEST_DIR")
	if base == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(base, "aio")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// newFile returns an empty file to read and write.
func newFile(t testing.TB) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(directory(t), "file"), os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// sockets returns two connected sockets that do not block.
func sockets(t testing.TB) (a, b int) {
	t.Helper()
	a, b = testutil.SocketPair(t, "unix")
	require.NoError(t, unix.SetNonblock(a, true))
	require.NoError(t, unix.SetNonblock(b, true))
	return a, b
}

// pattern returns n bytes that tell where they belong.
func pattern(n, seed int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed + i + i>>8)
	}
	return b
}

// inUse returns fs.aio-nr.
func inUse(t testing.TB) int {
	t.Helper()
	limits, err := GetLimits()
	require.NoError(t, err)
	return limits.InUse
}

// requireNoMoreInUse holds that fs.aio-nr returns to what it was. Other processes come and go meanwhile.
func requireNoMoreInUse(t testing.TB, before int) {
	t.Helper()
	require.Eventually(t, func() bool { return inUse(t) <= before }, 20*time.Second, 10*time.Millisecond,
		"fs.aio-nr stays above %d", before)
}
