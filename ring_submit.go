package uring

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// ErrIdle occurs when a wait could never end: nothing is in flight, and there is neither a time-out nor a context
// that could be cancelled.
var ErrIdle = errors.New("uring: wait with nothing in flight")

// errServing occurs when a completion callback waits on the ring that is just calling it.
var errServing = errors.New("uring: wait from within a completion callback of the ring")

// errTimeout is what a wait gives whose time ran out.
var errTimeout error = &sentinelError{"uring: wait timed out", os.ErrDeadlineExceeded}

// busyRetriesMax bounds how often a submission is repeated that the kernel has no room or memory for.
const busyRetriesMax = 100

// forever is a wait without a limit.
const forever = time.Duration(-1)

// Submit hands all filled SQEs to the kernel, those of Senders with queued bytes included, and returns how many it
// took, without waiting for completions; see io_uring_enter(2). Requests that can complete at once do so before
// Submit returns. The entry is made by Go itself and keeps the P meanwhile, so that the runtime wakes no other
// thread.
func (r *Ring) Submit() (int, error) {
	if err := r.owned(); err != nil {
		return 0, err
	}
	before := r.stats.Submitted
	err := r.armSenders()
	if err == nil {
		_, err = r.submitQueued()
	}
	return int(r.stats.Submitted - before), err
}

// SubmitAndWait submits as Submit does and waits until n completions are there to be reaped, those of Senders
// included, in one kernel entry where no signal disturbs it. It returns how many SQEs the kernel took. It ends
// early with ctx.Err(), or with ErrClosed where another goroutine closes the ring; n must not exceed the
// completion queue.
func (r *Ring) SubmitAndWait(ctx context.Context, n int) (int, error) {
	return r.submitAndWait(ctx, waitSpec{n: n, timeout: forever})
}

// SubmitAndWaitTimeout is SubmitAndWait that gives up after timeout with an error that is os.ErrDeadlineExceeded.
// Completions that came until then can be reaped. A timeout of zero polls.
func (r *Ring) SubmitAndWaitTimeout(ctx context.Context, n int, timeout time.Duration) (int, error) {
	return r.submitAndWait(ctx, waitSpec{n: n, timeout: max(timeout, 0)})
}

// SubmitAndWaitMinTimeout waits for n completions for at least minWait; from then on it is content with any
// completion at all, and after timeout it gives up as SubmitAndWaitTimeout does. minWait is rounded to
// microseconds, at most some 71 minutes. It needs kernel 6.12 (IORING_FEAT_MIN_TIMEOUT).
func (r *Ring) SubmitAndWaitMinTimeout(ctx context.Context, n int, minWait, timeout time.Duration) (int, error) {
	if r.Features()&FeatMinTimeout == 0 {
		return 0, &UnsupportedError{
			Name: "minimum wait", Missing: "IORING_FEAT_MIN_TIMEOUT", Provider: "kernel 6.12",
			SinceMajor: 6, SinceMinor: 12,
		}
	}
	usec := minWait.Microseconds()
	if usec < 0 || usec > math.MaxUint32 {
		return 0, fmt.Errorf("uring: minimum wait of %v: %w", minWait, unix.EINVAL)
	}
	return r.submitAndWait(ctx, waitSpec{n: n, timeout: max(timeout, 0), minUsec: uint32(usec)})
}

// waitSpec is what a wait waits for, and for how long.
type waitSpec struct {
	n       int
	timeout time.Duration // forever, or the time left
	minUsec uint32
	fresh   bool // completions reaped before do not count
}

// timespec is a duration as the kernel takes it.
func timespec(d time.Duration) cring.Timespec {
	return cring.Timespec{Sec: int64(d / time.Second), Nsec: int64(d % time.Second)}
}

func (r *Ring) submitAndWait(ctx context.Context, w waitSpec) (int, error) {
	if err := r.owned(); err != nil {
		return 0, err
	}
	if w.n < 0 || w.n > len(r.c.CQEs) {
		return 0, fmt.Errorf("uring: wait for %d completions of a queue of %d: %w", w.n, len(r.c.CQEs), unix.EINVAL)
	}
	before := r.stats.Submitted
	err := r.armSenders()
	if err == nil {
		err = r.wait(ctx, w)
	}
	return int(r.stats.Submitted - before), err
}

// reaped is how many of the completions that a wait counts have left the completion queue already.
func (r *Ring) reaped(w waitSpec) int {
	if w.fresh {
		return 0
	}
	return len(r.ready) - r.readyAt
}

// available is how many completions a wait has.
func (r *Ring) available(w waitSpec) int {
	return r.reaped(w) + int(atomic.LoadUint32(r.c.CQTail)-*r.c.CQHead)
}

// wait submits what is queued and waits as w says. Every signal is survived with the time that is left.
func (r *Ring) wait(ctx context.Context, w waitSpec) error {
	if r.serving {
		return errServing
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	endless := w.timeout == forever && ctx.Done() == nil && !r.adopted
	if endless && r.slots.live == 0 && r.available(w) < w.n {
		return ErrIdle
	}
	end, limited := waitEnd(ctx, w)
	if ctx.Done() != nil {
		stop := r.life.kickOn(ctx, r.tid)
		defer stop()
	}
	for tries := 0; ; {
		left := cring.Timespec{Sec: -1}
		if limited {
			left = timespec(max(time.Until(end), 0))
		}
		ret := r.enterWait(w, left)
		r.accountSubmitted()
		switch {
		case r.life.closing.Load():
			return r.closeOwned()
		case r.satisfied(w, ret):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case limited && !time.Now().Before(end):
			return waitExpired(ctx)
		}
		if err := r.resumable(ret, &tries); err != nil {
			return err
		}
	}
}

// satisfied reports whether a wait has what it waits for after a kernel entry that returned ret.
func (r *Ring) satisfied(w waitSpec, ret int) bool {
	if r.sqPending() > 0 && r.c.Flags&cring.SetupSQPoll == 0 {
		return false
	}
	got := r.available(w)
	return got >= w.n || (w.minUsec > 0 && ret >= 0 && got > 0)
}

// waitEnd returns when a wait must end, by its own time-out or its context's deadline.
func waitEnd(ctx context.Context, w waitSpec) (end time.Time, limited bool) {
	if w.timeout != forever {
		end, limited = time.Now().Add(w.timeout), true
	}
	if d, ok := ctx.Deadline(); ok && (!limited || d.Before(end)) {
		end, limited = d, true
	}
	return end, limited
}

// waitExpired is the error of a wait whose time ran out: the context's where it was the context's time. The context
// itself may notice a moment later than the kernel.
func waitExpired(ctx context.Context) error {
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return errTimeout
}

// enterWait is one kernel entry that submits and waits. It goes through cgo, which gives up the P meanwhile.
func (r *Ring) enterWait(w waitSpec, left cring.Timespec) int {
	r.stats.Enters++
	// The kernel counts what lies in the completion queue, and knows nothing of what was reaped already.
	n := uint32(max(w.n-r.reaped(w), 0))
	if w.minUsec > 0 {
		return r.c.WaitMin(r.flushSQ(), n, r.enterFlags|cring.EnterGetEvents, left, w.minUsec)
	}
	return r.c.Wait(n, left)
}

// resumable decides what a kernel entry's result means for a wait that is not over yet: nil to go on.
func (r *Ring) resumable(ret int, tries *int) error {
	switch errno := unix.Errno(-ret); {
	case ret >= 0 || errno == unix.ETIME:
		return nil
	case errno == unix.EINTR:
		// Go preempts the thread with SIGURG at any time. What was submitted stays submitted.
		r.stats.EINTR++
		return nil
	case errno == unix.EAGAIN || errno == unix.EBUSY:
		// The kernel lacks memory, or room in the completion queue: give it ours and try again.
		*tries++
		if *tries > busyRetriesMax {
			return opError("io_uring_enter", -ret)
		}
		r.drainCQ()
		if *tries > 1 {
			time.Sleep(100 * time.Microsecond)
		}
		return nil
	}
	return r.enterError(-ret)
}

// sqPending is how many SQEs the kernel has not taken yet.
func (r *Ring) sqPending() uint32 { return *r.c.SQETail - atomic.LoadUint32(r.c.SQHead) }

// flushSQ publishes the filled SQEs to the kernel, as liburing does, and returns how many it has not taken yet.
func (r *Ring) flushSQ() uint32 {
	tail := *r.c.SQETail
	*r.c.SQEHead = tail
	atomic.StoreUint32(r.c.SQTail, tail)
	return tail - atomic.LoadUint32(r.c.SQHead)
}

// submitQueued gives the kernel all filled SQEs, in as many entries as it takes, and returns how many it took.
func (r *Ring) submitQueued() (int, error) {
	before := r.stats.Submitted
	for tries := 0; r.sqPending() > 0; {
		r.stats.Enters++
		var ret int
		if r.c.Flags&cring.SetupSQPoll != 0 {
			ret = r.c.Submit() // liburing knows when the polling thread needs a wake-up
		} else {
			flags := r.enterFlags
			if r.heldBack() {
				flags |= cring.EnterGetEvents // while we are there
			}
			ret = r.c.Enter(r.flushSQ(), 0, flags)
		}
		if r.accountSubmitted() == 0 {
			if ret >= 0 {
				break // the polling thread has it, or will
			}
			if err := r.resumable(ret, &tries); err != nil {
				return int(r.stats.Submitted - before), err
			}
		}
	}
	return int(r.stats.Submitted - before), nil
}

// accountSubmitted moves what the kernel has taken since the last look from queued to in flight.
func (r *Ring) accountSubmitted() int {
	head := atomic.LoadUint32(r.c.SQHead)
	n := int(head - r.sqSubmitted)
	if n == 0 {
		return 0
	}
	r.sqSubmitted = head
	r.stats.Submitted += uint64(n)
	// C code on the same ring may have queued entries of its own among ours, hence the positions.
	taken := 0
	for taken < len(r.queued) && int32(head-r.queued[taken].pos) > 0 {
		r.queued[taken].launch(&r.groups)
		taken++
	}
	r.queued = append(r.queued[:0], r.queued[taken:]...)
	return n
}
