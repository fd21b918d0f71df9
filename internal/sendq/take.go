package sendq

import (
	"fmt"
	"iter"
	"os"
	"slices"
)

// Loss is what Fail dropped.
type Loss struct {
	Messages int // messages that had not left entirely
	Bytes    int // bytes that had not left
	Partial  int // bytes of the first of these messages that had left
}

// Take puts the oldest pending bytes in flight, up to maxBytes in up to maxSegments pieces (1 at least of
// both), appends these pieces to dst in order, and returns it. Nothing pending is no error. What is
// written later does not join them: one request is in flight at a time, and until Settle another Take
// fails with ErrInFlight. A failed queue returns its error.
//
// The memory of a piece must only be read, by the kernel or whoever stands in for it, and only until Sent
// has counted it or Settle was called.
func (q *Queue) Take(dst [][]byte, maxSegments, maxBytes int) ([][]byte, error) {
	switch {
	case maxSegments < 1 || maxBytes < 1:
		return dst, fmt.Errorf("sendq: taking %d bytes in %d segments: %w", maxBytes, maxSegments, os.ErrInvalid)
	case q.err != nil:
		return dst, q.err
	case q.taken:
		return dst, ErrInFlight
	}
	q.syncTail()
	for i := range min(maxSegments, q.segments.len()) {
		if q.inFlight == maxBytes {
			break
		}
		s := q.segments.at(i)
		end := min(s.end, s.start+maxBytes-q.inFlight)
		dst = append(dst, s.mem[s.start:end:end])
		q.inFlight += end - s.start
	}
	q.taken = q.inFlight > 0
	return dst, nil
}

// Sent counts the next n bytes in flight as left: their memory is not read any more. Chunks without
// another byte to send go back to the slab, and the release of each buffer whose last byte has left is
// called. A request may report in several steps. Sent fails with ErrOverrun, and counts nothing, when n is
// negative or more than what is in flight.
func (q *Queue) Sent(n int) error {
	if n < 0 || n > q.inFlight {
		return fmt.Errorf("%w: %d of %d", ErrOverrun, n, q.inFlight)
	}
	q.syncTail()
	q.inFlight -= n
	q.sent += uint64(n)
	for n > 0 {
		s := q.segments.front()
		step := min(n, s.end-s.start)
		s.start += step
		n -= step
		if s.start == s.end {
			q.finishFront(nil)
		}
	}
	q.countMessages()
	q.updateSpace()
	q.callReleases()
	return nil
}

// Settle says that the request in flight has ended, and will count and read nothing more: what has not
// left is pending again, and the next Take begins at its first byte. Without a request it does nothing.
func (q *Queue) Settle() {
	q.taken = false
	q.inFlight = 0
}

// Fail drops all that has not left and returns what that was. The release of every buffer handed over is
// called with err and the number of its bytes that left, in order. From then on the queue accepts nothing
// and answers err. A second Fail loses nothing and changes nothing; the memory of an open reservation
// stays valid until Commit. Fail itself fails with ErrInFlight before Settle, since the kernel may
// still read what would be freed, and with an error that wraps os.ErrInvalid when err is nil.
func (q *Queue) Fail(err error) (Loss, error) {
	switch {
	case err == nil:
		return Loss{}, fmt.Errorf("sendq: failing without an error: %w", os.ErrInvalid)
	case q.taken:
		return Loss{}, ErrInFlight
	case q.err != nil:
		return Loss{}, nil
	}
	loss := Loss{Messages: q.ends.len(), Bytes: q.Buffered(), Partial: int(q.sent - q.boundary)}
	q.err = err
	q.lost = uint64(loss.Bytes)
	q.ends = fifo[uint64]{}
	for q.segments.len() > 0 {
		q.finishFront(err)
	}
	q.space = 0
	q.callReleases()
	return loss, nil
}

// finishFront removes the first segment: its memory goes back to where it came from.
func (q *Queue) finishFront(err error) {
	s := q.segments.pop()
	if s.chunk == nil {
		if s.release != nil {
			q.finished.push(finished{release: s.release, sent: s.start, err: err})
		}
		return
	}
	if q.segments.len() == 0 {
		q.open = false
	}
	s.chunk.runs--
	if s.chunk == q.tail {
		q.dropIdleTail()
	} else if s.chunk.runs == 0 {
		q.slab.put(s.chunk)
	}
}

// countMessages moves the messages that have left entirely from ends to Progress.
func (q *Queue) countMessages() {
	for q.ends.len() > 0 && *q.ends.front() <= q.sent {
		q.boundary = q.ends.pop()
		q.messages++
	}
}

// Hold has releases that become due wait for Unhold. What cannot be left half done by a release that panics is done
// in between.
func (q *Queue) Hold() { q.held = true }

// Unhold calls the releases that became due since Hold.
func (q *Queue) Unhold() {
	q.held = false
	q.callReleases()
}

// HoldAll has the releases of all queues wait, and returns what calls those that are due, whatever one of them does.
func HoldAll(queues iter.Seq[*Queue]) (unhold func()) {
	held := slices.Collect(queues)
	for _, q := range held {
		q.Hold()
	}
	return func() { unholdAll(held) }
}

func unholdAll(held []*Queue) {
	if len(held) == 0 {
		return
	}
	defer unholdAll(held[1:])
	held[0].Unhold()
}

// callReleases calls the releases that are due. One that calls Sent or Fail in turn only adds to them:
// the outermost call goes on in order. Where one panics or ends the goroutine, the others are called all the same.
func (q *Queue) callReleases() {
	if q.releasing || q.held || q.finished.len() == 0 {
		return
	}
	q.releasing = true
	defer func() {
		q.releasing = false
		q.callReleases()
	}()
	for q.finished.len() > 0 {
		f := q.finished.pop()
		f.release(f.sent, f.err)
	}
}
