//go:build linux

package socketops

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTimeoutOfTheGoForm(t *testing.T) { // B12, B31
	onEngines(t, func(t *testing.T, e *Engine) {
		_, b := unixPair(t, e, unix.SOCK_STREAM)
		for _, timeout := range []time.Duration{time.Microsecond, 5 * time.Millisecond} {
			require.NoError(t, b.SetReadTimeout(timeout))
			for range 50 {
				told, results := outcomes(1)
				op := b.GoRecv(make([]byte, 1), 0, told)
				require.ErrorIs(t, (<-results).err, ErrTimeout)
				op.Cancel()
			}
			_, err := b.Recv(t.Context(), make([]byte, 1), 0)
			require.ErrorIs(t, err, ErrTimeout)
		}
	})
}

// TestDeadlineEndsTryForms holds that all forms have the same answer once the deadline has passed, whatever is there.
func TestDeadlineEndsTryForms(t *testing.T) { // A29, A33, A34
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		p := make([]byte, 1)
		_, err := b.TrySend(p, 0)
		require.NoError(t, err)
		require.NoError(t, a.SetDeadline(time.Now().Add(-time.Second)))
		_, err = a.TrySend(p, 0)
		require.ErrorIs(t, err, ErrTimeout)
		_, err = a.TrySendv([][]byte{p}, 0)
		require.ErrorIs(t, err, ErrTimeout)
		_, err = a.TryRecv(p, 0)
		require.ErrorIs(t, err, ErrTimeout)
		_, _, err = a.TryRecvv([][]byte{p}, 0)
		require.ErrorIs(t, err, ErrTimeout)
		require.NoError(t, a.SetDeadline(time.Time{}))
		n, err := a.TryRecv(p, 0)
		require.NoError(t, err)
		require.Equal(t, 1, n, "and what had come is not lost")
	})
}

func TestRefusedOperationCanBeCancelled(t *testing.T) { // B31
	a, _, err := engine(t).SocketPair(unix.SOCK_STREAM)
	require.NoError(t, err)
	told, results := outcomes(1)
	a.GoRecv(nil, 1<<20, told).Cancel()
	require.ErrorIs(t, (<-results).err, unix.EOPNOTSUPP)
	a.GoRecvMsg(nil, 1<<20, func(_ Msg, err error) { told(0, err) }).Cancel()
	require.ErrorIs(t, (<-results).err, unix.EOPNOTSUPP)
}
