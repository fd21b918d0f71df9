//go:build linux

package socketops

import (
	"errors"
	"net/netip"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

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

// fresh is a new descriptor such as could take the socket's place.
func fresh(t *testing.T, s *Socket) int {
	t.Helper()
	fd, err := openSocket(s.family, s.typ, s.proto)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	return fd
}

func TestOptionsThatAreRemembered(t *testing.T) {
	number := func(l Level, o Option, v int) func(*Socket) error {
		return func(s *Socket) error { return s.SetOptionInt(l, o, v) }
	}
	for name, c := range map[string]struct {
		open func(testing.TB) *Socket
		set  func(*Socket) error
	}{
		"ReuseAddress":         {tcpSocket, func(s *Socket) error { return s.SetReuseAddress(true) }},
		"KeepAlive":            {tcpSocket, func(s *Socket) error { return s.SetKeepAlive(true) }},
		"DontRoute":            {tcpSocket, number(LevelSocket, OptDontRoute, 1)},
		"Linger":               {tcpSocket, func(s *Socket) error { return s.SetLinger(Linger{true, 3}) }},
		"OutOfBandInline":      {tcpSocket, number(LevelSocket, OptOutOfBandInline, 1)},
		"ExclusiveAddressUse":  {tcpSocket, func(s *Socket) error { return s.SetExclusiveAddressUse(false) }},
		"SendBuffer":           {tcpSocket, func(s *Socket) error { return s.SetSendBuffer(30000) }},
		"ReceiveBuffer":        {tcpSocket, func(s *Socket) error { return s.SetRecvBuffer(30000) }},
		"ReceiveLowWater":      {tcpSocket, number(LevelSocket, OptReceiveLowWater, 4)},
		"SendTimeout":          {tcpSocket, func(s *Socket) error { return s.SetWriteTimeout(time.Second) }},
		"ReceiveTimeout":       {tcpSocket, func(s *Socket) error { return s.SetReadTimeout(time.Second) }},
		"TypeOfService":        {tcpSocket, number(LevelIP, OptTypeOfService, 8)},
		"IPTimeToLive":         {tcpSocket, func(s *Socket) error { return s.SetTTL(8) }},
		"IPv6Only":             {udp6Socket, func(s *Socket) error { return s.SetDualMode(true) }},
		"NoDelay":              {tcpSocket, func(s *Socket) error { return s.SetNoDelay(true) }},
		"TCPKeepAliveIdle":     {tcpSocket, func(s *Socket) error { return s.SetKeepAliveIdle(9 * time.Second) }},
		"TCPKeepAliveInterval": {tcpSocket, func(s *Socket) error { return s.SetKeepAliveInterval(9 * time.Second) }},
		"TCPKeepAliveCount":    {tcpSocket, func(s *Socket) error { return s.SetKeepAliveCount(3) }},
		"FastOpen":             {tcpSocket, func(s *Socket) error { return s.SetFastOpen(true) }},
	} {
		t.Run("N34 "+name, func(t *testing.T) {
			s := c.open(t)
			require.NoError(t, c.set(s))
			require.False(t, s.Exposed())
			old, now := s.current.Load().fd, fresh(t, s)
			require.NoError(t, s.replay(now))
			for key := range trackedOptions {
				if key.name == OptDebug {
					continue
				}
				a, b := make([]byte, 64), make([]byte, 64)
				na, errA := key.get(old, a[:sizeOf(key)])
				nb, errB := key.get(now, b[:sizeOf(key)])
				require.Equal(t, errA, errB, key)
				require.Equal(t, a[:na], b[:nb], key)
			}
		})
	}
}

const sizeofTimeval = int(unsafe.Sizeof(unix.Timeval{})) // SAFETY: nothing is pointed to.

// sizeOf is how many bytes an option's value has.
func sizeOf(k optionKey) int {
	switch k.name {
	case OptLinger:
		return unix.SizeofLinger
	case OptSendTimeout, OptReceiveTimeout:
		return sizeofTimeval
	}
	return 4
}

func TestReplay(t *testing.T) {
	t.Run("N35 buffers are not doubled", func(t *testing.T) {
		s := tcpSocket(t)
		require.NoError(t, s.SetRecvBuffer(20000))
		require.NoError(t, s.SetSendBuffer(30000))
		fd := fresh(t, s)
		for range 2 {
			require.NoError(t, s.replay(fd))
			v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF)
			require.NoError(t, err)
			require.Equal(t, 40000, v)
			v, err = unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF)
			require.NoError(t, err)
			require.Equal(t, 60000, v)
		}
	})
	t.Run("N35 the last value counts", func(t *testing.T) {
		s := tcpSocket(t)
		require.NoError(t, s.SetReuseAddress(true))
		require.NoError(t, s.SetExclusiveAddressUse(true))
		require.NoError(t, s.SetReuseAddress(true))
		require.NoError(t, s.SetTTL(7))
		require.NoError(t, s.SetTTL(9))
		require.Len(t, s.state.options.set, 3)
		fd := fresh(t, s)
		require.NoError(t, s.replay(fd))
		v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR)
		require.NoError(t, err)
		require.Equal(t, 1, v)
		v, err = unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL)
		require.NoError(t, err)
		require.Equal(t, 9, v)
	})
	t.Run("N04 dual mode that bind has ended", func(t *testing.T) {
		s := udp6Socket(t)
		require.NoError(t, s.SetDualMode(true))
		bindOption(t, s, "[::1]:0")
		dual, err := s.DualMode()
		require.NoError(t, err)
		require.False(t, dual, "an address of IPv6 takes IPv6 only")
		fd := fresh(t, s)
		require.NoError(t, s.replay(fd))
		v, err := unix.GetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY)
		require.NoError(t, err)
		require.Zero(t, v)
	})
	t.Run("N17 packet information", func(t *testing.T) {
		s := udpSocket(t)
		require.NoError(t, s.SetRecvPacketInfo(true))
		fd := fresh(t, s)
		require.NoError(t, s.replay(fd))
		v, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO)
		require.NoError(t, err)
		require.Equal(t, 1, v)
	})
	t.Run("N35 caller's bytes are not kept", func(t *testing.T) {
		s := tcpSocket(t)
		b := intValue(1)
		require.NoError(t, s.SetOptionBytes(LevelSocket, OptKeepAlive, b))
		b[0], b[3] = 0, 0
		fd := fresh(t, s)
		require.NoError(t, s.replay(fd))
		v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		require.NoError(t, err)
		require.Equal(t, 1, v)
	})
	t.Run("N35 a failure does not keep the others", func(t *testing.T) {
		s := tcpSocket(t)
		require.NoError(t, s.SetNoDelay(true))
		require.NoError(t, s.SetKeepAlive(true))
		fd := fresh(t, udpSocket(t))
		require.Error(t, s.replay(fd))
		v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
		require.NoError(t, err)
		require.Equal(t, 1, v)
	})
	t.Run("N34 concurrent use", func(t *testing.T) {
		s := tcpSocket(t)
		fd := fresh(t, s)
		var all sync.WaitGroup
		for i := range 4 {
			all.Add(1)
			go func() {
				defer all.Done()
				for n := range 50 {
					assert.NoError(t, s.SetTTL(1+(i*50+n)%255))
					assert.NoError(t, s.replay(fd))
					assert.False(t, s.Exposed())
				}
			}()
		}
		all.Wait()
		require.Equal(t, kernelInt(t, s, unix.IPPROTO_IP, unix.IP_TTL), func() int {
			require.NoError(t, s.replay(fd))
			v, err := unix.GetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TTL)
			require.NoError(t, err)
			return v
		}())
	})
}
