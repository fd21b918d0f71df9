//go:build linux

package conformance

import (
	"context"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func filesAreSentFromAnOffset(t *T) { // A19
	data := pattern(100 << 10)
	f := t.file(data)
	t.onPairs(network.stream, func(t *T, _ network, a, b *socketops.Socket) {
		position, err := f.Seek(11, io.SeekStart)
		t.ok(err)
		for _, tt := range []struct{ off, n int64 }{{0, 1}, {7, 1000}, {99 << 10, 1024}, {5, 0}} {
			n, err := a.TrySendFile(f, tt.off, tt.n)
			t.ok(err)
			t.equal(tt.n, n)
			t.equal(data[tt.off:][:tt.n], t.receive(b, int(tt.n)))
		}
		now, err := f.Seek(0, io.SeekCurrent)
		t.ok(err)
		t.equal(position, now) // which is not used
	})
	t.onPairs(network.messages, func(t *T, _ network, a, b *socketops.Socket) {
		n, err := a.SendFile(t.Late(), f, 100, 500)
		t.ok(err)
		t.equal(int64(500), n)
		got := ""
		for len(got) < 500 { // in as many messages as the kernel makes of it
			got += t.message(b)
		}
		t.equal(string(data[100:600]), got)
	})
}

func tryForms(t *T) { // A36
	data := pattern(tooMuch)
	f := t.file(data)
	t.onPairs(network.stream, func(t *T, _ network, a, b *socketops.Socket) {
		t.tight(a, b)
		sent := int64(0)
		for {
			n, err := a.TrySendFile(f, sent, -1)
			sent += n
			if err != nil {
				t.is(err, socketops.ErrWouldBlock)
				t.equal(int64(0), n)
				break
			}
			t.that(n > 0, "a success sends something")
		}
		t.that(sent > 0 && sent < tooMuch, "a part is sent")
		t.equal(data[:sent], t.receive(b, int(sent)))
	})
	t.Sub("a file that ends before is a success", func(t *T) {
		a, b := t.pair(tcp4)
		for _, tt := range []struct{ off, n, want int64 }{
			{tooMuch - 10, 100, 10}, {tooMuch, 100, 0}, {tooMuch + 5, 100, 0}, {tooMuch + 5, -1, 0}, {5, 0, 0},
		} {
			n, err := a.TrySendFile(f, tt.off, tt.n)
			t.ok(err)
			t.equal(tt.want, n)
		}
		t.equal(data[tooMuch-10:], t.receive(b, 10))
		t.quiet(b)
	})
	t.Sub("refusals", func(t *T) {
		a, _ := t.pair(tcp4)
		_, err := a.TrySendFile(f, -1, 1)
		t.is(err, unix.EINVAL)
		_, err = a.TrySendFile(nil, 0, 1)
		t.is(err, os.ErrInvalid)
		closed := t.file(nil)
		t.ok(closed.Close())
		_, err = a.TrySendFile(closed, 0, 1)
		t.is(err, os.ErrClosed)
		r, w, err := os.Pipe()
		t.ok(err)
		defer r.Close()
		defer w.Close()
		_, err = a.TrySendFile(r, 0, 1)
		t.is(err, unix.ESPIPE)
		_, err = t.closed(tcp4).TrySendFile(f, 0, 1)
		t.is(err, socketops.ErrClosed)
	})
	t.Sub("a broken connection", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.ok(b.Close())
		_, err := a.TrySendFile(f, 0, 10)
		t.is(err, unix.EPIPE)
	})
}

func wholeFilesAreSent(t *T) { // A49
	data := pattern(200<<10 + 123)
	f := t.file(data)
	big := t.file(pattern(tooMuch))
	t.onPairs(network.stream, func(t *T, _ network, a, b *socketops.Socket) {
		t.tight(a, b)
		n, err := a.SendFile(over(), f, 0, -1)
		t.is(err, socketops.ErrCanceled)
		t.equal(int64(0), n)
		sent := make(chan outcome, 1)
		go func() {
			n, err := a.SendFile(context.Background(), f, 0, -1)
			sent <- outcome{int(n), err}
		}()
		t.equal(data, t.receive(b, len(data)))
		t.equal(outcome{len(data), nil}, <-sent)

		t.ok(a.SetWriteTimeout(aWhile)) // What was sent comes with the error.
		n, err = a.SendFile(t.Late(), big, 0, -1)
		t.is(err, socketops.ErrTimeout)
		t.that(n > 0 && n < tooMuch, "a part is sent")
		t.ok(a.SetBlocking(false)) // And without.
		more, err := a.SendFile(t.Late(), big, n, -1)
		t.that(more > 0 == (err == nil), "nothing would block, and a part is a success: %d, %v", more, err)
		t.equal(pattern(tooMuch)[:n+more], t.receive(b, int(n+more)))
		t.ok(a.Close())
		_, err = a.SendFile(t.Late(), f, 0, -1)
		t.is(err, socketops.ErrClosed)
	})
	t.Sub("a file whose size the kernel does not tell", func(t *T) {
		want, err := os.ReadFile("/proc/version")
		t.ok(err)
		p, err := os.Open("/proc/version")
		t.ok(err)
		defer p.Close()
		a, b := t.pair(tcp4)
		n, err := a.SendFile(t.Late(), p, 0, -1)
		t.ok(err)
		t.equal(int64(len(want)), n)
		t.equal(want, t.receive(b, len(want)))
	})
}

func filesAreSentInTheBackground(t *T) { // A84
	data := pattern(tooMuch)
	type sent struct {
		n   int64
		err error
	}
	begin := func(s *socketops.Socket, f *os.File, off, n int64) (*socketops.Op, chan sent) {
		results := make(chan sent, 2)
		return s.GoSendFile(f, off, n, func(n int64, err error) { results <- sent{n, err} }), results
	}
	// once holds that there is no second call: callbacks of a direction come in order.
	once := func(t *T, s *socketops.Socket, results chan sent) {
		told, after := outcomes(1)
		s.GoSend(nil, 0, told)
		<-after
		t.equal(0, len(results))
	}
	t.onPairs(network.stream, func(t *T, _ network, a, b *socketops.Socket) {
		f := t.file(data[:100<<10])
		op, results := begin(a, f, 0, -1)
		t.ok(f.Close()) // which it does not mind
		t.equal(data[:100<<10], t.receive(b, 100<<10))
		t.equal(sent{100 << 10, nil}, <-results)
		op.Cancel() // comes too late
		once(t, a, results)
	})
	t.Sub("refused", func(t *T) {
		a, _ := t.socketPair(unix.SOCK_STREAM)
		op, results := begin(a, t.file(data), -1, 1)
		r := <-results
		t.is(r.err, unix.EINVAL)
		t.equal(int64(0), r.n)
		op.Cancel()
		once(t, a, results)
	})
	t.Sub("an error at once", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.ok(b.Close())
		_, results := begin(a, t.file(data), 0, 10)
		t.equal(sent{0, &socketops.OpError{Op: "sendfile", Err: unix.EPIPE}}, <-results)
		once(t, a, results)
	})
	t.Sub("cancelled after a part", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.tight(a, b)
		op, results := begin(a, t.file(data), 0, -1)
		t.readable(b)
		op.Cancel()
		r := <-results
		t.is(r.err, socketops.ErrCanceled)
		t.that(r.n > 0 && r.n < tooMuch, "a part is sent")
		t.equal(data[:r.n], t.receive(b, int(r.n)))
		once(t, a, results)
	})
	t.Sub("closed meanwhile", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.tight(a, b)
		_, results := begin(a, t.file(data), 0, -1)
		t.readable(b)
		t.ok(a.Close())
		r := <-results
		t.is(r.err, socketops.ErrClosed)
		t.that(r.n > 0, "a part is sent")
		t.equal(data[:r.n], t.receive(b, int(r.n)))
		t.ends(b)
	})
}
