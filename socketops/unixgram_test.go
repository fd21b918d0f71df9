//go:build linux

package socketops

import (
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// TestDatagramsToAFullReceiver has a unix socket send to a receiver that others have filled. The kernel calls a socket
// that is not connected writable all the same: only another attempt tells.
func TestDatagramsToAFullReceiver(t *testing.T) { // A50, B06
	onEngines(t, func(t *testing.T, e *Engine) {
		socket := func() *Socket {
			s, err := e.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
			require.NoError(t, err)
			return s
		}
		receiver, filler, sender := socket(), socket(), socket()
		at := UnixAddr(filepath.Join(t.TempDir(), "s"))
		require.NoError(t, receiver.Bind(at))
		filled := 0
		for ; ; filled++ {
			if _, err := filler.TrySendTo([]byte{1}, 0, at); err != nil {
				require.ErrorIs(t, err, ErrWouldBlock)
				break
			}
		}
		told, results := outcomes(2)
		cancelled := sender.GoSendvTo([][]byte{{2}}, 0, at, told)
		sender.GoSendvTo([][]byte{{3}}, 0, at, told)
		cancelled.Cancel()
		require.ErrorIs(t, (<-results).err, ErrCanceled)
		for range filled {
			_, err := receiver.Recv(t.Context(), make([]byte, 1), 0)
			require.NoError(t, err)
		}
		p := make([]byte, 1)
		_, err := receiver.Recv(t.Context(), p, 0)
		require.NoError(t, err)
		require.Equal(t, []byte{3}, p)
		require.Equal(t, outcome{1, nil}, <-results)
	})
}
