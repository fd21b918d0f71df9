//go:build linux

package conformance

import (
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func addressesFit(t *T) { // A02
	t.equal(unix.SizeofSockaddrAny+16, socketops.MaxAddrLen) // struct sockaddr_storage, which x/sys does not have
	_, err := socketops.RawAddr(unix.AF_NETLINK, make([]byte, socketops.MaxAddrLen-2))
	t.ok(err)
	_, err = socketops.RawAddr(unix.AF_NETLINK, make([]byte, socketops.MaxAddrLen-1))
	t.is(err, unix.EINVAL)
	t.Sub("the longest abstract name comes back whole", func(t *T) {
		at := socketops.UnixAddr(t.anywhereLong(108))
		for _, n := range []network{kind("abstract"), kind("abstract unixgram")} {
			s := t.socket(n)
			t.ok(s.Bind(at))
			got, err := s.LocalAddr()
			t.ok(err)
			t.equal(at, got)
			t.equal(108, len(got.Raw()))
			t.ok(s.Close())
		}
	})
	t.Sub("a name that is too long", func(t *T) {
		s := t.socket(unixStream)
		t.is(s.Bind(socketops.UnixAddr("/"+strings.Repeat("x", 107))), unix.ENAMETOOLONG)
		t.is(s.Bind(socketops.UnixAddr("@"+strings.Repeat("x", 108))), unix.ENAMETOOLONG)
		t.is(s.Bind(socketops.UnixAddr("a\x00b")), unix.EINVAL)
	})
	t.Sub("what a receive and an accept tell is of that room", func(t *T) {
		n := kind("abstract unixgram")
		s, at := t.bound(n)
		from := t.socket(n)
		name := socketops.UnixAddr(t.anywhereLong(108))
		t.ok(from.Bind(name))
		_, err := from.TrySendTo([]byte("x"), 0, at)
		t.ok(err)
		_, got, _, err := s.RecvFrom(t.Late(), make([]byte, 1), 0)
		t.ok(err)
		t.equal(name, got)
	})
}

// anywhereLong is an abstract name of so many bytes.
func (t *T) anywhereLong(size int) string {
	name, _ := t.anywhere(kind("abstract")).UnixName()
	return name + strings.Repeat("x", size-len(name))
}

func localNames(t *T) { // A38
	t.on(network.binds, func(t *T, n network) {
		s := t.socket(n)
		at, err := s.LocalAddr()
		t.ok(err)
		switch {
		case n.family == unix.AF_INET, n.dual && at.AddrPort().Addr().Is4():
			t.equal("0.0.0.0:0", at.String())
		case n.family == unix.AF_INET6:
			t.equal("[::]:0", at.String())
		default:
			t.equal(socketops.UnixAddr(""), at)
			t.equal(0, len(at.Raw())) // which is length 2 with the family
		}
		want := t.anywhere(n)
		t.permitted(n, s.Bind(want))
		at, err = s.LocalAddr()
		t.ok(err)
		t.equal(want.AddrPort().Addr(), at.AddrPort().Addr())
		if n.ip() {
			t.that(at.AddrPort().Port() != 0, "the kernel has given a port")
		} else {
			t.equal(want, at)
		}
		t.ok(s.Close())
		_, err = s.LocalAddr()
		t.is(err, socketops.ErrClosed)
	})
}

func peerNames(t *T) { // A41
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		for _, p := range [][2]*socketops.Socket{{a, b}, {b, a}} {
			local, err := p[0].LocalAddr()
			t.ok(err)
			peer, err := p[1].PeerAddr()
			t.ok(err)
			t.equal(local, peer)
		}
	})
	t.on(network.binds, func(t *T, n network) {
		s := t.socket(n)
		_, err := s.PeerAddr()
		t.is(err, unix.ENOTCONN)
		t.equal(socketops.ClassNotConnected, socketops.Classify(err))
		t.ok(s.Close())
		_, err = s.PeerAddr()
		t.is(err, socketops.ErrClosed)
	})
}

func namesAreGiven(t *T) { // A42
	t.on(network.binds, func(t *T, n network) {
		s, at := t.bound(n)
		reuse := t.kernel(s, unix.SOL_SOCKET, unix.SO_REUSEADDR)
		t.equal(n.proto == unix.IPPROTO_TCP, reuse == 1)
		if n.ip() {
			t.equal(0, t.kernel(s, unix.SOL_SOCKET, unix.SO_REUSEPORT))
		}
		t.equal(false, s.Exposed())
		if n.tcp() {
			t.ok(s.Listen(1)) // and so SO_REUSEADDR does not help others
		}
		if !n.dual {
			t.is(t.socket(n).Bind(at), unix.EADDRINUSE)
		}
		t.is(s.Bind(t.anywhere(n)), unix.EINVAL)
		t.ok(s.Close())
		t.is(s.Bind(at), socketops.ErrClosed)
	})
	t.onRaws(func(t *T, n network) {
		s := t.socket(n)
		at := t.anywhere(n)
		t.permitted(n, s.Bind(at))
		got, err := s.LocalAddr()
		t.ok(err)
		t.equal(at.AddrPort().Addr(), got.AddrPort().Addr())
	})
	t.Sub("protocol 0 is not TCP", func(t *T) {
		n := tcp4
		n.proto = 0
		s, _ := t.bound(n)
		t.equal(0, t.kernel(s, unix.SOL_SOCKET, unix.SO_REUSEADDR))
	})
	t.Sub("no address", func(t *T) {
		t.is(t.socket(tcp4).Bind(socketops.Addr{}), unix.EDESTADDRREQ)
	})
	t.Sub("a zone that is no interface", func(t *T) {
		zoned := socketops.IPAddr(netip.MustParseAddrPort("[fe80::1%no-such-interface]:1"))
		t.is(t.socket(tcp6).Bind(zoned), unix.ENODEV)
	})
	t.Sub("the path of a unix socket goes with it", func(t *T) {
		s, at := t.bound(unixStream)
		path, ok := at.UnixName()
		t.equal(true, ok)
		_, err := os.Stat(path)
		t.ok(err)
		t.ok(s.Close())
		_, err = os.Stat(path)
		t.is(err, os.ErrNotExist)
	})
}

func socketsListen(t *T) { // A43
	t.on(network.listens, func(t *T, n network) {
		for _, backlog := range []int{-1, 0, 1, 1 << 30} {
			l, at := t.bound(n)
			t.ok(l.Listen(backlog))
			t.equal(1, t.kernel(l, unix.SOL_SOCKET, unix.SO_ACCEPTCONN))
			c := t.socket(n.client())
			t.ok(c.Connect(t.Late(), at))
			s, _ := t.accept(l)
			t.works(c, s)
			t.ok(l.Listen(5)) // once more is another backlog
			t.ok(l.Close())
			t.is(l.Listen(1), socketops.ErrClosed)
		}
	})
	t.Sub("without a name", func(t *T) {
		l := t.socket(tcp4)
		t.ok(l.Listen(1))
		at, err := l.LocalAddr()
		t.ok(err)
		t.that(at.AddrPort().Port() != 0, "the kernel has given a port")
		t.ok(t.socket(tcp4).Connect(t.Late(), onPort("127.0.0.1", at)))
		t.is(t.socket(unixStream).Listen(1), unix.EINVAL)
	})
	t.on(network.datagrams, func(t *T, n network) {
		s, _ := t.bound(n)
		t.is(s.Listen(1), unix.EOPNOTSUPP)
	})
}
