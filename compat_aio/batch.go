package aio

import (
	"fmt"
	"os"
	"sync"
	"sync/atomic"

	"github.com/sockring/uring/internal/epoll"
	"github.com/sockring/uring/internal/sendq"
	"github.com/sockring/uring/internal/unix"
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
// made one after the other, in the order of the batch, and one that ends short ends those behind it. The zero Batcher
// is a closed one.
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
		if opt == nil {
			return nil, errNilOption
		}
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
	b.mover, b.refuseBlocking = m, !m.noWait()
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

// isZero reports whether the Batcher was not made by NewBatcher, or is that of a Socket or Sender that was not made.
func (b *Batcher) isZero() bool { return b == nil || b.mover == nil }

// enter begins a call.
func (b *Batcher) enter() error {
	switch {
	case b.isZero(), b.closing.Load():
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
	if !b.isZero() && b.serving.Load() {
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
	defer b.mu.Unlock() // also where a release panics
	if b.closing.Load() {
		_ = b.end() // nothing is in flight, which alone would keep a Context from being closed
	}
}

// callBack says that callbacks may come, and returns what to say when they are over.
func (b *Batcher) callBack() (before bool) { return b.serving.Swap(true) }

func (b *Batcher) calledBack(before bool) { b.serving.Store(before) }

// Close ends what waits with ErrClosed, closes the Senders and Sockets, and frees all that the Batcher has. The
// sockets themselves stay open. From within a callback it takes effect when the call that the callback came from ends.
// It may take the kernel some 30 ms: see Context.Close.
func (b *Batcher) Close() error {
	if b.isZero() {
		return nil
	}
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
	defer b.holdReleases()() // One that panics must not leave the rest open.
	for s := range b.senders {
		_ = s.end() // What was unsent its release callbacks and Progress tell.
	}
	return b.free()
}

// free gives back what the Batcher has. Where a result was lost the kernel can still have a transfer: then its memory
// stays as it is for good.
func (b *Batcher) free() error {
	for _, s := range b.sockets {
		s.forget()
	}
	if b.ready != nil {
		_ = b.ready.Close() // Nobody waits in it.
	}
	if err := b.mover.close(); err != nil || b.slab == nil {
		return err
	}
	return b.slab.Close()
}

// holdReleases has no release of a Sender called for now, and returns what calls those that are due.
func (b *Batcher) holdReleases() (call func()) {
	return sendq.HoldAll(func(yield func(*sendq.Queue) bool) {
		for s := range b.senders {
			if !yield(s.queue) {
				return
			}
		}
	})
}

// Socket is a stream socket as a Batcher knows it. It does not own the descriptor. The zero Socket is a closed one.
type Socket struct {
	batcher *Batcher
	fd      int
	name    int  // in Batcher.named
	watched bool // the poller has it
	closed  bool
	sender  *Sender // which has the sending direction to itself
	lanes   [directions]lane
}

// direction is what a transfer does.
type direction uint8

const (
	sending direction = iota
	receiving
	directions
)

// lane is what one direction of a socket has to do: at most one transfer that is ready, attempted or waiting, and
// behind it those of the same batch.
type lane struct {
	last    *task
	waiting *task
}

// Socket makes the stream socket fd known to the Batcher. Others are refused with EPROTOTYPE, since batches do not keep
// the boundaries of messages. A blocking socket is refused with ErrInvalid where the kernel cannot be told not to wait
// on it (RWF_NOWAIT on sockets, 6.5): set O_NONBLOCK. Where another owner of the descriptor makes it blocking later,
// its transfers are made by system calls that do not wait. Of each descriptor there is one Socket at a
// time, or the error is unix.EEXIST: close it before the descriptor.
func (b *Batcher) Socket(fd int) (*Socket, error) {
	nested, err := b.borrow()
	if err != nil {
		return nil, err
	}
	defer b.giveBack(nested)
	if _, known := b.sockets[fd]; known {
		return nil, fmt.Errorf("aio: descriptor %d has a Socket: %w", fd, unix.EEXIST)
	}
	if err := streamOnly(fd); err != nil {
		return nil, err
	}
	if b.refuseBlocking {
		if err := nonBlocking(fd); err != nil {
			return nil, err
		}
	}
	s := &Socket{batcher: b, fd: fd}
	b.name(s)
	b.sockets[fd] = s
	return s, nil
}

// name gives a socket the name by which the poller reports it.
func (b *Batcher) name(s *Socket) {
	last := len(b.unnamed) - 1
	if last < 0 {
		s.name = len(b.named)
		b.named = append(b.named, s)
		return
	}
	s.name = b.unnamed[last]
	b.unnamed = b.unnamed[:last]
	b.named[s.name] = s
}

// FD returns the descriptor.
func (s *Socket) FD() int { return s.fd }

// Close has the Batcher forget the socket, which stays open. It comes before the descriptor is closed. A Sender on it
// has to be closed before: ErrBusy. Closing again does nothing.
func (s *Socket) Close() error {
	nested, err := s.batcher.borrow()
	if err != nil {
		if s.batcher.isZero() || s.batcher.closing.Load() {
			return nil // The Batcher closes its Sockets.
		}
		return err
	}
	defer s.batcher.giveBack(nested)
	switch {
	case s.closed:
		return nil
	case s.sender != nil:
		return fmt.Errorf("%w: the socket has a Sender", ErrBusy)
	case s.busy():
		return fmt.Errorf("%w: a transfer on the socket is not over", ErrBusy)
	}
	s.forget()
	return nil
}

// busy reports whether the call that a callback came from has the socket in its batch.
func (s *Socket) busy() bool { return s.lanes[sending].last != nil || s.lanes[receiving].last != nil }

// forget takes the socket out of the Batcher.
func (s *Socket) forget() {
	s.closed = true
	if s.watched {
		s.batcher.ready.Remove(s.fd)
	}
	b := s.batcher
	b.named[s.name] = nil
	b.unnamed = append(b.unnamed, s.name)
	delete(b.sockets, s.fd)
}

// streamOnly refuses what is no stream socket.
func streamOnly(fd int) error {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if typ != unix.SOCK_STREAM {
		return os.NewSyscallError("socket type", unix.EPROTOTYPE)
	}
	return nil
}

// nonBlocking refuses a socket that a transfer could block on.
func nonBlocking(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if flags&unix.O_NONBLOCK == 0 {
		return invalid("socket %d is blocking, and this kernel has no RWF_NOWAIT for it", fd)
	}
	return nil
}
