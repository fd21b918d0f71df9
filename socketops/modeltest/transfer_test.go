//go:build linux

package modeltest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// transfer is one operation, and what became of it.
type transfer struct {
	run     *run
	way     *way
	side    *side // whose operation it is
	sending bool
	worker  int
	form    form
	id      byte   // of a send
	p       []byte // what is sent or received
	called  int64  // when, by the run's clock
	start   time.Time
	ended   context.Context // which the operation was given, or nil
	late    bool            // it had ended before

	op       *socketops.Op
	canceled atomic.Bool // set before it is
	over     atomic.Int32

	// What follows is written when the operation is over, and read when the run is.
	n        int
	err      error
	returned int64
}

func (tr *transfer) String() string {
	what := "receives"
	if tr.sending {
		what = fmt.Sprintf("sends %d of", tr.id)
	}
	return fmt.Sprintf("goroutine %d [%d, %d] %s %s %d bytes: %d, %v", tr.worker, tr.called, tr.returned, tr.form, what,
		len(tr.p), tr.n, tr.err)
}

// untouched is what is in the memory of receives before.
const untouched = 0xa5

// errGaveUp is the cause of contexts that end.
var errGaveUp = errors.New("gave up")

// begin makes the transfer, and returns when its call does.
func (tr *transfer) begin(wait time.Duration, byDeadline bool) {
	if !tr.sending {
		for i := range tr.p {
			tr.p[i] = untouched
		}
	}
	tr.start, tr.called = time.Now(), tr.run.clock.Add(1)
	if tr.form.behind != nil {
		tr.run.pending.Add(1)
		tr.op = tr.form.behind(tr.side.s, tr.p, func(n int, err error) {
			tr.finish(n, err)
			tr.run.pending.Add(-1)
		})
		return
	}
	var end context.CancelFunc
	tr.ended, end = tr.run.context(wait, byDeadline)
	defer end()
	tr.late = tr.form.waits() && tr.ended.Err() != nil
	tr.finish(tr.form.plain(tr.ended, tr.side.s, tr.p))
}

// finish notes the outcome, and holds it against the model.
func (tr *transfer) finish(n int, err error) {
	if tr.over.Add(1) != 1 {
		tr.run.failf("over twice: %v", tr)
		return
	}
	if n < 0 || n > len(tr.p) {
		tr.run.failf("%d bytes: %v", n, tr)
		n = 0
	}
	tr.n, tr.err = n, err
	if fault := tr.judge(); fault != "" {
		tr.run.failf("%s: %v", fault, tr)
	}
	if tr.sending {
		clear(tr.p) // which is the caller's again: whoever still reads it sends zeros
	}
	tr.returned = tr.run.clock.Add(1)
}

// judge returns what is wrong with the outcome by itself, or "".
func (tr *transfer) judge() string {
	var e *socketops.OpError
	switch closedAt := tr.side.closedAt.Load(); {
	case tr.err != nil && !errors.As(tr.err, &e):
		return "not an *OpError"
	case closedAt != 0 && closedAt < tr.called && !errors.Is(tr.err, net.ErrClosed):
		return "on a closed socket"
	case tr.late && !tr.side.closing.Load() && !errors.Is(tr.err, socketops.ErrCanceled):
		return "the context had ended before"
	case tr.late && tr.n > 0:
		return "bytes though the context had ended before"
	case tr.err == nil:
		return tr.judgeSuccess()
	case !tr.allowed():
		return "no reason for that error"
	case tr.n > 0 && (tr.form.try || !tr.side.kind.stream() || !tr.sending && !tr.form.all):
		return "an error with bytes"
	case tr.n == len(tr.p) && len(tr.p) > 0:
		return "an error though all was transferred"
	}
	return ""
}

func (tr *transfer) judgeSuccess() string {
	switch n := tr.n; {
	case tr.form.peek && !tr.sending:
		return ""
	case tr.sending && n < len(tr.p) && !(tr.form.try && tr.side.kind.stream() && n > 0):
		return "success without all bytes"
	case !tr.sending && n == 0 && !tr.ending():
		return "the end where there is none"
	}
	return ""
}

// ending reports whether a receive can find the end.
func (tr *transfer) ending() bool {
	s := tr.side
	return s.disconnected.Load() || s.kind.ends() && (s.shutRead.Load() || s.peer.shutWrite.Load() || s.peer.gone())
}

// allowed reports whether the model has a reason for the error.
func (tr *transfer) allowed() bool {
	s := tr.side
	is := func(err error) bool { return errors.Is(tr.err, err) }
	switch {
	case is(socketops.ErrWouldBlock):
		return tr.form.try && is(unix.EAGAIN)
	case is(socketops.ErrTimeout):
		return is(os.ErrDeadlineExceeded) && s.limits[directionOf(tr.sending)].passed(tr.start)
	case is(socketops.ErrCanceled):
		return tr.allowedCancel(is)
	case is(socketops.ErrClosed):
		return is(net.ErrClosed) && s.closing.Load()
	case is(unix.EPIPE):
		return tr.sending && (s.shutWrite.Load() || s.peer.shutRead.Load() || s.broken())
	case is(unix.ECONNRESET):
		return s.broken()
	case is(unix.ECONNREFUSED):
		return !s.kind.ends() && s.peer.gone()
	case is(unix.ENOTCONN), is(unix.EDESTADDRREQ), is(unix.EINVAL):
		return s.disconnected.Load() || !s.kind.ends() && s.peer.gone()
	}
	return false
}

func (tr *transfer) allowedCancel(is func(error) bool) bool {
	switch {
	case tr.side.disconnected.Load() && is(context.Canceled):
		return true
	case tr.ended == nil:
		return tr.canceled.Load() && is(context.Canceled)
	case tr.ended.Err() == nil:
		return false
	}
	return is(context.Cause(tr.ended))
}

// cancel has the transfer end.
func (tr *transfer) cancel() {
	tr.canceled.Store(true)
	tr.op.Cancel()
}

// checkMemory holds that a receive has written what it says, and nothing behind that.
func (tr *transfer) checkMemory() {
	from := tr.n
	for i, c := range tr.p[min(from, len(tr.p)):] {
		if c != untouched {
			tr.run.failf("byte %d written: %v", from+i, tr)
			return
		}
	}
}
