package uring

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/sendq"
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
// A Sender belongs to its Ring's owner. It does not own the socket: close the Sender before the socket, since
// close(2) does not end a request. Ring.Close closes its Senders.
//
// Ownership: Write and Writev copy, the caller's memory is free again at return. What HandOver takes is the
// Sender's until release is called. Queued bytes live in memory that the Senders of a ring share.
type Sender struct {
	ring  *Ring
	fd    int
	queue *sendq.Queue

	group  *bufGroup     // of the bundles; made with the first
	iov    []cring.Iovec // of the sendmsg requests; made with the first
	pieces [][]byte      // what the request in flight sends
	state  senderState
	id     OpID // of the request in flight
	listed bool // in the ring's list of what wants to send

	full bool // the socket said EAGAIN: poll before the next send

	bundles  bool // where several pieces are to be sent; else sendmsg
	bundled  bool // the request in flight is a bundle
	batch    int  // bytes that are sent without being asked for
	msgFlags uint32
	ioprio   uint16
	deadline time.Time
	room     room  // scratch of a Write that waits
	closing  bool  // nothing more is to be sent
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
		o(&cfg)
	}
	if cfg.batch < 1 {
		return nil, fmt.Errorf("uring: sender: batch of %d bytes: %w", cfg.batch, unix.EINVAL)
	}
	slab, err := r.sendSlab()
	if err != nil {
		return nil, err
	}
	queue, err := sendq.NewQueue(slab, cfg.limit)
	if err != nil {
		return nil, fmt.Errorf("uring: sender: %w", err)
	}
	s := &Sender{
		ring: r, fd: fd, queue: queue, batch: cfg.batch,
		bundles:  !cfg.sendmsg && r.Features()&FeatRecvSendBundle != 0,
		msgFlags: unix.MSG_NOSIGNAL,
	}
	switch {
	case cfg.prompt:
		s.msgFlags |= unix.MSG_DONTWAIT // a bundle goes on by itself without it, too (FACTS 6)
	case r.countsCancelledSends():
		s.msgFlags |= unix.MSG_WAITALL // the kernel goes on by itself after a part
	}
	if r.senders == nil {
		r.senders = map[*Sender]struct{}{}
	}
	r.senders[s] = struct{}{}
	return s, nil
}

// SetDeadline sets when waits for this Sender end with an error that is os.ErrDeadlineExceeded: Write at its
// limit, and Flush. The zero time means never. What is queued then stays queued, and a later deadline lets it go
// on from the exact byte.
func (s *Sender) SetDeadline(t time.Time) { s.deadline = t }

// Buffered returns how many accepted bytes have not left.
func (s *Sender) Buffered() int { return s.queue.Buffered() }

// Accepted and Sent count the bytes of the stream that the Sender took, and of these the exact prefix that the
// socket took.
func (s *Sender) Accepted() uint64 { return s.queue.Accepted() }

// Sent returns how many bytes the socket has taken: the exact prefix of what was accepted.
func (s *Sender) Sent() uint64 { return s.queue.SentTotal() }

// Progress returns how many messages the socket has taken entirely, and how many bytes of the next one. It stays
// as it was where the Sender failed or was closed.
func (s *Sender) Progress() (messages uint64, partial int) { return s.queue.Progress() }

// Err returns why the Sender failed, or nil: the socket's error, such as unix.EPIPE, or ErrClosed.
func (s *Sender) Err() error { return s.err }
