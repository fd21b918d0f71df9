package uring

import (
	"fmt"
	"iter"
	"os"
	"sync/atomic"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
)

// CQE is one completion. It is a copy: it stays valid for as long as it is kept.
type CQE struct {
	Res    int32    // the operation's result; a negative errno where it failed
	Flags  CQEFlags // what else the kernel says
	Data   any      // what SQE.SetData attached
	Data64 uint64   // what SQE.SetData64 attached

	// ID names the operation. For a Foreign CQE it is the user data that C code put into its SQE.
	ID      OpID
	Foreign bool // the request was queued by C code on the same ring

	op     uint8 // the opcode, for the text of errors
	bundle bool  // the operation was a bundle: its bytes may lie in many buffers
	from   bufferSource
	group  uint32 // serial of the group that the operation takes buffers from, or 0
}

// Err returns the operation's error, or nil: an *os.SyscallError around the errno, so that
// errors.Is(err, unix.ECONNRESET) holds. Of an operation that found no provided buffer it is ErrNoBuffers where the
// group is empty, ErrNoBufferGroup where the ring has no such group, and the kernel's errno all the same.
func (c CQE) Err() error {
	if c.Res >= 0 {
		return nil
	}
	if err := c.bufferError(); err != nil {
		return err
	}
	return os.NewSyscallError(opName(c.op), unix.Errno(-c.Res))
}

// More reports whether further CQEs of the same operation will follow: the memory it names still is the kernel's.
func (c CQE) More() bool { return c.Flags&CQEMore != 0 }

// Buffer returns the id of the provided buffer that the operation began with, if it took one.
func (c CQE) Buffer() (id uint16, ok bool) {
	return uint16(c.Flags >> cring.CQEBufferShift), c.Flags&CQEBuffer != 0
}

// Completions yields the completions that are there, without waiting and without entering the kernel unless
// completions are held back there. A loop that is left early loses nothing: what it did not see comes next time.
// The loop may fill and submit SQEs. To another goroutine than the owner it yields nothing, unless the ring is closed.
func (r *Ring) Completions() iter.Seq[CQE] {
	return func(yield func(CQE) bool) {
		if _ = r.reap(); !r.readable() {
			return
		}
		for r.readyAt < len(r.ready) {
			if !yield(r.takeReady()) {
				return
			}
		}
	}
}

// Reap copies completions that are there into dst, without waiting, and returns how many. What does not fit stays
// for the next call.
func (r *Ring) Reap(dst []CQE) (int, error) {
	err := r.reap()
	if !r.readable() {
		return 0, err
	}
	n := 0
	for n < len(dst) && r.readyAt < len(r.ready) {
		dst[n] = r.takeReady()
		n++
	}
	if n > 0 {
		return n, nil
	}
	return 0, err
}

// Ready returns how many completions Reap or Completions would give now.
func (r *Ring) Ready() int {
	_ = r.reap() // what was reaped before still counts, also on a closed ring
	if !r.readable() {
		return 0
	}
	return len(r.ready) - r.readyAt
}

func (r *Ring) takeReady() CQE {
	c := r.ready[r.readyAt]
	r.ready[r.readyAt] = CQE{} // drops the reference to Data
	r.readyAt++
	if r.readyAt == len(r.ready) {
		r.ready, r.readyAt = r.ready[:0], 0
	}
	return c
}

// reap takes every CQE from the completion queue: those of the library's own operations are served, the
// others wait in r.ready. Where the kernel holds back completions it is entered for them.
func (r *Ring) reap() error {
	if err := r.owned(); err != nil {
		return err
	}
	r.drainCQ()
	for tries := (attempts{}); r.heldBack(); {
		before := *r.c.CQHead
		if err := r.getEvents(&tries); err != nil {
			return err
		}
		if *r.c.CQHead == before {
			break // task work that posts nothing; more may come for ever
		}
	}
	if r.life.closing.Load() { // meanwhile, perhaps by a completion that was served
		return r.closeOwned()
	}
	return nil
}

// heldBack reports whether the kernel has completions that it posts only when it is entered.
func (r *Ring) heldBack() bool {
	return atomic.LoadUint32(r.c.SQFlags)&(cring.SQCQOverflow|cring.SQTaskrun) != 0
}

// getEvents enters the kernel once for what it holds back: CQEs that did not fit, and task work.
func (r *Ring) getEvents(tries *attempts) error {
	r.noteOverflow()
	err := r.resumable(r.enter(0, r.enterFlags|cring.EnterGetEvents), tries)
	r.drainCQ()
	return err
}

// drainCQ takes all CQEs from the completion queue and serves them. The kernel gets its room back before any of them
// is served. Serving may submit, and so come here again: what is taken then is served after the rest, in the
// kernel's order. Where it panics, the rest comes next time.
func (r *Ring) drainCQ() {
	r.takeCQEs()
	r.serveBatch()
}

// serveBatch serves what was taken.
func (r *Ring) serveBatch() {
	if r.serving {
		return
	}
	r.serving = true
	defer func() { r.serving = false }()
	for r.batchAt < len(r.batch) {
		raw := r.batch[r.batchAt]
		r.batchAt++
		r.serve(&raw)
	}
	r.batch, r.batchAt = r.batch[:0], 0
}

// takeCQEs moves the CQEs between head and tail to the batch.
func (r *Ring) takeCQEs() {
	head := *r.c.CQHead
	tail := atomic.LoadUint32(r.c.CQTail)
	if head == tail {
		return
	}
	// What these complete was taken by the kernel before, perhaps without an entry of ours: SQPOLL, C code.
	r.accountSubmitted()
	for ; head != tail; head++ {
		r.batch = append(r.batch, r.c.CQEs[head&r.cqMask])
		r.cqTaken++
	}
	atomic.StoreUint32(r.c.CQHead, head)
}

// serve gives one CQE to whom it belongs, and ends the operation with its last.
func (r *Ring) serve(raw *cring.CQE) {
	c := CQE{Res: raw.Res, Flags: CQEFlags(raw.Flags), ID: OpID(raw.UserData)}
	switch {
	case raw.UserData == userDataTimeout:
		return
	case raw.UserData&(userDataOurs|userDataSilent) == userDataOurs|userDataSilent:
		r.serveSilent(raw)
		return
	case raw.UserData&userDataOurs == 0:
		c.Foreign = true
		r.ready = append(r.ready, c)
		return
	}
	s := r.slots.find(raw.UserData)
	if s == nil {
		r.stats.Stale++
		return
	}
	c.Data, c.Data64, c.op, c.bundle, c.from = s.data, s.data64, s.op, s.bundle, s.from
	if s.group != nil {
		c.group = s.group.serial
	}
	owner, dropped := s.owner, s.state == slotDropped
	if !c.More() {
		r.stats.Completed++
		r.slots.put(s)
	}
	r.deliver(c, owner, dropped)
}

// deliver hands a completion to the part of the library that waits for it, or keeps it for the application.
func (r *Ring) deliver(c CQE, owner completer, dropped bool) {
	switch {
	case dropped:
	case owner != nil:
		owner.complete(c)
	default:
		r.ready = append(r.ready, c)
	}
}

// Reaped takes a completion of Go's that C code on the ring has reaped: the three fields of its struct io_uring_cqe,
// copied before io_uring_cqe_seen(3). It comes out of Completions as if Go had reaped it, and what belongs to a Sender
// or a call goes there. Hand completions over in the order in which they were reaped, before Go reaps others.
//
// User data without bit 63 is C's own: unix.EINVAL. A completion of an operation that has ended, or that was handed
// over already, is counted as Stats.Stale and gives unix.ENOENT. Nothing can tell whether a completion was made up.
func (r *Ring) Reaped(userData uint64, res int32, flags uint32) error {
	if err := r.owned(); err != nil {
		return err
	}
	r.accountSubmitted() // C code may have submitted it
	switch {
	case userData == userDataTimeout:
		return nil // liburing's own: nobody waits for it
	case userData&userDataOurs == 0:
		return fmt.Errorf("uring: reaped: completion with user data %#x is not Go's: %w", userData, unix.EINVAL)
	case userData&userDataSilent == 0 && r.slots.find(userData) == nil:
		r.stats.Stale++
		return fmt.Errorf("uring: reaped: operation %#x has ended: %w", userData, unix.ENOENT)
	}
	r.batch = append(r.batch, cring.CQE{UserData: userData, Res: res, Flags: flags})
	r.cqTaken++
	r.serveBatch()
	return nil
}
