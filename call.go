package uring

import (
	"context"
	"errors"
	"time"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
)

// call is one operation that the owner waits for: Send and its relatives. This is its life:
//
//	over --SQE--> begun --enter--> in flight --result, F_MORE--> result there
//	                |               |      |                      |        |
//	            withdrawn       last CQE   |             notification      |
//	                |               |      |                      |        |
//	                v               v      |                      |        |
//	              over <--read-- notification there <-------------+        |
//	                ^                      |                               |
//	                +---last CQE--- leaked <----------time is up-----------+
//
// Who may touch what, in each state. The memory is what the SQE names: the caller's bytes, and a bundle's buffers.
//
//	state               record                     slot                    memory
//	over                Ring.calls, or new: free   none                    the caller's
//	begun               the owner, who waits       owner fills it          pinned; the caller has lent it
//	in flight           the owner, and complete    the kernel's            the kernel's, pinned
//	result there        the same; the count is     the kernel's            the kernel's, pinned: it may send from
//	                    final                                              it again, until the notification
//	notification there  the owner, to read it      free, another's         the caller's
//	leaked              complete alone; nobody     the kernel's            the kernel's, pinned: the caller was
//	                    waits, nobody reads it                             told so by a LeakError
//
// A request that only makes one CQE goes from in flight to notification there at once: the kernel says both with it.
//
// Three rules keep it so, on every way out, a panic and runtime.Goexit in a callback included:
//
//   - What is begun is withdrawn: the SQE becomes a NOP, and nothing of it ever leaves.
//   - What the kernel has is cancelled and waited for, for as long as WithCloseTimeout says, blocked in the kernel.
//     Where only the notification is missing there is nothing to cancel (FACTS 44), and it is waited for alone.
//   - What is not over then is leaked. The record hangs on its slot alone, and the slot keeps the memory pinned, until
//     the last CQE: then the slot is free and the record may be used again. Where that CQE never comes both are kept.
//
// So a record is free only in the state over, which it reaches only by the kernel's last CQE or without the kernel
// ever having had the request.
type call struct {
	ring   *Ring
	state  callState
	slot   *slot    // of the request; another's from callNotified on
	from   *BufRing // where a bundle takes its buffers
	pieces []Piece  // scratch for what they were

	n      int
	short  bool // the last buffer left in part
	copied bool // a zero-copy send was copied
	err    error
}

// callState is where a call is in its life.
type callState uint8

const (
	callOver     callState = iota
	callBegun              // in the submission queue, perhaps taken since: see look
	callInFlight           // the kernel has it
	callResult             // a zero-copy send's result is there, and its notification is not
	callNotified           // the last CQE is there
	callLeaked             // the caller has left without the last CQE
)

// newCall returns a call that nobody waits for, an old one where there is one.
func (r *Ring) newCall() *call {
	if last := len(r.calls) - 1; last >= 0 {
		k := r.calls[last]
		r.calls = r.calls[:last]
		return k
	}
	return &call{ring: r}
}

// release ends the caller's use of the call, in whatever state it is. It is deferred: what is not over here is passed
// by a panic or by runtime.Goexit, and ends as it would by an error.
func (k *call) release() {
	if k.state != callOver && k.state != callLeaked {
		defer k.recycle() // another panic may come
		k.giveUp(nil)
		return
	}
	k.recycle()
}

// recycle makes the record free to be used again, once the kernel cannot complete it any more.
func (k *call) recycle() {
	switch k.look() {
	case callOver, callNotified:
		*k = call{ring: k.ring, pieces: k.pieces[:0]}
		k.ring.calls = append(k.ring.calls, k)
	case callBegun, callInFlight, callResult:
		k.state = callLeaked
	case callLeaked:
	}
}

// run prepares the operation, submits it and serves completions until its last one. Where ctx ends or the ring
// fails the operation is withdrawn or cancelled first, so that its memory is the caller's again when run returns; a
// LeakError says where it is not.
func (k *call) run(ctx context.Context, prep func(*SQE) error) (int, error) {
	r := k.ring
	if err := r.owned(); err != nil {
		return 0, err
	}
	if r.serving {
		return 0, errServing // nothing of it could be waited for
	}
	if ctx == nil {
		return 0, errNilContext
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s, err := r.SQE()
	if err != nil {
		return 0, err
	}
	k.begin(s.slot)
	if err := prep(s); err != nil {
		k.withdraw()
		return 0, err
	}
	err = r.await(ctx, forever, k)
	if k.state != callNotified {
		return k.giveUp(err)
	}
	k.state = callOver
	return k.n, k.err
}

// begin ties a call that is over to a new request.
func (k *call) begin(s *slot) {
	if k.state != callOver {
		panic("uring: a call was begun again before it was over")
	}
	k.n, k.short, k.copied, k.err = 0, false, false, nil
	k.slot, k.state = s, callBegun
	s.owner = k
}

// look returns the state, and notes where the kernel has taken the SQE since it was queued.
func (k *call) look() callState {
	if k.state == callBegun && k.slot.sqe.raw == nil {
		k.state = callInFlight
	}
	return k.state
}

// withdraw ends a call that the kernel has not taken.
func (k *call) withdraw() {
	k.slot.withdraw()
	k.slot, k.state = nil, callOver
}

// giveUp is the way out of a call that has not ended by itself: err says why, and is nil where a panic does.
func (k *call) giveUp(err error) (int, error) {
	if !k.ring.life.closing.Load() {
		k.ring.accountSubmitted()
	}
	if k.look() == callBegun {
		k.withdraw()
		return 0, err
	}
	if e := k.ring.cancelAndAwait(OpID(k.slot.userData()), k); k.state != callNotified {
		k.state = callLeaked
		return k.n, errors.Join(err, e)
	}
	k.state = callOver
	if errors.Is(k.err, unix.ECANCELED) || errors.Is(err, k.err) {
		k.err = nil
	}
	return k.n, errors.Join(err, k.err)
}

// settled reports whether the kernel has let go.
func (k *call) settled() bool { return k.state == callNotified }

// cancellable reports whether the kernel would find the request.
func (k *call) cancellable() bool { return k.state != callResult }

// complete takes a CQE of the operation.
func (k *call) complete(c CQE) {
	if c.Flags&CQENotif != 0 {
		k.copied = uint32(c.Res)&cring.NotifUsageZCCopied != 0
		if k.state != callResult {
			k.err = errNoResult
		}
	} else if k.state != callResult {
		k.result(c)
	}
	if k.ring.life.ending.Load() != 0 && (k.err == nil || errors.Is(k.err, unix.ECANCELED)) {
		k.err = ErrClosed // the count says what had left all the same
	}
	switch {
	case c.More() && k.state == callLeaked:
	case c.More() && c.op == cring.OpSendZC:
		k.state = callResult
	case c.More():
		k.state = callInFlight // a bundle has more to send
	case k.state == callLeaked:
		k.state = callOver
		k.recycle()
	default:
		k.state = callNotified
	}
}

// errNoResult occurs where the kernel lets go of a request whose result it has not told, which it never does.
var errNoResult = errors.New("uring: the kernel ended a request without a result")

// result takes what a CQE says of the operation itself.
func (k *call) result(c CQE) {
	if k.from != nil {
		k.account(c)
	}
	if c.Res < 0 {
		k.err = c.Err()
		return
	}
	k.n += int(c.Res)
}

// account returns the buffers that a bundle's CQE speaks of to the application.
func (k *call) account(c CQE) {
	var err error
	k.pieces, err = k.from.Consume(c, k.pieces[:0])
	if err != nil && k.err == nil {
		k.err = err
	}
	if last := len(k.pieces) - 1; last >= 0 {
		k.short = k.pieces[last].Left > 0
	}
}

// settler is what an await waits for.
type settler interface{ settled() bool }

// await submits what is queued and serves completions until w is settled, ctx ends, or timeout has passed. Sends to
// sockets with room complete within the first submission, and nothing is waited for then. A ring on which completions
// never cease does not prolong it.
func (r *Ring) await(ctx context.Context, timeout time.Duration, w settler) error {
	if r.serving {
		return errServing
	}
	if err := r.flushOnce(); err != nil || w.settled() {
		return err
	}
	end := time.Now().Add(timeout)
	for !w.settled() {
		spec := waitSpec{n: 1, timeout: forever, fresh: true}
		if timeout != forever {
			if spec.timeout = time.Until(end); spec.timeout <= 0 {
				return errTimeout
			}
		}
		err := r.feed()
		if err == nil {
			err = r.wait(ctx, spec)
		}
		if e := r.reap(); err == nil {
			err = e
		}
		if err != nil && !w.settled() {
			return err
		}
	}
	return nil
}

// flushOnce submits without waiting and serves what completed.
func (r *Ring) flushOnce() error {
	if err := r.feed(); err != nil {
		return err
	}
	_, err := r.submitQueued()
	if e := r.reap(); err == nil {
		err = e
	}
	return err
}

// victim is an operation that is to end.
type victim interface {
	settler
	cancellable() bool // whether a cancellation would find it
}

// How long an operation is waited for before it is cancelled again: at first, and at most.
const (
	cancelPauseMin = time.Millisecond
	cancelPauseMax = 100 * time.Millisecond
)

// cancelAndAwait cancels an operation and waits for its last CQE, so that the kernel is done with its memory. The
// wait is bounded as Close is, and then the error is a LeakError; the slot keeps the memory of an operation that does
// not end.
//
// A request whose socket has just become ready neither waits nor runs, and the kernel does not find it; then it can
// find itself waiting for the rest of its bytes. One that runs may not have noticed its cancellation. So one that has
// not ended after a while is cancelled again.
func (r *Ring) cancelAndAwait(id OpID, v victim) error {
	if r.serving {
		return errServing
	}
	end := time.Now().Add(r.cfg.closeTimeout)
	for pause := cancelPauseMin; !v.settled(); pause = min(2*pause, cancelPauseMax) {
		if r.life.closing.Load() { // the queues may not be mapped any more
			_ = r.closeOwned() // cancels and drains everything, unless that was done
			if !v.settled() {
				return &LeakError{Operations: 1, Err: ErrClosed}
			}
			return nil
		}
		left := time.Until(end)
		if left <= 0 {
			return &LeakError{Operations: 1}
		}
		err := r.cancelOnce(id, v, end, pause)
		switch {
		case r.life.closing.Load(): // see above
		case err == nil, v.settled(), errors.Is(err, errTimeout):
		case transient(err):
			time.Sleep(min(pause, left))
		default:
			return &LeakError{Operations: 1, Err: err}
		}
	}
	return nil
}

// cancelOnce cancels an operation and waits until it has ended: to the end where the kernel has promised that, or where
// only a notification is missing, which cannot be cancelled; else for a pause.
func (r *Ring) cancelOnce(id OpID, v victim, end time.Time, pause time.Duration) error {
	if v.cancellable() {
		if err := r.roomForOne(); err != nil {
			return err
		}
		c := &cancellation{victim: v}
		r.claimCancel(id, c)
		err := r.await(context.Background(), time.Until(end), c)
		if err != nil || v.settled() {
			return err
		}
		if c.res != 0 && v.cancellable() {
			return r.await(context.Background(), min(pause, time.Until(end)), v)
		}
	}
	return r.await(context.Background(), time.Until(end), v)
}

// transient reports whether what refused a kernel entry may have passed a moment later.
func transient(err error) bool {
	for _, e := range []error{unix.EAGAIN, unix.EBUSY, unix.ENOMEM, unix.EINTR, ErrSQFull} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// roomForOne makes room for an SQE.
func (r *Ring) roomForOne() error {
	if r.sqSpace() == 0 {
		if _, err := r.submitQueued(); err != nil {
			return err
		}
	}
	if r.sqSpace() == 0 { // a polling thread takes its time
		return r.makeRoom()
	}
	return nil
}

// cancellation waits until an operation is over, or the kernel has answered its cancellation.
type cancellation struct {
	victim   victim
	answered bool
	res      int32
}

func (c *cancellation) settled() bool { return c.answered || c.victim.settled() }

func (c *cancellation) complete(cqe CQE) { c.answered, c.res = true, cqe.Res }
