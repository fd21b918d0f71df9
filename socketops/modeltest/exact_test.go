//go:build linux

package modeltest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/socketops"
)

// TestOneGoroutine (A29, A33, B06 to B12, B16, B20, N11, N12, N15, N38): what one goroutine does one step after the
// other has the results that the model foretells, on every engine to the letter of the error.
func TestOneGoroutine(t *testing.T) {
	engines := map[socketops.Backend]*socketops.Engine{}
	for _, b := range backends {
		e, err := socketops.New(socketops.WithBackend(b))
		if err == nil {
			engines[b] = e
			defer e.Close()
		} else if !errors.Is(err, errors.ErrUnsupported) {
			require.NoError(t, err)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		k := rapid.SampledFrom(kinds).Draw(t, "kind")
		steps := rapid.SliceOfN(rapid.Custom(drawExactStep), 1, 30).Draw(t, "steps")
		var first []string
		for _, b := range backends {
			if engines[b] == nil {
				continue
			}
			log := runExact(t, engines[b], k, steps)
			if first == nil {
				first = log
			}
			require.Equal(t, first, log, "%s differs", b)
		}
	})
}

// exactStep is what the goroutine does next.
type exactStep struct {
	do   exactAction
	side int
	form int
	size int
	late bool // with a context that has ended before
	on   bool
	i    int
}

func (s exactStep) String() string {
	return fmt.Sprintf("%s side %d form %d size %d late %v on %v i %d", s.do, s.side, s.form, s.size, s.late, s.on, s.i)
}

// exactAction is what a step does.
type exactAction string

const (
	exactSend     exactAction = "send"
	exactRecv     exactAction = "recv"
	exactCancel   exactAction = "cancel"
	exactDeadline exactAction = "read deadline"
	exactLate     exactAction = "write deadline"
	exactTimeout  exactAction = "time-out"
	exactShutdown exactAction = "shutdown"
	exactClose    exactAction = "close"
	exactFill     exactAction = "fill"
)

var exactActions = []exactAction{
	exactSend, exactRecv, exactSend, exactRecv, exactSend, exactRecv, exactSend, exactRecv, exactRecv, exactCancel,
	exactDeadline, exactLate, exactTimeout, exactFill, exactShutdown, exactClose,
}

func drawExactStep(t *rapid.T) exactStep {
	return exactStep{
		do:   rapid.SampledFrom(exactActions).Draw(t, "do"),
		side: rapid.IntRange(0, 1).Draw(t, "side"),
		form: rapid.IntRange(0, 100).Draw(t, "form"),
		size: rapid.IntRange(1, 300).Draw(t, "size"),
		late: rapid.IntRange(0, 9).Draw(t, "late") == 9,
		on:   rapid.Bool().Draw(t, "on"),
		i:    rapid.IntRange(0, 3).Draw(t, "i"),
	}
}

// exactRun is the two sockets and the model of them.
type exactRun struct {
	t    *rapid.T
	kind kind
	ends [2]*exactEnd
	log  []string
}

// exactEnd is one socket: what it can receive, and what was done to it.
type exactEnd struct {
	s       *socketops.Socket
	peer    *exactEnd
	queue   [][]byte // what was sent to it, one send each
	waiting []*exactOp
	next    byte // of what it sends

	closed, shut, readLate, writeLate bool
	unclear                           bool // the kernels and their queues decide what comes
}

// exactOp is a receive that waits.
type exactOp struct {
	form form
	p    []byte
	n    int
	op   *socketops.Op
	over chan exactOutcome
}

// exactOutcome is how an operation ended, or is to end.
type exactOutcome struct {
	n   int
	err error
}

func runExact(t *rapid.T, e *socketops.Engine, k kind, steps []exactStep) []string {
	a, b, err := socketPair(e, k)
	require.NoError(t, err)
	defer a.Close()
	defer b.Close()
	if k.tcp() {
		// Or what is sent after an answer waits for an acknowledgement, longer than a step does.
		require.NoError(t, errors.Join(a.SetNoDelay(true), b.SetNoDelay(true)))
	}
	r := &exactRun{t: t, kind: k, ends: [2]*exactEnd{{s: a}, {s: b}}}
	r.ends[0].peer, r.ends[1].peer = r.ends[1], r.ends[0]
	for _, st := range steps {
		r.step(st)
	}
	for _, end := range r.ends {
		r.close(end)
	}
	return r.log
}

func (r *exactRun) step(st exactStep) {
	end := r.ends[st.side]
	r.log = append(r.log, st.String())
	if end.unclear {
		return
	}
	switch st.do {
	case exactSend:
		r.send(st, end)
	case exactRecv:
		r.recv(st, end)
	case exactCancel:
		r.cancel(st, end)
	case exactDeadline:
		r.readDeadline(end, st.on)
	case exactLate:
		end.writeLate = st.on
		r.same(exactOutcome{err: closedIf(end)}, 0, end.s.SetWriteDeadline(deadline(st.on)))
	case exactTimeout:
		r.timeout(st, end)
	case exactShutdown:
		r.shutdown(end)
	case exactClose:
		r.close(end)
	case exactFill:
		r.fill(st, end)
	}
}

// same notes an outcome, and holds that it is the one foretold.
func (r *exactRun) same(want exactOutcome, n int, err error) {
	r.t.Helper()
	r.log = append(r.log, fmt.Sprintf("%d, %v", n, err))
	if want.n != n || (want.err == nil) != (err == nil) || !errors.Is(err, want.err) {
		r.t.Fatalf("%d, %v instead of %d, %v, at the end of:\n%s", n, err, want.n, want.err, r.trace())
	}
}

func (r *exactRun) trace() string { return string(bytes.Join(lines(r.log), []byte("\n"))) }

func lines(log []string) (all [][]byte) {
	for _, l := range log {
		all = append(all, []byte(l))
	}
	return all
}

func closedIf(end *exactEnd) error {
	if end.closed {
		return socketops.ErrClosed
	}
	return nil
}

func deadline(passed bool) time.Time {
	if passed {
		return time.Unix(1, 0)
	}
	return time.Time{}
}

// exactRoom is how much can be sent ahead on every kind of sockets.
const (
	exactRoom     = 2000
	exactMessages = 8
)

func (r *exactRun) send(st exactStep, end *exactEnd) {
	f := sendForms[st.form%len(sendForms)]
	queued := 0
	for _, m := range end.peer.queue {
		queued += len(m)
	}
	if queued+st.size > exactRoom || len(end.peer.queue) == exactMessages {
		return
	}
	data := make([]byte, st.size)
	for i := range data {
		data[i] = end.next + byte(i)
	}
	want := exactOutcome{n: st.size}
	switch {
	case end.closed:
		want = exactOutcome{err: socketops.ErrClosed}
	case st.late && f.waits():
		want = exactOutcome{err: socketops.ErrCanceled}
	case end.writeLate:
		want = exactOutcome{err: os.ErrDeadlineExceeded}
	case end.shut || end.peer.closed:
		want = exactOutcome{err: unix.EPIPE}
	}
	n, err := r.transfer(f, end, data, st.late && f.waits())
	r.same(want, n, err)
	if want.err == nil {
		end.next += byte(st.size)
		end.peer.queue = append(end.peer.queue, data)
		r.deliver(end.peer)
	}
}

// transfer makes a transfer that is over soon.
func (r *exactRun) transfer(f form, end *exactEnd, p []byte, late bool) (int, error) {
	if f.behind != nil {
		o := r.begin(f, end, p)
		got := r.wait(o)
		return got.n, got.err
	}
	ctx, cancel := context.WithTimeout(context.Background(), hangLimit)
	if late {
		cancel()
	}
	defer cancel()
	return f.plain(ctx, end.s, p)
}

func (r *exactRun) begin(f form, end *exactEnd, p []byte) *exactOp {
	o := &exactOp{form: f, p: p, over: make(chan exactOutcome, 2)}
	o.op = f.behind(end.s, p, func(n int, err error) { o.over <- exactOutcome{n, err} })
	return o
}

func (r *exactRun) wait(o *exactOp) exactOutcome {
	select {
	case got := <-o.over:
		return got
	case <-time.After(hangLimit):
		r.t.Fatalf("%v hangs, at the end of:\n%s", o.form, r.trace())
	}
	return exactOutcome{}
}

// isLast reports whether the socket receives nothing beyond its queue.
func (end *exactEnd) isLast() bool { return end.peer.shut || end.peer.closed }
