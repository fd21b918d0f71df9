package sendq

import (
	"fmt"
	"os"
)

// Queue holds the bytes of one stream that were accepted and have not left, in order, and remembers
// where each message ends.
//
// Ownership: a Queue belongs to the owner of its slab; it has no lock. Memory that Write, Writev and
// Reserve filled is the slab's, out to this queue until its last byte has left. A buffer that was handed
// over is the caller's own; the queue keeps it alive and neither reads nor writes it. From Take to Settle
// the kernel may read whatever Take returned and Sent has not counted yet: in that time the queue changes
// and frees none of it, and Fail is refused. The queue does not pin Go memory; whoever hands a buffer over
// pins it, until its release.
type Queue struct {
	// What Write looks at comes first, to share a cache line or two.

	space    int          // bytes that Write may append at mem[offset] without further checks
	offset   int          // where the next byte goes in mem
	mem      []byte       // memory of tail
	accepted uint64       // bytes accepted, ever
	ends     fifo[uint64] // accepted as it was after each message that has not left entirely

	slab     *Slab
	limit    int
	tail     *chunk // the chunk being filled; nil when nothing copied in is left and no reservation open
	open     bool   // the last segment is in tail and ends at offset: the next byte extends it
	reserved int    // bytes of mem from offset on that are reserved; 0 when no reservation is open
	segments fifo[segment]

	taken    bool // between Take and Settle
	inFlight int  // bytes at the front of segments that were taken and have not left

	sent     uint64 // bytes left, ever
	lost     uint64 // bytes that Fail dropped
	messages uint64 // messages that left entirely
	boundary uint64 // sent as it was when the latest of these had left

	finished  fifo[finished] // buffers handed over that are not needed any more and await their release
	releasing bool           // releases are being called
	held      bool           // they are not to be called now

	err error // why the queue failed
}

// segment is a piece of the stream that is contiguous in memory: mem[start:end] has not left.
type segment struct {
	mem        []byte
	start, end int
	chunk      *chunk // what mem is the memory of; nil for a buffer that was handed over
	release    func(sent int, err error)
}

// finished is the call of a release that is due.
type finished struct {
	release func(sent int, err error)
	sent    int
	err     error
}

// NewQueue returns an empty queue on slab that holds up to limit bytes, at least 1. The error wraps
// os.ErrInvalid. A queue has nothing to close: it is out of use when it is empty or failed.
func NewQueue(slab *Slab, limit int) (*Queue, error) {
	if slab == nil || limit < 1 {
		return nil, fmt.Errorf("sendq: queue of %d bytes on slab %p: %w", limit, slab, os.ErrInvalid)
	}
	return &Queue{slab: slab, limit: limit}, nil
}

// Limit returns how many bytes the queue holds at most.
func (q *Queue) Limit() int { return q.limit }

// Err returns why the queue failed; nil while it has not.
func (q *Queue) Err() error { return q.err }

// Accepted returns how many bytes the queue has accepted in all.
func (q *Queue) Accepted() uint64 { return q.accepted }

// SentTotal returns how many bytes have left in all: the stream's exact prefix that was sent.
func (q *Queue) SentTotal() uint64 { return q.sent }

// Buffered returns how many bytes are accepted and have not left. Fail makes it 0.
func (q *Queue) Buffered() int { return int(q.accepted - q.sent - q.lost) }

// InFlight returns how many bytes are taken and have not left.
func (q *Queue) InFlight() int { return q.inFlight }

// Pending returns how many bytes are accepted and not in flight.
func (q *Queue) Pending() int { return q.Buffered() - q.inFlight }

// Progress returns how many messages have left entirely, and how many bytes of the next one. It stays as
// it was when the queue failed.
func (q *Queue) Progress() (messages uint64, partial int) {
	return q.messages, int(q.sent - q.boundary)
}

// MessagesQueued returns how many messages have not left entirely. Fail makes it 0.
func (q *Queue) MessagesQueued() int { return q.ends.len() }
