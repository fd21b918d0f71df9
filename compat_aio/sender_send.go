package aio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sockring/uring/internal/unix"
)

// requestBytesMax bounds one request, well below what the kernel caps a transfer at.
const requestBytesMax = 1 << 30

// want has the Sender send with the next round. A Sender with pending bytes is among those, or waits for its socket.
func (s *Sender) want() {
	if s.listed || s.closing || s.err != nil || s.queue.Pending() == 0 || s.transfer.lane().waiting != nil {
		return
	}
	s.listed = true
	s.batcher.todo = append(s.batcher.todo, &s.transfer)
}

// load has the transfer send what is pending. An attempt takes it at once or not at all: nothing stays in flight.
func (s *Sender) load() {
	pieces, err := s.queue.Take(s.pieces[:0], vectorsMax, requestBytesMax)
	if err != nil {
		panic(fmt.Sprintf("aio: a Sender that cannot send has its turn: %v", err))
	}
	s.pieces = pieces
	t := &s.transfer
	t.bufs, t.first, t.skip, t.left = pieces, 0, 0, s.queue.InFlight()
}

// unload takes back what was not attempted.
func (s *Sender) unload() {
	s.queue.Settle()
	clear(s.pieces)
}

// sent takes the result of an attempt.
func (s *Sender) sent() {
	s.listed = false
	defer s.proceed() // whatever a release does
	if s.transfer.res > 0 {
		defer s.batcher.calledBack(s.batcher.callBack())
		s.broken = s.queue.Sent(int(s.transfer.res))
	}
}

// proceed decides what follows an attempt whose bytes have been counted.
func (s *Sender) proceed() {
	s.unload()
	t := &s.transfer
	switch errno := t.errno(); {
	case s.broken != nil:
		s.fail(s.broken)
	case errno == unix.EAGAIN:
		if err := s.batcher.waitFor(t); err != nil {
			s.fail(err)
		}
	case t.interrupted():
	case errno != 0:
		s.fail(os.NewSyscallError(t.call, errno))
	case t.res == 0:
		s.fail(fmt.Errorf("aio: send on socket %d took nothing: %w", s.socket.fd, io.ErrNoProgress))
	}
	s.due = s.queue.Pending() + s.batch
	s.want()
}

// fail ends the Sender: nothing is sent any more, and what was handed over is released.
func (s *Sender) fail(err error) {
	s.err = err
	defer s.batcher.calledBack(s.batcher.callBack())
	if _, e := s.queue.Fail(err); e != nil {
		s.err = errors.Join(err, e)
	}
}

// Submit sends what the Senders have queued, as far as their sockets take it without waiting, with one io_submit(2)
// for as many as there are slots. A Sender that fails does not hold up the others; its error is its own, see
// Sender.Err.
func (b *Batcher) Submit() error {
	if err := b.enter(); err != nil {
		return err
	}
	defer b.leave()
	return b.submit()
}

// submit is Submit for who has entered.
func (b *Batcher) submit() error {
	if err := b.lookAtSockets(); err != nil {
		return err
	}
	return b.round()
}

// Flush sends what all Senders have queued, together, and waits until their sockets have taken it, or ctx ends. A
// Sender that fails does not hold up the others; its error is its own, see Sender.Err. After a wait that ctx has ended
// every socket is attempted again by the next call, whatever events have told.
func (b *Batcher) Flush(ctx context.Context) error {
	if ctx == nil {
		return errNilContext
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer b.leave()
	err := b.await(ctx, time.Time{}, (*sendersDone)(b))
	if err != nil {
		for s := range b.senders {
			b.becameReady(s.socket, sending) // as in Sender.await
		}
	}
	return err
}

// sendersDone waits until no Sender has anything to send. No other transfer is under way meanwhile.
type sendersDone Batcher

func (b *sendersDone) settled() bool { return len(b.todo) == 0 && b.waiting == 0 }

// UnsentError says what a closed Sender had not sent.
type UnsentError struct {
	Messages int // messages that did not leave entirely
	Bytes    int // bytes that did not leave
	Partial  int // bytes of the first of these messages that did leave
}

// Error tells how much was left, and where the stream broke off.
func (e *UnsentError) Error() string {
	return fmt.Sprintf("aio: sender closed with %d messages, %d bytes, unsent; %d bytes of the first had left",
		e.Messages, e.Bytes, e.Partial)
}

// Close ends the Sender. What was handed over is released with ErrClosed. The error is an *UnsentError where bytes
// were left; Flush first to send them. The socket stays open, and its Socket too. From within a callback it gives
// ErrBusy.
func (s *Sender) Close() error {
	if err := s.batcher.enter(); err != nil {
		if errors.Is(err, ErrClosed) {
			return nil // The Batcher closes its Senders.
		}
		return err
	}
	defer s.batcher.leave()
	return s.end()
}

// end drops what is left. No attempt is under way.
func (s *Sender) end() error {
	if s.closing {
		return nil
	}
	s.closing = true
	s.batcher.drop(&s.transfer)
	delete(s.batcher.senders, s)
	s.socket.sender = nil
	_, partial := s.Progress()
	unsent := UnsentError{Messages: s.queue.MessagesQueued(), Bytes: s.Buffered(), Partial: partial}
	if s.err == nil {
		s.fail(ErrClosed)
	}
	if unsent.Bytes > 0 {
		return &unsent
	}
	return nil
}

// drop takes a Sender's transfer out of what is to be attempted and what waits.
func (b *Batcher) drop(t *task) {
	if lane := t.lane(); lane.waiting == t {
		lane.waiting = nil
		b.waiting--
	}
	for i, other := range b.todo {
		if other == t {
			b.todo = append(b.todo[:i], b.todo[i+1:]...)
			return
		}
	}
}
