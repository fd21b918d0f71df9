//go:build linux

package socketops

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOptionReuse(t *testing.T) {
	s := tcpSocket(t)
	exclusive := func(want bool) {
		t.Helper()
		reuse, err := s.ReuseAddress()
		require.NoError(t, err)
		require.Equal(t, !want, reuse)
		got, err := s.ExclusiveAddressUse()
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
	t.Run("N27 default", func(*testing.T) { exclusive(true) })
	t.Run("N27 both of the kernel's", func(t *testing.T) {
		require.NoError(t, s.SetReuseAddress(true))
		require.Equal(t, 1, kernelInt(t, s, unix.SOL_SOCKET, unix.SO_REUSEPORT))
		require.Equal(t, 1, kernelInt(t, s, unix.SOL_SOCKET, unix.SO_REUSEADDR))
		exclusive(false)
	})
	t.Run("N27 exclusive is inverted", func(t *testing.T) {
		require.NoError(t, s.SetExclusiveAddressUse(true))
		require.Zero(t, kernelInt(t, s, unix.SOL_SOCKET, unix.SO_REUSEPORT))
		require.Zero(t, kernelInt(t, s, unix.SOL_SOCKET, unix.SO_REUSEADDR))
		exclusive(true)
	})
	t.Run("N27 exclusive is 0 or 1", func(t *testing.T) {
		for _, v := range []int{2, -1} {
			require.ErrorIs(t, s.SetOptionInt(LevelSocket, OptExclusiveAddressUse, v), unix.EINVAL)
		}
	})
	t.Run("N27 reuse is normalised", func(t *testing.T) {
		require.NoError(t, s.SetOptionInt(LevelSocket, OptReuseAddress, 7))
		v, err := s.OptionInt(LevelSocket, OptReuseAddress)
		require.NoError(t, err)
		require.Equal(t, 1, v)
	})
	t.Run("N27 length is 4", func(t *testing.T) {
		for _, name := range []Option{OptReuseAddress, OptExclusiveAddressUse} {
			for _, b := range [][]byte{make([]byte, 1), make([]byte, 3), make([]byte, 5)} {
				require.ErrorIs(t, s.SetOptionBytes(LevelSocket, name, b), unix.EINVAL)
				_, err := s.OptionBytes(LevelSocket, name, b)
				require.ErrorIs(t, err, unix.EINVAL)
			}
			_, err := s.OptionBytes(LevelSocket, name, nil)
			require.ErrorIs(t, err, unix.EINVAL, "A70")
		}
	})
	t.Run("N27 two sockets bind to one address", func(t *testing.T) {
		a, b := udpSocket(t), udpSocket(t)
		require.NoError(t, a.SetReuseAddress(true))
		at := bindOption(t, a, "127.0.0.1:0")
		require.ErrorIs(t, b.Bind(at), unix.EADDRINUSE)
		require.NoError(t, b.SetReuseAddress(true))
		require.NoError(t, b.Bind(at))
	})
}

func TestBindOfTCPReusesTheAddress(t *testing.T) {
	t.Run("N26 not for two listeners", func(t *testing.T) {
		a, b := tcpSocket(t), tcpSocket(t)
		at := bindOption(t, a, "127.0.0.1:0")
		require.NoError(t, a.Listen(1))
		require.ErrorIs(t, b.Bind(at), unix.EADDRINUSE)
	})
}
