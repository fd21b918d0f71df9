package uring

import (
	"errors"
	"fmt"
	"io"
	"os"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/sendq"
	"github.com/sockring/uring/internal/unix"
)

// piecesMax is how many pieces one request sends. A bundle's completion covers 256 buffers at most (FACTS 1), and a
// bundle that had to wait stops there (FACTS 2): with no more published, it takes them all or none.
const piecesMax = 256

// requestBytesMax bounds one request, well below what the kernel caps a send at.
const requestBytesMax = 1 << 30

// senderSet is the Senders of a ring, which it feeds with the requests of those that have something to send.
type senderSet struct {
	ring *Ring
	all  map[*Sender]struct{}
	slab *sendq.Slab // their memory

	wanting []*Sender // those that send with the next submission, from fed on
	fed     int
	sending int // requests in flight
}

// senderSet returns the Senders of the ring, a set that it makes with the first.
func (r *Ring) senderSet() (*senderSet, error) {
	for _, f := range r.feeders {
		if set, ok := f.(*senderSet); ok {
			return set, nil
		}
	}
	slab, err := sendq.NewSlab(sendq.SlabOptions{})
	if err != nil {
		return nil, fmt.Errorf("uring: sender: %w", err)
	}
	set := &senderSet{ring: r, all: map[*Sender]struct{}{}, slab: slab}
	r.feeders = append(r.feeders, set)
	return set, nil
}

// want puts the Sender on the list of those that send with the next submission. A Sender with pending bytes is
// always on it, or has a request in flight.
func (s *Sender) want() {
	if s.listed || s.state != senderIdle || s.closing {
		return
	}
	s.listed = true
	s.set.wanting = append(s.set.wanting, s)
}

// feed lets Senders with something to send take an SQE each, as long as the queue has room. A release that is called
// meanwhile may come here again, or panic: what a Sender has done is noted before it does anything.
func (q *senderSet) feed() error {
	for q.fed < len(q.wanting) {
		if q.ring.sqSpace() == 0 {
			q.wanting, q.fed = append(q.wanting[:0], q.wanting[q.fed:]...), 0
			return ErrSQFull
		}
		s := q.wanting[q.fed]
		q.wanting[q.fed] = nil
		q.fed++
		s.listed = false
		s.arm()
	}
	q.wanting, q.fed = q.wanting[:0], 0
	return nil
}

// settled reports whether every Sender has sent what it had, or failed.
func (q *senderSet) settled() bool { return len(q.wanting) == q.fed && q.sending == 0 }

// ending has no release called while the ring is torn down, which must not end half-way. Once nothing is in flight the
// Senders end. One whose request the kernel still holds keeps its memory, and so does the slab.
func (q *senderSet) ending() (drained, closed func()) {
	q.wanting, q.fed = nil, 0
	release := sendq.HoldAll(func(yield func(*sendq.Queue) bool) {
		for s := range q.all {
			if !yield(s.queue) {
				return
			}
		}
	})
	drained = func() {
		for s := range q.all {
			if s.state == senderIdle {
				_ = s.end() // what was unsent its release callbacks and Progress tell
			} else {
				s.closing, s.ended, s.err = true, true, ErrClosed
			}
		}
	}
	return drained, func() {
		defer release()
		_ = q.slab.Close() // refuses while the kernel may read a chunk, and then keeps it
	}
}

// arm queues a request for what is pending. The submission queue has room.
func (s *Sender) arm() {
	if s.state != senderIdle || s.err != nil || s.queue.Pending() == 0 {
		return
	}
	if s.full {
		s.armPoll()
		return
	}
	pieces, err := s.queue.Take(s.pieces[:0], piecesMax, requestBytesMax)
	if err != nil {
		s.fail(err)
		return
	}
	s.pieces = pieces
	slot := s.claim(senderSending)
	raw := slot.sqe.raw
	raw.OpFlags, raw.IOPrio = s.msgFlags, s.ioprio
	switch {
	case len(pieces) == 1:
		raw.Opcode = cring.OpSend
		raw.Addr, raw.Len = slot.lend(pieces[0]), uint32(len(pieces[0]))
	case s.bundles && s.ready():
		s.armBundle(slot)
	default:
		s.armSendmsg(slot)
	}
}

// claim takes an SQE for the Sender's next request.
func (s *Sender) claim(state senderState) *slot {
	slot := s.ring.claim()
	slot.owner = s
	slot.sqe.raw.Fd = int32(s.fd)
	s.id, s.state = slot.sqe.ID(), state
	s.set.sending++
	return slot
}

// countsCancelledSends reports whether a send with MSG_WAITALL that is cancelled after a part has left says how much
// that was. Kernels before 6.1 answer ECANCELED then, and no more. Those from 6.1 on are told by what only they can do.
func (r *Ring) countsCancelledSends() bool {
	return r.Features()&FeatRecvSendBundle != 0 || r.Flags()&SetupDeferTaskrun != 0
}

// lend pins a piece until the terminal CQE and returns its address for the kernel.
func (s *slot) lend(p []byte) uint64 {
	first := unsafe.Pointer(unsafe.SliceData(p)) // SAFETY: pinned while the kernel may read it.
	s.pin(first, len(p), kernelReads)
	return uint64(uintptr(first))
}

// ready makes the Sender's buffer group. Where that fails, sendmsg serves from now on.
func (s *Sender) ready() bool {
	if s.group == nil {
		g, err := s.ring.newBufGroup(piecesMax, -1, 0)
		if err != nil {
			s.bundles = false
			return false
		}
		s.group = g
	}
	return true
}

// armBundle publishes the pieces, and asks for all that is published. The group is empty, and stays as it is until
// the request has ended: the kernel takes what it finds.
func (s *Sender) armBundle(slot *slot) {
	for i, p := range s.pieces {
		slot.lend(p)
		s.group.stage(unsafe.Pointer(unsafe.SliceData(p)), uint32(len(p)), uint16(i)) // SAFETY: lent above.
	}
	s.group.publish()
	s.bundled = true
	s.ring.stats.Bundles++
	raw := slot.sqe.raw
	raw.Opcode = cring.OpSend
	raw.Flags = cring.SQEBufferSelect
	raw.IOPrio |= cring.RecvSendBundle
	raw.BufIndex = s.group.id
}

// armSendmsg sends the pieces by an iovec array.
func (s *Sender) armSendmsg(slot *slot) {
	if s.iov == nil {
		s.iov = make([]cring.Iovec, piecesMax)
	}
	for i, p := range s.pieces {
		s.iov[i] = cring.Iovec{Base: slot.lend(p), Len: uint64(len(p))}
	}
	iov := unsafe.Pointer(unsafe.SliceData(s.iov)) // SAFETY: pinned while the kernel may read it.
	slot.pin(iov, len(s.pieces)*int(unsafe.Sizeof(cring.Iovec{})), kernelReads)
	hdr := &slot.args.hdr
	*hdr = cring.Msghdr{Iov: uint64(uintptr(iov)), Iovlen: uint64(len(s.pieces))}
	raw := slot.sqe.raw
	raw.Opcode = cring.OpSendmsg
	raw.Addr = uint64(uintptr(unsafe.Pointer(hdr))) // SAFETY: slots are pinned for the ring's life.
	raw.Len = 1
}

// armPoll waits for room on a socket that refused to wait for it by itself.
func (s *Sender) armPoll() {
	s.full = false
	raw := s.claim(senderPolling).sqe.raw
	raw.Opcode, raw.OpFlags = cring.OpPollAdd, unix.POLLOUT
}

// complete takes a CQE of the request in flight. It calls releases, which may do anything, panic included.
func (s *Sender) complete(c CQE) {
	if !c.More() {
		defer s.over(c)
	}
	if s.state == senderSending && c.Res > 0 {
		if err := s.queue.Sent(int(c.Res)); err != nil {
			s.broken = err
		}
	}
}

// over ends the request in flight with its last CQE.
func (s *Sender) over(c CQE) {
	polled, bundled := s.state == senderPolling, s.bundled
	s.state, s.bundled = senderIdle, false
	s.set.sending--
	s.settle(bundled)
	s.proceed(c, polled, bundled)
}

// settle takes back what the request has left. In the group that is every buffer behind the kernel's head, and
// those it had picked without sending them: the queue holds all of that in order, from the exact byte on (FACTS
// 4).
func (s *Sender) settle(bundled bool) {
	rest := s.queue.InFlight()
	s.queue.Settle()
	clear(s.pieces)
	if rest == 0 || !bundled {
		return
	}
	head, err := s.group.head()
	if err != nil {
		// A filter that was loaded since refuses io_uring_register(2). What has left is known from the completions; the
		// ring keeps the group, and sendmsg serves.
		s.group, s.bundles = nil, false
		return
	}
	s.group.rewind(head)
}

// proceed decides what follows a request's last CQE.
func (s *Sender) proceed(c CQE, polled, bundled bool) {
	var errno unix.Errno
	if c.Res < 0 {
		errno = unix.Errno(-c.Res)
	}
	switch {
	case s.broken != nil:
		s.fail(s.broken)
		return
	case errno == unix.EAGAIN && !polled:
		s.full = true
	case errno == unix.EINVAL && bundled:
		s.bundles = false // the kernel announces bundles, yet does not take this one
	case errno == unix.ECANCELED, errno == unix.EINTR:
	case errno != 0:
		s.fail(c.Err())
		return
	case c.Res == 0 && !polled:
		s.fail(fmt.Errorf("uring: send on socket %d took nothing: %w", s.fd, io.ErrNoProgress))
		return
	}
	if s.queue.Pending() > 0 {
		s.want()
	}
}

// fail ends the Sender: nothing is sent any more, and what was handed over is released. A release may panic, so it
// comes last.
func (s *Sender) fail(err error) {
	s.err = err
	if _, e := s.queue.Fail(err); e != nil {
		s.err = errors.Join(err, e)
	}
}

// halt cancels the request in flight and waits for its last CQE.
func (s *Sender) halt() error {
	if s.state == senderIdle {
		return nil
	}
	return s.ring.cancelAndAwait(s.id, (*idleSender)(s))
}

// idleSender waits until a Sender has no request in flight.
type idleSender Sender

func (s *idleSender) settled() bool { return s.state == senderIdle }

func (s *idleSender) cancellable() bool { return true }

// UnsentError says what a closed Sender had not sent.
type UnsentError struct {
	Messages int // messages that did not leave entirely
	Bytes    int // bytes that did not leave
	Partial  int // bytes of the first of these messages that did leave
}

// Error tells how much was left, and where the stream broke off.
func (e *UnsentError) Error() string {
	return fmt.Sprintf("uring: sender closed with %d messages, %d bytes, unsent; %d bytes of the first had left",
		e.Messages, e.Bytes, e.Partial)
}

// Close ends the Sender: the request in flight is cancelled and accounted for, and what was handed over is
// released with ErrClosed. The error is an *UnsentError where bytes were left; Flush first to send them. The
// socket stays open.
func (s *Sender) Close() error {
	switch err := s.ring.owned(); {
	case errors.Is(err, ErrNotOwner):
		return err
	case s.ended:
		return nil
	case err != nil:
		return err
	}
	s.closing = true
	if err := s.halt(); err != nil {
		return err
	}
	if s.ended {
		return s.err // by a Close of the ring from elsewhere, meanwhile
	}
	return s.end()
}

// end drops what is left, with nothing in flight.
func (s *Sender) end() error {
	s.closing, s.ended = true, true
	delete(s.set.all, s)
	_, partial := s.queue.Progress()
	unsent := UnsentError{Messages: s.queue.MessagesQueued(), Bytes: s.queue.Buffered(), Partial: partial}
	var err error
	if s.group != nil && !s.ring.life.closing.Load() {
		err = s.group.close() // with the ring goes the group
	}
	if s.err == nil {
		s.fail(ErrClosed)
	}
	if unsent.Bytes > 0 {
		return errors.Join(&unsent, err)
	}
	return err
}

// streamOnly refuses sockets that keep message boundaries: what is sent for them must not be joined or split.
func streamOnly(fd int) error {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return fmt.Errorf("uring: type of socket %d: %w", fd, os.NewSyscallError("getsockopt", err))
	}
	if typ != unix.SOCK_STREAM {
		return fmt.Errorf("uring: socket %d is not a stream: %w", fd, unix.EPROTOTYPE)
	}
	return nil
}
