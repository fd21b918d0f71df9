package aio

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Cancel wraps io_cancel(2). A nil error means that the kernel has accepted: the request's event still comes, with
// ErrCanceled as its result. Cancelling it again gives nil again. Only polls can be cancelled on Linux, and nothing
// that is being completed: that is ErrInProgress, and the event comes as if nothing had been. ErrCompleted means that
// the event is there or was read.
func (c *Context) Cancel(id ID) error {
	c.mu.Lock() // keeps the IOCB from being used for another request until the kernel has looked at it
	defer c.mu.Unlock()
	if c.closed {
		return ErrClosed
	}
	cb := c.find(id)
	switch {
	case cb == nil:
		return ErrCompleted
	case cb.canceled:
		return nil
	}
	switch errno := ioCancel(c.id, cb.raw, c.scratch); errno {
	case 0, unix.EINPROGRESS:
		cb.canceled = true
		return nil
	case unix.EINVAL, unix.EAGAIN:
		if c.ring.mapped() && c.ring.contains(uint64(id)) {
			return ErrCompleted
		}
		return ErrInProgress
	default:
		return os.NewSyscallError("io_cancel", errno)
	}
}

// address returns where the kernel finds the request.
func (cb *IOCB) address() uintptr {
	return uintptr(unsafe.Pointer(cb.raw)) // SAFETY: mapped memory, which is named and not followed.
}

// cancelPolls cancels every poll in flight.
func (c *Context) cancelPolls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.iocbs {
		cb := &c.iocbs[i]
		if cb.state == iocbInFlight && cb.op == opPoll && !cb.canceled {
			errno := ioCancel(c.id, cb.raw, c.scratch)
			cb.canceled = errno == 0 || errno == unix.EINPROGRESS
		}
	}
}
