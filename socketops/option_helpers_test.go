//go:build linux

package socketops

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestLinger(t *testing.T) {
	s := tcpSocket(t)
	t.Run("A74 default", func(t *testing.T) {
		l, err := s.Linger()
		require.NoError(t, err)
		require.Zero(t, l)
	})
	for _, l := range []Linger{{true, 0}, {true, 1}, {true, 65535}} {
		t.Run("A66 set", func(t *testing.T) {
			require.NoError(t, s.SetLinger(l))
			got, err := s.Linger()
			require.NoError(t, err)
			require.Equal(t, l, got)
		})
	}
	t.Run("A66 range", func(t *testing.T) {
		require.ErrorIs(t, s.SetLinger(Linger{true, -1}), unix.EINVAL)
		require.ErrorIs(t, s.SetLinger(Linger{true, 65536}), unix.EINVAL)
	})
	t.Run("A66 range does not matter when off", func(t *testing.T) {
		require.NoError(t, s.SetLinger(Linger{false, -1}))
		l, err := s.Linger()
		require.NoError(t, err)
		require.False(t, l.Enabled)
	})
	t.Run("A66 peer is gone", func(t *testing.T) {
		fa, fb := testutil.SocketPair(t, "tcp4")
		fd, err := unix.Dup(fa)
		require.NoError(t, err)
		c, err := engine(t).FromFD(fd)
		require.NoError(t, err)
		require.NoError(t, unix.SetsockoptLinger(fb, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
		require.NoError(t, unix.Close(fb))
		_, err = c.Recv(context.Background(), make([]byte, 1), 0)
		require.ErrorIs(t, err, unix.ECONNRESET)
		require.NoError(t, c.SetLinger(Linger{true, 0}))
	})
}

func TestDualMode(t *testing.T) {
	t.Run("N04 only of IPv6", func(t *testing.T) {
		s := udpSocket(t)
		require.ErrorIs(t, s.SetDualMode(true), unix.EOPNOTSUPP)
		_, err := s.DualMode()
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
	t.Run("N03 off at first", func(t *testing.T) {
		s := udp6Socket(t)
		require.Equal(t, 1, kernelInt(t, s, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY))
		dual, err := s.DualMode()
		require.NoError(t, err)
		require.False(t, dual)
	})
	t.Run("N04 on and off", func(t *testing.T) {
		s := udp6Socket(t)
		for _, on := range []bool{true, false} {
			require.NoError(t, s.SetDualMode(on))
			dual, err := s.DualMode()
			require.NoError(t, err)
			require.Equal(t, on, dual)
			only, err := s.V6Only()
			require.NoError(t, err)
			require.Equal(t, !on, only)
		}
	})
}

func TestFastOpenIsAWish(t *testing.T) {
	t.Run("N31 remembered", func(t *testing.T) {
		s := tcpSocket(t)
		require.False(t, s.FastOpen())
		require.NoError(t, s.SetFastOpen(true))
		require.True(t, s.FastOpen())
		require.False(t, s.Exposed())
	})
	t.Run("N31 refused by the kernel", func(t *testing.T) {
		s := udpSocket(t)
		require.NoError(t, s.SetFastOpen(true))
		v, err := s.OptionInt(LevelTCP, OptFastOpen)
		require.NoError(t, err)
		require.Equal(t, 1, v, "A69")
		require.NoError(t, s.SetFastOpen(false))
		v, err = s.OptionInt(LevelTCP, OptFastOpen)
		require.NoError(t, err)
		require.Zero(t, v, "A69")
	})
	t.Run("N31 closed", func(t *testing.T) {
		s := tcpSocket(t)
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.SetFastOpen(true), ErrClosed)
		_, err := s.OptionInt(LevelTCP, OptFastOpen)
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestSetBlocking(t *testing.T) {
	s := udpSocket(t)
	bindOption(t, s, "127.0.0.1:0")
	t.Run("A37 plain forms do not wait", func(t *testing.T) {
		require.True(t, s.Blocking())
		require.NoError(t, s.SetBlocking(false))
		require.False(t, s.Blocking())
		_, err := s.Recv(context.Background(), make([]byte, 1), 0)
		require.ErrorIs(t, err, ErrWouldBlock)
	})
	t.Run("A37 descriptor's mode does not change", func(t *testing.T) {
		require.NoError(t, s.SetBlocking(true))
		flags, err := unix.FcntlInt(uintptr(s.current.Load().fd), unix.F_GETFL, 0)
		require.NoError(t, err)
		require.NotZero(t, flags&unix.O_NONBLOCK)
	})
	t.Run("A37 closed", func(t *testing.T) {
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.SetBlocking(true), ErrClosed)
	})
}

func TestOptionHelpers(t *testing.T) {
	t.Run("A61 keep-alive", func(t *testing.T) {
		s := tcpSocket(t)
		require.NoError(t, s.SetKeepAliveIdle(1500*time.Millisecond))
		idle, err := s.KeepAliveIdle()
		require.NoError(t, err)
		require.Equal(t, 2*time.Second, idle, "rounded up")
		require.NoError(t, s.SetKeepAliveInterval(3*time.Second))
		interval, err := s.KeepAliveInterval()
		require.NoError(t, err)
		require.Equal(t, 3*time.Second, interval)
		require.NoError(t, s.SetKeepAliveCount(127))
		count, err := s.KeepAliveCount()
		require.NoError(t, err)
		require.Equal(t, 127, count)
		for _, d := range []time.Duration{-time.Second, 0, 32768 * time.Second, math.MaxInt64} {
			require.ErrorIs(t, s.SetKeepAliveIdle(d), unix.EINVAL, d)
			require.ErrorIs(t, s.SetKeepAliveInterval(d), unix.EINVAL, d)
		}
		require.ErrorIs(t, s.SetKeepAliveCount(0), unix.EINVAL)
		require.ErrorIs(t, s.SetKeepAliveCount(128), unix.EINVAL)
	})
	t.Run("A61 yes or no", func(t *testing.T) {
		for _, c := range []struct {
			s   *Socket
			set func(*Socket, bool) error
			get func(*Socket) (bool, error)
		}{
			{tcpSocket(t), (*Socket).SetNoDelay, (*Socket).NoDelay},
			{tcpSocket(t), (*Socket).SetKeepAlive, (*Socket).KeepAlive},
			{udpSocket(t), (*Socket).SetBroadcast, (*Socket).Broadcast},
			{udpSocket(t), (*Socket).SetDontFragment, (*Socket).DontFragment},
		} {
			for _, on := range []bool{true, false} {
				require.NoError(t, c.set(c.s, on))
				got, err := c.get(c.s)
				require.NoError(t, err)
				require.Equal(t, on, got)
			}
		}
	})
	t.Run("A61 TTL", func(t *testing.T) {
		for _, s := range []*Socket{udpSocket(t), udp6Socket(t)} {
			require.NoError(t, s.SetTTL(9))
			ttl, err := s.TTL()
			require.NoError(t, err)
			require.Equal(t, 9, ttl)
			require.Equal(t, 9, kernelInt(t, s, unix.IPPROTO_IP, unix.IP_TTL))
			require.ErrorIs(t, s.SetTTL(0), unix.EINVAL)
			require.ErrorIs(t, s.SetTTL(256), unix.EINVAL)
		}
	})
	t.Run("A61 buffers", func(t *testing.T) {
		s := tcpSocket(t)
		require.NoError(t, s.SetRecvBuffer(20000))
		n, err := s.RecvBuffer()
		require.NoError(t, err)
		require.Equal(t, 40000, n)
		require.NoError(t, s.SetSendBuffer(30000))
		n, err = s.SendBuffer()
		require.NoError(t, err)
		require.Equal(t, 60000, n)
		require.ErrorIs(t, s.SetRecvBuffer(-1), unix.EINVAL)
		require.ErrorIs(t, s.SetSendBuffer(-1), unix.EINVAL)
	})
	t.Run("A61 not of this protocol", func(t *testing.T) {
		var errno unix.Errno
		require.ErrorAs(t, udpSocket(t).SetNoDelay(true), &errno)
	})
	t.Run("A61 closed", func(t *testing.T) {
		s := tcpSocket(t)
		require.NoError(t, s.Close())
		require.ErrorIs(t, s.SetNoDelay(true), ErrClosed)
		_, err := s.NoDelay()
		require.ErrorIs(t, err, ErrClosed)
		_, err = s.Linger()
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, s.SetRawOption(unix.SOL_SOCKET, unix.SO_KEEPALIVE, intValue(1)), ErrClosed)
		_, err = s.RawOption(unix.SOL_SOCKET, unix.SO_KEEPALIVE, make([]byte, 4))
		require.ErrorIs(t, err, ErrClosed)
	})
}
