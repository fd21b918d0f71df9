package aio

import (
	"fmt"
	"os"

	"github.com/sockring/uring/internal/eintr"
	"github.com/sockring/uring/internal/unix"
)

// Submit wraps io_submit(2): it hands prepared IOCBs to the kernel, in order, and returns how many it took. Those
// belong to the kernel until their events. An error is about the IOCB behind them, iocbs[n], which like all that follow
// still is the caller's and prepared: to be submitted again, or released.
//
//   - ErrInvalid, ErrNotPrepared or ErrInProgress: the list has an IOCB that is of another Context, not prepared, or
//     in it twice. Nothing was submitted.
//   - ErrInsufficientResources: the kernel is out of room. Reap, and try again.
//   - Otherwise an *os.SyscallError: EBADF for the descriptor, EINVAL for what the kernel or file does not know,
//     EOPNOTSUPP for RWF flags, EFAULT for a bad address. Submitting iocbs[n+1:] goes on behind it.
//
// The call takes as long as what the kernel does at once: a transfer on a file without O_DIRECT, socket or pipe is
// done when it returns, and one on a blocking socket or pipe blocks in it. No context or deadline can end that.
func (c *Context) Submit(iocbs ...*IOCB) (n int, err error) { return c.submitBy(ioSubmit, iocbs) }

// submitBy is Submit by one way of making the system call.
func (c *Context) submitBy(call submitCall, iocbs []*IOCB) (n int, err error) {
	if c.batches == nil { // of the zero Context
		return 0, ErrClosed
	}
	b, ok := <-c.batches
	if !ok {
		return 0, ErrClosed
	}
	defer func() { c.batches <- b }()
	if err := c.launch(iocbs); err != nil {
		return 0, err
	}
	for n < len(iocbs) {
		window := iocbs[n:min(len(iocbs), n+len(b.table))]
		taken, errno := c.submit(call, b, window)
		n += taken
		if errno != 0 {
			c.recall(iocbs[n:])
			return n, refusedIOCB(errno)
		}
	}
	return n, nil
}

// launch marks all IOCBs as in flight, before any event can come, or none.
func (c *Context) launch(iocbs []*IOCB) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended() {
		return ErrClosed
	}
	for i, cb := range iocbs {
		if err := c.launchable(cb); err != nil {
			for _, launched := range iocbs[:i] {
				launched.state = iocbPrepared
			}
			return fmt.Errorf("aio: IOCB %d of %d: %w", i, len(iocbs), err)
		}
		cb.state = iocbInFlight
	}
	for _, cb := range iocbs {
		cb.announce() // with mu held, which orders this before what the reader of the events announces
	}
	c.inFlight += len(iocbs)
	return nil
}

func (c *Context) launchable(cb *IOCB) error {
	if cb == nil || cb.ctx != c {
		return invalid("not an IOCB of this Context")
	}
	return cb.prepared()
}

// recall takes back IOCBs that the kernel has not taken.
func (c *Context) recall(iocbs []*IOCB) {
	c.mu.Lock()
	for _, cb := range iocbs {
		cb.state = iocbPrepared
	}
	c.inFlight -= len(iocbs)
	c.mu.Unlock()
	c.notifier.poke() // Who waits for these events has to look again.
}

// submitCall makes the system call for a table of IOCB addresses.
type submitCall func(ctx uintptr, table []uintptr) (int, unix.Errno)

// submit has the kernel take the window's IOCBs, and returns how many it took and why not the next. The kernel says
// that only of the first: so it is asked again.
func (c *Context) submit(call submitCall, b *batch, window []*IOCB) (int, unix.Errno) {
	for i, cb := range window {
		b.table[i] = cb.address()
	}
	var tries eintr.Tries
	for n := 0; ; {
		if n == len(window) {
			return n, 0
		}
		taken, errno := call(c.id, b.table[n:len(window)])
		switch {
		case errno == unix.EINTR && tries.Again():
		case errno != 0:
			return n, errno
		case taken <= 0:
			return n, unix.EAGAIN // which the kernel does not do
		default:
			n += taken
		}
	}
}

// interruptedMax is how often in a row a system call that waits for nothing is made again for EINTR.
const interruptedMax = 100

// refusedIOCB is the error of an IOCB that io_submit did not take.
func refusedIOCB(errno unix.Errno) error {
	switch errno {
	case unix.EAGAIN, unix.ENOMEM, unix.EINTR: // room, memory, or a moment without signals
		return fmt.Errorf("%w: %w", ErrInsufficientResources, os.NewSyscallError("io_submit", errno))
	}
	return os.NewSyscallError("io_submit", errno)
}
