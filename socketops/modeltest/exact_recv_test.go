//go:build linux

package modeltest

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"time"

	"github.com/sockring/uring/socketops"
)

// soon is how long what is not to come is waited for.
const soon = time.Millisecond

func (r *exactRun) recv(st exactStep, end *exactEnd) {
	forms := formsOf(recvForms, r.kind)
	f := forms[st.form%len(forms)]
	p := make([]byte, st.size)
	late := st.late && f.waits()
	there := len(end.queue) > 0 && len(end.waiting) == 0
	switch {
	case end.closed:
		r.recvFails(f, end, p, late, socketops.ErrClosed)
	case late:
		r.recvFails(f, end, p, late, socketops.ErrCanceled)
	case end.readLate:
		r.recvFails(f, end, p, late, os.ErrDeadlineExceeded)
	case r.kind.tcp() && f.try && (there || end.isLast()):
		// What was sent may not have arrived.
	case there || end.isLast() && len(end.waiting) == 0:
		r.recvNow(f, end, p)
	case f.try:
		r.recvFails(f, end, p, late, socketops.ErrWouldBlock)
	case f.behind != nil:
		end.waiting = append(end.waiting, r.begin(f, end, p))
	default:
		r.recvGivesUp(f, end, p)
	}
}

func (r *exactRun) recvFails(f form, end *exactEnd, p []byte, late bool, want error) {
	n, err := r.transfer(f, end, p, late)
	r.same(exactOutcome{err: want}, n, err)
}

// recvGivesUp makes a receive whose context ends: what has come for it until then is not lost.
func (r *exactRun) recvGivesUp(f form, end *exactEnd, p []byte) {
	ctx, cancel := context.WithTimeout(context.Background(), soon)
	defer cancel()
	n, err := f.plain(ctx, end.s, p)
	r.same(exactOutcome{err: context.DeadlineExceeded}, n, err)
}

// recvNow makes a receive of what is there.
func (r *exactRun) recvNow(f form, end *exactEnd, p []byte) {
	if r.kind.tcp() && !f.all && len(end.queue) > 0 {
		p = p[:min(len(p), len(end.queue[0]))] // More may be there, or not yet.
	}
	want := end.take(f, p, r.kind)
	var n int
	var err error
	switch {
	case !f.all || len(want) == len(p) || end.isLast():
		n, err = r.transfer(f, end, p, false)
	case f.behind != nil: // It waits for the rest.
		o := r.begin(f, end, p)
		o.n = len(want)
		end.waiting = append(end.waiting, o)
		r.taken(end)
		return
	default:
		ctx, cancel := context.WithTimeout(context.Background(), 20*soon)
		n, err = f.plain(ctx, end.s, p)
		cancel()
	}
	r.same(exactOutcome{n: len(want)}, n, err)
	r.sameBytes(want, p)
}

func (r *exactRun) sameBytes(want, p []byte) {
	if !bytes.Equal(want, p[:len(want)]) {
		r.t.Fatalf("% x\ninstead of\n% x, at the end of:\n%s", p[:len(want)], want, r.trace())
	}
	r.log = append(r.log, fmt.Sprintf("%x", want))
}

// take takes out of the queue what a receive into p gets, and returns it.
func (end *exactEnd) take(f form, p []byte, k kind) []byte {
	size := len(p)
	switch f.name {
	case "Recv nothing", "TryRecv nothing", "GoRecv nothing":
		return nil
	}
	var got []byte
	rest := end.queue
	for len(rest) > 0 && size > 0 {
		m := rest[0]
		n := min(len(m), size)
		got = append(got, m[:n]...)
		size -= n
		rest = rest[1:]
		if !k.stream() {
			break
		}
		if n < len(m) {
			rest = append([][]byte{m[n:]}, rest...)
		}
	}
	if !f.peek {
		end.queue = rest
	}
	return got
}

// deliver gives what has come to those who wait, one after the other.
func (r *exactRun) deliver(end *exactEnd) {
	for len(end.waiting) > 0 && len(end.queue) > 0 {
		o := end.waiting[0]
		got := end.take(o.form, o.p[o.n:], r.kind)
		before := o.n
		o.n += len(got)
		if o.form.all && o.n < len(o.p) {
			r.taken(end)
			continue
		}
		end.waiting = end.waiting[1:]
		outcome := r.wait(o)
		r.same(exactOutcome{n: o.n}, outcome.n, outcome.err)
		r.sameBytes(got, o.p[before:])
	}
}

// taken waits until the receive that waits has taken what has come. What cancels it before gets none of that.
func (r *exactRun) taken(end *exactEnd) {
	for late := time.Now().Add(hangLimit); ; time.Sleep(soon / 20) {
		n, err := end.s.Available()
		switch {
		case err != nil:
			r.t.Fatalf("available: %v", err)
		case n == 0:
			return
		case time.Now().After(late):
			r.t.Fatalf("nobody takes %d bytes, at the end of:\n%s", n, r.trace())
		}
	}
}

// over ends those who wait, each with the bytes that it has, or the error.
func (r *exactRun) over(end *exactEnd, err error) {
	for _, o := range end.waiting {
		r.ended(o, err)
	}
	end.waiting = nil
}

func (r *exactRun) ended(o *exactOp, err error) {
	want := exactOutcome{n: o.n, err: err}
	if o.n > 0 {
		want.err = nil
	}
	got := r.wait(o)
	r.same(want, got.n, got.err)
}

func (r *exactRun) cancel(st exactStep, end *exactEnd) {
	if st.i >= len(end.waiting) {
		return
	}
	o := end.waiting[st.i]
	end.waiting = append(end.waiting[:st.i], end.waiting[st.i+1:]...)
	o.op.Cancel()
	r.ended(o, context.Canceled)
}

func (r *exactRun) readDeadline(end *exactEnd, passed bool) {
	end.readLate = passed
	r.same(exactOutcome{err: closedIf(end)}, 0, end.s.SetReadDeadline(deadline(passed)))
	if passed {
		r.over(end, os.ErrDeadlineExceeded)
	}
}

// timeout makes receives that end by the time-out of the socket.
func (r *exactRun) timeout(st exactStep, end *exactEnd) {
	if end.closed || end.readLate || len(end.queue) > 0 || end.isLast() {
		return
	}
	r.same(exactOutcome{}, 0, end.s.SetReadTimeout(soon))
	f := recvForms[0]
	if st.on {
		f = recvForms[2]
	}
	n, err := r.transfer(f, end, make([]byte, st.size), false)
	r.same(exactOutcome{err: os.ErrDeadlineExceeded}, n, err)
	r.same(exactOutcome{}, 0, end.s.SetReadTimeout(0))
}

func (r *exactRun) shutdown(end *exactEnd) {
	if !r.kind.ends() || end.peer.closed {
		return
	}
	r.same(exactOutcome{err: closedIf(end)}, 0, end.s.Shutdown(socketops.ShutWrite))
	if !end.closed {
		end.shut = true
		r.over(end.peer, nil)
	}
}

func (r *exactRun) close(end *exactEnd) {
	if end.unclear {
		if err := end.s.Close(); err != nil {
			r.t.Fatalf("close: %v", err)
		}
		for _, o := range end.waiting {
			r.wait(o)
		}
		return
	}
	r.same(exactOutcome{}, 0, end.s.Close())
	if end.closed {
		return
	}
	end.closed = true
	clean := r.kind.unix() && r.kind.ends() && len(end.queue) == 0
	for _, o := range end.waiting {
		clean = clean && o.n == 0
	}
	r.over(end, socketops.ErrClosed)
	if clean || end.peer.closed {
		r.over(end.peer, nil)
		return
	}
	end.peer.unclear = true // Whether the kernel tells it of a reset is not this model's.
}

// fill sends until the socket takes no more, and a little more that is cancelled, or leaves when there is room.
func (r *exactRun) fill(st exactStep, end *exactEnd) {
	to := end.peer
	if r.kind.tcp() || !r.kind.stream() || end.closed || end.shut || end.writeLate || to.closed || to.readLate ||
		to.unclear || len(to.queue) > 0 || len(to.waiting) > 0 {
		return
	}
	full, err := end.s.TrySend(make([]byte, 1<<20), 0)
	r.same(exactOutcome{n: full}, full, err)
	n, err := end.s.TrySend([]byte{1}, 0)
	r.same(exactOutcome{err: socketops.ErrWouldBlock}, n, err)
	data := bytes.Repeat([]byte{end.next}, st.size)
	o := r.begin(sendForms[2], end, data)
	n, err = end.s.TrySendv([][]byte{{1}}, 0)
	r.same(exactOutcome{err: socketops.ErrWouldBlock}, n, err)
	if st.on {
		o.op.Cancel()
		r.ended(o, context.Canceled)
	}
	n, err = to.s.Recv(context.Background(), make([]byte, full), socketops.WaitAll)
	r.same(exactOutcome{n: full}, n, err)
	if st.on {
		return
	}
	o.n = len(data)
	r.ended(o, nil)
	to.queue = append(to.queue, data)
}
