//go:build linux

package conformance

import (
	"context"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func cancelOfTheQueued(t *T) { // B06
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		filled := t.fillUp(a)
		told, results := outcomes(1)
		a.GoSend([]byte("first"), 0, told)
		never, nevers := outcomes(1)
		queued := a.GoSend([]byte("never"), 0, never)
		queued.Cancel()
		r := <-nevers
		t.is(r.err, socketops.ErrCanceled)
		t.is(r.err, context.Canceled)
		t.equal(0, r.n)
		last, lasts := outcomes(1)
		op := a.GoSend([]byte("last"), 0, last)
		t.equal("firstlast", string(t.receive(b, filled+9)[filled:]))
		t.equal(outcome{5, nil}, <-results)
		t.equal(outcome{4, nil}, <-lasts)
		op.Cancel() // It is over, and nobody is told once more.
		queued.Cancel()
		t.equal(0, len(lasts)+len(nevers))
	})
}

func cancelledReceives(t *T) { // B07
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		const bytes = 100
		over := make(chan struct{})
		go func() {
			defer close(over)
			for i := range bytes {
				if _, err := a.Send(context.Background(), []byte{byte(i)}, 0); err != nil {
					t.Error(err)
				}
			}
		}()
		for next := 0; next < bytes; {
			p := make([]byte, 1)
			told, results := outcomes(1)
			b.GoRecv(p, 0, told).Cancel()
			if r := <-results; r.err == nil {
				t.equal(1, r.n)
				t.equal(byte(next), p[0])
				next++
			} else {
				t.is(r.err, socketops.ErrCanceled)
				t.equal(0, r.n)
			}
		}
		<-over
	})
}

func cancelledSend(t *T) { // B08
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(a)
		told, results := outcomes(1)
		op := a.GoSend(make([]byte, tooMuch), 0, told)
		_, err := b.Recv(t.Late(), make([]byte, 1), 0) // so a part has left
		t.ok(err)
		op.Cancel()
		r := <-results
		t.is(r.err, socketops.ErrCanceled)
		t.that(r.n > 0 && r.n < tooMuch, "a part has left: %d", r.n)
		t.ok(a.Shutdown(socketops.ShutWrite))
		t.equal(r.n, 1+t.drain(b))
	})
}

// drain receives until the end of the stream, and returns how many bytes there were.
func (t *T) drain(s *socketops.Socket) (n int) {
	t.Helper()
	for p := make([]byte, 1<<16); ; {
		k, err := s.Recv(t.Late(), p, 0)
		t.ok(err)
		if k == 0 {
			return n
		}
		n += k
	}
}

func orderOfErrors(t *T) { // B10
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.ok(a.Shutdown(socketops.ShutBoth))
		for _, p := range [][]byte{nil, {1}} {
			_, err := a.Send(over(), p, 0)
			t.is(err, socketops.ErrCanceled)
			_, err = a.Recv(over(), p, 0)
			t.is(err, socketops.ErrCanceled)
		}
		t.ok(a.SetDeadline(time.Unix(1, 0)))
		_, err := a.Recv(over(), make([]byte, 1), 0)
		t.is(err, socketops.ErrCanceled)
		t.ok(a.Close())
		_, err = a.Send(over(), nil, 0)
		t.is(err, socketops.ErrClosed)
		_, err = a.Recv(over(), nil, 0)
		t.is(err, socketops.ErrClosed)
	})
}

func cancelledBefore(t *T) { // B16
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		k, err := a.Send(over(), []byte("not sent"), 0)
		t.is(err, socketops.ErrCanceled)
		t.equal(0, k)
		_, err = a.Send(t.Late(), []byte("sent"), 0)
		t.ok(err)
		p := make([]byte, 100)
		_, err = b.Recv(over(), p, 0)
		t.is(err, socketops.ErrCanceled)
		k, err = b.Recv(t.Late(), p, 0)
		t.ok(err)
		t.equal("sent", string(p[:k]))
	})
}

func exactlyOnce(t *T) { // B31
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		const ops = 50
		told, results := outcomes(10 * ops)
		var all []*socketops.Op
		for range ops {
			all = append(all, b.GoRecv(make([]byte, 1), 0, told))
		}
		_, err := a.Send(t.Late(), make([]byte, ops/2), 0)
		t.ok(err)
		for _, op := range all {
			op.Cancel()
			op.Cancel()
		}
		received := 0
		for range ops {
			r := <-results
			if received += r.n; r.err != nil {
				t.is(r.err, socketops.ErrCanceled)
			}
		}
		t.ok(b.SetReadTimeout(time.Millisecond))
		op := b.GoRecv(make([]byte, ops), socketops.WaitAll, told)
		r := <-results // and after it nobody is told anything, whatever comes late
		received += r.n
		op.Cancel()
		t.equal(ops/2, received)
		t.ok(b.Close())
		t.equal(0, len(results))
		refused, refusals := outcomes(1)
		b.GoRecv(make([]byte, 1), 0, refused).Cancel()
		t.is((<-refusals).err, socketops.ErrClosed)
	})
}

func timeoutKeepsTheSocket(t *T) { // B12
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(a)
		t.ok(a.SetWriteTimeout(5 * time.Millisecond))
		sent, err := a.Send(t.Late(), make([]byte, tooMuch), 0)
		t.is(err, socketops.ErrTimeout)
		t.that(sent > 0 && sent < tooMuch, "a part has left: %d", sent)
		t.that(a.Connected(), "the socket is connected")
		t.ok(a.SetReadTimeout(time.Millisecond))
		_, err = a.Recv(t.Late(), make([]byte, 1), 0)
		t.is(err, socketops.ErrTimeout)
		t.that(a.Connected(), "the socket is connected")
		t.receive(b, sent)
		t.ok(a.SetWriteTimeout(0))
		_, err = a.Send(t.Late(), []byte("more"), 0)
		t.ok(err)
		t.equal("more", string(t.receive(b, 4)))
	})
}

func timeoutIsForAll(t *T) { // B13
	a, b := t.socketPair(unix.SOCK_STREAM)
	t.ok(b.SetReadTimeout(20 * time.Millisecond))
	over, stopped := make(chan struct{}), make(chan struct{})
	go func() { // bytes that come all the time do not make it longer
		defer close(stopped)
		for {
			select {
			case <-over:
				return
			case <-time.After(time.Millisecond):
				_, _ = a.TrySend([]byte{1}, 0)
			}
		}
	}()
	_, err := b.Recv(t.Late(), make([]byte, 1<<20), socketops.WaitAll)
	close(over)
	<-stopped
	if err != nil { // what was received wins over it (B07)
		t.is(err, socketops.ErrTimeout)
	}
	t.ok(b.SetReadDeadline(time.Now().Add(-time.Hour)))
	_, err = b.Recv(t.Late(), make([]byte, 1), 0)
	t.is(err, socketops.ErrTimeout)
}

func kernelTimeouts(t *T) { // B14, N59
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(b)
		tiny := unix.NsecToTimeval(int64(time.Millisecond))
		for _, name := range []int{unix.SO_RCVTIMEO, unix.SO_SNDTIMEO} {
			t.ok(b.SetRawOption(unix.SOL_SOCKET, name, bytesOf(&tiny)))
		}
		told, results := outcomes(1)
		b.GoRecv(make([]byte, 1), 0, told)
		sent, sends := outcomes(1)
		send := b.GoSend(make([]byte, tooMuch), 0, sent)
		time.Sleep(5 * time.Millisecond) // in which nothing is to happen
		t.equal(0, len(results)+len(sends))
		_, err := a.Send(t.Late(), []byte("x"), 0)
		t.ok(err)
		t.equal(outcome{1, nil}, <-results)
		send.Cancel()
		t.is((<-sends).err, socketops.ErrCanceled)
	})
}

func acceptHasNoTimeout(t *T) { // B15
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		t.ok(l.SetReadTimeout(time.Millisecond))
		told := make(chan error, 1)
		l.GoAccept(func(s *socketops.Socket, _ socketops.Addr, err error) {
			if err == nil {
				err = s.Close()
			}
			told <- err
		})
		time.Sleep(5 * time.Millisecond) // in which nothing is to happen
		t.equal(0, len(told))
		c := t.socket(n.client())
		t.ok(c.SetWriteTimeout(1))
		t.ok(c.Connect(t.Late(), at))
		t.ok(<-told)
	})
}
