package aio

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/sendq"
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
// direction to itself. Batcher.Close closes its Senders.
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
func (s *Sender) Buffered() int { return s.queue.Buffered() }

// Accepted returns how many bytes the Sender has taken: the length of the stream so far.
func (s *Sender) Accepted() uint64 { return s.queue.Accepted() }

// Sent returns how many bytes the socket has taken: the exact prefix of what was accepted.
func (s *Sender) Sent() uint64 { return s.queue.SentTotal() }

// Progress returns how many messages the socket has taken entirely, and how many bytes of the next one. It stays as it
// was where the Sender failed or was closed.
func (s *Sender) Progress() (messages uint64, partial int) { return s.queue.Progress() }

// Err returns why the Sender failed, or nil: the socket's error, such as unix.EPIPE, or ErrClosed.
func (s *Sender) Err() error { return s.err }
