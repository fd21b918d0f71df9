package sendq

import (
	"fmt"
	"math"
	"os"
)

// Write copies p into the queue as one message, or accepts nothing of it and returns an error: ErrLimit,
// ErrTooLong, ErrSlabFull, ErrReserved, what mmap(2) returned, or the error that Fail was given. An empty
// p is no message: nothing of it could be sent.
func (q *Queue) Write(p []byte) error {
	if n := len(p); uint(n-1) < uint(q.space) && !q.ends.full() { // 1 <= n <= space
		copy(q.mem[q.offset:], p)
		q.offset += n
		q.space -= n
		q.accepted += uint64(n)
		q.ends.put(q.accepted)
		return nil
	}
	return q.writeSlow(p)
}

// writeSlow is Write without the assumption that p fits where the last one ended.
func (q *Queue) writeSlow(p []byte) error {
	if err := q.admit(len(p)); err != nil || len(p) == 0 {
		return err
	}
	spare, err := q.obtain(len(p))
	if err != nil {
		return err
	}
	q.fill(p, spare)
	q.endMessage(len(p))
	return nil
}

// Writev copies bufs into the queue, one after the other, as one message. Otherwise it is as Write.
func (q *Queue) Writev(bufs [][]byte) error {
	total := 0
	for _, p := range bufs {
		if len(p) > math.MaxInt-total { // one buffer may be in bufs many times
			return ErrTooLong
		}
		total += len(p)
	}
	if err := q.admit(total); err != nil || total == 0 {
		return err
	}
	spare, err := q.obtain(total)
	if err != nil {
		return err
	}
	for _, p := range bufs {
		spare = q.fill(p, spare)
	}
	q.endMessage(total)
	return nil
}

// Reserve returns n bytes of the queue's memory, 1 to the slab's chunk size, for the caller to fill. They
// become a message by Commit; until then Write, Writev, HandOver and Reserve return ErrReserved. What was
// accepted before may be taken and sent meanwhile. The bytes are not zeroed, and must not be touched after
// Commit. The errors are those of Write, and one that wraps os.ErrInvalid for an n out of range.
func (q *Queue) Reserve(n int) ([]byte, error) {
	if n < 1 || n > q.slab.ChunkSize() {
		return nil, fmt.Errorf("sendq: reserving %d bytes of a chunk of %d: %w", n, q.slab.ChunkSize(), os.ErrInvalid)
	}
	if err := q.admit(n); err != nil {
		return nil, err
	}
	if len(q.mem)-q.offset < n {
		c, err := q.slab.get()
		if err != nil {
			return nil, err
		}
		q.setTail(c)
	}
	q.reserved = n
	q.space = 0
	return q.mem[q.offset : q.offset+n : q.offset+n], nil
}

// Commit ends the reservation and accepts its first n bytes as one message; with 0 it accepts nothing and
// makes none. It fails with ErrNotReserved, with an error that wraps os.ErrInvalid when n is negative or
// more than was reserved (the reservation stays open then), and with the queue's error when that failed
// meanwhile (the reservation is over, and only then its memory is used again).
func (q *Queue) Commit(n int) error {
	if q.reserved == 0 {
		return ErrNotReserved
	}
	if n < 0 || n > q.reserved {
		return fmt.Errorf("sendq: committing %d of %d reserved bytes: %w", n, q.reserved, os.ErrInvalid)
	}
	q.reserved = 0
	if q.err != nil || n == 0 {
		q.dropIdleTail()
		return q.err
	}
	q.openRun()
	q.offset += n
	q.endMessage(n)
	return nil
}

// HandOver appends p as one message without copying it. The caller must leave p alone, and keep it pinned
// if it is Go memory, until release is called; that happens exactly once, from within Sent or Fail, in the
// order of the stream: with len(p) and nil when the last byte has left, or with the number of bytes that
// left and the error of Fail. It may call any method of the queue. For an empty p, which is no message,
// release is called at once. A nil release is for memory that never changes.
//
// On an error release is not called and p stays the caller's: ErrLimit, ErrTooLong, ErrReserved or the
// error that Fail was given.
func (q *Queue) HandOver(p []byte, release func(sent int, err error)) error {
	if err := q.admit(len(p)); err != nil {
		return err
	}
	if len(p) == 0 {
		if release != nil {
			release(0, nil)
		}
		return nil
	}
	q.syncTail()
	q.open = false
	q.segments.push(segment{mem: p, end: len(p), release: release})
	q.endMessage(len(p))
	return nil
}

// admit says why a message of n bytes cannot be accepted now, as far as that is the queue's own affair.
func (q *Queue) admit(n int) error {
	switch {
	case q.err != nil:
		return q.err
	case q.reserved != 0:
		return ErrReserved
	case n > q.limit:
		return ErrTooLong
	case n > q.limit-q.Buffered():
		return ErrLimit
	}
	return nil
}

// obtain takes as many chunks from the slab as n bytes need that do not fit in tail, linked by next, or
// none and an error.
func (q *Queue) obtain(n int) (spare *chunk, err error) {
	for n -= len(q.mem) - q.offset; n > 0; n -= q.slab.ChunkSize() {
		c, err := q.slab.get()
		if err != nil {
			for spare != nil {
				c, spare = spare, spare.next
				q.slab.put(c)
			}
			return nil, err
		}
		c.next, spare = spare, c
	}
	return spare, nil
}

// fill copies p behind what is there, on into the spare chunks, and returns those that it did not touch.
func (q *Queue) fill(p []byte, spare *chunk) *chunk {
	for len(p) > 0 {
		if q.offset == len(q.mem) {
			c := spare
			spare, c.next = c.next, nil
			q.setTail(c)
		}
		q.openRun()
		n := copy(q.mem[q.offset:], p)
		q.offset += n
		p = p[n:]
	}
	return spare
}

// endMessage accepts the n bytes that were put last as one message.
func (q *Queue) endMessage(n int) {
	q.accepted += uint64(n)
	q.ends.push(q.accepted)
	q.updateSpace()
}
