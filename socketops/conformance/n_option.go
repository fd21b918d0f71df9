//go:build linux

package conformance

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func nOptionNames(t *T) { // N18
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		for _, o := range []struct {
			level socketops.Level
			name  socketops.Option
		}{
			{socketops.LevelSocket, socketops.OptUseLoopback},
			{socketops.LevelSocket, socketops.OptDontLinger},
			{socketops.LevelSocket, socketops.OptMaxConnections},
			{socketops.LevelIPv6, socketops.OptIPProtectionLevel},
			{socketops.LevelTCP, socketops.OptBSDUrgent},
			{socketops.LevelTCP, socketops.OptExpedited},
			{socketops.LevelUDP, socketops.OptNoChecksum},
			{socketops.LevelUDP, socketops.OptChecksumCoverage},
			{socketops.LevelUDP, socketops.OptUpdateAcceptContext},
			{socketops.LevelUDP, socketops.OptUpdateConnectContext},
			{socketops.LevelTCP, socketops.OptKeepAlive}, // of another level
			{socketops.LevelIP, socketops.OptHopLimit},
			{0, socketops.OptKeepAlive},
			{socketops.LevelSocket, 0},
		} {
			_, err := a.OptionInt(o.level, o.name)
			_, errBytes := a.OptionBytes(o.level, o.name, make([]byte, 4))
			for _, err := range []error{
				err, errBytes, a.SetOptionInt(o.level, o.name, 1), a.SetOptionBytes(o.level, o.name, make([]byte, 4)),
			} {
				t.is(err, errors.ErrUnsupported)
				t.is(err, unix.EOPNOTSUPP)
				t.equal(socketops.ClassOperationNotSupported, socketops.Classify(err))
			}
		}
		t.that(a.Connected() && !a.Exposed(), "the socket is as before")
		nSend(t, a, "x")
		_, err := b.Recv(t.Late(), make([]byte, 1), 0)
		t.ok(err)
	})
}

func nTimeoutValues(t *T) { // N23
	s := t.socket(kind("udp4"))
	for _, o := range []struct {
		name   socketops.Option
		kernel int
		set    func(d time.Duration) error
		get    func() time.Duration
	}{
		{socketops.OptReceiveTimeout, unix.SO_RCVTIMEO, s.SetReadTimeout, s.ReadTimeout},
		{socketops.OptSendTimeout, unix.SO_SNDTIMEO, s.SetWriteTimeout, s.WriteTimeout},
	} {
		inKernel := func() time.Duration {
			tv, err := unix.GetsockoptTimeval(nFd(t, s), unix.SOL_SOCKET, o.kernel)
			t.ok(err)
			return time.Duration(tv.Nano())
		}
		t.equal(time.Duration(0), o.get())
		t.ok(o.set(2 * time.Second))
		t.equal(2*time.Second, o.get())
		t.equal(2*time.Second, inKernel())
		for _, err := range []error{
			o.set(-1), o.set(-time.Hour),
			s.SetOptionInt(socketops.LevelSocket, o.name, -1), s.SetOptionInt(socketops.LevelSocket, o.name, -2),
		} {
			t.is(err, unix.EINVAL)
		}
		t.equal(2*time.Second, o.get()) // as before
		t.equal(2*time.Second, inKernel())
		v, err := s.OptionInt(socketops.LevelSocket, o.name)
		t.ok(err)
		t.equal(2000, v)
		t.ok(o.set(0))
		t.equal(time.Duration(0), o.get()+inKernel())
		v, err = s.OptionInt(socketops.LevelSocket, o.name)
		t.ok(err)
		t.equal(0, v)
	}
}

func nReuseBeforeBind(t *T) { // N26
	for _, name := range []string{"tcp4", "tcp6", "tcp dual mode", "udp4", "udp6"} {
		t.Sub(name, func(t *T) {
			n := kind(name)
			s, at := t.bound(n)
			want := 0
			if n.tcp() {
				want = 1
			}
			t.equal(want, t.kernel(s, unix.SOL_SOCKET, unix.SO_REUSEADDR))
			t.equal(0, t.kernel(s, unix.SOL_SOCKET, unix.SO_REUSEPORT))
			if !n.tcp() || n.dual {
				return
			}
			// A server starts again while a connection of its predecessor lingers.
			t.ok(s.Listen(1))
			c := t.socket(n)
			t.ok(c.Connect(t.Late(), at))
			t.is(t.socket(n).Bind(at), unix.EADDRINUSE)
			t.ok(nAccept(t, s).Close()) // which leaves the server's end of it behind
			t.ok(s.Close())
			s = t.socket(n)
			t.ok(s.Bind(at))
			t.ok(s.Listen(1))
		})
	}
}

func nReuse(t *T) { // N27
	s := t.socket(kind("udp4"))
	reuse, exclusive := socketops.OptReuseAddress, socketops.OptExclusiveAddressUse
	is := func(kernel int) {
		t.Helper()
		t.equal(kernel, t.kernel(s, unix.SOL_SOCKET, unix.SO_REUSEPORT))
		t.equal(kernel, t.kernel(s, unix.SOL_SOCKET, unix.SO_REUSEADDR))
		for _, o := range []socketops.Option{reuse, exclusive} {
			v, err := s.OptionInt(socketops.LevelSocket, o)
			t.ok(err)
			t.equal(o == reuse, v == kernel)
			t.equal(o == exclusive, v == 1-kernel)
		}
	}
	is(0) // exclusive
	t.ok(s.SetOptionInt(socketops.LevelSocket, reuse, 1))
	is(1)
	t.ok(s.SetExclusiveAddressUse(true))
	is(0)
	t.ok(s.SetOptionInt(socketops.LevelSocket, exclusive, 0))
	is(1)
	t.ok(s.SetReuseAddress(false))
	is(0)
	t.ok(s.SetOptionInt(socketops.LevelSocket, reuse, 7))
	is(1) // normalised
	for _, v := range []int{2, -1} {
		t.is(s.SetOptionInt(socketops.LevelSocket, exclusive, v), unix.EINVAL)
	}
	for _, o := range []socketops.Option{reuse, exclusive} {
		for _, size := range []int{1, 3, 5, 8} {
			t.is(s.SetOptionBytes(socketops.LevelSocket, o, make([]byte, size)), unix.EINVAL)
			_, err := s.OptionBytes(socketops.LevelSocket, o, make([]byte, size))
			t.is(err, unix.EINVAL)
		}
	}
	is(1)
	// The getter reads SO_REUSEPORT alone.
	t.ok(s.SetRawOption(unix.SOL_SOCKET, unix.SO_REUSEADDR, binary.NativeEndian.AppendUint32(nil, 0)))
	on, err := s.ReuseAddress()
	t.ok(err)
	t.that(on, "SO_REUSEPORT is set")
}

func nDontFragment(t *T) { // N28
	s := t.socket(kind("udp4"))
	for _, on := range []bool{true, false} {
		t.ok(s.SetDontFragment(on))
		want := unix.IP_PMTUDISC_DONT
		if on {
			want = unix.IP_PMTUDISC_DO
		}
		t.equal(want, t.kernel(s, unix.IPPROTO_IP, unix.IP_MTU_DISCOVER))
		got, err := s.DontFragment()
		t.ok(err)
		t.equal(on, got)
	}
	for _, mode := range []uint32{unix.IP_PMTUDISC_WANT, unix.IP_PMTUDISC_PROBE} {
		t.ok(s.SetRawOption(unix.IPPROTO_IP, unix.IP_MTU_DISCOVER, binary.NativeEndian.AppendUint32(nil, mode)))
		got, err := s.DontFragment()
		t.ok(err)
		t.that(!got, "only IP_PMTUDISC_DO is true")
	}
}

func nTypeOption(t *T) { // N29
	t.on(every, func(t *T, n network) {
		s := t.socket(n)
		v, err := s.OptionInt(socketops.LevelSocket, socketops.OptType)
		t.ok(err)
		t.equal(n.typ, socketops.Type(v))
		for _, size := range []int{0, 1, 3, 5, 8} {
			_, err := s.OptionBytes(socketops.LevelSocket, socketops.OptType, make([]byte, size))
			t.is(err, unix.EOPNOTSUPP)
		}
	})
}

func nErrorOption(t *T) { // N30
	for _, level := range []socketops.Level{
		socketops.LevelSocket, socketops.LevelIP, socketops.LevelIPv6, socketops.LevelTCP, socketops.LevelUDP, 0,
	} {
		s, _ := nRefused(t, func(*socketops.Socket) {})
		v, err := s.OptionInt(level, socketops.OptError)
		t.ok(err)
		t.equal(unix.ECONNREFUSED, unix.Errno(v))
		v, err = s.OptionInt(level, socketops.OptError)
		t.ok(err)
		t.equal(0, v)
	}
	s, _ := nRefused(t, func(*socketops.Socket) {})
	err := s.SocketError()
	t.is(err, unix.ECONNREFUSED)
	t.equal(socketops.ClassConnectionRefused, socketops.Classify(err))
	t.ok(s.SocketError())
}

func nFastOpenOption(t *T) { // N31
	for _, n := range []network{kind("tcp4"), kind("udp4"), kind("unix")} {
		s := t.socket(n)
		for _, on := range []bool{true, false, true} {
			t.ok(s.SetFastOpen(on))
			t.equal(on, s.FastOpen())
		}
		v, err := s.OptionInt(socketops.LevelTCP, socketops.OptFastOpen)
		t.ok(err) // which the kernel has refused where it is not TCP's
		t.that(v != 0, "what was set is remembered")
	}
	a, _ := t.pair(kind("tcp4"))
	t.ok(a.SetFastOpen(true))
	t.that(a.FastOpen() && a.Connected(), "a connected socket remembers what it is too late for")
	_, err := a.OptionInt(socketops.LevelTCP, socketops.OptFastOpen)
	t.ok(err)
	t.ok(a.Close())
	t.is(a.SetFastOpen(true), socketops.ErrClosed)
}

func nTrackedOptions(t *T) { // N34
	for _, o := range []struct {
		name string
		set  func(s *socketops.Socket) error
		kept bool
	}{
		{"KeepAlive", func(s *socketops.Socket) error { return s.SetKeepAlive(true) }, true},
		{"NoDelay", func(s *socketops.Socket) error { return s.SetNoDelay(true) }, true},
		{"Linger", func(s *socketops.Socket) error { return s.SetLinger(socketops.Linger{}) }, true},
		{"SendBuffer", func(s *socketops.Socket) error { return s.SetSendBuffer(9000) }, true},
		{"RecvBuffer", func(s *socketops.Socket) error { return s.SetRecvBuffer(9000) }, true},
		{"ReadTimeout", func(s *socketops.Socket) error { return s.SetReadTimeout(time.Hour) }, true},
		{"WriteTimeout", func(s *socketops.Socket) error { return s.SetWriteTimeout(time.Hour) }, true},
		{"ReuseAddress", func(s *socketops.Socket) error { return s.SetReuseAddress(true) }, true},
		{"ExclusiveAddressUse", func(s *socketops.Socket) error { return s.SetExclusiveAddressUse(true) }, true},
		{"TTL", func(s *socketops.Socket) error { return s.SetTTL(9) }, true},
		{"KeepAliveIdle", func(s *socketops.Socket) error { return s.SetKeepAliveIdle(time.Minute) }, true},
		{"KeepAliveInterval", func(s *socketops.Socket) error { return s.SetKeepAliveInterval(time.Minute) }, true},
		{"KeepAliveCount", func(s *socketops.Socket) error { return s.SetKeepAliveCount(3) }, true},
		{"FastOpen", func(s *socketops.Socket) error { return s.SetFastOpen(true) }, true},
		{"Broadcast", func(s *socketops.Socket) error { return s.SetBroadcast(true) }, false},
		{"DontFragment", func(s *socketops.Socket) error { return s.SetDontFragment(true) }, false},
		{"MulticastLoopback", func(s *socketops.Socket) error { return s.SetMulticastLoopback(false) }, false},
		{"raw option", func(s *socketops.Socket) error {
			return s.SetRawOption(unix.SOL_SOCKET, unix.SO_KEEPALIVE, binary.NativeEndian.AppendUint32(nil, 1))
		}, false},
		{"descriptor", func(s *socketops.Socket) error { _, err := s.Fd(); return err }, false},
	} {
		t.Sub(o.name, func(t *T) {
			s := t.socket(kind("tcp4"))
			t.is(s.SetTTL(0), unix.EINVAL)
			t.that(!s.Exposed(), "nothing is set at first, nor by what fails")
			t.ok(o.set(s))
			t.equal(!o.kept, s.Exposed())
		})
	}
}

func nReplacedOptions(t *T) { // N35
	t.Sub("another descriptor", func(t *T) {
		_, to := t.listening(kind("tcp4"), 4)
		nobody := t.nobody()
		s := t.socket(kind("tcp4"))
		t.ok(s.SetSendBuffer(20_000))
		t.ok(s.SetRecvBuffer(30_000))
		t.ok(s.SetNoDelay(true))
		t.ok(s.SetReadTimeout(time.Hour))
		t.ok(s.SetFastOpen(true))
		t.ok(s.SetBlocking(true))
		for range 3 {
			t.ok(s.ConnectAny(t.Late(), []netip.AddrPort{nobody.AddrPort(), nobody.AddrPort(), to.AddrPort()}))
			t.equal(40_000, t.kernel(s, unix.SOL_SOCKET, unix.SO_SNDBUF)) // twice what was asked for, once
			t.equal(60_000, t.kernel(s, unix.SOL_SOCKET, unix.SO_RCVBUF))
			t.equal(1, t.kernel(s, unix.IPPROTO_TCP, unix.TCP_NODELAY))
			t.equal([]any{time.Hour, true, true}, []any{s.ReadTimeout(), s.FastOpen(), s.Blocking()})
			t.ok(s.Disconnect(true))
		}
	})
	t.Sub("refused where it would be another", func(t *T) {
		_, to := t.listening(kind("tcp4"), 4)
		nobody := t.nobody()
		s := t.socket(kind("tcp4"))
		t.ok(s.SetBroadcast(true))
		err := s.ConnectAny(t.Late(), []netip.AddrPort{nobody.AddrPort(), to.AddrPort()})
		t.is(err, errors.ErrUnsupported)
		t.that(!s.Connected(), "nothing was tried")
		t.ok(s.ConnectAny(t.Late(), []netip.AddrPort{to.AddrPort()}))
	})
}

// nLoopback is the number of the loopback interface.
func nLoopback(t *T) int {
	t.Helper()
	all, err := net.Interfaces()
	t.ok(err)
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Index
		}
	}
	t.that(false, "there is a loopback interface")
	return 0
}

func nMulticastInterface(t *T) { // N54
	const noInterface = 0xfffffe
	lo := nLoopback(t)
	s := t.socket(kind("udp4"))
	is := func(want string) {
		t.Helper()
		got, err := s.MulticastInterface4()
		t.ok(err)
		t.equal(want, got.String())
	}
	set := func(b ...byte) error {
		v := int(int32(binary.NativeEndian.Uint32(b)))
		return s.SetOptionInt(socketops.LevelIP, socketops.OptMulticastInterface, v)
	}
	t.ok(set(127, 0, 0, 1))
	is("127.0.0.1")
	t.ok(set(0, 0, byte(lo>>8), byte(lo)))
	is("0.0.0.0")
	t.ok(s.SetMulticastInterface4Addr(netip.MustParseAddr("127.0.0.1")))
	is("127.0.0.1")
	t.ok(s.SetMulticastInterface4(0))
	is("0.0.0.0")
	t.ok(s.SetMulticastInterface4(lo))
	for _, err := range []error{
		set(0, 0xff, 0xff, 0xfe), set(192, 0, 2, 1), s.SetMulticastInterface4(noInterface),
		s.SetMulticastInterface4Addr(netip.MustParseAddr("192.0.2.1")),
	} {
		t.is(err, unix.EADDRNOTAVAIL)
		t.equal(socketops.ClassAddressNotAvailable, socketops.Classify(err))
	}
	t.Sub("IPv6", func(t *T) {
		s := t.socket(kind("udp6"))
		for _, index := range []int{lo, 0} {
			t.ok(s.SetMulticastInterface6(index))
			got, err := s.MulticastInterface6()
			t.ok(err)
			t.equal(index, got)
		}
		err := s.SetMulticastInterface6(noInterface)
		t.is(err, unix.ENODEV)
		t.equal(socketops.ClassSocketError, socketops.Classify(err))
	})
}
