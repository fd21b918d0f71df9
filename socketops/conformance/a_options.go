//go:build linux

package conformance

import (
	"errors"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// numbered are options that are set to a number, and what the kernel has then.
var numbered = []struct {
	name                string
	on                  network
	level               socketops.Level
	option              socketops.Option
	kernelLevel, kernel int
	set, kernels        int
}{
	{"KeepAlive", tcp4, socketops.LevelSocket, socketops.OptKeepAlive, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1, 1},
	{"DontRoute", udp4, socketops.LevelSocket, socketops.OptDontRoute, unix.SOL_SOCKET, unix.SO_DONTROUTE, 1, 1},
	{"Broadcast", udp4, socketops.LevelSocket, socketops.OptBroadcast, unix.SOL_SOCKET, unix.SO_BROADCAST, 1, 1},
	{
		"OutOfBandInline", tcp4, socketops.LevelSocket, socketops.OptOutOfBandInline,
		unix.SOL_SOCKET, unix.SO_OOBINLINE, 1, 1,
	},
	{
		"ReceiveLowWater", tcp4, socketops.LevelSocket, socketops.OptReceiveLowWater,
		unix.SOL_SOCKET, unix.SO_RCVLOWAT, 9, 9,
	},
	{"ReuseAddress", tcp4, socketops.LevelSocket, socketops.OptReuseAddress, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1, 1},
	{
		"ExclusiveAddressUse", tcp4, socketops.LevelSocket, socketops.OptExclusiveAddressUse,
		unix.SOL_SOCKET, unix.SO_REUSEPORT, 0, 1,
	},
	{"TypeOfService", udp4, socketops.LevelIP, socketops.OptTypeOfService, unix.IPPROTO_IP, unix.IP_TOS, 16, 16},
	{"IPTimeToLive", udp4, socketops.LevelIP, socketops.OptIPTimeToLive, unix.IPPROTO_IP, unix.IP_TTL, 33, 33},
	{
		"MulticastTimeToLive", udp4, socketops.LevelIP, socketops.OptMulticastTimeToLive,
		unix.IPPROTO_IP, unix.IP_MULTICAST_TTL, 7, 7,
	},
	{
		"MulticastLoopback", udp4, socketops.LevelIP, socketops.OptMulticastLoopback,
		unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP, 0, 0,
	},
	{
		"PacketInformation", udp4, socketops.LevelIP, socketops.OptPacketInformation,
		unix.IPPROTO_IP, unix.IP_PKTINFO, 1, 1,
	},
	{
		"DontFragment", udp4, socketops.LevelIP, socketops.OptDontFragment,
		unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, 1, unix.IP_PMTUDISC_DO,
	},
	{
		"fragments", udp4, socketops.LevelIP, socketops.OptDontFragment,
		unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, 0, unix.IP_PMTUDISC_DONT,
	},
	{"NoDelay", tcp4, socketops.LevelTCP, socketops.OptNoDelay, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1, 1},
	{
		"TCPKeepAliveCount", tcp4, socketops.LevelTCP, socketops.OptTCPKeepAliveCount,
		unix.IPPROTO_TCP, unix.TCP_KEEPCNT, 5, 5,
	},
	{
		"TCPKeepAliveIdle", tcp4, socketops.LevelTCP, socketops.OptTCPKeepAliveIdle,
		unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, 50, 50,
	},
	{
		"TCPKeepAliveInterval", tcp6, socketops.LevelTCP, socketops.OptTCPKeepAliveInterval,
		unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, 6, 6,
	},
	{"IPv6Only", udp6, socketops.LevelIPv6, socketops.OptIPv6Only, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0, 0},
	{
		"PacketInformation of IPv6", udp6, socketops.LevelIPv6, socketops.OptPacketInformation,
		unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1, 1,
	},
	{
		"IPTimeToLive of IPv6", udp6, socketops.LevelIPv6, socketops.OptIPTimeToLive,
		unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS, 3, 3,
	},
	{
		"MulticastTimeToLive of IPv6", udp6, socketops.LevelIPv6, socketops.OptMulticastTimeToLive,
		unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS, 4, 4,
	},
	{
		"MulticastLoopback of IPv6", udp6, socketops.LevelIPv6, socketops.OptMulticastLoopback,
		unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP, 0, 0,
	},
}

func numbersAreSet(t *T) { // A61
	for _, o := range numbered {
		t.Sub(o.name, func(t *T) {
			s := t.socket(o.on)
			t.ok(s.SetOptionInt(o.level, o.option, o.set))
			t.equal(o.kernels, t.kernel(s, o.kernelLevel, o.kernel))
		})
	}
	t.Sub("refused", func(t *T) {
		s := t.socket(udp4)
		big := math.MaxInt32
		if big++; big > 0 { // where an int has more than 32 bits
			t.is(s.SetOptionInt(socketops.LevelSocket, socketops.OptSendBuffer, big), unix.EINVAL)
			t.is(s.SetOptionInt(socketops.LevelSocket, socketops.OptReceiveTimeout, big), unix.EINVAL)
			t.is(s.SetOptionInt(socketops.LevelIP, socketops.OptMulticastInterface, 2*big), unix.EINVAL)
		}
		for _, o := range []socketops.Option{
			socketops.OptAcceptConnection, socketops.OptSendLowWater, socketops.OptType, socketops.OptError,
		} { // which the kernel has for reading only
			t.is(s.SetOptionInt(socketops.LevelSocket, o, 1), unix.ENOPROTOOPT)
		}
		t.equal(false, s.Exposed())
		t.is(t.closed(udp4).SetOptionInt(socketops.LevelSocket, socketops.OptBroadcast, 1), socketops.ErrClosed)
	})
	t.Sub("time-outs", timeoutsAreSet)
	t.Sub("dual mode", func(t *T) {
		s := t.socket(udp6)
		for _, dual := range []bool{true, false} {
			only := 1
			if dual {
				only = 0
			}
			t.ok(s.SetOptionInt(socketops.LevelIPv6, socketops.OptIPv6Only, only))
			got, err := s.DualMode()
			t.ok(err)
			t.equal(dual, got)
		}
		t.is(t.socket(udp4).SetDualMode(true), unix.EOPNOTSUPP)
	})
	t.Sub("fast open is a wish", func(t *T) {
		for _, n := range []network{tcp4, udp4} { // of which one refuses it
			s := t.socket(n)
			t.equal(false, s.FastOpen())
			t.ok(s.SetOptionInt(socketops.LevelTCP, socketops.OptFastOpen, 1))
			t.equal(true, s.FastOpen())
			t.ok(s.SetFastOpen(false))
			t.equal(false, s.FastOpen())
		}
		t.is(t.closed(tcp4).SetFastOpen(true), socketops.ErrClosed)
	})
	t.Sub("the interface of groups", multicastInterfaceIsSet)
	t.Sub("helpers", helpersSetOptions)
}

func timeoutsAreSet(t *T) {
	for _, o := range []struct {
		option socketops.Option
		kernel int
		set    func(*socketops.Socket, time.Duration) error
		get    func(*socketops.Socket) time.Duration
	}{
		{
			socketops.OptReceiveTimeout, unix.SO_RCVTIMEO,
			(*socketops.Socket).SetReadTimeout, (*socketops.Socket).ReadTimeout,
		},
		{
			socketops.OptSendTimeout, unix.SO_SNDTIMEO,
			(*socketops.Socket).SetWriteTimeout, (*socketops.Socket).WriteTimeout,
		},
	} {
		s := t.socket(udp4)
		t.ok(o.set(s, math.MaxInt64))
		t.equal(time.Duration(math.MaxInt64), o.get(s))
		t.that(t.seconds(s, o.kernel) > 0, "the kernel has the longest, too")
		t.ok(s.SetOptionInt(socketops.LevelSocket, o.option, 2500))
		t.equal(2500*time.Millisecond, o.get(s))
		t.equal(2, t.seconds(s, o.kernel))
		t.is(s.SetOptionInt(socketops.LevelSocket, o.option, -1), unix.EINVAL)
		t.is(o.set(s, -1), unix.EINVAL)
		t.equal(2500*time.Millisecond, o.get(s)) // which stays where it fails
		t.ok(s.SetOptionInt(socketops.LevelSocket, o.option, 0))
		t.equal(time.Duration(0), o.get(s))
		t.equal(0, t.seconds(s, o.kernel))
		t.ok(s.Close())
		t.is(o.set(s, time.Second), socketops.ErrClosed)
		t.equal(time.Duration(0), o.get(s))
	}
}

// seconds are those of a time-out that the kernel has.
func (t *T) seconds(s *socketops.Socket, name int) int {
	t.Helper()
	fd, err := s.Fd()
	t.ok(err)
	tv, err := unix.GetsockoptTimeval(fd, unix.SOL_SOCKET, name)
	t.ok(err)
	return int(tv.Sec)
}

func helpersSetOptions(t *T) {
	for name, o := range map[string]struct {
		on  network
		set func(*socketops.Socket, bool) error
		get func(*socketops.Socket) (bool, error)
	}{
		"NoDelay":           {tcp4, (*socketops.Socket).SetNoDelay, (*socketops.Socket).NoDelay},
		"KeepAlive":         {tcp6, (*socketops.Socket).SetKeepAlive, (*socketops.Socket).KeepAlive},
		"Broadcast":         {udp4, (*socketops.Socket).SetBroadcast, (*socketops.Socket).Broadcast},
		"DontFragment":      {udp4, (*socketops.Socket).SetDontFragment, (*socketops.Socket).DontFragment},
		"ReuseAddress":      {udp4, (*socketops.Socket).SetReuseAddress, (*socketops.Socket).ReuseAddress},
		"Exclusive":         {tcp4, (*socketops.Socket).SetExclusiveAddressUse, (*socketops.Socket).ExclusiveAddressUse},
		"V6Only":            {tcp6, (*socketops.Socket).SetV6Only, (*socketops.Socket).V6Only},
		"DualMode":          {udp6, (*socketops.Socket).SetDualMode, (*socketops.Socket).DualMode},
		"MulticastLoopback": {udp6, (*socketops.Socket).SetMulticastLoopback, (*socketops.Socket).MulticastLoopback},
	} {
		t.Sub(name, func(t *T) {
			s := t.socket(o.on)
			for _, on := range []bool{true, false, true} {
				t.ok(o.set(s, on))
				got, err := o.get(s)
				t.ok(err)
				t.equal(on, got)
			}
			t.ok(s.Close())
			t.is(o.set(s, true), socketops.ErrClosed)
			_, err := o.get(s)
			t.is(err, socketops.ErrClosed)
		})
	}
	t.Sub("keep-alive", keepAliveIsSet)
	t.Sub("TTL", func(t *T) {
		for _, n := range []network{udp4, udp6} {
			s := t.socket(n)
			t.ok(s.SetTTL(9))
			t.ok(s.SetMulticastTTL(0))
			got, err := s.TTL()
			t.ok(err)
			t.equal(9, got)
			got, err = s.MulticastTTL()
			t.ok(err)
			t.equal(0, got)
			t.equal(9, t.kernel(s, unix.IPPROTO_IP, unix.IP_TTL)) // of the packets of dual mode, too
			t.equal(0, t.kernel(s, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL))
			for _, bad := range []int{-1, 256} {
				t.is(s.SetTTL(bad), unix.EINVAL)
				t.is(s.SetMulticastTTL(bad), unix.EINVAL)
			}
			t.is(s.SetTTL(0), unix.EINVAL)
		}
	})
	t.Sub("buffers", func(t *T) {
		s := t.socket(tcp4)
		t.ok(s.SetRecvBuffer(20000))
		t.ok(s.SetSendBuffer(30000))
		got, err := s.RecvBuffer()
		t.ok(err)
		t.equal(40000, got) // as the kernel has it
		got, err = s.SendBuffer()
		t.ok(err)
		t.equal(60000, got)
		t.is(s.SetRecvBuffer(-1), unix.EINVAL)
		t.is(s.SetSendBuffer(-1), unix.EINVAL)
	})
}

func keepAliveIsSet(t *T) {
	s := t.socket(tcp4)
	for _, o := range []struct {
		set func(time.Duration) error
		get func() (time.Duration, error)
	}{
		{s.SetKeepAliveIdle, s.KeepAliveIdle}, {s.SetKeepAliveInterval, s.KeepAliveInterval},
	} {
		t.ok(o.set(1500 * time.Millisecond))
		got, err := o.get()
		t.ok(err)
		t.equal(2*time.Second, got)
		for _, d := range []time.Duration{-time.Second, 0, 32768 * time.Second, math.MaxInt64} {
			t.is(o.set(d), unix.EINVAL)
		}
	}
	t.ok(s.SetKeepAliveCount(127))
	got, err := s.KeepAliveCount()
	t.ok(err)
	t.equal(127, got)
	t.is(s.SetKeepAliveCount(0), unix.EINVAL)
	t.is(s.SetKeepAliveCount(128), unix.EINVAL)
}

// remembered are options that another descriptor takes over, and others that expose the socket.
var remembered = []struct {
	level       socketops.Level
	option      socketops.Option
	v           int
	kernelLevel int
	kernel      int
	exposes     bool
}{
	{socketops.LevelSocket, socketops.OptKeepAlive, 1, unix.SOL_SOCKET, unix.SO_KEEPALIVE, false},
	{socketops.LevelSocket, socketops.OptDontRoute, 1, unix.SOL_SOCKET, unix.SO_DONTROUTE, false},
	{socketops.LevelSocket, socketops.OptOutOfBandInline, 1, unix.SOL_SOCKET, unix.SO_OOBINLINE, false},
	{socketops.LevelSocket, socketops.OptSendBuffer, 30000, unix.SOL_SOCKET, unix.SO_SNDBUF, false},
	{socketops.LevelSocket, socketops.OptReceiveBuffer, 30000, unix.SOL_SOCKET, unix.SO_RCVBUF, false},
	{socketops.LevelSocket, socketops.OptReceiveLowWater, 4, unix.SOL_SOCKET, unix.SO_RCVLOWAT, false},
	{socketops.LevelSocket, socketops.OptReuseAddress, 1, unix.SOL_SOCKET, unix.SO_REUSEPORT, false},
	{socketops.LevelIP, socketops.OptTypeOfService, 8, unix.IPPROTO_IP, unix.IP_TOS, false},
	{socketops.LevelIP, socketops.OptIPTimeToLive, 8, unix.IPPROTO_IP, unix.IP_TTL, false},
	{socketops.LevelTCP, socketops.OptNoDelay, 1, unix.IPPROTO_TCP, unix.TCP_NODELAY, false},
	{socketops.LevelTCP, socketops.OptTCPKeepAliveIdle, 9, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, false},
	{socketops.LevelTCP, socketops.OptTCPKeepAliveInterval, 9, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, false},
	{socketops.LevelTCP, socketops.OptTCPKeepAliveCount, 3, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, false},
	{socketops.LevelSocket, socketops.OptBroadcast, 1, unix.SOL_SOCKET, unix.SO_BROADCAST, true},
	{socketops.LevelIP, socketops.OptDontFragment, 1, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, true},
}

func optionsAreRemembered(t *T) { // A60
	a, _ := t.pair(tcp4)
	for _, o := range remembered {
		if o.exposes {
			continue
		}
		t.ok(a.SetOptionInt(o.level, o.option, o.v))
		t.equal(false, a.Exposed())
	}
	t.ok(a.SetLinger(socketops.Linger{Enabled: true, Seconds: 3}))
	t.ok(a.SetReadTimeout(time.Second))
	var want []int
	for _, o := range remembered {
		want = append(want, t.kernel(a, o.kernelLevel, o.kernel))
	}
	t.ok(a.Disconnect(true))
	for i, o := range remembered {
		t.equal(want[i], t.kernel(a, o.kernelLevel, o.kernel))
		if o.exposes {
			t.ok(a.SetOptionInt(o.level, o.option, o.v))
			t.equal(true, a.Exposed())
		}
	}
	l, err := a.Linger()
	t.ok(err)
	t.equal(socketops.Linger{Enabled: true, Seconds: 3}, l)
	t.equal(time.Second, a.ReadTimeout())
	for name, expose := range map[string]func(s *socketops.Socket) error{
		"bytes":     func(s *socketops.Socket) error { return s.SetOptionBytes(1, socketops.OptBroadcast, native(1)) },
		"a number":  func(s *socketops.Socket) error { return s.SetBroadcast(true) },
		"raw":       func(s *socketops.Socket) error { return s.SetRawOption(1, unix.SO_KEEPALIVE, native(1)) },
		"a group":   func(s *socketops.Socket) error { return s.JoinGroup4(t.group4()) },
		"loop back": func(s *socketops.Socket) error { return s.SetMulticastLoopback(false) },
		"descriptor": func(s *socketops.Socket) error {
			_, err := s.Fd()
			return err
		},
	} {
		t.Sub("exposed by "+name, func(t *T) {
			s := t.socket(udp4)
			t.ok(s.SetRecvPacketInfo(true))
			t.isNot(s.SetMulticastInterface4(1<<24), errors.ErrUnsupported) // Failures do not.
			t.equal(false, s.Exposed())
			t.ok(expose(s))
			t.equal(true, s.Exposed())
		})
	}
}
