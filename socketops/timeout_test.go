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
		_, b, err := e.SocketPair(unix.SOCK_STREAM)
		require.NoError(t, err)
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

func TestRefusedOperationCanBeCancelled(t *testing.T) { // B31
	a, _, err := engine(t).SocketPair(unix.SOCK_STREAM)
	require.NoError(t, err)
	told, results := outcomes(1)
	a.GoRecv(nil, 1<<20, told).Cancel()
	require.ErrorIs(t, (<-results).err, unix.EOPNOTSUPP)
	a.GoRecvMsg(nil, 1<<20, func(_ Msg, err error) { told(0, err) }).Cancel()
	require.ErrorIs(t, (<-results).err, unix.EOPNOTSUPP)
}
