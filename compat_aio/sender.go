package aio

import (
	"context"
	"fmt"
	"time"

	"github.com/sockring/uring/internal/sendq"
	"github.com/sockring/uring/internal/unix"
)

// Sender is the ordered queue of one stream socket on a Batcher, with the contract of the Sender that io_uring has.
// Messages are copied in, filled in place or handed over; they leave in order, many at a time, and those of many
// Senders with one system call:
//
//	for _, s := range senders {
//		s.Write(message) // queues; a system call once 64 KiB wait
//	}
//	batcher.Submit() // one system call sends for all of them
//
// What the socket does not take, by a slow reader or an error, is accounted to the byte: the Sender goes on from
// there, or Progress says which messages left.
//
// A Sender has one user at a time, together with its Batcher. It does not own the socket, and has its sending
// direction to itself. Batcher.Close closes its Senders. The zero Sender is a closed one.
//
// Ownership: Write and Writev copy, the caller's memory is free again at return. What HandOver takes is the Sender's
// until release is called. Queued bytes live in memory that the Senders of a Batcher share.
type Sender struct {
	batcher *Batcher
	socket  *Socket
	queue   *sendq.Queue

	transfer task     // the request of the queue
	pieces   [][]byte // what it sends
	listed   bool     // it is in the Batcher's todo

	batch    int // bytes that are sent without being asked for
	due      int // how many pending bytes have Write send by itself
	deadline time.Time
	room     room  // scratch of a Write that waits
	closing  bool  // nothing more is to be sent
	broken   error // the accounts do not add up: the kernel is not what we think
	err      error // why nothing will be sent any more
}

// Defaults of a Sender's options, in bytes.
const (
	senderLimitDefault = 1 << 20
	senderBatchDefault = sendq.DefaultChunkSize
)

// SenderOption changes what NewSender makes.
type SenderOption func(*senderConfig)

type senderConfig struct {
	limit int
	batch int
}

// WithLimit bounds the bytes that a Sender accepts and has not sent; 1 MiB by default. A Write beyond it waits.
func WithLimit(bytes int) SenderOption { return func(c *senderConfig) { c.limit = bytes } }

// WithBatch has a Write send by itself, without waiting, once so many bytes wait to be sent; 64 KiB by default. The
// Batcher's other Senders send with it. A larger batch is fewer and longer sends; what must not wait for a batch is
// sent by Flush or Batcher.Submit.
func WithBatch(bytes int) SenderOption { return func(c *senderConfig) { c.batch = bytes } }

// NewSender makes the send queue of the socket. Nothing else may send on the socket meanwhile: transfers of a batch
// and a second Sender get ErrBusy.
func (s *Socket) NewSender(opts ...SenderOption) (*Sender, error) {
	b := s.batcher
	nested, err := b.borrow()
	if err != nil {
		return nil, err
	}
	defer b.giveBack(nested)
	switch {
	case s.closed:
		return nil, ErrClosed
	case s.sender != nil:
		return nil, errHasSender
	case s.lanes[sending].last != nil:
		return nil, fmt.Errorf("%w: a transfer on the socket is not over", ErrBusy)
	}
	cfg := senderConfig{limit: senderLimitDefault, batch: senderBatchDefault}
	for _, o := range opts {
		if o == nil {
			return nil, errNilOption
		}
		o(&cfg)
	}
	if cfg.batch < 1 {
		return nil, outOfRange("a batch of %d bytes", cfg.batch)
	}
	if b.slab == nil {
		if b.slab, err = sendq.NewSlab(sendq.SlabOptions{}); err != nil {
			return nil, fmt.Errorf("aio: sender: %w", err)
		}
	}
	queue, err := sendq.NewQueue(b.slab, cfg.limit)
	if err != nil {
		return nil, fmt.Errorf("aio: sender: %w: %w", err, unix.EINVAL)
	}
	one := &Sender{batcher: b, socket: s, queue: queue, batch: cfg.batch, due: cfg.batch}
	one.transfer = task{socket: s, dir: sending, sender: one}
	s.sender = one
	b.senders[one] = struct{}{}
	return one, nil
}

// Socket returns the socket that the Sender sends on.
func (s *Sender) Socket() *Socket { return s.socket }

// SetDeadline sets when waits for this Sender end with an error that is os.ErrDeadlineExceeded: Write at its limit,
// and Flush. The zero time means never. What is queued then stays queued, and a later deadline lets it go on from the
// exact byte.
func (s *Sender) SetDeadline(t time.Time) { s.deadline = t }

// Buffered returns how many accepted bytes have not left.
func (s *Sender) Buffered() int { return s.queued().Buffered() }

// Accepted returns how many bytes the Sender has taken: the length of the stream so far.
func (s *Sender) Accepted() uint64 { return s.queued().Accepted() }

// Sent returns how many bytes the socket has taken: the exact prefix of what was accepted.
func (s *Sender) Sent() uint64 { return s.queued().SentTotal() }

// Progress returns how many messages the socket has taken entirely, and how many bytes of the next one. It stays as it
// was where the Sender failed or was closed.
func (s *Sender) Progress() (messages uint64, partial int) { return s.queued().Progress() }

// queued is the queue, to be looked at: an empty one of the zero Sender.
func (s *Sender) queued() *sendq.Queue {
	if s.queue == nil {
		return new(sendq.Queue)
	}
	return s.queue
}

// Err returns why the Sender failed, or nil: the socket's error, such as unix.EPIPE, or ErrClosed.
func (s *Sender) Err() error { return s.err }

// errQueueFull is what the Try methods give where a wait would be needed.
var errQueueFull error = &sentinelError{"aio: sender is at its limit", []error{unix.EAGAIN}}

// Write queues a copy of p as one message. It makes no system call until a batch is queued (WithBatch), which it sends
// without waiting; only beyond the limit it waits for room, until the deadline. It returns len(p), or how much was
// taken and why not more. A message longer than the limit is taken in pieces, which Progress counts as messages of
// their own.
func (s *Sender) Write(p []byte) (int, error) { return s.WriteContext(context.Background(), p) }

// WriteContext is Write whose wait ends with ctx, too.
func (s *Sender) WriteContext(ctx context.Context, p []byte) (int, error) {
	if ctx == nil {
		return 0, errNilContext
	}
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
//
// A release may panic or end the goroutine. Whatever it does, what has left is accounted for, the other releases that
// are due are called, and the Batcher can be used and closed as before.
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
	if ctx == nil {
		return errNilContext
	}
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
	if err != nil {
		s.batcher.becameReady(s.socket, sending) // perhaps, and no event has told: the next round looks
	}
	return err
}

// errServing occurs when a callback waits on the Batcher that is just calling it.
var errServing error = &sentinelError{"aio: wait from within a callback of the Batcher", []error{ErrBusy}}
