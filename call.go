package uring

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// call is one operation that the owner waits for.
type call struct {
	ring   *Ring
	from   *BufRing // where a bundle takes its buffers
	pieces []Piece  // scratch for what they were

	n      int
	short  bool // the last buffer left in part
	copied bool // a zero-copy send was copied
	done   bool
	err    error
}

// newCall returns a call that nobody waits for, an old one where there is one.
func (r *Ring) newCall() *call {
	if last := len(r.calls) - 1; last >= 0 {
		k := r.calls[last]
		r.calls = r.calls[:last]
		return k
	}
	return &call{ring: r}
}

// release makes the call free to be used again.
func (k *call) release() {
	*k = call{ring: k.ring, pieces: k.pieces[:0]}
	k.ring.calls = append(k.ring.calls, k)
}

// run prepares the operation, submits it and serves completions until its last one. Where ctx ends or the ring
// fails the operation is cancelled first, so that its memory is the caller's again when run returns.
func (k *call) run(ctx context.Context, prep func(*SQE) error) (int, error) {
	r := k.ring
	if err := r.owned(); err != nil {
		return 0, err
	}
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	s, err := r.SQE()
	if err != nil {
		return 0, err
	}
	if err := prep(s); err != nil {
		return 0, err
	}
	k.n, k.short, k.copied, k.done, k.err = 0, false, false, false, nil
	s.slot.owner = k
	id := s.ID()
	err = r.await(ctx, forever, k)
	if k.done {
		return k.n, k.err
	}
	stuck := r.cancelAndAwait(id, k)
	if errors.Is(k.err, unix.ECANCELED) {
		k.err = nil
	}
	return k.n, errors.Join(err, k.err, stuck)
}

// settled reports whether the operation is over.
func (k *call) settled() bool { return k.done }

// complete takes a CQE of the operation.
func (k *call) complete(c CQE) {
	k.done = !c.More()
	if c.Flags&CQENotif != 0 {
		k.copied = uint32(c.Res)&cring.NotifUsageZCCopied != 0
		return
	}
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
// sockets with room complete within the first submission, and nothing is waited for then.
func (r *Ring) await(ctx context.Context, timeout time.Duration, w settler) error {
	if err := r.flushOnce(); err != nil || w.settled() {
		return err
	}
	end := time.Now().Add(timeout)
	for !w.settled() {
		spec := waitSpec{n: 1, timeout: forever, fresh: true}
		if timeout != forever {
			spec.timeout = max(time.Until(end), 0)
		}
		err := r.armSenders()
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
	if err := r.armSenders(); err != nil {
		return err
	}
	if _, err := r.submitQueued(); err != nil {
		return err
	}
	return r.reap()
}

// cancelAndAwait cancels an operation and waits for its last CQE, so that the kernel is done with its memory. The
// wait is bounded as Close is; the slot keeps the memory of an operation that does not end.
//
// A request whose socket has just become ready neither waits nor runs, and the kernel does not find it; then it can
// find itself waiting for the rest of its bytes. So a cancellation that found nothing is made again until the last CQE
// is there.
func (r *Ring) cancelAndAwait(id OpID, w settler) error {
	end := time.Now().Add(r.cfg.closeTimeout)
	for !w.settled() {
		if r.life.closing.Load() {
			return nil // Close has cancelled and drained everything
		}
		if err := r.roomForOne(); err != nil {
			return err
		}
		c := &cancellation{victim: w}
		r.claimCancel(id, c)
		err := r.await(context.Background(), max(time.Until(end), 0), c)
		switch {
		case errors.Is(err, errTimeout):
			return &LeakError{Operations: 1}
		case err != nil:
			return err
		}
	}
	return nil
}

// roomForOne makes room for an SQE.
func (r *Ring) roomForOne() error {
	if r.SQSpace() == 0 {
		if _, err := r.submitQueued(); err != nil {
			return err
		}
	}
	if r.SQSpace() == 0 { // a polling thread takes its time
		return r.makeRoom()
	}
	return nil
}

// cancellation waits until an operation is over, or its cancellation has found nothing.
type cancellation struct {
	victim settler
	missed bool
}

func (c *cancellation) settled() bool { return c.missed || c.victim.settled() }

func (c *cancellation) complete(cqe CQE) { c.missed = cqe.Res == -int32(unix.ENOENT) }
