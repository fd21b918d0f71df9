//go:build cgo

package socketops

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// TestRingTellsItsReactorWhoWaits holds that sockets with Go forms alone do not wake the reactor beside the ring.
func TestRingTellsItsReactorWhoWaits(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	e, err := New(WithBackend(BackendURing))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	defer e.Close()
	known := func() int {
		r := e.driver.(*ringDriver).waits
		r.mu.Lock()
		defer r.mu.Unlock()
		return len(r.ports)
	}
	a, b := unixPair(t, e, unix.SOCK_STREAM)
	told, results := outcomes(2)
	b.GoRecv(make([]byte, 1), 0, told)
	a.GoSend(make([]byte, 1), 0, told)
	for range 2 {
		require.Equal(t, outcome{1, nil}, <-results)
	}
	require.Zero(t, known())

	b.GoRecv(make([]byte, 1), 0, told)
	go func() { told(b.Recv(t.Context(), make([]byte, 1), 0)) }()
	require.Eventually(t, func() bool { return b.Stats().Received.Queued == 2 }, late, time.Millisecond)
	for range 2 {
		_, err = a.Send(t.Context(), make([]byte, 1), 0)
		require.NoError(t, err)
		require.Equal(t, outcome{1, nil}, <-results)
	}
	require.Equal(t, 1, known(), "the receiver")
	require.NoError(t, b.Close())
	require.Zero(t, known())
}
