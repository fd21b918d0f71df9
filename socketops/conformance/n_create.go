//go:build linux

package conformance

import (
	"errors"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// nProtocols are the protocols of the table of N01, by family; others know 0 only.
var nProtocols = map[socketops.Family][]socketops.Protocol{
	unix.AF_INET:  {0, 1, 2, 6, 17, 255},
	unix.AF_INET6: {0, 1, 2, 6, 17, 43, 44, 58, 59, 60, 255},
	unix.AF_CAN:   {0, 1},
	unix.AF_UNIX:  {0},
}

func nProtocolTable(t *T) { // N01
	for _, f := range []socketops.Family{unix.AF_VSOCK, unix.AF_NETLINK, unix.AF_ALG, unix.AF_MAX, -1} {
		_, err := t.Engine.Socket(f, unix.SOCK_STREAM, 0)
		t.is(err, unix.EAFNOSUPPORT)
	}
	flagged := socketops.Type(unix.SOCK_STREAM | unix.SOCK_NONBLOCK)
	for _, typ := range []socketops.Type{0, unix.SOCK_DCCP, unix.SOCK_PACKET, 11, -1, flagged} {
		_, err := t.Engine.Socket(unix.AF_INET, typ, 0)
		t.is(err, unix.EPROTOTYPE)
	}
	for f, known := range nProtocols {
		for p := socketops.Protocol(-1); p < 300; p++ {
			if slices.Contains(known, p) {
				nSocketAsKernel(t, f, unix.SOCK_RAW, p)
				continue
			}
			_, err := t.Engine.Socket(f, unix.SOCK_RAW, p)
			t.is(err, unix.EPROTONOSUPPORT)
		}
	}
	nSocketAsKernel(t, unix.AF_UNSPEC, unix.SOCK_STREAM, 0)
	for _, typ := range []socketops.Type{unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RDM, unix.SOCK_SEQPACKET} {
		for _, f := range []socketops.Family{unix.AF_INET, unix.AF_INET6, unix.AF_UNIX} {
			nSocketAsKernel(t, f, typ, 0)
		}
	}
	nPacketProtocol(t)
	nRawSockets(t)
}

// nSocketAsKernel makes a socket, and one by socket(2), which have to fare alike.
func nSocketAsKernel(t *T, f socketops.Family, typ socketops.Type, p socketops.Protocol) {
	t.Helper()
	kernel := int(p)
	if f == unix.AF_INET6 && p == unix.IPPROTO_ICMP {
		kernel = unix.IPPROTO_ICMPV6
	}
	fd, want := unix.Socket(int(f), int(typ)|unix.SOCK_CLOEXEC, kernel)
	if want == nil {
		t.ok(unix.Close(fd))
	}
	s, err := t.Engine.Socket(f, typ, p)
	if want != nil {
		t.is(err, want)
		return
	}
	t.ok(err)
	t.equal([]any{f, typ, p}, []any{s.Family(), s.Type(), s.Protocol()})
	if typ == unix.SOCK_RAW && p != 0 && (f == unix.AF_INET || f == unix.AF_INET6) {
		t.equal(kernel, t.kernel(s, unix.SOL_SOCKET, unix.SO_PROTOCOL))
	}
	t.ok(s.Close())
}

// nPacketProtocol shows that the protocol of packet(7) is any of 16 bits, in network order for the kernel.
func nPacketProtocol(t *T) {
	t.Helper()
	for _, p := range []socketops.Protocol{-1, 1 << 16} {
		_, err := t.Engine.Socket(unix.AF_PACKET, unix.SOCK_RAW, p)
		t.is(err, unix.EPROTONOSUPPORT)
	}
	const experimental = 0x88b5
	s, err := t.Engine.Socket(unix.AF_PACKET, unix.SOCK_RAW, experimental)
	if err != nil { // as socket(2) has it without the privilege, or where the kernel has no such sockets
		t.that(errors.Is(err, unix.EPERM) || errors.Is(err, unix.EAFNOSUPPORT), "%v is about the kernel", err)
		return
	}
	t.equal([]byte{0x88, 0xb5}, nLocal(t, s).Raw()[:2])
	t.equal(socketops.Protocol(experimental), s.Protocol())
	t.ok(s.Close())
}

// nRawSockets shows the way around the table.
func nRawSockets(t *T) {
	t.Helper()
	for _, r := range []struct {
		f socketops.Family
		t socketops.Type
		p socketops.Protocol
	}{
		{unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE},
		{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_MPTCP},
		{unix.AF_INET, unix.SOCK_DCCP, 0},
		{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_ICMP},
	} {
		fd, want := unix.Socket(int(r.f), int(r.t)|unix.SOCK_CLOEXEC, int(r.p))
		if want == nil {
			t.ok(unix.Close(fd))
		}
		s, err := t.Engine.RawSocket(r.f, r.t, r.p)
		if want != nil {
			t.is(err, want)
			continue
		}
		t.ok(err)
		t.ok(s.Close())
	}
}

func nCloseOnExec(t *T) { // N02
	if testutil.InChild() {
		t.equal([]string(nil), nInheritedSockets(t))
		return
	}
	cloexec := func(s *socketops.Socket) {
		t.Helper()
		flags, err := unix.FcntlInt(uintptr(nFd(t, s)), unix.F_GETFD, 0)
		t.ok(err)
		t.equal(unix.FD_CLOEXEC, flags)
	}
	for _, name := range []string{"tcp4", "udp4", "unix", "socketpair"} { // the second of the first is an accepted one
		a, b := t.pair(kind(name))
		cloexec(a)
		cloexec(b)
	}
	raw, err := t.Engine.RawSocket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
	t.ok(err)
	cloexec(raw)
	again, _ := t.pair(kind("tcp4"))
	t.ok(again.Disconnect(true))
	cloexec(again)
	child := testutil.ReExec(t, t.Name())
	t.that(child.ExitCode == 0, "a child gets no socket: %s", child.Output)
}

// nInheritedSockets are the descriptors that are sockets, but for the standard ones.
func nInheritedSockets(t *T) (sockets []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	t.ok(err)
	for _, entry := range entries {
		what, err := os.Readlink("/proc/self/fd/" + entry.Name())
		if err == nil && strings.HasPrefix(what, "socket:") && !slices.Contains([]string{"0", "1", "2"}, entry.Name()) {
			sockets = append(sockets, entry.Name())
		}
	}
	return sockets
}

func nV6OnlyAtFirst(t *T) { // N03
	for _, name := range []string{"tcp6", "udp6"} {
		n := kind(name)
		s := t.socket(n)
		t.equal(1, t.kernel(s, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY))
		only, err := s.V6Only()
		t.ok(err)
		t.that(only, "a socket of IPv6 takes IPv6 only")
		// A dual-mode socket would have the port of IPv4, too. Now and then somebody else has that.
		nUntil(t, "the port of IPv4 is free", func() bool {
			v6 := t.socket(n)
			t.ok(v6.Bind(nAddr("[::]:0")))
			v4 := t.socket(network{family: unix.AF_INET, typ: n.typ, proto: n.proto})
			return v4.Bind(nAt("0.0.0.0", nLocal(t, v6))) == nil
		})

		fd, err := unix.Socket(int(n.family), int(n.typ)|unix.SOCK_CLOEXEC, int(n.proto))
		t.ok(err)
		adopted, err := t.Engine.FromFD(fd)
		t.ok(err)
		t.equal(nSysctl(t, "net/ipv6/bindv6only"), t.kernel(adopted, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY))
	}
	raw, err := t.Engine.Socket(unix.AF_INET6, unix.SOCK_RAW, unix.IPPROTO_ICMPV6)
	if errors.Is(err, unix.EPERM) {
		return
	}
	t.ok(err)
	t.equal(nSysctl(t, "net/ipv6/bindv6only"), t.kernel(raw, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY))
}

func nDualMode(t *T) { // N04
	for _, n := range networks {
		if n.family == unix.AF_INET6 || n.pair {
			continue
		}
		s := t.socket(n)
		for _, on := range []bool{true, false} {
			t.is(s.SetDualMode(on), errors.ErrUnsupported)
		}
		_, err := s.DualMode()
		t.is(err, errors.ErrUnsupported)
		t.is(err, unix.EOPNOTSUPP)
	}
	l, at := t.listening(kind("tcp6"), 1)
	s := t.socket(kind("tcp6"))
	dual := func(want bool) {
		t.Helper()
		got, err := s.DualMode()
		t.ok(err)
		t.equal(want, got)
		t.equal(!want, t.kernel(s, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY) != 0)
	}
	dual(false)
	t.ok(s.SetDualMode(true))
	dual(true)
	t.ok(s.SetDualMode(false))
	dual(false)
	t.ok(s.SetDualMode(true))
	t.ok(s.Bind(nAddr("[::1]:0")))
	dual(false) // which the kernel has done: the address is of IPv6
	t.ok(s.Connect(t.Late(), at))
	nAccept(t, l)
	t.ok(s.Disconnect(true))
	dual(true) // what was asked for counts
}

func nKernelMode(t *T) { // N24
	nonBlocking := func(s *socketops.Socket) {
		t.Helper()
		flags, err := unix.FcntlInt(uintptr(nFd(t, s)), unix.F_GETFL, 0)
		t.ok(err)
		t.equal(unix.O_NONBLOCK, flags&unix.O_NONBLOCK)
	}
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	t.ok(err)
	adopted, err := t.Engine.FromFD(fds[0])
	t.ok(err)
	t.ok(unix.Close(fds[1]))
	nonBlocking(adopted)
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		for _, s := range []*socketops.Socket{a, b} {
			t.that(s.Blocking(), "the user's flag is set at first")
			nonBlocking(s)
			for _, blocking := range []bool{false, true} {
				t.ok(s.SetBlocking(blocking))
				t.equal(blocking, s.Blocking())
				nonBlocking(s)
			}
		}
		t.ok(b.SetBlocking(false))
		_, err := b.Recv(t.Late(), make([]byte, 1), 0)
		t.is(err, socketops.ErrWouldBlock)
		t.ok(b.SetBlocking(true))
		told, results := outcomes(1)
		b.GoRecv(make([]byte, 1), 0, told)
		nSend(t, a, "x") // for which a waiting receive waits, though the descriptor does not block
		t.equal(outcome{1, nil}, <-results)
	})
}

func nNotSockets(t *T) { // N25
	r, w := testutil.Pipe(t)
	for _, fd := range []int{r, w} {
		_, err := t.Engine.FromFD(fd)
		t.is(err, unix.ENOTSOCK)
	}
	n, err := unix.Write(w, []byte("x")) // They are the caller's as before.
	t.ok(err)
	t.equal(1, n)
	_, err = t.Engine.FromFD(-1)
	t.is(err, unix.EBADF)
}

func nAcceptWithoutAddress(t *T) { // N41
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 2)
		_, from, err := l.TryAccept()
		t.is(err, socketops.ErrWouldBlock)
		t.that(from.IsZero(), "there is no address without a connection")
		for range 2 {
			c := t.socket(n.client())
			t.ok(c.Connect(t.Late(), at))
		}
		nAccept(t, l)
		if !n.stream() {
			return
		}
		c, err := l.Listener().Accept() // which has no place for the address
		t.ok(err)
		t.ok(c.Close())
	})
}

func nAcceptedSocket(t *T) { // N42
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		t.ok(l.SetReadTimeout(late))
		t.ok(l.SetWriteTimeout(late))
		nFd(t, l)
		client := t.socket(n.client())
		t.ok(client.Connect(t.Late(), at))
		nReady(t, l, socketops.PollRead)
		t.ok(l.SetBlocking(false))
		c, from, err := l.Accept(t.Late())
		t.ok(err)
		t.Cleanup(func() { c.Close() })
		t.equal([]any{true, false}, []any{c.Blocking(), c.Exposed()})
		t.equal(0, int(c.ReadTimeout()+c.WriteTimeout()))
		t.equal([]any{l.Family(), l.Type(), l.Protocol()}, []any{c.Family(), c.Type(), c.Protocol()})
		t.equal(at, nLocal(t, c))
		peer, err := c.PeerAddr()
		t.ok(err)
		t.equal(from, peer)
		if n.family == unix.AF_UNIX {
			t.equal(socketops.UnixAddr(""), from)
			t.that(!from.IsZero(), "an unnamed peer has an address")
			t.equal(0, len(from.Raw()))
			return
		}
		t.equal(nLocal(t, client), from)
	})
}
