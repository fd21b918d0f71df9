package uring

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/sendq"
	"github.com/sockring/uring/internal/unix"
)

// Sender is the ordered queue of one stream socket on a Ring. Messages are copied in, filled in place or handed
// over; they leave in order, many with one request and the requests of many Senders with one system call:
//
//	for _, s := range senders {
//		s.Write(message) // queues; a system call once 64 KiB wait
//	}
//	ring.Submit() // one system call sends for all of them
//
// At most one request of a Sender is in flight, so nothing overtakes. A request that ends short, by a slow reader,
// a cancellation or an error, is accounted to the byte: the Sender goes on from there, or Progress says which
// messages left. Bundles serve where the kernel has them (6.10), sendmsg(2) requests elsewhere.
//
// A Sender belongs to its Ring's owner: to another goroutine its methods give ErrNotOwner, and those that return no
// error give zeros and do nothing, until the Ring is closed. It does not own the socket: close the Sender before the
// socket, since close(2) does not end a request. Ring.Close closes its Senders.
//
// Ownership: Write and Writev copy, the caller's memory is free again at return. What HandOver takes is the
// Sender's until release is called. Queued bytes live in memory that the Senders of a ring share.
type Sender struct {
	ring  *Ring
	set   *senderSet
	fd    int
	queue *sendq.Queue

	group  *bufGroup     // of the bundles; made with the first
	iov    []cring.Iovec // of the sendmsg requests; made with the first
	pieces [][]byte      // what the request in flight sends
	state  senderState
	id     OpID // of the request in flight
	listed bool // in the set's list of what wants to send

	full bool // the socket said EAGAIN: poll before the next send

	bundles  bool // where several pieces are to be sent; else sendmsg
	bundled  bool // the request in flight is a bundle
	batch    int  // bytes that are sent without being asked for
	msgFlags uint32
	ioprio   uint16
	deadline time.Time
	room     room  // scratch of a Write that waits
	closing  bool  // nothing more is to be sent
	ended    bool  // it has been closed
	broken   error // the accounts do not add up: the kernel is not what we think
	err      error // why nothing will be sent any more
}

type senderState uint8

const (
	senderIdle    senderState = iota
	senderSending             // a send request is in flight
	senderPolling             // the socket was full: a poll for room is in flight
)

// Defaults of a Sender's options, in bytes.
const (
	senderLimitDefault = 1 << 20
	senderBatchDefault = sendq.DefaultChunkSize
)

// SenderOption changes what NewSender makes.
type SenderOption func(*senderConfig)

type senderConfig struct {
	limit   int
	batch   int
	sendmsg bool
	prompt  bool
}

// WithLimit bounds the bytes that a Sender accepts and has not sent; 1 MiB by default. A Write beyond it waits.
func WithLimit(bytes int) SenderOption { return func(c *senderConfig) { c.limit = bytes } }

// WithBatch has a Write submit by itself, without waiting, once so many bytes wait to be sent; 64 KiB by default.
// The ring's other Senders send with it. A larger batch is fewer and longer sends; what must not wait for a batch
// is sent by Flush or Ring.Submit.
func WithBatch(bytes int) SenderOption { return func(c *senderConfig) { c.batch = bytes } }

// WithSendmsg has the Sender use sendmsg(2) requests even where the kernel has bundles.
func WithSendmsg() SenderOption { return func(c *senderConfig) { c.sendmsg = true } }

// WithPromptRelease has a request end with what the socket takes of it, so that release callbacks and Progress tell of
// every byte as soon as it has left. By default a request goes on by itself until all of it has left, and tells then:
// fewer completions, but a peer that waits for one of them before it reads on would wait for ever.
func WithPromptRelease() SenderOption { return func(c *senderConfig) { c.prompt = true } }

// NewSender makes the send queue of the stream socket fd. Datagram and seqpacket sockets are refused with
// EPROTOTYPE: a queue of bytes would not keep their boundaries. No other part of the program may send on fd
// meanwhile.
func (r *Ring) NewSender(fd int, opts ...SenderOption) (*Sender, error) {
	if err := r.owned(); err != nil {
		return nil, err
	}
	if err := streamOnly(fd); err != nil {
		return nil, err
	}
	cfg := senderConfig{limit: senderLimitDefault, batch: senderBatchDefault}
	for _, o := range opts {
		if o == nil {
			return nil, errNilOption
		}
		o(&cfg)
	}
	if cfg.batch < 1 {
		return nil, fmt.Errorf("uring: sender: batch of %d bytes: %w", cfg.batch, unix.EINVAL)
	}
	set, err := r.senderSet()
	if err != nil {
		return nil, err
	}
	queue, err := sendq.NewQueue(set.slab, cfg.limit)
	if err != nil {
		return nil, fmt.Errorf("uring: sender: %w", err)
	}
	s := &Sender{
		ring: r, set: set, fd: fd, queue: queue, batch: cfg.batch,
		bundles:  !cfg.sendmsg && r.Features()&FeatRecvSendBundle != 0,
		msgFlags: unix.MSG_NOSIGNAL,
	}
	switch {
	case cfg.prompt:
		s.msgFlags |= unix.MSG_DONTWAIT // a bundle goes on by itself without it, too (FACTS 6)
	case r.countsCancelledSends():
		s.msgFlags |= unix.MSG_WAITALL // the kernel goes on by itself after a part
	}
	set.all[s] = struct{}{}
	return s, nil
}

// SetDeadline sets when waits for this Sender end with an error that is os.ErrDeadlineExceeded: Write at its
// limit, and Flush. The zero time means never. What is queued then stays queued, and a later deadline lets it go
// on from the exact byte.
func (s *Sender) SetDeadline(t time.Time) {
	if s.ring.mine() {
		s.deadline = t
	}
}

// Buffered returns how many accepted bytes have not left.
func (s *Sender) Buffered() int {
	if !s.ring.readable() {
		return 0
	}
	return s.queue.Buffered()
}

// Accepted and Sent count the bytes of the stream that the Sender took, and of these the exact prefix that the
// socket took.
func (s *Sender) Accepted() uint64 {
	if !s.ring.readable() {
		return 0
	}
	return s.queue.Accepted()
}

// Sent returns how many bytes the socket has taken: the exact prefix of what was accepted.
func (s *Sender) Sent() uint64 {
	if !s.ring.readable() {
		return 0
	}
	return s.queue.SentTotal()
}

// Progress returns how many messages the socket has taken entirely, and how many bytes of the next one. It stays
// as it was where the Sender failed or was closed.
func (s *Sender) Progress() (messages uint64, partial int) {
	if !s.ring.readable() {
		return 0, 0
	}
	return s.queue.Progress()
}

// Err returns why the Sender failed, or nil: the socket's error, such as unix.EPIPE, or ErrClosed.
func (s *Sender) Err() error {
	if !s.ring.isZero() && !s.ring.readable() {
		return ErrNotOwner
	}
	return s.err
}

// errQueueFull is what the Try methods give where a wait would be needed.
var errQueueFull error = &sentinelError{"uring: sender is at its limit", unix.EAGAIN}

// Write queues a copy of p as one message. It makes no system call until a batch is queued (WithBatch), which it
// submits without waiting; only beyond the limit it waits for room, until the deadline. It returns len(p), or how
// much was taken and why not more. A message longer than the limit is taken in pieces, which Progress counts as
// messages of their own.
func (s *Sender) Write(p []byte) (int, error) {
	if err := s.ring.owned(); err != nil {
		return 0, err
	}
	if err := s.queue.Write(p); err != nil {
		return s.queue.WriteAll(context.Background(), (*filling)(s), p, err)
	}
	s.queuedMore()
	return len(p), nil
}

// WriteContext is Write whose wait ends with ctx, too.
func (s *Sender) WriteContext(ctx context.Context, p []byte) (int, error) {
	if err := s.ring.owned(); err != nil {
		return 0, err
	}
	if ctx == nil {
		return 0, errNilContext
	}
	if err := s.queue.Write(p); err != nil {
		return s.queue.WriteAll(ctx, (*filling)(s), p, err)
	}
	s.queuedMore()
	return len(p), nil
}

// TryWrite is Write that never waits: where the queue lacks room for all of p it takes nothing, and the error is
// unix.EAGAIN.
func (s *Sender) TryWrite(p []byte) error {
	if err := s.ring.owned(); err != nil {
		return err
	}
	switch err := s.queue.Write(p); {
	case sendq.Waitable(err):
		return errQueueFull
	case err != nil:
		return sendq.Explain(err)
	}
	s.queuedMore()
	return nil
}

// Writev queues a copy of bufs, one after the other, as one message. It waits as Write does, and takes all or
// nothing: a message longer than the limit is refused with unix.EMSGSIZE.
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

// Commit queues the first n bytes of what Reserve returned as one message, or with 0 none. The slice must not be
// used afterwards.
func (s *Sender) Commit(n int) error {
	return s.put(func() error { return s.queue.Commit(n) })
}

// HandOver queues p as one message without copying it. p is the Sender's until release is called: with len(p) and
// nil once all of it has left, or with what had left and the reason where the Sender fails or is closed first.
// release is called once, in the order of the stream, from within the owner's calls on the ring, and must not wait
// on it; nil is for memory that never changes. It waits for room as Write does; where HandOver fails, p stays the
// caller's.
//
// A release may panic or end the goroutine. Whatever it does, the request that it comes with is accounted for, the
// other releases that are due are called, and the Sender and its ring can be used and closed as before.
func (s *Sender) HandOver(p []byte, release func(sent int, err error)) error {
	return s.put(func() error { return s.queue.HandOver(p, release) })
}

// queuedMore has the Sender send with the next submission, and makes that one now where a batch is queued. A ring
// that fails says so to whoever submits or waits next: the bytes are queued all the same.
func (s *Sender) queuedMore() {
	s.want()
	if s.queue.Pending() >= s.batch {
		_ = s.ring.flushOnce()
	}
}

// put puts something into the queue, and waits for room as often as it must.
func (s *Sender) put(put func() error) error {
	if err := s.ring.owned(); err != nil {
		return err
	}
	return sendq.Put(context.Background(), (*filling)(s), put)
}

// filling is the Sender as its queue sees it.
type filling Sender

// Queued has what was put into the queue sent in time.
func (f *filling) Queued() { (*Sender)(f).queuedMore() }

// AwaitRoom sends until at least one byte has left.
func (f *filling) AwaitRoom(ctx context.Context) error {
	s := (*Sender)(f)
	s.room = room{s: s, sent: s.queue.SentTotal()}
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

func (w *room) settled() bool {
	return w.s.err != nil || w.s.queue.SentTotal() != w.sent || w.s.queue.Buffered() == 0
}

// Flush sends everything that is queued, and waits until the socket has taken it. It ends early with the socket's
// error, with ctx, or at the deadline; then the request in flight is cancelled, so that Sent and Progress are
// exact, and what is left stays queued for the next submission.
func (s *Sender) Flush(ctx context.Context) error {
	if err := s.ring.owned(); err != nil {
		return err
	}
	if ctx == nil {
		return errNilContext
	}
	if s.err == nil {
		if err := s.await(ctx, s); err != nil {
			return err
		}
	}
	return s.err
}

// settled reports whether there is nothing left to wait for.
func (s *Sender) settled() bool { return s.err != nil || s.queue.Buffered() == 0 }

// await drives the ring until w is settled. Where it gives up, the request in flight is cancelled and accounted
// for.
func (s *Sender) await(ctx context.Context, w settler) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	timeout := forever
	if !s.deadline.IsZero() {
		if timeout = time.Until(s.deadline); timeout <= 0 {
			return errTimeout
		}
	}
	s.want()
	err := s.ring.await(ctx, timeout, w)
	if err == nil || s.err != nil {
		return nil
	}
	return errors.Join(err, s.halt())
}

// Flush sends what all Senders of the ring have queued, together, and waits until their sockets have taken it, or
// ctx ends. A Sender that fails does not hold up the others; its error is its own, see Sender.Err.
func (r *Ring) Flush(ctx context.Context) error {
	if err := r.owned(); err != nil {
		return err
	}
	if ctx == nil {
		return errNilContext
	}
	set, err := r.senderSet()
	if err != nil {
		return err
	}
	return r.await(ctx, forever, set)
}

// ArmSenders fills SQEs with what Senders have queued, without submitting, so that C code's io_uring_submit(3) takes
// them along; what Go calls to submit does so by itself. Where the submission queue has no room for all of them it is
// ErrSQFull, and the others go with a later submission.
func (r *Ring) ArmSenders() error {
	if err := r.owned(); err != nil {
		return err
	}
	return r.feedWhatFits()
}
