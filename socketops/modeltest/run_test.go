//go:build linux

package modeltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/socketops"
)

// run is a program that is being run.
type run struct {
	engine  *socketops.Engine
	program program
	clock   atomic.Int64 // ticks at whatever orders events
	pending atomic.Int64 // operations whose callbacks were not called
	stop    context.Context
	end     context.CancelFunc

	mu     sync.Mutex // guards what follows
	slots  []*link    // what the program's numbers of links mean now
	links  []*link    // all that there were
	faults []string
}

func newRun(t *rapid.T, e *socketops.Engine, p program) *run {
	r := &run{engine: e, program: p}
	r.stop, r.end = context.WithCancel(context.Background())
	for _, spec := range p.links {
		l, err := connect(e, spec)
		require.NoError(t, err)
		r.slots, r.links = append(r.slots, l), append(r.links, l)
	}
	return r
}

func (r *run) failf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.faults = append(r.faults, fmt.Sprintf(format, args...))
}

// slot is the link that a number means now.
func (r *run) slot(i int) *link {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.slots[i%len(r.slots)]
}

// context is that of a call: it ends with the run, and perhaps after wait, as a deadline or by a cancellation with a
// cause. Where wait is negative it has ended.
func (r *run) context(wait time.Duration, byDeadline bool) (context.Context, context.CancelFunc) {
	switch {
	case wait == 0:
		return r.stop, func() {}
	case byDeadline:
		return context.WithTimeout(r.stop, wait)
	}
	ctx, cancel := context.WithCancelCause(r.stop)
	if wait < 0 {
		cancel(errGaveUp)
		return ctx, func() {}
	}
	timer := time.AfterFunc(wait, func() { cancel(errGaveUp) })
	return ctx, func() {
		timer.Stop()
		cancel(nil)
	}
}

// make runs the program, holds what it did against the model, and returns what was wrong, or "".
func (r *run) make() string {
	hang := time.AfterFunc(hangLimit, func() {
		fmt.Fprintf(os.Stderr, "a run hangs; %d callbacks are left\n%v\n", r.pending.Load(), r.program)
		pprof.Lookup("goroutine").WriteTo(os.Stderr, 2)
		os.Exit(2)
	})
	defer hang.Stop()
	var workers sync.WaitGroup
	steps, readers := r.program.workers, r.program.readers
	all := make([]worker, len(steps)+len(readers))
	for i := range all {
		all[i] = worker{run: r, number: i}
		workers.Add(1)
		go func() {
			defer workers.Done()
			if i < len(steps) {
				all[i].work(steps[i])
			} else {
				all[i].read(readers[i-len(steps)])
			}
		}()
	}
	impatient := time.AfterFunc(r.program.patience, r.end)
	workers.Wait()
	impatient.Stop()
	r.end()
	if r.program.ownEngine {
		r.closeEngine()
	} else {
		r.finish(all)
	}
	for _, l := range r.links {
		for _, w := range l.ways {
			w.check(r)
		}
	}
	return strings.Join(r.faults, "\n")
}

// finish ends what waits, receives what is left, and closes all sockets.
func (r *run) finish(all []worker) {
	for i := range all {
		for _, tr := range all[i].behind {
			tr.cancel()
		}
	}
	r.await()
	// Both ways at once: where each end of a TCP connection has sent into the other's full buffer, Linux 6.18 drops the
	// acknowledgements of one, with the segments that carry them, until the other end is read.
	var drained sync.WaitGroup
	for _, l := range r.links {
		for _, w := range l.ways {
			drained.Add(1)
			go func() {
				defer drained.Done()
				r.drain(w)
			}()
		}
	}
	drained.Wait()
	for _, l := range r.links {
		for _, s := range l.sides {
			r.close(s)
			r.close(s)
		}
	}
}

// closeEngine ends the Engine with all that is under way.
func (r *run) closeEngine() {
	for _, l := range r.links {
		for _, s := range l.sides {
			s.closing.Store(true)
		}
	}
	if err := r.engine.Close(); err != nil {
		r.failf("closing the engine: %v", err)
	}
	r.await()
}

// await waits until all callbacks have been called.
func (r *run) await() {
	for r.pending.Load() > 0 {
		time.Sleep(50 * time.Microsecond)
	}
}

// close closes a socket, for the first time or once more.
func (r *run) close(s *side) {
	s.closing.Store(true)
	if err := s.s.Close(); err != nil {
		r.failf("closing: %v", err)
	}
	s.closedAt.CompareAndSwap(0, r.clock.Add(1))
}

// drain receives what is left to receive when nothing is under way any more.
func (r *run) drain(w *way) {
	if w.to.gone() {
		return
	}
	if !w.from.gone() && w.from.kind.ends() {
		w.from.shutWrite.Store(true)
		if err := w.from.s.Shutdown(socketops.ShutWrite); err != nil && !errors.Is(err, unix.ENOTCONN) {
			r.failf("shutdown: %v", err)
		}
	}
	s := w.to.s
	if err := errors.Join(s.SetReadDeadline(time.Time{}), s.SetReadTimeout(0)); err != nil {
		r.failf("taking deadlines back: %v", err)
	}
	f := recvForms[0]
	if !w.from.kind.ends() {
		f = recvForms[1]
	}
	for errs := 0; ; {
		tr := &transfer{run: r, way: w, side: w.to, form: f, worker: -1, p: make([]byte, 1<<16)}
		w.add(tr)
		tr.drain()
		switch {
		case tr.err == nil && tr.n == 0:
			return
		case tr.err != nil:
			if errs++; errs == 2 || errors.Is(tr.err, socketops.ErrWouldBlock) {
				return // The first can be that of a connection that was reset.
			}
		}
	}
}

// drain makes a receive that no run's end ends.
func (tr *transfer) drain() {
	for i := range tr.p {
		tr.p[i] = untouched
	}
	tr.start, tr.called = time.Now(), tr.run.clock.Add(1)
	tr.finish(tr.form.plain(context.Background(), tr.side.s, tr.p))
}
