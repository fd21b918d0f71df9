//go:build cgo

package socketops

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// TestCancelBeforeTheKernelWaits has a request and its cancellation reach the kernel together, when a part of the bytes
// is there. The kernel then has the request neither waiting nor running when it looks for what to cancel: it finds
// nothing, and goes on to wait for the rest.
func TestCancelBeforeTheKernelWaits(t *testing.T) { // B06
	testutil.Timeout(t, hangLimit)
	e, err := New(WithBackend(BackendURing))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	defer e.Close()
	a, b := unixPair(t, e, unix.SOCK_STREAM)

	release := holdUp(t, e)
	told, results := outcomes(1)
	op := b.GoRecv(make([]byte, 100), WaitAll, told)
	_, err = a.TrySend([]byte("part"), 0)
	require.NoError(t, err)
	op.Cancel()
	release()
	require.Equal(t, outcome{4, nil}, <-results)
}

// holdUp has the goroutine of a ring wait until release is called, so that it finds all that is handed to it meanwhile
// at once.
func holdUp(t *testing.T, e *Engine) (release func()) {
	t.Helper()
	s, _ := unixPair(t, e, unix.SOCK_STREAM)
	o, err := s.newRecv(make([]byte, 1), 0)
	require.NoError(t, err)
	o.callback = func(*op) {}
	o.handle, err = s.acquire()
	require.NoError(t, err)
	d := e.driver.(*ringDriver)
	l := &o.handle.lanes[receiving]
	l.mu.Lock() // which the goroutine needs to look at what has been handed to it
	l.push(d, o)
	for left := 1; left > 0; runtime.Gosched() {
		d.mu.Lock()
		left = len(d.starts)
		d.mu.Unlock()
	}
	return l.mu.Unlock
}
