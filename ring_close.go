package uring

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// LeakError says that the kernel did not let go of operations in the time that Close has. Their memory stays
// allocated and pinned until the process ends, on purpose: freeing it would let the kernel write into foreign
// memory.
type LeakError struct {
	Operations int // still with the kernel
}

// Error tells how many operations hold memory, and that this is intended.
func (e *LeakError) Error() string {
	return fmt.Sprintf("uring: close: the kernel still holds %d operations; their memory is kept until the process ends",
		e.Operations)
}

// Is reports whether target is os.ErrDeadlineExceeded: the bounded wait ran out.
func (e *LeakError) Is(target error) bool { return target == os.ErrDeadlineExceeded }

// lifetime is how a ring ends. The owner's thread alone may tear a ring down while it lives, since it may be
// filling an SQE at any moment and only it can reap; other goroutines ask it to.
type lifetime struct {
	closing atomic.Bool
	ending  atomic.Int64  // the thread that tears the ring down; 0 before
	done    chan struct{} // closed when the ring is torn down
	err     error         // what Close returns; valid once done is closed
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
// owner does not come back to the ring, it is os.ErrDeadlineExceeded, and the ring closes when it does.
func (r *Ring) Close() error {
	r.life.closing.Store(true)
	if gettid() == r.tid {
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

// askOwner interrupts the owner until the ring is torn down or the time is over. It reports whether the owner's
// thread no longer exists.
func (r *Ring) askOwner() (gone bool) {
	deadline := time.NewTimer(2 * r.cfg.closeTimeout) // the owner itself may need as long to drain
	defer deadline.Stop()
	for pause := 50 * time.Microsecond; ; pause = min(2*pause, 10*time.Millisecond) {
		if errors.Is(interrupt(r.tid), unix.ESRCH) {
			return true
		}
		select {
		case <-r.life.done:
			return false
		case <-deadline.C:
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
	if gettid() == r.tid {
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
	defer close(r.life.done)
	r.cleanup.Stop()
	r.withdrawQueued()
	r.arm = nil
	if owner {
		r.drain()
		defer runtime.UnlockOSThread() // what New locked
	} else {
		r.abandon()
	}
	r.closeSenders()
	if r.slots.live > 0 {
		r.life.err = &LeakError{Operations: r.slots.live}
	}
	if owner && r.slots.live == 0 {
		r.unregisterAll()
	}
	r.exit(owner)
}

// withdrawQueued takes back the SQEs that the kernel has not taken.
func (r *Ring) withdrawQueued() {
	r.accountSubmitted()
	queued := r.queued
	for _, s := range queued {
		c, owner, dropped := s.cancelled(), s.owner, s.state == slotDropped
		// On an adopted ring entries of C code may lie between ours, so ours stay, as NOPs.
		*s.sqe.raw = cring.SQE{Opcode: cring.OpNop, Fd: -1, UserData: s.userData()}
		s.state, s.owner = slotDropped, nil
		r.deliver(c, owner, dropped)
	}
	if r.adopted {
		return
	}
	for _, s := range queued {
		r.slots.put(s)
	}
	r.queued = r.queued[:0]
	tail := r.taken()
	*r.c.SQETail, *r.c.SQEHead = tail, tail
	atomic.StoreUint32(r.c.SQTail, tail)
}

// abandon resolves the operations of an owner whose thread is gone. The kernel cancelled what the thread had
// submitted itself when it ended, and waited for that. What a polling thread submitted goes on, and nobody can wait
// for it.
func (r *Ring) abandon() {
	r.drainCQ()
	if r.c.Flags&cring.SetupSQPoll != 0 {
		return
	}
	r.slots.each(func(s *slot) {
		c, owner, dropped := s.cancelled(), s.owner, s.state == slotDropped
		r.stats.Completed++
		r.slots.put(s)
		r.deliver(c, owner, dropped)
	})
	r.queued = r.queued[:0]
}

// drain cancels everything that is in flight and reaps until nothing is, for as long as Close may take.
func (r *Ring) drain() {
	end := time.Now().Add(r.cfg.closeTimeout)
	r.drainCQ()
	for pause := time.Millisecond; r.slots.live > 0; pause = min(2*pause, 100*time.Millisecond) {
		if err := r.cancelAll(end); err != nil {
			return
		}
		round := time.Now().Add(pause)
		for r.slots.live > 0 && time.Now().Before(round) {
			r.c.Wait(1, timespec(time.Until(round)))
			r.stats.Enters++
			r.drainCQ()
		}
		if time.Now().After(end) {
			return
		}
	}
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
		for r.SQSpace() == 0 {
			if _, err := r.submitQueued(); err != nil {
				return err
			}
			if r.SQSpace() > 0 {
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
	if r.slots.live == 0 && !(r.adopted && r.slots.fixed.registered) {
		r.slots.release()
		r.groups.free()
		if r.slab != nil {
			_ = r.slab.Close() // refuses while the kernel may read a chunk, and then keeps it
		}
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
