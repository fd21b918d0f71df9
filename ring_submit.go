package uring

import (
	"context"
	"errors"
	"fmt"
	"math"
	"os"
	"sync/atomic"
	"time"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
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

// An entry that ended with EINTR within briefMax is a brief one. So many in a row are repeated at once; then there are
// pauses, and a submission of which that took nothing is given up in the end.
const (
	briefMax      = 100 * time.Microsecond
	briefFree     = 100
	briefTriesMax = 1000
	endedMax      = 2 * briefFree // of entries with something to take, however long they took
)

// retryPause is the pause before an entry is repeated that ended at once.
const retryPause = 100 * time.Microsecond

// attempts counts kernel entries in a row that brought nothing.
type attempts struct {
	busy  int       // the kernel lacked memory or room
	brief int       // a signal ended it as soon as it had begun
	ended int       // a signal ended it, however long it took
	last  time.Time // when the last of these was over
}

// interrupted notes an entry that ended with EINTR, and reports whether it is hopeless to go on submitting. A tracer or
// a filter may answer so in the kernel's stead, for ever: that must not keep a processor busy.
func (a *attempts) interrupted() (hopeless bool) {
	now := time.Now()
	if now.Sub(a.last) > briefMax {
		a.brief = 0
	}
	a.brief++
	a.ended++
	if a.ended > briefFree {
		time.Sleep(retryPause)
		now = time.Now()
	}
	a.last = now
	return a.brief > briefTriesMax
}

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
	err := r.feed()
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
	if err := r.owned(); err != nil {
		return 0, err
	}
	if r.Features()&FeatMinTimeout == 0 {
		return 0, &UnsupportedError{
			Name: "minimum wait", Missing: "IORING_FEAT_MIN_TIMEOUT", Provider: "kernel 6.12",
			SinceMajor: 6, SinceMinor: 12,
		}
	}
	if minWait < 0 || minWait.Microseconds() >= math.MaxUint32 {
		return 0, fmt.Errorf("uring: minimum wait of %v: %w", minWait, unix.EINVAL)
	}
	return r.submitAndWait(ctx, waitSpec{n: n, timeout: max(timeout, 0), minWait: minWait})
}

// A feeder queues requests of its own: it is asked before whatever submits. A Ring has one for all its Senders.
type feeder interface {
	// feed queues what there is, as far as the submission queue has room: then it is ErrSQFull, and feed is called again.
	feed() error

	// ending says that the ring is being torn down: feed is not called any more, and until closed is called no user code
	// may run. drained is called once nothing is in flight that could be waited for, closed when the ring is gone.
	ending() (drained, closed func())
}

// feed has everything that feeds the ring queue its requests, so that they all leave with this submission.
func (r *Ring) feed() error {
	for {
		err := r.feedWhatFits()
		if !errors.Is(err, ErrSQFull) {
			return err
		}
		if err := r.makeRoom(); err != nil {
			return err
		}
	}
}

func (r *Ring) feedWhatFits() error {
	for _, f := range r.feeders {
		if err := f.feed(); err != nil {
			return err
		}
	}
	return nil
}

// endFeeders has everything that feeds the ring end with it.
func (r *Ring) endFeeders() (drained, closed func()) {
	var drains, closes []func()
	for _, f := range r.feeders {
		d, c := f.ending()
		drains, closes = append(drains, d), append(closes, c)
	}
	return func() { callAll(drains) }, func() { callAll(closes) }
}

// callAll calls each, whatever another does.
func callAll(calls []func()) {
	if len(calls) == 0 {
		return
	}
	defer callAll(calls[1:])
	calls[0]()
}

// waitSpec is what a wait waits for, and for how long.
type waitSpec struct {
	n       int
	timeout time.Duration // forever, or the whole time
	minWait time.Duration // zero, or after this time any completion will do
	fresh   bool          // completions reaped before do not count

	// What wait adds when it begins.
	end, minEnd time.Time
	limited     bool   // end is set
	deaf        bool   // nobody can end the wait
	before      uint64 // CQEs that had left the completion queue, but for those that count
}

// timespec is a duration as the kernel takes it.
func timespec(d time.Duration) cring.Timespec {
	return cring.Timespec{Sec: int64(d / time.Second), Nsec: int64(d % time.Second)}
}

func (r *Ring) submitAndWait(ctx context.Context, w waitSpec) (int, error) {
	if err := r.owned(); err != nil {
		return 0, err
	}
	if ctx == nil {
		return 0, errNilContext
	}
	if w.n < 0 || w.n > len(r.c.CQEs) {
		return 0, fmt.Errorf("uring: wait for %d completions of a queue of %d: %w", w.n, len(r.c.CQEs), unix.EINVAL)
	}
	before := r.stats.Submitted
	err := r.feed()
	if err == nil {
		err = r.wait(ctx, w)
	}
	return int(r.stats.Submitted - before), err
}

// wait submits what is queued and waits as w says. Every signal is survived with the time that is left.
func (r *Ring) wait(ctx context.Context, w waitSpec) error {
	if r.serving {
		return errServing
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	r.start(ctx, &w)
	endless := !w.limited && ctx.Done() == nil && !r.shared
	if endless && r.idle() {
		// Silent operations may be queued, and fail at once.
		if _, err := r.submitQueued(); err != nil || r.got(&w) >= w.n {
			return err
		}
		return ErrIdle
	}
	if ctx.Done() != nil {
		stop := r.life.kickOn(ctx, r.tid)
		defer stop()
	}
	for tries := (attempts{}); ; {
		ret := r.enterWait(&w)
		r.accountSubmitted()
		switch {
		case r.life.closing.Load():
			return r.closeOwned()
		case r.satisfied(&w):
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case w.limited && !time.Now().Before(w.end):
			return waitExpired(ctx)
		}
		if err := r.resumable(ret, &tries); err != nil {
			return err
		}
	}
}

// idle reports whether no operation will complete by itself: those that skip their CQE do not count.
func (r *Ring) idle() bool {
	if r.inFlight() > 0 {
		return false
	}
	for _, s := range r.queued {
		if s.state != slotSilent {
			return false
		}
	}
	return true
}

// start sets when the wait ends, by its own time-out or its context's deadline, and which completions count for it.
func (r *Ring) start(ctx context.Context, w *waitSpec) {
	if w.timeout != forever {
		now := time.Now()
		w.end, w.minEnd, w.limited = now.Add(w.timeout), now.Add(w.minWait), true
	}
	if d, ok := ctx.Deadline(); ok && (!w.limited || d.Before(w.end)) {
		w.end, w.limited = d, true
	}
	w.deaf = deaf()
	w.before = r.cqTaken
	if !w.fresh {
		// A panic of user code may have left a part of a batch that is served by the next reap.
		w.before -= uint64(len(r.ready) - r.readyAt + len(r.batch) - r.batchAt)
	}
}

// deafPause is how long a wait stays in the kernel that no signal can end.
const deafPause = 10 * time.Millisecond

// left is how long the wait may stay in the kernel, and -1 s where that is without a limit.
func (w *waitSpec) left() cring.Timespec {
	switch {
	case w.limited && w.deaf:
		return timespec(min(max(time.Until(w.end), 0), deafPause))
	case w.limited:
		return timespec(max(time.Until(w.end), 0))
	case w.deaf:
		return timespec(deafPause)
	}
	return cring.Timespec{Sec: -1}
}

// got is how many completions there are of those that count for w. One that the library serves itself counts as well:
// the kernel counted it, and nobody will see another in its place.
func (r *Ring) got(w *waitSpec) int { return int(r.cqTaken-w.before) + r.pending() }

// pending is how many CQEs are in the completion queue. Where the kernel lacks IORING_FEAT_EXT_ARG liburing waits by
// a timeout of its own, whose CQE is nobody's.
func (r *Ring) pending() int {
	head, tail := *r.c.CQHead, atomic.LoadUint32(r.c.CQTail)
	n := int(tail - head)
	if r.c.Features&cring.FeatExtArg == 0 {
		for ; head != tail; head++ {
			if r.c.CQEs[head&r.cqMask].UserData == userDataTimeout {
				n--
			}
		}
	}
	return n
}

// satisfied reports whether a wait has what it waits for.
func (r *Ring) satisfied(w *waitSpec) bool {
	if r.sqPending() > 0 {
		return false
	}
	got := r.got(w)
	return got >= w.n || (w.minWait > 0 && got > 0 && !time.Now().Before(w.minEnd))
}

// waitExpired is the error of a wait whose time ran out: the context's where it was the context's time. The context
// itself may notice a moment later than the kernel.
func waitExpired(ctx context.Context) error {
	if d, ok := ctx.Deadline(); ok && !time.Now().Before(d) {
		return context.DeadlineExceeded
	}
	return errTimeout
}

// seam, where a test has set it, is asked before each kernel entry that waits for n completions for at most d, and may
// answer in the kernel's stead.
type seam func(n uint32, d cring.Timespec) (ret int, answered bool)

// entry counts a kernel entry, and shows it to the tests' seam.
func (r *Ring) entry(n uint32, d cring.Timespec) (ret int, answered bool) {
	r.stats.Enters++
	if r.seam == nil {
		return 0, false
	}
	return r.seam(n, d)
}

// enter is one kernel entry that does not wait. It is made by Go itself and keeps the P.
func (r *Ring) enter(toSubmit, flags uint32) int {
	if ret, answered := r.entry(0, cring.Timespec{}); answered {
		return ret
	}
	return r.c.Enter(toSubmit, 0, flags)
}

// enterWait is one kernel entry that submits and waits. It goes through cgo, which gives up the P meanwhile.
func (r *Ring) enterWait(w *waitSpec) int {
	// The kernel counts what lies in the completion queue, and knows nothing of what was taken from it before.
	n := uint32(max(w.n-int(r.cqTaken-w.before), 0))
	if w.minWait > 0 {
		usec := time.Until(w.minEnd).Microseconds()
		if w.deaf {
			usec = min(usec, deafPause.Microseconds())
		}
		if usec > 0 {
			if ret, answered := r.entry(n, w.left()); answered {
				return ret
			}
			toSubmit := r.flushSQ()
			flags := r.enterFlags | r.wakeupFlag() | cring.EnterGetEvents
			return r.c.WaitMin(toSubmit, n, flags, w.left(), uint32(usec))
		}
		n = min(n, 1)
	}
	return r.submitWait(n, w.left())
}

// submitWait submits and waits for n completions, for at most d where it is not negative.
func (r *Ring) submitWait(n uint32, d cring.Timespec) int {
	ret, answered := r.entry(n, d)
	if !answered {
		ret = r.c.Wait(n, d)
	}
	r.noteOverflow()
	return ret
}

// wakeupFlag is IORING_ENTER_SQ_WAKEUP where a polling thread sleeps. The atomic store of the tail before it is the
// full barrier that liburing puts there.
func (r *Ring) wakeupFlag() uint32 {
	if r.c.Flags&cring.SetupSQPoll != 0 && atomic.LoadUint32(r.c.SQFlags)&cring.SQNeedWakeup != 0 {
		return cring.EnterSQWakeup
	}
	return 0
}

// noteOverflow counts each time that the kernel begins to hold back CQEs for want of room.
func (r *Ring) noteOverflow() {
	now := atomic.LoadUint32(r.c.SQFlags)&cring.SQCQOverflow != 0
	if now && !r.overflowing {
		r.stats.Overflowed++
	}
	r.overflowing = now
}

// resumable decides what a kernel entry's result means for a wait that is not over yet: nil to go on.
func (r *Ring) resumable(ret int, tries *attempts) error {
	switch errno := unix.Errno(-ret); {
	case ret >= 0 || errno == unix.ETIME:
		*tries = attempts{}
		return nil
	case errno == unix.EINTR:
		// Go preempts the thread with SIGURG at any time. What was submitted stays submitted.
		r.stats.EINTR++
		// What is queued is taken before anything is waited for, so a signal has no part in its being there still. A
		// tracer can have each of these entries take long.
		if hopeless := tries.interrupted() || tries.ended > endedMax; hopeless && r.sqPending() > 0 {
			return opError("io_uring_enter", -ret)
		}
		return nil
	case errno == unix.EAGAIN || errno == unix.EBUSY:
		// The kernel lacks memory, or room in the completion queue: give it ours and try again.
		tries.busy++
		if tries.busy > busyRetriesMax {
			return opError("io_uring_enter", -ret)
		}
		r.drainCQ()
		if tries.busy > 1 {
			time.Sleep(retryPause)
		}
		return nil
	}
	return r.enterError(-ret)
}

// taken is the position in the submission queue up to which the SQEs are the kernel's. A polling thread may read, run
// and even complete an SQE as soon as it is published; else the kernel has taken what lies before its head.
func (r *Ring) taken() uint32 {
	if r.c.Flags&cring.SetupSQPoll != 0 {
		return atomic.LoadUint32(r.c.SQTail)
	}
	return atomic.LoadUint32(r.c.SQHead)
}

// sqPending is how many filled SQEs are not the kernel's yet.
func (r *Ring) sqPending() uint32 { return *r.c.SQETail - r.taken() }

// flushSQ publishes the filled SQEs to the kernel, as liburing does, and returns how many it has not consumed yet.
func (r *Ring) flushSQ() uint32 {
	tail := *r.c.SQETail
	*r.c.SQEHead = tail
	atomic.StoreUint32(r.c.SQTail, tail)
	return tail - atomic.LoadUint32(r.c.SQHead)
}

// submitQueued gives the kernel all filled SQEs, in as many entries as it takes, and returns how many it took.
func (r *Ring) submitQueued() (int, error) {
	before := r.stats.Submitted
	for tries := (attempts{}); r.sqPending() > 0; {
		ret := r.submitOnce()
		moved := r.accountSubmitted()
		r.noteOverflow()
		if ret < 0 {
			if err := r.resumable(ret, &tries); err != nil {
				return int(r.stats.Submitted - before), err
			}
		} else if !moved {
			break
		}
	}
	return int(r.stats.Submitted - before), nil
}

// submitOnce is one kernel entry that submits.
func (r *Ring) submitOnce() int {
	if r.c.Flags&cring.SetupSQPoll != 0 {
		if ret, answered := r.entry(0, cring.Timespec{}); answered {
			return ret
		}
		return r.c.Submit() // liburing knows when the polling thread needs a wake-up
	}
	flags := r.enterFlags
	if r.heldBack() {
		flags |= cring.EnterGetEvents // while we are there
	}
	return r.enter(r.flushSQ(), flags)
}

// accountSubmitted moves what the kernel has taken since the last look from queued to in flight, and reports whether
// it has taken anything.
func (r *Ring) accountSubmitted() (moved bool) {
	head := r.taken()
	if head == r.sqSubmitted {
		return false
	}
	r.sqSubmitted = head
	// C code on the same ring may have queued entries of its own among ours, hence the positions.
	taken := 0
	for taken < len(r.queued) && int32(head-r.queued[taken].pos) > 0 {
		s := r.queued[taken]
		taken++
		if s.state == slotSilent {
			r.stats.Silent++
			r.slots.put(s)
			continue
		}
		s.launch(&r.groups)
	}
	r.stats.Submitted += uint64(taken)
	r.queued = append(r.queued[:0], r.queued[taken:]...)
	return true
}
