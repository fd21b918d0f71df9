//go:build linux

package conformance

import (
	"context"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// receiver is a form of receive that waits.
type receiver func(ctx context.Context, s *socketops.Socket, b []byte) (int, error)

func recvInto(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
	return s.Recv(ctx, b, 0)
}

func recvPart(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
	room := make([]byte, len(b)+20)
	n, err := s.Recv(ctx, room[10:][:len(b)], 0)
	for i, c := range room {
		if c != 0 && (i < 10 || i >= 10+n) {
			return -1, nil // written where it should not
		}
	}
	copy(b, room[10:])
	return n, err
}

func recvList(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
	n, _, err := s.Recvv(ctx, [][]byte{b[:1], nil, b[1:]}, 0)
	return n, err
}

func recvFrom(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
	n, _, _, err := s.RecvFrom(ctx, b, 0)
	return n, err
}

func recvMessage(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
	m, err := s.RecvMsg(ctx, [][]byte{b}, 0)
	return m.N, err
}

func recvMessageList(ctx context.Context, s *socketops.Socket, b []byte) (int, error) {
	m, err := s.RecvMsg(ctx, [][]byte{b[:2], b[2:]}, 0)
	return m.N, err
}

func messagesAreReceivedInListsInTurn(t *T) { // A56
	receivesBy(recvMessageList)(t)
	t.on(network.udp, func(t *T, n network) {
		type got struct {
			m   socketops.Msg
			err error
		}
		results := make(chan got, 4)
		done := func(m socketops.Msg, err error) { results <- got{m, err} }
		s, at := t.bound(n)
		from, atFrom := t.bound(n.client())
		room := make([]byte, 8)
		list := [][]byte{room[:3], room[3:]}
		s.GoRecvMsg(list, 0, done)
		list[0], list[1] = nil, nil // which was copied
		_, err := from.TrySendTo([]byte("hello"), 0, at)
		t.ok(err)
		info := socketops.PacketInfo{Addr: at.AddrPort().Addr(), IfIndex: t.loopback()}
		t.equal(got{socketops.Msg{N: 5, From: atFrom, PacketInfo: info}, nil}, <-results)
		t.equal("hello", string(room[:5]))
		s.GoRecvMsg([][]byte{room}, 1<<30, done)
		t.is((<-results).err, unix.EOPNOTSUPP)
		s.GoRecvMsg([][]byte{room}, 0, done).Cancel()
		t.is((<-results).err, socketops.ErrCanceled)
		t.equal(0, len(results))
	})
}

// receivesBy is what holds for every form of receive that waits.
func receivesBy(receive receiver) func(t *T) {
	return func(t *T) {
		t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
			room := make([]byte, 100)
			_, err := receive(over(), b, room)
			t.is(err, socketops.ErrCanceled)
			ctx, cancel := context.WithTimeout(t.Context(), moment)
			defer cancel()
			_, err = receive(ctx, b, room)
			t.is(err, context.DeadlineExceeded)
			t.ok(b.SetReadTimeout(moment))
			_, err = receive(t.Late(), b, room)
			t.is(err, socketops.ErrTimeout)
			t.ok(b.SetReadTimeout(0))

			t.ok(b.SetBlocking(false))
			k, err := receive(t.Late(), b, room)
			t.is(err, socketops.ErrWouldBlock)
			t.equal(0, k)
			_, err = a.TrySend([]byte("at once"), 0)
			t.ok(err)
			t.readable(b)
			k, err = receive(t.Late(), b, room)
			t.ok(err)
			t.equal("at once", string(room[:k]))
			t.ok(b.SetBlocking(true))

			got := make(chan outcome, 1)
			go func() {
				k, err := receive(context.Background(), b, room)
				got <- outcome{k, err}
			}()
			_, err = a.Send(t.Late(), []byte("what it waits for"), 0)
			t.ok(err)
			t.equal(outcome{17, nil}, <-got)
			t.equal("what it waits for", string(room[:17]))
			t.receivesTheEndBy(receive, n, a, b)
		})
	}
}

// receivesTheEndBy is receivesBy when the peer ends, and then the socket.
func (t *T) receivesTheEndBy(receive receiver, n network, a, b *socketops.Socket) {
	t.Helper()
	if !n.datagrams() {
		t.ok(a.Shutdown(socketops.ShutWrite))
		k, err := receive(t.Late(), b, make([]byte, 9))
		t.ok(err)
		t.equal(0, k)
	}
	t.ok(b.Close())
	_, err := receive(t.Late(), b, make([]byte, 9))
	t.is(err, socketops.ErrClosed)
}

func bytesAreReceived(t *T) { // A12
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		_, err := a.Send(t.Late(), []byte("0123456789"), 0)
		t.ok(err)
		t.readable(b)
		room := make([]byte, 10)
		for _, unknown := range []socketops.MsgFlags{1 << 30, 1 << 16, -1} {
			_, err = b.TryRecv(room, unknown)
			t.is(err, unix.EOPNOTSUPP) // and nothing is lost
			_, err = b.Recv(t.Late(), room, unknown)
			t.is(err, unix.EOPNOTSUPP)
		}
		k, err := b.TryRecv(room[:4], socketops.Peek)
		t.ok(err)
		t.equal("0123", string(room[:k]))
		k, err = b.TryRecv(room[:4], 0)
		t.ok(err)
		t.equal("0123", string(room[:k]))
		if n.messages() { // of which the rest is gone
			t.quiet(b)
			return
		}
		k, err = b.TryRecv(room, 0)
		t.ok(err)
		t.equal("456789", string(room[:k]))
	})
	t.on(network.listens, func(t *T, n network) {
		l, _ := t.listening(n, 1)
		_, err := l.TryRecv(make([]byte, 1), 0)
		want := unix.ENOTCONN
		if n.family == unix.AF_UNIX && n.stream() {
			want = unix.EINVAL
		}
		t.is(err, want)
	})
}

func sendersAreTold(t *T) { // A13
	t.on(network.binds, func(t *T, n network) {
		if !n.datagrams() {
			return
		}
		s, at := t.bound(n)
		from, atFrom := t.bound(n.client())
		_, err := from.TrySendTo([]byte("0123456789"), 0, at)
		t.ok(err)
		room := make([]byte, 4)
		k, who, flags, err := s.RecvFrom(t.Late(), room, 0)
		t.ok(err)
		t.equal("0123", string(room[:k]))
		t.equal(atFrom, who)
		t.equal(socketops.Truncated, flags)
		_, _, flags, err = s.TryRecvFrom(room, 1<<30)
		t.is(err, unix.EOPNOTSUPP)
		t.equal(socketops.MsgFlags(0), flags)
	})
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		_, err := a.Send(t.Late(), []byte("x"), 0)
		t.ok(err)
		k, who, flags, err := b.RecvFrom(t.Late(), make([]byte, 2), 0)
		t.ok(err)
		t.equal(1, k)
		t.equal(true, who.IsZero())
		t.equal(socketops.MsgFlags(0), flags)
	})
	t.Sub("raw", func(t *T) {
		n := raws[0]
		s, from := t.socket(n), t.socket(n)
		t.ok(s.Bind(ipAddr("127.0.0.1:0")))
		t.ok(from.Bind(ipAddr("127.0.0.2:0")))
		_, err := from.TrySendTo([]byte("packet"), 0, ipAddr("127.0.0.1:0"))
		t.ok(err)
		room := make([]byte, 100)
		k, who, _, err := s.RecvFrom(t.Late(), room, 0)
		t.ok(err)
		t.equal("packet", string(room[20:k])) // behind the header
		t.equal("127.0.0.2", who.AddrPort().Addr().String())
	})
}

// cut makes a list of buffers of b: the first ones of the sizes as far as b goes, and the last with what is left.
func cut(b []byte, sizes ...int) (list [][]byte) {
	for _, size := range sizes {
		size = min(size, len(b))
		list = append(list, b[:size:size])
		b = b[size:]
	}
	return append(list, b)
}

// ones are so many sizes of 1.
func ones(n int) []int { return slices.Repeat([]int{1}, n) }

func listsOfAnyLengthWork(t *T) { // A05
	t.onPairs(every, func(t *T, _ network, a, b *socketops.Socket) {
		for _, count := range []int{1, 2, 7, 8, 9, 10, 33} {
			data := pattern(100)
			k, err := a.Sendv(t.Late(), cut(data, ones(count-1)...), 0)
			t.ok(err)
			t.equal(100, k)
			t.readable(b)
			room := make([]byte, 100)
			k, _, err = b.Recvv(t.Late(), cut(room, ones(count-1)...), socketops.WaitAll)
			t.ok(err)
			t.equal(data, room[:k])
		}
	})
}

func longListsAreReceived(t *T) { // A20
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		data := pattern(30)
		_, err := a.Send(t.Late(), data, 0)
		t.ok(err)
		t.readable(b)
		room := make([]byte, 200)
		for _, from := range []int{0, 5} { // a list that ends with empty buffers, and one that begins with them
			list := append(cut(room[:40], ones(39)...), nil, room[50:50])
			list = append(slices.Repeat([][]byte{nil}, from), list...)
			k, flags, err := b.Recvv(t.Late(), list, socketops.Peek)
			t.ok(err)
			t.equal(data, room[:k])
			t.equal(socketops.MsgFlags(0), flags)
			clear(room)
		}
		k, flags, err := b.Recvv(t.Late(), cut(room[:20], ones(19)...), 0)
		t.ok(err)
		t.equal(data[:20], room[:k])
		t.equal(make([]byte, 180), room[20:])
		t.equal(n.messages(), flags&socketops.Truncated != 0)
	})
	t.on(network.datagrams, func(t *T, n network) {
		a, b := t.pair(n)
		_, err := a.TrySend(nil, 0)
		t.ok(err)
		t.readable(b)
		k, _, err := b.TryRecvv(cut(make([]byte, 20), ones(19)...), 0)
		t.ok(err)
		t.equal(0, k)
		t.quiet(b)
	})
	t.on(network.listens, func(t *T, n network) {
		l, _ := t.listening(n, 1)
		_, err := l.Available()
		t.is(err, unix.EINVAL)
		_, _, err = l.TryRecvv(cut(make([]byte, 20), ones(19)...), 0)
		t.is(err, unix.EINVAL)
		if n.ip() {
			_, _, err = l.TryRecvv(cut(make([]byte, 8), ones(7)...), 0)
			t.is(err, unix.ENOTCONN)
		}
	})
}

func triesOf(t *T, call func(s *socketops.Socket, b []byte, f socketops.MsgFlags) (int, error)) {
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		room := make([]byte, 10)
		k, err := call(b, room, 0)
		t.is(err, socketops.ErrWouldBlock)
		t.is(err, unix.EAGAIN)
		t.equal(0, k)
		_, err = a.TrySend([]byte("there"), 0)
		t.ok(err)
		t.readable(b)
		k, err = call(b, room, socketops.Peek)
		t.ok(err)
		t.equal("there", string(room[:k]))
		k, err = call(b, room, 0)
		t.ok(err)
		t.equal("there", string(room[:k]))
		if n.datagrams() {
			_, err = a.TrySend([]byte{}, 0)
			t.ok(err)
			t.readable(b)
		} else {
			t.ok(a.Shutdown(socketops.ShutWrite))
			t.readable(b)
		}
		k, err = call(b, room, 0) // an empty datagram, or the end
		t.ok(err)
		t.equal(0, k)
		t.ok(b.Close())
		_, err = call(b, room, 0)
		t.is(err, socketops.ErrClosed)
	})
	t.Sub("an error of the socket", func(t *T) {
		a, b := t.pair(tcp4)
		t.ok(a.SetLinger(socketops.Linger{Enabled: true}))
		t.ok(a.Close())
		t.readable(b)
		_, err := call(b, make([]byte, 9), 0)
		t.is(err, unix.ECONNRESET)
	})
}

func tryRecvFrom(t *T) { // A27
	triesOf(t, func(s *socketops.Socket, b []byte, f socketops.MsgFlags) (int, error) {
		n, _, _, err := s.TryRecvFrom(b, f)
		return n, err
	})
}

func tryRecvList(t *T) { // A28
	triesOf(t, func(s *socketops.Socket, b []byte, f socketops.MsgFlags) (int, error) {
		n, _, err := s.TryRecvv([][]byte{nil, b[:1], b[1:]}, f)
		return n, err
	})
}

func tryRecv(t *T) { // A29
	triesOf(t, (*socketops.Socket).TryRecv)
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		_, err := b.TryRecv(nil, 0)
		t.is(err, socketops.ErrWouldBlock)
		_, err = a.TrySend([]byte("data"), 0)
		t.ok(err)
		for _, none := range [][]byte{nil, {}} {
			k, err := b.Recv(t.Late(), none, 0)
			t.ok(err)
			t.equal(0, k)
			k, err = b.TryRecv(none, 0)
			t.ok(err)
			t.equal(0, k)
		}
		t.equal("data", t.message(b)) // of which nothing was taken
	})
}

func tryRecvFromAndLists(t *T) { // A30
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		_, _, _, err := b.TryRecvFrom(nil, 0)
		t.is(err, socketops.ErrWouldBlock)
		_, err = a.TrySend([]byte("data"), 0)
		t.ok(err)
		t.readable(b)
		k, from, flags, err := b.TryRecvFrom(nil, 0) // looks only, and says of what
		t.ok(err)
		t.equal(0, k)
		t.equal(n.messages(), flags&socketops.Truncated != 0)
		want := socketops.Addr{}
		if n.udp() || n.family == unix.AF_UNIX && n.datagrams() {
			want, err = a.LocalAddr()
			t.ok(err)
		}
		t.equal(want, from)
		k, flags, err = b.TryRecvv([][]byte{nil, {}}, 0) // a receive of nothing
		t.ok(err)
		t.equal(0, k)
		if n.messages() {
			t.equal(socketops.Truncated, flags&socketops.Truncated)
			t.quiet(b) // which has taken the message
			return
		}
		t.equal("data", t.message(b))
	})
}

func tryRecvMsg(t *T) { // A31
	triesOf(t, func(s *socketops.Socket, b []byte, f socketops.MsgFlags) (int, error) {
		m, err := s.TryRecvMsg([][]byte{b[:3], b[3:]}, f)
		return m.N, err
	})
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		_, err := a.TrySend([]byte("x"), 0)
		t.ok(err)
		t.readable(b)
		m, err := b.TryRecvMsg([][]byte{make([]byte, 2)}, 0)
		t.ok(err)
		t.equal(socketops.Msg{N: 1}, m) // with no address, which a stream does not tell
	})
}
