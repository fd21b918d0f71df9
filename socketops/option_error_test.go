//go:build linux

package socketops

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// refused makes a socket to which something that it sent was refused.
func refused(t *testing.T) *Socket {
	t.Helper()
	gone := udpSocket(t)
	at := bindOption(t, gone, "127.0.0.1:0")
	s := udpSocket(t)
	require.NoError(t, s.TryConnect(at))
	require.NoError(t, gone.Close())
	fds := []unix.PollFd{{Fd: int32(s.current.Load().fd)}}
	require.Eventually(t, func() bool {
		_, _ = s.TrySend([]byte("x"), 0) // again where the kernel sent too many refusals of late
		n, _ := unix.Poll(fds, 100)
		return n > 0
	}, 10*time.Second, time.Millisecond)
	return s
}

func TestSocketErrorIsReadOnce(t *testing.T) {
	t.Run("A69 SocketError", func(t *testing.T) {
		s := refused(t)
		require.ErrorIs(t, s.SocketError(), unix.ECONNREFUSED)
		require.NoError(t, s.SocketError())
	})
	for _, level := range []Level{LevelSocket, LevelIP, LevelUDP, 0} {
		t.Run("N30 "+level.String(), func(t *testing.T) {
			s := refused(t)
			v, err := s.OptionInt(level, OptError)
			require.NoError(t, err)
			require.Equal(t, int(unix.ECONNREFUSED), v)
			require.NoError(t, s.SocketError())
		})
	}
	t.Run("A70 cut", func(t *testing.T) {
		s := refused(t)
		b := make([]byte, 2)
		n, err := s.OptionBytes(LevelSocket, OptError, b)
		require.NoError(t, err)
		require.Equal(t, intValue(int(unix.ECONNREFUSED))[:2], b[:n])
	})
	t.Run("A70 read into nothing", func(t *testing.T) {
		s := refused(t)
		n, err := s.OptionBytes(LevelSocket, OptError, nil)
		require.NoError(t, err)
		require.Zero(t, n)
		require.NoError(t, s.SocketError())
	})
	t.Run("A69 closed", func(t *testing.T) {
		s := udpSocket(t)
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.SocketError(), ErrClosed)
	})
}
