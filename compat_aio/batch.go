package aio

import (
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/sockring/uring/internal/epoll"
	"github.com/sockring/uring/internal/sendq"
)

// Batcher sends and receives on many stream sockets with one io_submit(2): 64 sockets cost one system call instead of
// 64. It serves single transfers (TrySend, TryRecv, Send, Recv), queues of sockets that bring their bytes themselves
// (DriveSends, DriveRecvs), and Senders, the ordered queues of messages.
//
//	ops := []aio.Op{{Socket: a, Bufs: first}, {Socket: b, Bufs: second}}
//	results, err := batcher.TrySend(ops, results) // one system call for both
//
// A transfer on a socket is done inside of io_submit or gives EAGAIN; AIO batches, it does not wait. What has to wait
// for its socket does so in the runtime's poller and holds no thread. On one socket the transfers of a direction are
// made one after the other, in the order of the batch, and one that ends short ends those behind it.
//
// It has one user at a time: a call gives ErrBusy while another goroutine is in one, or from within a callback. Only
// Close may come from anywhere, and ends what waits.
//
// Ownership: buffers are the Batcher's during the call that names them, and no longer.
type Batcher struct {
	mover mover
	ready *epoll.Poller // made when the first socket has to wait

	waker   atomic.Pointer[epoll.Poller] // ready, for Close
	closing atomic.Bool
	serving atomic.Bool // a callback of the user is running, within a call
	mu      sync.Mutex  // held during each call; guards what follows
	closed  bool
	stats   BatchStats

	sockets map[int]*Socket // by descriptor
	named   []*Socket       // by what the poller calls them
	unnamed []int           // the indexes that are free in named
	slab    *sendq.Slab
	senders map[*Sender]struct{}

	todo    []*task // those that can be attempted
	doing   []*task // scratch of a round
	waiting int     // transfers that wait for their socket
	starved int     // how often in a row the kernel had no room

	transfers []task   // of the ops of the call
	results   []Result // of them, the caller's memory
	open      int      // how many of them have no result yet
	trying    bool     // they do not wait

	driven        []Op // scratch of the drivers
	drivenResults []Result

	refuseBlocking bool // nothing keeps a transfer on a blocking socket from blocking
}

// BatchStats is what a Batcher counts.
type BatchStats struct {
	Submits   uint64 // calls of io_submit(2), or of what stands in for it: how many windows of transfers were attempted
	Transfers uint64 // attempts to send or receive
	Waits     uint64 // waits for sockets to become ready
}

// slotsMax is the largest batch that makes sense: more are attempted in turns.
const slotsMax = 1 << 16

// BatchOption changes how NewBatcher sets up.
type BatchOption func(*batchOptions)

type batchOptions struct{ syscalls bool }

// WithSyscalls has the Batcher make one sendmsg(2) or recvmsg(2) for each transfer instead of using AIO. It is for
// where io_setup(2) is refused: everything behaves the same, and costs a system call each.
func WithSyscalls() BatchOption { return func(o *batchOptions) { o.syscalls = true } }

// NewBatcher makes a Batcher that attempts up to slots transfers at a time, 1 to 65536; longer batches are made in
// turns. It costs what NewContext says. Where AIO is not to be had the error is an *UnsupportedError; then
// WithSyscalls serves.
func NewBatcher(slots int, opts ...BatchOption) (*Batcher, error) {
	if slots < 1 || slots > slotsMax {
		return nil, outOfRange("a batch of %d slots, not 1 to %d", slots, slotsMax)
	}
	var o batchOptions
	for _, opt := range opts {
		opt(&o)
	}
	b := &Batcher{sockets: map[int]*Socket{}, senders: map[*Sender]struct{}{}}
	if o.syscalls {
		b.mover = newCallMover(slots)
		return b, nil
	}
	m, err := newContextMover(slots)
	if err != nil {
		return nil, err
	}
	b.mover, b.refuseBlocking = m, m.flags[receiving]&rwfNowait == 0
	return b, nil
}

// Stats returns the counts of now.
func (b *Batcher) Stats() (BatchStats, error) {
	nested, err := b.borrow()
	if err != nil {
		return BatchStats{}, err
	}
	defer b.giveBack(nested)
	return b.stats, nil
}

// enter begins a call.
func (b *Batcher) enter() error {
	switch {
	case b.closing.Load():
		return ErrClosed
	case !b.mu.TryLock():
		return fmt.Errorf("%w: another call on the Batcher is not over", ErrBusy)
	case b.closing.Load():
		b.mu.Unlock()
		return ErrClosed
	}
	return nil
}

// borrow begins a short call, which a callback may make within the call that it is called by.
func (b *Batcher) borrow() (nested bool, err error) {
	if b.serving.Load() {
		return true, nil
	}
	return false, b.enter()
}

func (b *Batcher) giveBack(nested bool) {
	if !nested {
		b.leave()
	}
}

// leave ends a call.
func (b *Batcher) leave() {
	if b.closing.Load() {
		_ = b.end() // nothing is in flight, which alone would keep a Context from being closed
	}
	b.mu.Unlock()
}

// callBack says that callbacks may come, and returns what to say when they are over.
func (b *Batcher) callBack() (before bool) { return b.serving.Swap(true) }

func (b *Batcher) calledBack(before bool) { b.serving.Store(before) }

// Close ends what waits with ErrClosed, closes the Senders and Sockets, and frees all that the Batcher has. The
// sockets themselves stay open. From within a callback it takes effect when the call that the callback came from ends.
// It may take the kernel some 30 ms: see Context.Close.
func (b *Batcher) Close() error {
	b.closing.Store(true)
	b.wake()
	if b.serving.Load() {
		return nil // Who is calling back closes on leaving.
	}
	b.mu.Lock() // Who waits has been woken, and leaves.
	defer b.mu.Unlock()
	return b.end()
}

// end closes the Batcher. Nothing else is under way.
func (b *Batcher) end() error {
	if b.closed {
		return nil
	}
	b.closed = true
	defer b.calledBack(b.callBack())
	for s := range b.senders {
		_ = s.end() // What was unsent its release callbacks and Progress tell.
	}
	for _, s := range b.sockets {
		s.forget()
	}
	if b.ready != nil {
		_ = b.ready.Close() // Nobody waits in it.
	}
	if b.slab != nil {
		if err := b.slab.Close(); err != nil {
			return err
		}
	}
	return b.mover.close()
}
