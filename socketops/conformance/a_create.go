//go:build linux

package conformance

import (
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func socketsAreMade(t *T) { // A10
	t.on(network.binds, func(t *T, n network) {
		s := t.socket(n)
		t.equal(n.family, s.Family())
		t.equal(n.typ, s.Type())
		t.equal(n.proto, s.Protocol())
		t.equal(int(n.family), t.kernel(s, unix.SOL_SOCKET, unix.SO_DOMAIN))
		t.equal(int(n.typ), t.kernel(s, unix.SOL_SOCKET, unix.SO_TYPE))
		t.that(s.Engine() == t.Engine, "the socket knows its engine")
		if n.family == unix.AF_INET6 && !n.dual {
			t.equal(1, t.kernel(s, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY))
		}
		t.descriptorFlags(s)
	})
	t.onRaws(func(t *T, n network) { // which have no IPV6_V6ONLY: the kernel would refuse it
		s := t.socket(n)
		t.equal(int(n.proto), t.kernel(s, unix.SOL_SOCKET, unix.SO_PROTOCOL))
	})
	for _, tt := range []struct {
		name   string
		family socketops.Family
		typ    socketops.Type
		proto  socketops.Protocol
		want   unix.Errno
	}{
		{"family", unix.AF_VSOCK, unix.SOCK_STREAM, 0, unix.EAFNOSUPPORT},
		{"type", unix.AF_INET, unix.SOCK_DCCP, 0, unix.EPROTOTYPE},
		{"protocol", unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP, unix.EPROTONOSUPPORT},
		{"protocol of unix sockets", unix.AF_UNIX, unix.SOCK_STREAM, unix.IPPROTO_TCP, unix.EPROTONOSUPPORT},
		{"protocol of IPv6", unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_ICMPV6, unix.EPROTONOSUPPORT},
		{"refused by the kernel", unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_UDP, unix.EPROTONOSUPPORT},
	} {
		t.Sub("unknown "+tt.name, func(t *T) {
			before := t.descriptors()
			_, err := t.Engine.Socket(tt.family, tt.typ, tt.proto)
			t.is(err, tt.want)
			t.equal(before, t.descriptors())
		})
	}
}

// descriptorFlags holds that a descriptor is closed on exec, and does not block.
func (t *T) descriptorFlags(s *socketops.Socket) {
	t.Helper()
	fd, err := s.Fd()
	t.ok(err)
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	t.ok(err)
	t.that(flags&unix.FD_CLOEXEC != 0, "the descriptor is closed on exec")
	flags, err = unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	t.ok(err)
	t.that(flags&unix.O_NONBLOCK != 0, "the descriptor does not block")
}

func descriptorsAreWrapped(t *T) { // A87
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		s := t.adopted(b)
		t.equal(b.Family(), s.Family())
		t.equal(n.typ, s.Type())
		t.equal(b.Protocol(), s.Protocol())
		t.equal(true, s.Connected())
		t.descriptorFlags(s)
		_, err := a.Send(t.Late(), []byte("adopted"), 0)
		t.ok(err)
		t.equal("adopted", t.message(s))
		t.ok(s.Shutdown(socketops.ShutWrite))
	})
	t.Sub("a listening one", func(t *T) {
		l, at := t.listening(tcp4, 1)
		s := t.adopted(l)
		t.equal(false, s.Connected())
		t.ok(t.socket(tcp4).Connect(t.Late(), at))
		t.accept(s)
	})
	t.Sub("of a family that Socket does not know", func(t *T) {
		fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
		t.ok(err)
		s, err := t.Engine.FromFD(fd)
		t.ok(err)
		t.equal(socketops.Family(unix.AF_NETLINK), s.Family())
		t.ok(s.Close())
	})
	t.Sub("it is the socket's from then on", func(t *T) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		t.ok(err)
		s, err := t.Engine.FromFD(fds[0])
		t.ok(err)
		peer, err := t.Engine.FromFD(fds[1])
		t.ok(err)
		t.Cleanup(func() { peer.Close() })
		t.ok(s.Close())
		t.ends(peer)
	})
}

// adopted makes a socket of a duplicate of another's descriptor.
func (t *T) adopted(s *socketops.Socket) *socketops.Socket {
	t.Helper()
	fd, err := s.Fd()
	t.ok(err)
	fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	t.ok(err)
	other, err := t.Engine.FromFD(fd)
	t.ok(err)
	t.Cleanup(func() { other.Close() })
	return other
}

// onOtherFiles makes a subtest for descriptors of which none is a socket.
func (t *T) onOtherFiles(test func(t *T, f *os.File)) {
	r, w, err := os.Pipe()
	t.ok(err)
	t.Cleanup(func() { r.Close() })
	t.Cleanup(func() { w.Close() })
	null, err := os.Open(os.DevNull)
	t.ok(err)
	t.Cleanup(func() { null.Close() })
	for name, f := range map[string]*os.File{
		"reading end of a pipe": r, "writing end of a pipe": w, "device": null, "file": t.file(nil),
	} {
		t.Sub(name, func(t *T) { test(t, f) })
	}
}

func onlySocketsAreRead(t *T) { // A11
	t.onOtherFiles(func(t *T, f *os.File) {
		fd, err := unix.FcntlInt(f.Fd(), unix.F_DUPFD_CLOEXEC, 0)
		t.ok(err)
		_, err = t.Engine.FromFD(fd)
		t.is(err, unix.ENOTSOCK)
		t.equal(socketops.ClassNotSocket, socketops.Classify(err))
		t.ok(unix.Close(fd)) // which is the caller's still
		_, err = t.Engine.FromFD(fd)
		t.is(err, unix.EBADF)
	})
}

func onlySocketsAreWritten(t *T) { // A14
	t.onOtherFiles(func(t *T, f *os.File) {
		flags, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		t.ok(err)
		_, err = t.Engine.FromFD(int(f.Fd()))
		t.is(err, unix.ENOTSOCK)
		after, err := unix.FcntlInt(f.Fd(), unix.F_GETFL, 0)
		t.ok(err)
		t.equal(flags, after)
	})
	t.Sub("a socket by write(2) is not needed: no SIGPIPE", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.ok(b.Close())
		_, err := a.Send(t.Late(), []byte("x"), 0)
		t.is(err, unix.EPIPE)
	})
}
