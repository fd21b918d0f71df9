//go:build linux

package conformance

import (
	"context"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func eachAddressOnANewDescriptor(t *T) { // A01
	_, somebodyAt := t.listening(tcp4, 16)
	nobody, somebody := t.nobody().AddrPort(), somebodyAt.AddrPort()
	ipv6 := netip.MustParseAddrPort("[::1]:1")
	// named has a socket with a name and an option: a new descriptor has the option only.
	named := func(t *T) (*socketops.Socket, socketops.Addr) {
		s, at := t.bound(tcp4)
		t.ok(s.SetNoDelay(true))
		return s, at
	}
	t.Sub("the first that answers", func(t *T) {
		s, at := named(t)
		t.ok(s.ConnectAny(t.Late(), []netip.AddrPort{ipv6, nobody, nobody, somebody, nobody}))
		peer, err := s.PeerAddr()
		t.ok(err)
		t.equal(somebodyAt, peer)
		now, err := s.LocalAddr()
		t.ok(err)
		t.that(now != at, "the descriptor is another")
		on, err := s.NoDelay()
		t.ok(err)
		t.equal(true, on)
	})
	t.Sub("the descriptor stays where the first answers", func(t *T) {
		s, at := named(t)
		t.ok(s.ConnectAny(t.Late(), []netip.AddrPort{somebody, nobody}))
		now, err := s.LocalAddr()
		t.ok(err)
		t.equal(at, now)
	})
	t.Sub("none answers", func(t *T) {
		s := t.socket(tcp4)
		before := t.descriptors()
		t.is(s.ConnectAny(t.Late(), []netip.AddrPort{nobody, nobody, ipv6}), unix.ECONNREFUSED)
		t.equal(before, t.descriptors())
	})
	t.Sub("no address", func(t *T) {
		s := t.socket(tcp4)
		t.is(s.ConnectAny(t.Late(), nil), unix.EINVAL)
		t.is(s.ConnectAny(t.Late(), []netip.AddrPort{ipv6}), unix.EAFNOSUPPORT)
	})
	t.Sub("cancelled before anything", func(t *T) {
		s, at := named(t)
		t.is(s.ConnectAny(over(), []netip.AddrPort{nobody, somebody}), socketops.ErrCanceled)
		t.ok(s.ConnectAny(t.Late(), []netip.AddrPort{somebody}))
		now, err := s.LocalAddr()
		t.ok(err)
		t.equal(at, now)
	})
	t.Sub("closed", func(t *T) {
		t.is(t.closed(tcp4).ConnectAny(t.Late(), []netip.AddrPort{nobody, somebody}), socketops.ErrClosed)
	})
	t.Sub("other sockets", eachAddressOnOtherSockets)
}

func eachAddressOnOtherSockets(t *T) {
	_, somebodyAt := t.listening(tcp4, 16)
	nobody, somebody := t.nobody().AddrPort(), somebodyAt.AddrPort()
	t.Sub("the descriptor of an earlier failure is not used", func(t *T) {
		s, at := t.bound(tcp4)
		t.is(s.Connect(t.Late(), t.nobody()), unix.ECONNREFUSED)
		t.ok(s.ConnectAny(t.Late(), []netip.AddrPort{somebody}))
		now, err := s.LocalAddr()
		t.ok(err)
		t.that(now != at, "the descriptor is another")
	})
	t.Sub("a socket that does not wait", func(t *T) {
		s := t.socket(tcp4)
		t.ok(s.SetBlocking(false))
		t.is(s.ConnectAny(t.Late(), []netip.AddrPort{somebody, nobody}), socketops.ErrWouldBlock)
		t.ok(t.finish(s, s.TryFinishConnect()))
	})
	t.Sub("both versions of IP", func(t *T) {
		l, at := t.listening(tcp6, 1)
		s := t.socket(tcp6) // which does not reach IPv4
		t.ok(s.ConnectAny(t.Late(), []netip.AddrPort{somebody, at.AddrPort()}))
		c, _ := t.accept(l)
		t.works(s, c)
	})
}

func connectionsBegin(t *T) { // A24
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		s := t.socket(n.client())
		err := s.TryConnect(at)
		t.equal(n.ip(), errors.Is(err, socketops.ErrInProgress))
		t.ok(t.finish(s, err))
		t.is(s.TryConnect(at), unix.EISCONN)
		c, _ := t.accept(l)
		t.works(s, c)
		t.is(t.closed(n).TryConnect(at), socketops.ErrClosed)
	})
	t.on(network.datagrams, func(t *T, n network) {
		if n.pair {
			return
		}
		s, at := t.bound(n)
		a := t.socket(n.client())
		t.ok(a.TryConnect(at)) // which is made at once
		_, err := a.TrySend([]byte("to its peer"), 0)
		t.ok(err)
		t.equal("to its peer", t.message(s))
		other, atOther := t.bound(n)
		t.ok(a.TryConnect(atOther)) // and changes the peer
		_, err = a.TrySend([]byte("to the other"), 0)
		t.ok(err)
		t.equal("to the other", t.message(other))
		t.quiet(s)
	})
	t.Sub("refused", func(t *T) {
		s := t.socket(tcp4)
		t.is(t.finish(s, s.TryConnect(t.nobody())), unix.ECONNREFUSED)
		t.is(t.socket(unixStream).TryConnect(socketops.UnixAddr(t.TempDir()+"/none")), unix.ENOENT)
		t.is(t.socket(tcp4).TryConnect(socketops.Addr{}), unix.EDESTADDRREQ)
		t.is(t.socket(tcp4).TryConnect(socketops.UnixAddr("/no address of IP")), unix.EAFNOSUPPORT)
	})
	t.Sub("the queue of a unix socket is full", func(t *T) {
		_, at := t.listening(unixStream, 0)
		t.ok(t.socket(unixStream).TryConnect(at))
		t.is(t.socket(unixStream).TryConnect(at), socketops.ErrWouldBlock)
	})
}

func dataComesWithTheConnection(t *T) { // A25
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		s := t.socket(n.client())
		sent, err := s.TryConnectData(at, []byte("hello"))
		t.equal(0, sent)
		t.equal(n.ip(), errors.Is(err, socketops.ErrInProgress))
		t.ok(t.finish(s, err))
		c, _ := t.accept(l)
		t.quiet(c)
		sent, err = s.TryConnectData(at, []byte("hello"))
		t.is(err, unix.EISCONN)
		t.equal(0, sent)
		t.works(s, c)

		for _, data := range []string{"", "hello"} {
			s = t.socket(n.client())
			sent, err = s.ConnectData(t.Late(), at, []byte(data))
			t.ok(err)
			t.equal(len(data), sent)
			c, _ = t.accept(l)
			t.equal(data, string(t.receive(c, len(data))))
		}
		_, err = t.closed(n).TryConnectData(at, []byte("x"))
		t.is(err, socketops.ErrClosed)
	})
	t.Sub("refused", func(t *T) {
		sent, err := t.socket(tcp4).ConnectData(t.Late(), t.nobody(), []byte("hello"))
		t.equal(&socketops.OpError{Op: "connect", Err: unix.ECONNREFUSED}, err)
		t.equal(0, sent)
		s := t.socket(tcp4)
		sent, err = s.TryConnectData(t.nobody(), []byte("hello"))
		t.equal(0, sent)
		t.is(t.finish(s, err), unix.ECONNREFUSED)
	})
	t.Sub("disconnected", func(t *T) {
		_, at := t.listening(tcp4, 1)
		a, _ := t.pair(tcp4)
		t.ok(a.Disconnect(false))
		sent, err := a.TryConnectData(at, []byte("x"))
		t.equal(&socketops.OpError{Op: "connect", Err: unix.EISCONN}, err)
		t.equal(0, sent)
	})
	t.Sub("a send that fails is a send", func(t *T) {
		l, at := t.bound(tcp4)
		t.ok(l.SetRecvBuffer(8 << 10))
		t.ok(l.Listen(1))
		s := t.socket(tcp4)
		t.ok(s.SetSendBuffer(8 << 10))
		t.ok(s.SetWriteTimeout(aWhile))
		sent, err := s.ConnectData(t.Late(), at, make([]byte, tooMuch))
		t.equal(&socketops.OpError{Op: "send", Err: socketops.ErrTimeout}, err)
		t.that(sent > 0 && sent < tooMuch, "a part was sent")
	})
	for name, early := range map[string]int{"asked for": 0, "without a cookie": 1} {
		t.Sub("fast open "+name, func(t *T) { t.fastOpen(early) })
	}
}

// fastOpen holds that data arrives once, however much of it the kernel sends with the request: all of it perhaps where
// no cookie is needed.
func (t *T) fastOpen(noCookie int) {
	l, at := t.bound(tcp4)
	t.ok(l.SetOptionInt(socketops.LevelTCP, socketops.OptFastOpen, 5))
	t.ok(l.Listen(5))
	for range 2 { // The second time the kernel can know the peer.
		s := t.socket(tcp4)
		t.ok(s.SetFastOpen(true))
		if noCookie != 0 { // Since 4.15, and where the system allows it.
			_ = s.SetRawOption(unix.IPPROTO_TCP, unix.TCP_FASTOPEN_NO_COOKIE, native(noCookie))
		}
		sent, err := s.TryConnectData(at, []byte("early and late"))
		t.that(sent == 0 || sent == 14, "all goes, or nothing: %d", sent)
		t.ok(t.finish(s, err))
		_, err = s.Send(t.Late(), []byte("early and late")[sent:], 0)
		t.ok(err)
		t.ok(s.Shutdown(socketops.ShutWrite))
		c, _ := t.accept(l)
		t.equal("early and late", string(t.receive(c, 14)))
		t.ends(c)
	}
}

func connectionsFinish(t *T) { // A26
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		s := t.socket(n.client())
		t.is(s.TryFinishConnect(), unix.ENOTCONN) // though it is writable and has no error
		t.equal(false, s.Connected())
		t.ok(t.finish(s, s.TryConnect(at)))
		t.ok(s.TryFinishConnect())
		t.equal(true, s.Connected())
		c, _ := t.accept(l)
		t.works(s, c)
		t.ok(s.Close())
		t.is(s.TryFinishConnect(), socketops.ErrClosed)
		t.equal(socketops.ClassOperationAborted, socketops.Classify(s.TryFinishConnect()))
	})
	t.Sub("refused, which is said once", func(t *T) {
		s := t.socket(tcp4)
		t.is(t.finish(s, s.TryConnect(t.nobody())), unix.ECONNREFUSED)
		t.is(s.TryFinishConnect(), unix.ENOTCONN)
		t.ok(s.SocketError())
	})
}

func connectsWait(t *T) { // A45
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		s := t.socket(n.client())
		t.is(s.Connect(over(), at), socketops.ErrCanceled)
		t.ok(s.SetReadTimeout(1)) // which are not for connects
		t.ok(s.SetWriteTimeout(1))
		t.ok(s.Connect(t.Late(), at))
		t.ok(s.SetReadTimeout(0))
		t.ok(s.SetWriteTimeout(0))
		c, _ := t.accept(l)
		t.works(s, c)
		t.is(s.Connect(t.Late(), at), unix.EISCONN)
		t.is(t.closed(n).Connect(t.Late(), at), socketops.ErrClosed)

		s = t.socket(n.client())
		t.ok(s.SetBlocking(false))
		err := s.Connect(t.Late(), at)
		if n.ip() {
			t.is(err, socketops.ErrWouldBlock)
			t.isNot(err, socketops.ErrInProgress)
			err = s.TryFinishConnect()
		}
		t.ok(t.finish(s, err))
	})
	t.Sub("refused", func(t *T) {
		t.is(t.socket(tcp4).Connect(t.Late(), t.nobody()), unix.ECONNREFUSED)
	})
	t.Sub("the queue of a unix socket is full", func(t *T) {
		l, at := t.listening(unixStream, 0)
		t.ok(t.socket(unixStream).Connect(t.Late(), at))
		s := t.socket(unixStream)
		ctx, cancel := context.WithTimeout(t.Context(), moment)
		defer cancel()
		t.is(s.Connect(ctx, at), context.DeadlineExceeded)
		made := make(chan error, 1)
		go func() { made <- s.Connect(context.Background(), at) }()
		t.accept(l)
		c, _ := t.accept(l)
		t.ok(<-made)
		t.works(s, c)
	})
}

func connectedIsAdvice(t *T) { // A88
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		t.equal(true, a.Connected())
		t.equal(true, b.Connected())
		t.ok(a.Close())
		t.equal(false, a.Connected())
	})
	t.on(network.binds, func(t *T, n network) {
		s, _ := t.bound(n)
		t.equal(false, s.Connected())
		if n.listens() {
			t.ok(s.Listen(1))
			t.equal(false, s.Connected())
		}
	})
	t.Sub("made in the background", func(t *T) {
		_, at := t.listening(tcp4, 1)
		s := t.socket(tcp4)
		t.is(s.TryConnect(at), socketops.ErrInProgress)
		t.ready(true, s, socketops.PollWrite, -1)
		t.equal(true, s.Connected())
	})
	t.Sub("failed, and the error stays", func(t *T) {
		s := t.socket(tcp4)
		t.is(s.TryConnect(t.nobody()), socketops.ErrInProgress)
		t.ready(true, s, socketops.PollError, -1)
		t.equal(false, s.Connected())
		t.is(s.TryFinishConnect(), unix.ECONNREFUSED)
	})
	t.Sub("reset", func(t *T) {
		a, b := t.pair(tcp4)
		t.ok(b.SetLinger(socketops.Linger{Enabled: true}))
		t.ok(b.Close())
		t.readable(a)
		t.equal(false, a.Connected())
	})
	t.Sub("shut down by the peer", func(t *T) {
		a, b := t.pair(tcp4)
		t.ok(b.Shutdown(socketops.ShutWrite))
		t.ends(a)
		t.equal(true, a.Connected())
	})
}

func connectionsAreAccepted(t *T) { // A23
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 4)
		_, _, err := l.TryAccept()
		t.is(err, socketops.ErrWouldBlock)
		for i := range 3 {
			s := t.socket(n.client())
			t.ok(s.Connect(t.Late(), at))
			t.readable(l)
			c, from, err := l.TryAccept()
			t.ok(err)
			t.Cleanup(func() { c.Close() })
			local, err := s.LocalAddr()
			t.ok(err)
			t.equal(local, from)
			t.equal([]any{n.family, n.typ, n.proto, t.Engine}, []any{c.Family(), c.Type(), c.Protocol(), c.Engine()})
			t.equal(true, c.Connected())
			t.descriptorFlags(c)
			_, err = s.TrySend([]byte{byte(i)}, 0)
			t.ok(err)
			t.equal(string([]byte{byte(i)}), t.message(c)) // in the order in which they came
		}
		t.ok(l.Close())
		_, _, err = l.TryAccept()
		t.is(err, socketops.ErrClosed)
		t.equal(socketops.ClassOperationAborted, socketops.Classify(err))
	})
	t.Sub("not listening", func(t *T) {
		_, _, err := t.socket(tcp4).TryAccept()
		t.is(err, unix.EINVAL)
		_, _, err = t.socket(unixStream).TryAccept()
		t.is(err, unix.EINVAL)
		_, _, err = t.socket(udp4).TryAccept()
		t.is(err, unix.EOPNOTSUPP)
	})
}

func acceptsWait(t *T) { // A44
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 4)
		_, _, err := l.Accept(over())
		t.is(err, socketops.ErrCanceled)
		ctx, cancel := context.WithTimeout(t.Context(), moment)
		defer cancel()
		t.ok(l.SetReadTimeout(1)) // which is not for accepts
		_, _, err = l.Accept(ctx)
		t.is(err, context.DeadlineExceeded)
		t.isNot(err, socketops.ErrTimeout)
		got := make(chan *socketops.Socket, 1)
		go func() {
			c, _, _ := l.Accept(context.Background())
			got <- c
		}()
		s := t.socket(n.client())
		t.ok(s.Connect(t.Late(), at))
		c := <-got
		t.that(c != nil, "the accept succeeds")
		t.Cleanup(func() { c.Close() })
		t.works(s, c)
		t.ok(l.SetBlocking(false))
		none, _, err := l.Accept(t.Late())
		t.is(err, socketops.ErrWouldBlock)
		t.that(none == nil, "there is no socket with an error")
		t.ok(l.SetBlocking(true))
		ended := make(chan error, 1)
		l.GoAccept(func(_ *socketops.Socket, _ socketops.Addr, err error) { ended <- err })
		t.ok(l.Close())
		t.is(<-ended, socketops.ErrClosed)
	})
}
