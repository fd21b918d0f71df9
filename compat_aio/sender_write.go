package aio

import (
	"context"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/sendq"
)

// errQueueFull is what the Try methods give where a wait would be needed.
var errQueueFull error = &sentinelError{"aio: sender is at its limit", []error{unix.EAGAIN}}

// Write queues a copy of p as one message. It makes no system call until a batch is queued (WithBatch), which it sends
// without waiting; only beyond the limit it waits for room, until the deadline. It returns len(p), or how much was
// taken and why not more. A message longer than the limit is taken in pieces, which Progress counts as messages of
// their own.
func (s *Sender) Write(p []byte) (int, error) { return s.WriteContext(context.Background(), p) }

// WriteContext is Write whose wait ends with ctx, too.
func (s *Sender) WriteContext(ctx context.Context, p []byte) (int, error) {
	nested, err := s.batcher.borrow()
	if err != nil {
		return 0, err
	}
	defer s.batcher.giveBack(nested)
	if err := s.queue.Write(p); err != nil {
		return s.queue.WriteAll(ctx, (*filling)(s), p, err)
	}
	s.queuedMore()
	return len(p), nil
}

// TryWrite is Write that never waits: where the queue lacks room for all of p it takes nothing, and the error is
// unix.EAGAIN.
func (s *Sender) TryWrite(p []byte) error {
	nested, err := s.batcher.borrow()
	if err != nil {
		return err
	}
	defer s.batcher.giveBack(nested)
	switch err := s.queue.Write(p); {
	case sendq.Waitable(err):
		return errQueueFull
	case err != nil:
		return sendq.Explain(err)
	}
	s.queuedMore()
	return nil
}

// Writev queues a copy of bufs, one after the other, as one message. It waits as Write does, and takes all or nothing:
// a message longer than the limit is refused with unix.EMSGSIZE.
func (s *Sender) Writev(bufs [][]byte) error {
	return s.put(func() error { return s.queue.Writev(bufs) })
}

// Reserve returns n bytes of the queue's memory to be filled, at least 1 and at most 64 KiB; Commit makes them a
// message. It waits for room as Write does. In between nothing else can be written; the bytes are not zeroed.
func (s *Sender) Reserve(n int) (p []byte, err error) {
	err = s.put(func() error {
		p, err = s.queue.Reserve(n)
		return err
	})
	return p, err
}

// Commit queues the first n bytes of what Reserve returned as one message, or with 0 none. The slice must not be used
// afterwards.
func (s *Sender) Commit(n int) error {
	return s.put(func() error { return s.queue.Commit(n) })
}

// HandOver queues p as one message without copying it. p is the Sender's until release is called: with len(p) and nil
// once all of it has left, or with what had left and the reason where the Sender fails or is closed first. release is
// called once, in the order of the stream, from within calls on the Batcher and its Senders, and must not wait on
// them; nil is for memory that never changes. It waits for room as Write does; where HandOver fails, p stays the
// caller's.
func (s *Sender) HandOver(p []byte, release func(sent int, err error)) error {
	return s.put(func() error {
		defer s.batcher.calledBack(s.batcher.callBack()) // An empty p is released at once.
		return s.queue.HandOver(p, release)
	})
}

// put puts something into the queue, and waits for room as often as it must.
func (s *Sender) put(put func() error) error {
	nested, err := s.batcher.borrow()
	if err != nil {
		return err
	}
	defer s.batcher.giveBack(nested)
	return sendq.Put(context.Background(), (*filling)(s), put)
}

// queuedMore has the Sender send with the next round, and makes that now where a batch is queued. What fails for all
// says so to whoever submits or waits next: the bytes are queued all the same.
func (s *Sender) queuedMore() {
	s.want()
	if s.queue.Pending() >= s.due && !s.batcher.serving.Load() {
		s.due = s.queue.Pending() + s.batch
		_ = s.batcher.submit()
	}
}

// filling is the Sender as its queue sees it.
type filling Sender

// Queued has what was put into the queue sent in time.
func (f *filling) Queued() { (*Sender)(f).queuedMore() }

// AwaitRoom sends until at least one byte has left.
func (f *filling) AwaitRoom(ctx context.Context) error {
	s := (*Sender)(f)
	s.room = room{s: s, sent: s.Sent()}
	if err := s.await(ctx, &s.room); err != nil {
		return err
	}
	return s.err
}

// room waits until bytes of a Sender have left, or nothing more will.
type room struct {
	s    *Sender
	sent uint64
}

func (w *room) settled() bool { return w.s.err != nil || w.s.Sent() != w.sent || w.s.Buffered() == 0 }

// Flush sends everything that is queued, and waits until the socket has taken it. It ends early with the socket's
// error, with ctx, or at the deadline; Sent and Progress are exact, and what is left stays queued for the next
// submission.
func (s *Sender) Flush(ctx context.Context) error {
	if err := s.batcher.enter(); err != nil {
		return err
	}
	defer s.batcher.leave()
	if s.err == nil {
		if err := s.await(ctx, s); err != nil {
			return err
		}
	}
	return s.err
}

// settled reports whether there is nothing left to wait for.
func (s *Sender) settled() bool { return s.err != nil || s.Buffered() == 0 }

// await makes rounds until w is settled.
func (s *Sender) await(ctx context.Context, w settler) error {
	if s.batcher.serving.Load() {
		return errServing
	}
	s.want()
	err := s.batcher.await(ctx, s.deadline, w)
	if s.err != nil {
		return nil
	}
	return err
}

// errServing occurs when a callback waits on the Batcher that is just calling it.
var errServing error = &sentinelError{"aio: wait from within a callback of the Batcher", []error{ErrBusy}}
