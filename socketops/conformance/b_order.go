//go:build linux

package conformance

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// small has a socket hold little, so that sends have to wait.
func (t *T) small(s *socketops.Socket) {
	t.Helper()
	t.ok(s.SetSendBuffer(1))
}

func directionsAreIndependent(t *T) { // B01
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(a)
		t.fill(a)
		sent, sends := outcomes(1)
		send := a.GoSend(make([]byte, tooMuch), 0, sent)
		told, results := outcomes(1)
		a.GoRecv(make([]byte, 1), 0, told)
		_, err := b.Send(t.Late(), []byte("x"), 0)
		t.ok(err)
		t.equal(outcome{1, nil}, <-results)
		send.Cancel()
		t.is((<-sends).err, socketops.ErrCanceled)
	})
}

func queueGoesOn(t *T) { // B02
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		for i := range 5 {
			p := make([]byte, 10)
			_, err := b.TryRecv(p, 0)
			t.is(err, socketops.ErrWouldBlock)
			told, results := outcomes(1)
			b.GoRecv(p, 0, told)
			_, err = a.Send(t.Late(), []byte{byte(i)}, 0)
			t.ok(err)
			t.equal(outcome{1, nil}, <-results)
			t.equal(byte(i), p[0])
			_, err = a.Send(t.Late(), []byte{byte(i + 100)}, 0)
			t.ok(err)
			_, err = b.Recv(t.Late(), p, 0)
			t.ok(err)
			t.equal(byte(i+100), p[0])
		}
	})
}

func triesOvertakeNothing(t *T) { // B03
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(a)
		filled := t.fill(a)
		const size = 1 << 17
		sent, sends := outcomes(1)
		a.GoSend(make([]byte, size), 0, sent)
		for left := filled + size; left > 0; { // However much room there is, the send that waits comes first.
			_, err := a.TrySend([]byte("past it"), 0)
			if err == nil {
				t.equal(outcome{size, nil}, <-sends) // It was over, and that is why.
				t.equal("past it", string(t.receive(b, left+len("past it"))[left:]))
				return
			}
			t.is(err, socketops.ErrWouldBlock)
			k, err := b.Recv(t.Late(), make([]byte, min(left, 1<<16)), 0)
			t.ok(err)
			left -= k
		}
		t.equal(outcome{size, nil}, <-sends)
		told, results := outcomes(1)
		p := make([]byte, 1)
		b.GoRecv(p, 0, told)
		_, err := b.TryRecv(make([]byte, 1), 0)
		t.is(err, socketops.ErrWouldBlock)
		_, err = a.Send(t.Late(), []byte("x"), 0)
		t.ok(err)
		t.equal(outcome{1, nil}, <-results)
	})
}

func receivesInOrder(t *T) { // B04
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		const receives = 20
		told := make(chan byte, receives)
		for range receives {
			p := make([]byte, 1)
			b.GoRecv(p, 0, func(n int, err error) { told <- p[0] })
		}
		for i := range receives {
			_, err := a.Send(t.Late(), []byte{byte(i)}, 0)
			t.ok(err)
		}
		for i := range receives {
			t.equal(byte(i), <-told)
		}
	})
}

func sendsInOrder(t *T) { // B05
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		const sends = 300
		t.small(a)
		told := make(chan int, sends)
		for i := range sends {
			p := make([]byte, 4*(1+i%100))
			for at := 0; at < len(p); at += 4 {
				binary.NativeEndian.PutUint32(p[at:], uint32(i))
			}
			a.GoSend(p, 0, func(n int, err error) {
				if err != nil || n != len(p) {
					t.Errorf("send %d: %d bytes of %d, %v", i, n, len(p), err)
				}
				told <- i
			})
		}
		for i := range sends { // Whoever waits for the news of a send before he reads on gets them (no reader, no end).
			p := t.receive(b, 4*(1+i%100))
			for at := 0; at < len(p); at += 4 {
				t.equal(uint32(i), binary.NativeEndian.Uint32(p[at:]))
			}
			t.equal(i, <-told)
		}
	})
}

func blockingTakesItsTurn(t *T) { // B11
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		first, second := make([]byte, 1), make([]byte, 1)
		told, results := outcomes(1)
		b.GoRecv(first, 0, told)
		over := make(chan error, 1)
		go func() {
			_, err := b.Recv(context.Background(), second, 0)
			over <- err
		}()
		_, err := a.Send(t.Late(), []byte("12"), 0)
		t.ok(err)
		t.equal(outcome{1, nil}, <-results)
		t.ok(<-over)
		t.equal("12", string(first)+string(second))
	})
}

func concurrentSends(t *T) { // B30
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		const senders, each, size = 4, 25, 999
		t.small(a)
		var over sync.WaitGroup
		for id := range senders {
			over.Add(1)
			go func() {
				defer over.Done()
				p := make([]byte, size)
				for i := range each {
					for at := range p {
						p[at] = byte(id*each + i)
					}
					if k, err := a.Send(context.Background(), p, 0); err != nil || k != size {
						t.Errorf("%d bytes, %v", k, err)
					}
				}
			}()
		}
		var next [senders]int
		for range senders * each {
			p := t.receive(b, size)
			t.equal(bytes.Repeat(p[:1], size), p) // no other send in between
			id := int(p[0]) / each
			t.equal(next[id], int(p[0])%each)
			next[id]++
		}
		over.Wait()
	})
}

func filesInTurn(t *T) { // B34
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		f := t.file([]byte("(from the file)"))
		t.small(a)
		filled := t.fill(a)
		told, results := outcomes(3)
		a.GoSend([]byte("before"), 0, told)
		a.GoSendFile(f, 0, -1, func(n int64, err error) { told(int(n), err) })
		a.GoSend([]byte("after"), 0, told)
		const text = "before(from the file)after"
		t.equal(text, string(t.receive(b, filled+len(text))[filled:]))
		for _, size := range []int{6, 15, 5} {
			t.equal(outcome{size, nil}, <-results)
		}
		t.ok(a.SetWriteTimeout(1))
		t.fill(a)
		_, err := a.SendFile(t.Late(), t.file(make([]byte, 1<<20)), 0, -1)
		t.is(err, socketops.ErrTimeout)
	})
}

func packetsInOnePiece(t *T) { // B35
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		f := t.file([]byte("file"))
		elements := []socketops.Packet{{Data: []byte("<head ")}, {File: f}, {}, {Data: []byte(" tail>")}}
		const whole, rounds = "<head file tail>", 20
		t.small(a)
		var over sync.WaitGroup
		over.Add(2)
		go func() {
			defer over.Done()
			for range rounds {
				if k, err := a.SendPackets(context.Background(), elements, 0); err != nil || k != int64(len(whole)) {
					t.Errorf("%d bytes, %v", k, err)
				}
			}
		}()
		go func() {
			defer over.Done()
			for range rounds {
				if _, err := a.Send(context.Background(), []byte("."), 0); err != nil {
					t.Error(err)
				}
			}
		}()
		packets, dots := 0, 0
		for packets+dots < 2*rounds {
			switch p := t.receive(b, 1); p[0] {
			case '.':
				dots++
			default:
				t.equal(whole, string(p)+string(t.receive(b, len(whole)-1)))
				packets++
			}
		}
		over.Wait()
		t.equal(rounds, dots)
	})
}

func acceptsInOrder(t *T) { // B25
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 8)
		type accepted struct {
			order int
			s     *socketops.Socket
			err   error
		}
		const before, after = 3, 3
		told := make(chan accepted, before+after)
		accept := func(order int) {
			l.GoAccept(func(s *socketops.Socket, _ socketops.Addr, err error) { told <- accepted{order, s, err} })
		}
		for i := range before {
			accept(i)
		}
		var clients []*socketops.Socket
		for i := range before + after {
			c := t.socket(n.client())
			t.ok(c.Connect(t.Late(), at))
			_, err := c.Send(t.Late(), fmt.Appendf(nil, "%d", i), 0)
			t.ok(err)
			clients = append(clients, c)
		}
		for i := range after {
			accept(before + i)
		}
		for i := range before + after {
			got := <-told
			t.ok(got.err)
			t.equal(i, got.order)
			t.equal(fmt.Sprint(i), string(t.receive(got.s, 1)))
			t.ok(got.s.Close())
		}
		accept(0)
		t.ok(l.Close())
		t.is((<-told).err, socketops.ErrClosed)
		for _, c := range clients {
			t.ok(c.Close())
		}
	})
}

func acceptedKind(t *T) { // B26
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		c := t.socket(n.client())
		t.ok(c.Connect(t.Late(), at))
		s, from, err := l.Accept(t.Late())
		t.ok(err)
		defer s.Close()
		t.equal([]any{l.Family(), l.Type(), l.Protocol()}, []any{s.Family(), s.Type(), s.Protocol()})
		mine, err := c.LocalAddr()
		t.ok(err)
		if n.family == unix.AF_UNIX {
			name, _ := from.UnixName()
			t.equal("", name)
			return
		}
		t.equal(mine.AddrPort(), from.AddrPort())
	})
}
