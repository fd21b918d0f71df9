//go:build linux

package conformance

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// sender is a form of send that waits, to the peer where to is the zero Addr.
type sender func(ctx context.Context, s *socketops.Socket, b []byte, to socketops.Addr) (int, error)

func sendSlice(ctx context.Context, s *socketops.Socket, b []byte, _ socketops.Addr) (int, error) {
	return s.Send(ctx, b, 0)
}

func sendPart(ctx context.Context, s *socketops.Socket, b []byte, _ socketops.Addr) (int, error) {
	around := append(append([]byte("before"), b...), "after"...)
	return s.Send(ctx, around[6:][:len(b)], 0)
}

func sendList(ctx context.Context, s *socketops.Socket, b []byte, _ socketops.Addr) (int, error) {
	return s.Sendv(ctx, cut(b, 0, 1, 0, 2), 0)
}

func sendPartTo(ctx context.Context, s *socketops.Socket, b []byte, to socketops.Addr) (int, error) {
	around := append(append([]byte("before"), b...), "after"...)
	return s.SendTo(ctx, around[6:][:len(b)], 0, to)
}

// sendsBy is what holds for every form of send that waits.
func sendsBy(send sender) func(t *T) {
	return func(t *T) {
		t.onPairs(network.stream, func(t *T, _ network, a, b *socketops.Socket) { t.streamsBy(send, a, b) })
		t.onPairs(network.messages, func(t *T, _ network, a, b *socketops.Socket) {
			_, err := send(over(), a, []byte("never"), socketops.Addr{})
			t.is(err, socketops.ErrCanceled)
			for _, text := range []string{"a message", "another one"} {
				k, err := send(t.Late(), a, []byte(text), socketops.Addr{})
				t.ok(err)
				t.equal(len(text), k)
			}
			t.equal("a message", t.message(b))
			t.equal("another one", t.message(b))
			t.ok(a.Close())
			_, err = send(t.Late(), a, []byte("never"), socketops.Addr{})
			t.is(err, socketops.ErrClosed)
		})
	}
}

func (t *T) streamsBy(send sender, a, b *socketops.Socket) {
	t.Helper()
	t.tight(a, b)
	peer := socketops.Addr{}
	k, err := send(over(), a, []byte("never"), peer)
	t.is(err, socketops.ErrCanceled)
	t.equal(0, k)
	t.quiet(b)

	data := pattern(200 << 10)
	sent := make(chan outcome, 1)
	go func() {
		k, err := send(context.Background(), a, data, peer)
		sent <- outcome{k, err}
	}()
	t.equal(data, t.receive(b, len(data)))
	t.equal(outcome{len(data), nil}, <-sent) // all of it

	t.ok(a.SetBlocking(false))
	data = pattern(tooMuch)
	left := data
	for { // what goes in, and then no more
		if k, err = send(t.Late(), a, left, peer); err != nil {
			break
		}
		t.that(k > 0 && k < len(left), "a part is a success: %d", k)
		left = left[k:]
	}
	t.that(len(left) < len(data), "some of it goes in")
	t.is(err, socketops.ErrWouldBlock)
	t.equal(0, k)
	t.ok(a.SetBlocking(true))
	t.ok(a.SetWriteTimeout(instants))
	k, err = send(t.Late(), a, left, peer)
	t.is(err, socketops.ErrTimeout)
	left = left[k:]
	t.that(len(left) > 0, "it does not all fit")
	t.equal(data[:len(data)-len(left)], t.receive(b, len(data)-len(left)))
	t.quiet(b)
	t.ok(a.Close())
	_, err = send(t.Late(), a, []byte("never"), peer)
	t.is(err, socketops.ErrClosed)
}

// sendsToBy is sendsBy for the forms with an address.
func sendsToBy(send sender) func(t *T) {
	return func(t *T) {
		sendsBy(send)(t)
		t.addressesBy(send)
	}
}

// addressesBy holds that datagrams go where they are sent to.
func (t *T) addressesBy(send sender) {
	t.on(network.datagrams, func(t *T, n network) {
		s, at := t.bound(n)
		other, atOther := t.bound(n)
		from := t.socket(n.client())
		for i, to := range []socketops.Addr{at, atOther, at} {
			k, err := send(t.Late(), from, []byte{'0' + byte(i)}, to)
			t.ok(err)
			t.equal(1, k)
		}
		t.equal("0", t.message(s))
		t.equal("2", t.message(s))
		t.equal("1", t.message(other))
		_, err := send(t.Late(), from, []byte("x"), socketops.Addr{})
		t.that(errors.Is(err, unix.EDESTADDRREQ) || errors.Is(err, unix.ENOTCONN), "there is no peer: %v", err)
	})
}

func bytesAreSent(t *T) { // A16
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		_, err := a.TrySend([]byte("never"), 1<<30)
		t.is(err, unix.EOPNOTSUPP)
		k, err := a.TrySend([]byte("a part of it")[2:6], 0)
		t.ok(err)
		t.equal(4, k)
		t.equal("part", t.message(b))
		k, err = a.TrySend([]byte{}, 0)
		t.ok(err)
		t.equal(0, k)
		_, err = a.Send(t.Late(), []byte("next"), 0)
		t.ok(err)
		if n.messages() {
			t.equal("", t.message(b)) // an empty message is one
		}
		t.equal("next", t.message(b))
	})
	t.onPairs(func(n network) bool { return !n.datagrams() }, func(t *T, _ network, a, b *socketops.Socket) {
		t.ok(a.Shutdown(socketops.ShutWrite))
		_, err := a.TrySend([]byte("x"), 0) // and no signal comes
		t.is(err, unix.EPIPE)
		t.equal(socketops.ClassShutdown, socketops.Classify(err))
	})
}

func nothingIsNotNull(t *T) { // A15
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		none := []byte("none")[:0]
		messages := 0
		for _, nothing := range [][]byte{nil, {}, none, none[:0:0]} {
			for _, send := range []func() (int, error){
				func() (int, error) { return a.TrySend(nothing, 0) },
				func() (int, error) { return a.Send(t.Late(), nothing, 0) },
				func() (int, error) { return a.TrySendTo(nothing, 0, socketops.Addr{}) },
				func() (int, error) { return a.TrySendv([][]byte{nothing}, 0) },
				func() (int, error) { return a.Sendv(t.Late(), [][]byte{nothing, nothing}, 0) },
			} {
				k, err := send()
				t.ok(err)
				t.equal(0, k)
				messages++
				if n.messages() { // so that the queue of few does not become full
					t.equal("", t.message(b))
				}
			}
			k, err := a.TrySendv(nil, 0)
			t.ok(err)
			t.equal(0, k)
			if n.messages() {
				t.equal("", t.message(b))
			}
		}
		_, err := a.TrySend([]byte("x"), 0)
		t.ok(err)
		t.readable(b)
		for _, nothing := range [][]byte{nil, {}, none} {
			_, err = b.TryRecv(nothing, 0)
			t.ok(err)
			_, _, _, err = b.TryRecvFrom(nothing, 0)
			t.ok(err)
		}
		t.equal("x", t.message(b))
	})
}

func datagramsFindTheirWay(t *T) { // A17
	t.addressesBy(func(_ context.Context, s *socketops.Socket, b []byte, to socketops.Addr) (int, error) {
		return s.TrySendTo(b, 0, to)
	})
	t.addressesBy(func(ctx context.Context, s *socketops.Socket, b []byte, to socketops.Addr) (int, error) {
		return s.SendTo(ctx, b, 0, to)
	})
	t.on(network.tcp, func(t *T, n network) {
		a, b := t.pair(n)
		_, err := a.TrySendTo([]byte("ignored"), 0, ipAddr("192.0.2.1:9"))
		t.ok(err) // as sendto(2) does with an address on a connection
		t.equal("ignored", string(t.receive(b, 7)))
	})
	t.Sub("a unix socket that is not there", func(t *T) {
		_, err := t.socket(kind("unixgram")).TrySendTo([]byte("x"), 0, socketops.UnixAddr(t.TempDir()+"/none"))
		t.is(err, unix.ENOENT)
	})
	t.Sub("an address of another family", func(t *T) {
		_, err := t.socket(udp4).TrySendTo([]byte("x"), 0, ipAddr("[::1]:9"))
		t.is(err, unix.EAFNOSUPPORT)
		_, err = t.socket(udp6).TrySendTo([]byte("x"), 0, ipAddr("127.0.0.1:9"))
		t.is(err, unix.ENETUNREACH) // which takes IPv6 only
	})
	t.Sub("raw", func(t *T) {
		s, from := t.socket(raws[1]), t.socket(raws[1])
		t.permitted(raws[1], s.Bind(ipAddr("[::1]:0")))
		_, err := from.TrySendTo([]byte("packet"), 0, ipAddr("[::1]:0"))
		t.ok(err)
		t.equal("packet", t.message(s))
	})
}

func listsAreSentOnce(t *T) { // A18
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		data := pattern(40)
		for _, list := range [][][]byte{
			cut(data, 40, 0),                     // an empty buffer behind the last byte
			append(cut(data, 40), nil, []byte{}), // and several
			cut(data, 0, 0, 10, 0, 20, 0),
			append(cut(data, ones(39)...), nil),
		} {
			k, err := a.TrySendv(list, 0)
			t.ok(err)
			t.equal(40, k)
			t.readable(b)
			t.equal(data, t.receive(b, 40))
			t.quiet(b) // no message of nothing comes after it
		}
	})
	t.onPairs(network.stream, func(t *T, _ network, a, b *socketops.Socket) {
		t.tight(a, b)
		data := pattern(100 << 10)
		sizes := make([]int, 0, 3000)
		for i := range cap(sizes) { // more than the kernel takes at once, and empty ones among them
			sizes = append(sizes, i%67)
		}
		sent := make(chan outcome, 1)
		go func() {
			k, err := a.Sendv(context.Background(), cut(data, sizes...), 0)
			sent <- outcome{k, err}
		}()
		t.equal(data, t.receive(b, len(data)))
		t.equal(outcome{len(data), nil}, <-sent)
	})
	t.onPairs(network.messages, func(t *T, _ network, a, b *socketops.Socket) {
		_, err := a.TrySendv(cut(pattern(1030), ones(1024)...), 0)
		t.is(err, unix.EMSGSIZE)
		k, err := a.TrySendv(cut(pattern(1030), ones(1023)...), 0)
		t.ok(err)
		t.equal(1030, k)
		t.equal(string(pattern(1030)), t.message(b))
	})
}

// trier is a form of send that does not wait.
type trier func(s *socketops.Socket, b []byte, to socketops.Addr) (int, error)

// sendTries is what holds for every form of send that does not wait.
func sendTries(try trier) func(t *T) {
	return func(t *T) {
		t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
			t.tight(a, b)
			peer := socketops.Addr{}
			k, err := try(a, []byte("hello"), peer)
			t.ok(err)
			t.equal(5, k)
			t.equal("hello", t.message(b))
			if !n.udp() { // which drops what does not fit
				t.triesUntilFull(try, n, a, b)
			}
			t.ok(a.Close())
			_, err = try(a, []byte("x"), peer)
			t.is(err, socketops.ErrClosed)
		})
	}
}

func (t *T) triesUntilFull(try trier, n network, a, b *socketops.Socket) {
	t.Helper()
	size := 1000
	if n.stream() {
		size = tooMuch
	}
	data, sent := pattern(size), 0
	for {
		k, err := try(a, data[sent%size:], socketops.Addr{})
		if err != nil {
			t.is(err, socketops.ErrWouldBlock)
			t.is(err, unix.EAGAIN)
			t.equal(0, k)
			break
		}
		t.that(k > 0, "a success sends something")
		sent += k
		t.that(n.messages() || k < size, "not all fits at once: %d", k)
	}
	t.that(sent > 0, "something was sent")
	if n.stream() {
		t.equal(data[:sent], t.receive(b, sent))
		return
	}
	for ; sent > 0; sent -= size {
		t.equal(string(data), t.message(b))
	}
	t.quiet(b)
}

func trySend(t *T) { // A35
	sendTries(func(s *socketops.Socket, b []byte, _ socketops.Addr) (int, error) { return s.TrySend(b, 0) })(t)
	t.onPairs(network.stream, func(t *T, _ network, a, b *socketops.Socket) {
		t.tight(a, b)
		k, err := a.TrySend(pattern(tooMuch), 0)
		t.ok(err) // a part is a success, and what comes of the rest is told at the next attempt
		t.that(k > 0 && k < tooMuch, "a part is sent")
		t.ok(b.Close()) // which resets
		t.until(func() bool {
			k, err = a.TrySend([]byte("x"), 0)
			return err != nil && !errors.Is(err, socketops.ErrWouldBlock)
		})
		t.equal(0, k)
		t.that(errors.Is(err, unix.ECONNRESET) || errors.Is(err, unix.EPIPE), "the connection is broken: %v", err)
	})
}
