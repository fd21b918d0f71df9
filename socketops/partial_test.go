//go:build linux

package socketops

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestErrorBehindAPartialSend has the second of two system calls of a send fail: its buffer may not be read.
func TestErrorBehindAPartialSend(t *testing.T) { // N10, N11, B24
	forbidden, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	defer unix.Munmap(forbidden)
	bufs := make([][]byte, iovMax+1)
	for i := range iovMax {
		bufs[i] = []byte{1}
	}
	bufs[iovMax] = forbidden
	onEngines(t, func(t *testing.T, e *Engine) {
		a, _ := unixPair(t, e, unix.SOCK_STREAM)
		n, err := a.Sendv(t.Context(), bufs, 0)
		require.ErrorIs(t, err, unix.EFAULT, "a send that waits tells both")
		require.Equal(t, iovMax, n)
		for _, blocking := range []bool{true, false} {
			require.NoError(t, a.SetBlocking(blocking))
			send := func(bufs [][]byte) (int, error) { return a.TrySendv(bufs, 0) }
			if !blocking {
				send = func(bufs [][]byte) (int, error) { return a.Sendv(t.Context(), bufs, 0) }
			}
			n, err = send(bufs)
			require.NoError(t, err)
			require.Equal(t, iovMax, n)
			n, err = send(bufs[n:])
			require.ErrorIs(t, err, unix.EFAULT, "the error comes with the next attempt")
			require.Zero(t, n)
		}
	})
}
