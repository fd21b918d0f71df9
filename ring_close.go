package uring

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
)

// LeakError says that the kernel did not let go of operations in the time of WithCloseTimeout. Their memory stays
// allocated and pinned until it does, on purpose: freeing it would let the kernel read and write foreign memory.
//
// From Ring.Close the memory stays so until the process ends. From a call that was to wait for the end of its own
// request, such as SendZC, it stays the kernel's until the ring has reaped the request's last completion, which it
// does by itself; the memory must not be written before, and nothing tells when that is but Stats.InFlight.
type LeakError struct {
	Operations int   // still with the kernel
	Err        error // why they were not waited for any longer; nil where the time was over
}

// Error tells how many operations hold memory, and that this is intended.
func (e *LeakError) Error() string {
	text := fmt.Sprintf("uring: the kernel still holds %d operations; their memory is kept for it", e.Operations)
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Unwrap returns Err.
func (e *LeakError) Unwrap() error { return e.Err }

// Is reports whether target is os.ErrDeadlineExceeded: the bounded wait ran out.
func (e *LeakError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// lifetime is how a ring ends. The owner's thread alone may tear a ring down while it lives, since it may be
// filling an SQE at any moment and only it can reap; other goroutines ask it to.
type lifetime struct {
	closing atomic.Bool
	ending  atomic.Int64  // the thread that tears the ring down; 0 before
	done    chan struct{} // closed when the ring is torn down
	err     error         // what Close returns; valid once done is closed
	stuck   error         // why draining ended early
}

func (l *lifetime) init() { l.done = make(chan struct{}) }

// result returns what Close found, or nil while the ring is still being torn down.
func (l *lifetime) result() error {
	select {
	case <-l.done:
		return l.err
	default:
		return nil
	}
}

// Close ends the ring: nothing is admitted any more, what is in flight is cancelled and reaped, and the ring is
// unregistered and freed. Completions reaped meanwhile, and one with ECANCELED for every SQE that was not
// submitted, can still be read by Reap and Completions. Close may be called more than once, and by any goroutine:
// another than the owner interrupts the owner's wait and has it close the ring, in its current call or its next. In
// a function that the library calls on a completion Close returns at once, and the ring is closed when that
// function has returned.
//
// Close is bounded by WithCloseTimeout. Where the kernel does not let go, the error is a *LeakError. Where the
// owner does not come back to the ring in that time, it is os.ErrDeadlineExceeded, and the ring closes when it does. An
// owner that returned without Close on the thread that the program started on never does, and nobody can tell.
func (r *Ring) Close() error {
	if r.isZero() {
		return nil
	}
	r.life.closing.Store(true)
	if r.hold.Mine() {
		r.teardown(true)
		return r.life.result()
	}
	if r.askOwner() {
		r.teardown(false)
		return r.life.result()
	}
	select {
	case <-r.life.done:
		return r.life.err
	default:
		return fmt.Errorf("uring: close: the owner has not come back to the ring: %w", os.ErrDeadlineExceeded)
	}
}

// askOwner interrupts the owner until the ring is torn down or the time is over: the owner has as long to come back to
// the ring as it then has to drain it. It reports whether the owner's thread no longer exists. The thread that a
// program starts on outlives every goroutine, so that an owner that returned there is waited for in vain.
func (r *Ring) askOwner() (gone bool) {
	limit := time.NewTimer(r.cfg.closeTimeout)
	defer limit.Stop()
	ending := false
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		if r.hold.Gone() {
			return true
		}
		if !ending && r.life.ending.Load() != 0 {
			ending = true
			limit.Reset(r.cfg.closeTimeout + time.Second)
		}
		_ = interrupt(r.tid)
		select {
		case <-r.life.done:
			return false
		case <-limit.C:
			return false
		case <-time.After(pause):
		}
	}
}

// kickOn interrupts the owner's kernel wait once ctx is done. The signal may hit the thread just before it enters
// the kernel, so it is repeated until the returned function says that the wait is over.
func (l *lifetime) kickOn(ctx context.Context, tid int) (stop func()) {
	over := make(chan struct{})
	unhook := context.AfterFunc(ctx, func() {
		for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
			if interrupt(tid) != nil {
				return
			}
			select {
			case <-over:
				return
			case <-time.After(pause):
			}
		}
	})
	return func() {
		close(over)
		unhook()
	}
}

// closeOwned is what the owner's calls do once the ring is closing: the owner tears it down.
func (r *Ring) closeOwned() error {
	if r.hold.Mine() {
		r.teardown(true)
	}
	return ErrClosed
}

// enterError is a kernel entry that failed for good. The ring is of no further use but to be closed.
func (r *Ring) enterError(errno int) error {
	err := opError("io_uring_enter", errno)
	if unix.Errno(errno) == unix.EEXIST {
		return fmt.Errorf("%w: %w", ErrNotOwner, err)
	}
	return err
}

// teardown ends the ring, once. owner says that the calling thread is the ring's and may reap; else that thread is
// gone. Called from within itself, or from a completion that is just being served, it does nothing: whoever is
// further up the stack ends the ring.
func (r *Ring) teardown(owner bool) {
	if owner && r.life.ending.Load() == 0 && r.serving {
		return
	}
	runtime.LockOSThread() // the thread's id tells a call from within
	defer runtime.UnlockOSThread()
	self := int64(gettid())
	if !r.life.ending.CompareAndSwap(0, self) {
		if r.life.ending.Load() != self {
			<-r.life.done
		}
		return
	}
	// Each step is deferred: a callback of one that panics, or ends the goroutine, keeps none of the others.
	defer close(r.life.done)
	drained, closed := r.endFeeders()
	defer closed()
	defer r.finish(owner)
	defer drained()
	r.cleanup.Stop()
	defer func() {
		if owner {
			r.life.stuck = r.drain()
		} else {
			r.abandon()
		}
	}()
	r.withdrawQueued()
}

// finish ends a ring that has been drained as far as it can be.
func (r *Ring) finish(owner bool) {
	if r.slots.live > 0 {
		r.life.err = &LeakError{Operations: r.slots.live, Err: r.life.stuck}
	}
	if owner && r.slots.live == 0 {
		r.unregisterAll()
	}
	r.exit(owner)
	if owner {
		r.hold.Release()
		runtime.UnlockOSThread() // what New locked
	}
}

// withdrawQueued takes back the SQEs that the kernel has not taken.
func (r *Ring) withdrawQueued() {
	r.accountSubmitted()
	ended := make([]ending, 0, len(r.queued))
	for _, s := range r.queued {
		ended = append(ended, s.ending())
		// On an adopted ring entries of C code may lie between ours, so ours stay, as NOPs.
		*s.sqe.raw = cring.SQE{Opcode: cring.OpNop, Fd: -1, UserData: s.userData()}
		s.state, s.owner = slotDropped, nil
	}
	if !r.adopted {
		for _, s := range r.queued {
			r.slots.put(s)
		}
		r.queued = r.queued[:0]
		tail := r.taken()
		*r.c.SQETail, *r.c.SQEHead = tail, tail
		atomic.StoreUint32(r.c.SQTail, tail)
	}
	r.deliverAll(ended)
}

// ending is the end of an operation that gets no CQE from the kernel, to be delivered once all is accounted for.
type ending struct {
	c       CQE
	owner   completer
	dropped bool
}

func (s *slot) ending() ending { return ending{s.cancelled(), s.owner, s.state == slotDropped} }

func (r *Ring) deliverAll(ended []ending) {
	for _, e := range ended {
		r.deliver(e.c, e.owner, e.dropped)
	}
}

// abandon resolves the operations of an owner whose thread is gone. The kernel cancelled what the thread had
// submitted itself when it ended, and waited for that. What a polling thread submitted goes on, and nobody can wait
// for it.
func (r *Ring) abandon() {
	r.drainCQ()
	if r.c.Flags&cring.SetupSQPoll != 0 {
		return
	}
	var ended []ending
	r.slots.each(func(s *slot) {
		ended = append(ended, s.ending())
		r.stats.Completed++
		r.slots.put(s)
	})
	r.queued = r.queued[:0]
	r.deliverAll(ended)
}

// drain cancels everything that is in flight and reaps until nothing is, for as long as Close may take. It returns why
// it gave up before that.
func (r *Ring) drain() error {
	end := time.Now().Add(r.cfg.closeTimeout)
	r.drainCQ()
	for pause := cancelPauseMin; r.slots.live > 0; pause = min(2*pause, cancelPauseMax) {
		err := r.cancelAll(end)
		if err == nil {
			err = r.drainUntil(time.Now().Add(min(pause, time.Until(end))))
		}
		if err != nil && !transient(err) {
			return err
		}
		if !time.Now().Before(end) {
			return nil
		}
		if err != nil {
			time.Sleep(min(pause, time.Until(end)))
		}
	}
	return nil
}

// drainUntil reaps until nothing is in flight or the time is there.
func (r *Ring) drainUntil(end time.Time) error {
	for tries := (attempts{}); r.slots.live > 0; {
		left := time.Until(end)
		if left <= 0 {
			return nil
		}
		ret := r.submitWait(1, timespec(left))
		r.drainCQ()
		if err := r.resumable(ret, &tries); err != nil {
			return err
		}
	}
	return nil
}

// cancelAll asks the kernel to cancel every operation in flight, one by one: requests of C code on the same ring
// are none of ours, and kernels before 5.19 know no other way. It gives up at end.
func (r *Ring) cancelAll(end time.Time) error {
	var victims []uint64
	r.slots.each(func(s *slot) {
		if s.state == slotInFlight && s.op != cring.OpAsyncCancel {
			victims = append(victims, s.userData())
		}
	})
	for _, v := range victims {
		for r.sqSpace() == 0 {
			if _, err := r.submitQueued(); err != nil {
				return err
			}
			if r.sqSpace() > 0 {
				break
			}
			if time.Now().After(end) {
				return ErrSQFull
			}
			time.Sleep(100 * time.Microsecond) // a polling thread takes its time
		}
		r.claimCancel(OpID(v), nil)
	}
	_, err := r.submitQueued()
	return err
}

// claimCancel takes an SQE, for which there is room, to cancel an operation, and tells who of the result, or nobody.
func (r *Ring) claimCancel(id OpID, who completer) {
	s := r.claim()
	s.sqe.raw.Opcode = cring.OpAsyncCancel
	s.sqe.raw.Flags = r.cancelFlags
	s.sqe.raw.Addr = uint64(id)
	if s.owner = who; who == nil {
		s.state = slotDropped
	}
}

// exit frees what the ring held. Memory that the kernel may still touch stays: the slot table keeps it, and what C code
// can still name by the index of a fixed buffer.
func (r *Ring) exit(owner bool) {
	if !r.adopted {
		r.stats.Dropped = r.Stats().Dropped // the kernel's own count goes with the ring
	}
	defer func() { r.enterFlags &^= cring.EnterRegisteredRing }()
	switch {
	case r.adopted:
	case owner:
		if r.enterFlags&cring.EnterRegisteredRing != 0 {
			r.c.UnregisterRingFd()
		}
		r.c.Exit()
	default:
		// liburing unregisters the descriptor by its index, from the calling thread's table instead of the lost one's.
		// A goroutine of its own runs on a thread that has nothing registered.
		exited := make(chan struct{})
		go func() {
			r.c.Exit()
			close(exited)
		}()
		<-exited
	}
	if r.slots.live == 0 && !(r.adopted && r.undo.buffers != nil) {
		r.slots.release()
		r.groups.free()
	}
}

// reportIfLost warns when a Ring becomes garbage without Close. It frees nothing: the kernel may be using the
// memory.
func (r *Ring) reportIfLost() {
	var pcs [16]uintptr
	n := runtime.Callers(4, pcs[:]) // from the caller of New or Adopt on
	r.cleanup = runtime.AddCleanup(r, func(made []uintptr) {
		frame, _ := runtime.CallersFrames(made).Next()
		slog.Warn("uring: a Ring was lost without Close; its memory stays until the process ends",
			"made_at", fmt.Sprintf("%s:%d", frame.File, frame.Line))
	}, pcs[:n])
}
