//go:build linux

package socketops

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOptionBytes(t *testing.T) {
	t.Run("A62 empty value", func(t *testing.T) {
		s := tcpSocket(t)
		require.ErrorIs(t, s.SetOptionBytes(LevelSocket, OptKeepAlive, nil), unix.EFAULT)
		require.ErrorIs(t, s.SetOptionBytes(LevelSocket, OptKeepAlive, []byte{}), unix.EFAULT)
	})
	t.Run("A62 short number", func(t *testing.T) {
		s := udpSocket(t)
		require.ErrorIs(t, s.SetOptionBytes(LevelSocket, OptKeepAlive, []byte{1, 0, 0}), unix.EINVAL)
		require.ErrorIs(t, s.SetOptionBytes(LevelIP, OptDontFragment, []byte{1}), unix.EINVAL)
	})
	t.Run("A62 value is not changed", func(t *testing.T) {
		s := udpSocket(t)
		for _, name := range []Option{OptDontFragment, OptIPTimeToLive} {
			b := intValue(1)
			require.NoError(t, s.SetOptionBytes(LevelIP, name, b))
			require.Equal(t, intValue(1), b)
		}
		require.Equal(t, unix.IP_PMTUDISC_DO, kernelInt(t, s, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER))
	})
	t.Run("A62 structure", func(t *testing.T) {
		s := tcpSocket(t)
		require.NoError(t, s.SetOptionBytes(LevelSocket, OptLinger, append(intValue(1), intValue(3)...)))
		l, err := s.Linger()
		require.NoError(t, err)
		require.Equal(t, Linger{true, 3}, l)
	})
	t.Run("A62 sources of a group", func(t *testing.T) {
		s := udpSocket(t)
		mreq := append(append(group4.AsSlice(), local4.AsSlice()...), 127, 0, 0, 9)
		for _, name := range []Option{
			OptAddSourceMembership, OptDropSourceMembership, OptAddMembership, OptBlockSource, OptUnblockSource,
		} {
			b := mreq
			if name == OptAddMembership {
				b = mreq[:8]
			}
			require.NoError(t, s.SetOptionBytes(LevelIP, name, b), name)
		}
	})
	t.Run("A62 time-outs of the package stay", func(t *testing.T) {
		s := tcpSocket(t)
		tv := make([]byte, sizeofTimeval)
		tv[0] = 9
		require.NoError(t, s.SetOptionBytes(LevelSocket, OptReceiveTimeout, tv))
		require.Zero(t, s.ReadTimeout())
		got := make([]byte, sizeofTimeval)
		n, err := s.OptionBytes(LevelSocket, OptReceiveTimeout, got)
		require.NoError(t, err)
		require.Equal(t, tv, got[:n])
	})
	t.Run("A70 value is cut", func(t *testing.T) {
		s := tcpSocket(t)
		require.NoError(t, s.SetKeepAlive(true))
		b := []byte{9, 9, 9}
		n, err := s.OptionBytes(LevelSocket, OptKeepAlive, b[:2])
		require.NoError(t, err)
		require.Equal(t, 2, n)
		require.Equal(t, append(intValue(1)[:2], 9), b)
	})
	t.Run("A70 longer than the value", func(t *testing.T) {
		n, err := tcpSocket(t).OptionBytes(LevelSocket, OptKeepAlive, make([]byte, 64))
		require.NoError(t, err)
		require.Equal(t, 4, n)
	})
	t.Run("A70 nothing to read into", func(t *testing.T) {
		s := tcpSocket(t)
		for _, b := range [][]byte{nil, {}} {
			n, err := s.OptionBytes(LevelSocket, OptKeepAlive, b)
			require.NoError(t, err)
			require.Zero(t, n)
		}
	})
	t.Run("N28 DontFragment is cut", func(t *testing.T) {
		s := udpSocket(t)
		require.NoError(t, s.SetDontFragment(true))
		b := make([]byte, 2)
		n, err := s.OptionBytes(LevelIP, OptDontFragment, b)
		require.NoError(t, err)
		require.Equal(t, intValue(1)[:2], b[:n])
	})
	t.Run("N29 Type of 4 bytes", func(t *testing.T) {
		s := udpSocket(t)
		v, err := s.OptionInt(LevelSocket, OptType)
		require.NoError(t, err)
		require.Equal(t, unix.SOCK_DGRAM, v)
		for _, b := range [][]byte{nil, make([]byte, 3), make([]byte, 8)} {
			_, err := s.OptionBytes(LevelSocket, OptType, b)
			require.ErrorIs(t, err, unix.EOPNOTSUPP)
		}
	})
}

func TestOptionIntRange(t *testing.T) {
	if math.MaxInt == math.MaxInt32 {
		t.Skip("every int fits")
	}
	s := udpSocket(t)
	big := math.MaxInt32
	big++
	require.ErrorIs(t, s.SetOptionInt(LevelSocket, OptSendBuffer, big), unix.EINVAL, "A61")
	require.ErrorIs(t, s.SetOptionInt(LevelSocket, OptReceiveTimeout, big), unix.EINVAL, "A61")
	require.ErrorIs(t, s.SetOptionInt(LevelIP, OptMulticastInterface, 2*big), unix.EINVAL, "A61")
}

func TestRawOption(t *testing.T) {
	s := tcpSocket(t)
	t.Run("A63 nil value", func(t *testing.T) {
		require.ErrorIs(t, s.SetRawOption(unix.SOL_SOCKET, unix.SO_KEEPALIVE, nil), unix.EFAULT)
	})
	t.Run("A63 empty value is the kernel's to judge", func(t *testing.T) {
		require.ErrorIs(t, s.SetRawOption(unix.SOL_SOCKET, unix.SO_KEEPALIVE, []byte{}), unix.EINVAL)
	})
	t.Run("A71 read", func(t *testing.T) {
		b := make([]byte, 8)
		n, err := s.RawOption(unix.SOL_SOCKET, unix.SO_DOMAIN, b)
		require.NoError(t, err)
		require.Equal(t, intValue(unix.AF_INET), b[:n])
		_, err = s.RawOption(unix.SOL_SOCKET, 9999, b)
		require.ErrorIs(t, err, unix.ENOPROTOOPT)
		require.False(t, s.Exposed())
	})
	t.Run("A63 set exposes", func(t *testing.T) {
		require.Error(t, s.SetRawOption(unix.SOL_SOCKET, 9999, intValue(1)))
		require.False(t, s.Exposed())
		require.NoError(t, s.SetRawOption(unix.SOL_SOCKET, unix.SO_KEEPALIVE, intValue(1)))
		require.True(t, s.Exposed())
		on, err := s.KeepAlive()
		require.NoError(t, err)
		require.True(t, on)
	})
}
