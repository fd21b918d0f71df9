//go:build linux

package conformance

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"runtime"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func closeStops(t *T) { // B09
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		told, results := outcomes(3)
		for range 3 {
			a.GoRecv(make([]byte, 1), 0, told)
		}
		t.ok(a.Close())
		for range 3 {
			r := <-results
			t.equal(0, r.n)
			t.is(r.err, net.ErrClosed)
		}
		a.GoRecv(make([]byte, 1), 0, told)
		t.is((<-results).err, socketops.ErrClosed)
		_, err := a.TrySend([]byte("x"), 0)
		t.is(err, socketops.ErrClosed)
	})
}

func closeWaits(t *T) { // B32
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(a)
		told, results := outcomes(3)
		a.GoSend(make([]byte, tooMuch), 0, told)
		a.GoRecv(make([]byte, 1), 0, told)
		waiting := make(chan struct{})
		go func() {
			close(waiting)
			told(a.Recv(context.Background(), make([]byte, 1), 0))
		}()
		<-waiting
		t.ok(a.Close())
		for range 3 {
			t.is((<-results).err, socketops.ErrClosed)
		}
		t.ok(a.Close())
	})
}

func hangUpsWake(t *T) { // B27
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(b)
		told, results := outcomes(1)
		b.GoRecv(make([]byte, 1), 0, told)
		t.ok(a.Shutdown(socketops.ShutWrite))
		t.equal(outcome{}, <-results)
		sent, sends := outcomes(1)
		b.GoSend(make([]byte, tooMuch), 0, sent)
		_, err := a.Recv(t.Late(), make([]byte, 1), 0)
		t.ok(err)
		t.ok(a.Close())
		err = (<-sends).err
		t.that(errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET), "the send has failed: %v", err)
	})
	t.Sub("reset", func(t *T) {
		a, b := t.pair(networks[0])
		told, results := outcomes(1)
		b.GoRecv(make([]byte, 1), 0, told)
		t.ok(a.SetLinger(socketops.Linger{Enabled: true}))
		t.ok(a.Close())
		t.is((<-results).err, unix.ECONNRESET)
	})
}

func blockedCallback(t *T) { // B28
	a, b := t.socketPair(unix.SOCK_STREAM)
	c, d := t.socketPair(unix.SOCK_STREAM)
	release, inside := make(chan struct{}), make(chan struct{})
	b.GoRecv(make([]byte, 1), 0, func(int, error) {
		close(inside)
		<-release
	})
	_, err := a.Send(t.Late(), []byte("x"), 0)
	t.ok(err)
	<-inside
	told, results := outcomes(2)
	d.GoRecv(make([]byte, 1), 0, told)
	b.GoSend([]byte("the other direction"), 0, told)
	_, err = c.Send(t.Late(), []byte("x"), 0)
	t.ok(err)
	<-results
	<-results
	close(release)
}

func staleNews(t *T) { // B29
	for range 50 { // each with the number of the one before
		a, b := t.socketPair(unix.SOCK_STREAM)
		told, results := outcomes(2)
		b.GoRecv(make([]byte, 1), 0, told)
		_, err := a.Send(t.Late(), []byte("x"), 0)
		t.ok(err)
		t.ok(b.Close())
		<-results // It has the byte, or was closed before.
		c, d := t.socketPair(unix.SOCK_STREAM)
		fresh, news := outcomes(1)
		d.GoRecv(make([]byte, 1), 0, fresh)
		t.equal(0, len(news))
		_, err = c.Send(t.Late(), []byte("y"), 0)
		t.ok(err)
		t.equal(outcome{1, nil}, <-news)
		for _, s := range []*socketops.Socket{a, c, d} {
			t.ok(s.Close())
		}
	}
}

func forgottenSocket(t *T) { // B33
	peer := func() *socketops.Socket {
		a, b, err := t.Engine.SocketPair(unix.SOCK_STREAM)
		t.ok(err)
		told, results := outcomes(1)
		a.GoRecv(make([]byte, 1), 0, told) // so that the engine knows it
		_, err = b.Send(t.Late(), []byte("x"), 0)
		t.ok(err)
		t.equal(outcome{1, nil}, <-results)
		_, err = a.Send(t.Late(), []byte("last words"), 0)
		t.ok(err)
		return b
	}()
	defer peer.Close()
	t.equal("last words", string(t.receive(peer, 10)))
	for deadline := time.Now().Add(late); ; {
		runtime.GC()
		ended, err := peer.Poll(t.Late(), socketops.PollRead, 10*time.Millisecond)
		t.ok(err)
		if ended {
			break
		}
		t.that(time.Now().Before(deadline), "a socket that nobody knows is closed")
	}
	k, err := peer.Recv(t.Late(), make([]byte, 1), 0)
	t.ok(err)
	t.equal(0, k)
}

func disconnectStops(t *T) { // B38
	t.onPairs(func(n network) bool { return n.listens() && n.stream() }, func(t *T, n network, a, b *socketops.Socket) {
		told, results := outcomes(2)
		a.GoRecv(make([]byte, 1), 0, told)
		a.GoRecv(make([]byte, 1), 0, told)
		t.ok(a.Disconnect(true))
		for range 2 {
			t.is((<-results).err, socketops.ErrCanceled)
		}
		t.that(!a.Connected(), "it is as new")
	})
}

func connectTwice(t *T) { // B17
	l, at := t.listening(networks[0], 4)
	s := t.socket(networks[0])
	t.ok(s.Connect(t.Late(), at))
	t.is(s.Connect(t.Late(), at), unix.EISCONN)
	const size = 1 << 19 // more than fits
	told, results := outcomes(2)
	a, b := t.pair(networks[0])
	t.small(a)
	a.GoSend(make([]byte, size), 0, told)
	connecting := make(chan error, 1)
	go func() { connecting <- a.Connect(context.Background(), at) }()
	t.equal(size, len(t.receive(b, size)))
	t.equal(outcome{size, nil}, <-results)
	t.is(<-connecting, unix.EISCONN)
	t.ok(l.Close())
	refused := t.socket(networks[0])
	t.is(refused.Connect(t.Late(), t.nobody()), unix.ECONNREFUSED)
}

func connectDataErrors(t *T) { // B18
	s := t.socket(networks[0])
	n, err := s.ConnectData(t.Late(), t.nobody(), []byte("data"))
	t.equal(0, n)
	t.is(err, unix.ECONNREFUSED)
	var op *socketops.OpError
	t.that(errors.As(err, &op) && op.Op == "connect", "the error is of connecting: %v", err)

	l, at := t.listening(networks[0], 1)
	s = t.socket(networks[0])
	n, err = s.ConnectData(t.Late(), at, []byte("data"))
	t.ok(err)
	t.equal(4, n)
	peer, _, err := l.Accept(t.Late())
	t.ok(err)
	defer peer.Close()
	t.equal("data", string(t.receive(peer, 4)))
	n, err = s.ConnectData(t.Late(), at, []byte("data"))
	t.is(err, unix.EISCONN)
	t.equal(0, n)
}

func connectAfterFailure(t *T) { // B19, A01
	_, at := t.listening(networks[0], 1)
	s := t.socket(networks[0])
	t.ok(s.SetKeepAlive(true))
	t.ok(s.ConnectAny(t.Late(), []netip.AddrPort{t.nobody().AddrPort(), at.AddrPort()}))
	kept, err := s.KeepAlive()
	t.ok(err)
	t.equal(true, kept)
	peer, err := s.PeerAddr()
	t.ok(err)
	t.equal(at.AddrPort(), peer.AddrPort())
	t.is(s.ConnectAny(t.Late(), []netip.AddrPort{at.AddrPort()}), unix.EISCONN)
}
