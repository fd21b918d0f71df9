//go:build linux

package socketops

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// optionSocket makes a socket of an engine of the test's own. Where it is one of IPv6 and the machine has none on
// loopback, the test is skipped.
func optionSocket(t testing.TB, f Family, typ Type, p Protocol) *Socket {
	t.Helper()
	e := engine(t)
	if f == unix.AF_INET6 {
		requireIPv6Loopback(t, e)
	}
	s, err := e.Socket(f, typ, p)
	require.NoError(t, err)
	return s
}

func tcpSocket(t testing.TB) *Socket {
	return optionSocket(t, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
}

func udpSocket(t testing.TB) *Socket {
	return optionSocket(t, unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
}

func udp6Socket(t testing.TB) *Socket {
	return optionSocket(t, unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
}

func requireIPv6Loopback(t testing.TB, e *Engine) {
	t.Helper()
	s, err := e.Socket(unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	if err == nil {
		err = s.Bind(IPAddr(netip.MustParseAddrPort("[::1]:0")))
		require.NoError(t, s.Close())
	}
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
		testutil.Skip(t, testutil.NeedsIPv6, "none on loopback: %v", err)
	}
	require.NoError(t, err)
}

// bindOption binds the socket, and returns the address that it got.
func bindOption(t testing.TB, s *Socket, addr string) Addr {
	t.Helper()
	require.NoError(t, s.Bind(IPAddr(netip.MustParseAddrPort(addr))))
	a, err := s.LocalAddr()
	require.NoError(t, err)
	return a
}

// kernelInt asks the kernel, without the package.
func kernelInt(t testing.TB, s *Socket, level, name int) int {
	t.Helper()
	v, err := unix.GetsockoptInt(s.current.Load().fd, level, name)
	require.NoError(t, err)
	return v
}

func TestOptionIsSetAndRead(t *testing.T) {
	for _, row := range []struct {
		name         string
		open         func(testing.TB) *Socket
		level        Level
		option       Option
		kernel, kopt int
		set, kernels int
	}{
		{"A61 KeepAlive", tcpSocket, LevelSocket, OptKeepAlive, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, 1},
		{"A61 DontRoute", udpSocket, LevelSocket, OptDontRoute, unix.SOL_SOCKET, unix.SO_DONTROUTE, 1, 1},
		{"A61 Broadcast", udpSocket, LevelSocket, OptBroadcast, unix.SOL_SOCKET, unix.SO_BROADCAST, 1, 1},
		{"A61 OutOfBandInline", tcpSocket, LevelSocket, OptOutOfBandInline, unix.SOL_SOCKET, unix.SO_OOBINLINE, 1, 1},
		{"A61 ReceiveLowWater", tcpSocket, LevelSocket, OptReceiveLowWater, unix.SOL_SOCKET, unix.SO_RCVLOWAT, 9, 9},
		{"A61 TypeOfService", udpSocket, LevelIP, OptTypeOfService, unix.IPPROTO_IP, unix.IP_TOS, 16, 16},
		{"A61 IPTimeToLive", udpSocket, LevelIP, OptIPTimeToLive, unix.IPPROTO_IP, unix.IP_TTL, 33, 33},
		{"A61 MulticastTimeToLive", udpSocket, LevelIP, OptMulticastTimeToLive, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 7, 7},
		{"A61 MulticastLoopback", udpSocket, LevelIP, OptMulticastLoopback, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0, 0},
		{"A61 PacketInformation", udpSocket, LevelIP, OptPacketInformation, unix.IPPROTO_IP, unix.IP_PKTINFO, 1, 1},
		{"N28 DontFragment", udpSocket, LevelIP, OptDontFragment, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, 1, unix.IP_PMTUDISC_DO},
		{"N28 Fragment", udpSocket, LevelIP, OptDontFragment, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, 0, unix.IP_PMTUDISC_DONT},
		{"A61 NoDelay", tcpSocket, LevelTCP, OptNoDelay, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1, 1},
		{"A61 TCPKeepAliveCount", tcpSocket, LevelTCP, OptTCPKeepAliveCount, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 5, 5},
		{"A61 TCPKeepAliveIdle", tcpSocket, LevelTCP, OptTCPKeepAliveIdle, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 50, 50},
		{"A61 TCPKeepAliveInterval", tcpSocket, LevelTCP, OptTCPKeepAliveInterval, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 6, 6},
		{"A61 IPv6 only", udp6Socket, LevelIPv6, OptIPv6Only, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0, 0},
		{"A61 IPv6 PacketInformation", udp6Socket, LevelIPv6, OptPacketInformation, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1, 1},
		{"A61 IPv6 IPTimeToLive", udp6Socket, LevelIPv6, OptIPTimeToLive, unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 3, 3},
		{"A61 IPv6 MulticastTimeToLive", udp6Socket, LevelIPv6, OptMulticastTimeToLive, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 4, 4},
		{"A61 IPv6 MulticastLoopback", udp6Socket, LevelIPv6, OptMulticastLoopback, unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0, 0},
		{"N27 ReuseAddress", tcpSocket, LevelSocket, OptReuseAddress, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1, 1},
		{"N27 ExclusiveAddressUse", tcpSocket, LevelSocket, OptExclusiveAddressUse, unix.SOL_SOCKET, unix.SO_REUSEPORT, 0, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := row.open(t)
			require.NoError(t, s.SetOptionInt(row.level, row.option, row.set))
			require.Equal(t, row.kernels, kernelInt(t, s, row.kernel, row.kopt))
			v, err := s.OptionInt(row.level, row.option)
			require.NoError(t, err)
			require.Equal(t, row.set, v)
		})
	}
}

func TestOptionThatLinuxDoesNotHave(t *testing.T) {
	a, b, err := engine(t).SocketPair(unix.SOCK_STREAM)
	require.NoError(t, err)
	for _, k := range []optionKey{
		{LevelSocket, OptUseLoopback},
		{LevelSocket, OptDontLinger},
		{LevelSocket, OptMaxConnections},
		{LevelIPv6, OptIPProtectionLevel},
		{LevelTCP, OptBSDUrgent},
		{LevelTCP, OptExpedited},
		{LevelUDP, OptNoChecksum},
		{LevelUDP, OptChecksumCoverage},
		{LevelUDP, OptUpdateAcceptContext},
		{LevelUDP, OptUpdateConnectContext},
		{LevelUDP, OptKeepAlive},
		{LevelTCP, OptKeepAlive},
		{Level(77), OptKeepAlive},
		{LevelSocket, Option(-1)},
		{0, 0},
	} {
		t.Run("N18 "+k.level.String()+" "+k.name.String(), func(t *testing.T) {
			_, read := s2(a.OptionInt(k.level, k.name))
			_, readBytes := s2(a.OptionBytes(k.level, k.name, make([]byte, 4)))
			for _, err := range []error{
				a.SetOptionInt(k.level, k.name, 1), a.SetOptionBytes(k.level, k.name, make([]byte, 4)), read, readBytes,
			} {
				require.ErrorIs(t, err, unix.EOPNOTSUPP)
				require.ErrorIs(t, err, errors.ErrUnsupported)
				require.ErrorAs(t, err, new(*UnsupportedError))
			}
		})
	}
	t.Run("A68 protection level", func(t *testing.T) {
		err := a.SetIPProtectionLevel(10)
		require.ErrorIs(t, err, unix.EOPNOTSUPP)
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
	t.Run("N18 socket stays connected", func(t *testing.T) {
		require.False(t, a.Exposed())
		_, err := a.TrySend([]byte("x"), 0)
		require.NoError(t, err)
		n, err := b.TryRecv(make([]byte, 2), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

// s2 makes one value of two, for calls among others.
func s2(v int, err error) (int, error) { return v, err }

func TestOptionOfReadOnlyNameIsRefusedByTheKernel(t *testing.T) {
	s := tcpSocket(t)
	for name, option := range map[string]Option{
		"A61 AcceptConnection": OptAcceptConnection,
		"A61 SendLowWater":     OptSendLowWater,
		"N29 Type":             OptType,
		"N30 Error":            OptError,
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, s.SetOptionInt(LevelSocket, option, 1), unix.ENOPROTOOPT)
			_, err := s.OptionInt(LevelSocket, option)
			require.NoError(t, err)
		})
	}
	require.False(t, s.Exposed(), "nothing was set")
}

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
	t.Run("A42 TCP", func(t *testing.T) {
		s := tcpSocket(t)
		bindOption(t, s, "127.0.0.1:0")
		require.Equal(t, 1, kernelInt(t, s, unix.SOL_SOCKET, unix.SO_REUSEADDR))
		require.Zero(t, kernelInt(t, s, unix.SOL_SOCKET, unix.SO_REUSEPORT))
		require.False(t, s.Exposed())
	})
	t.Run("N26 not for two listeners", func(t *testing.T) {
		a, b := tcpSocket(t), tcpSocket(t)
		at := bindOption(t, a, "127.0.0.1:0")
		require.NoError(t, a.Listen(1))
		require.ErrorIs(t, b.Bind(at), unix.EADDRINUSE)
	})
	t.Run("A42 protocol 0", func(t *testing.T) {
		s := optionSocket(t, unix.AF_INET, unix.SOCK_STREAM, 0)
		bindOption(t, s, "127.0.0.1:0")
		require.Zero(t, kernelInt(t, s, unix.SOL_SOCKET, unix.SO_REUSEADDR))
	})
}

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

// refused makes a socket to which something that it sent was refused.
func refused(t *testing.T) *Socket {
	t.Helper()
	gone := udpSocket(t)
	at := bindOption(t, gone, "127.0.0.1:0")
	s := udpSocket(t)
	require.NoError(t, s.TryConnect(at))
	require.NoError(t, gone.Close())
	_, err := s.TrySend([]byte("x"), 0)
	require.NoError(t, err)
	fds := []unix.PollFd{{Fd: int32(s.current.Load().fd)}}
	require.Eventually(t, func() bool {
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

func TestTimeoutOption(t *testing.T) {
	for name, set := range map[string]struct {
		option Option
		kernel int
		set    func(*Socket, time.Duration) error
		get    func(*Socket) time.Duration
	}{
		"receive": {OptReceiveTimeout, unix.SO_RCVTIMEO, (*Socket).SetReadTimeout, (*Socket).ReadTimeout},
		"send":    {OptSendTimeout, unix.SO_SNDTIMEO, (*Socket).SetWriteTimeout, (*Socket).WriteTimeout},
	} {
		s := udpSocket(t)
		kernel := func(t *testing.T) (sec, usec int64) {
			tv, err := unix.GetsockoptTimeval(s.current.Load().fd, unix.SOL_SOCKET, set.kernel)
			require.NoError(t, err)
			return int64(tv.Sec), int64(tv.Usec)
		}
		t.Run("A61 "+name+" in milliseconds", func(t *testing.T) {
			require.NoError(t, s.SetOptionInt(LevelSocket, set.option, 2500))
			require.Equal(t, 2500*time.Millisecond, set.get(s))
			sec, usec := kernel(t)
			require.Equal(t, int64(2), sec, "G07")
			require.InDelta(t, 500_000, usec, 20_000, "G07: the kernel counts in ticks")
			v, err := s.OptionInt(LevelSocket, set.option)
			require.NoError(t, err)
			require.Equal(t, 2500, v, "A69")
		})
		t.Run("N23 negative "+name, func(t *testing.T) {
			require.ErrorIs(t, s.SetOptionInt(LevelSocket, set.option, -1), unix.EINVAL)
			require.ErrorIs(t, set.set(s, -1), unix.EINVAL)
			require.Equal(t, 2500*time.Millisecond, set.get(s), "A61: not stored where it fails")
		})
		t.Run("A69 short "+name+" is not none", func(t *testing.T) {
			require.NoError(t, set.set(s, time.Nanosecond))
			require.Equal(t, time.Nanosecond, set.get(s))
			v, err := s.OptionInt(LevelSocket, set.option)
			require.NoError(t, err)
			require.Equal(t, 1, v)
			sec, usec := kernel(t)
			require.NotZero(t, sec+usec)
		})
		t.Run("N23 no "+name, func(t *testing.T) {
			require.NoError(t, set.set(s, 0))
			require.Zero(t, set.get(s))
			sec, usec := kernel(t)
			require.Zero(t, sec+usec)
		})
		t.Run("A69 closed "+name, func(t *testing.T) {
			require.NoError(t, s.Close())
			_, err := s.OptionInt(LevelSocket, set.option)
			require.ErrorIs(t, err, ErrClosed)
			require.ErrorIs(t, set.set(s, time.Second), ErrClosed)
			require.Zero(t, set.get(s))
		})
	}
	t.Run("G07 enforced by the package", func(t *testing.T) {
		s := udpSocket(t)
		bindOption(t, s, "127.0.0.1:0")
		require.NoError(t, s.SetReadTimeout(10*time.Millisecond))
		_, err := s.Recv(context.Background(), make([]byte, 1), 0)
		require.ErrorIs(t, err, ErrTimeout)
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

func TestIntValueIsInTheMachinesOrder(t *testing.T) {
	require.Equal(t, uint32(math.MaxUint32), binary.NativeEndian.Uint32(intValue(-1)))
}
