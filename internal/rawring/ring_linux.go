package rawring

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// ErrFull occurs when the submission queue has no room.
var ErrFull = errors.New("submission queue full")

// Queue puts one request into the submission queue, for a later Enter to submit, and returns the id that its CQEs
// carry as user data. Close does not cancel what was queued: the caller enters and awaits it, or loses it.
func (r *Ring) Queue(sqe cring.SQE) (id uint64, err error) {
	if r.Room() == 0 {
		return 0, ErrFull
	}
	r.lastID++
	sqe.UserData = r.lastID
	tail := *r.sqTail
	r.sqes[tail&(r.Params.SQEntries-1)] = sqe
	// The store publishes the SQE: the kernel reads the tail with acquire semantics.
	atomic.StoreUint32(r.sqTail, tail+1)
	return sqe.UserData, nil
}

// Submit gives one request to the kernel and returns the id that its CQEs carry as user data. What the request names
// by address is the kernel's until its terminal CQE.
func (r *Ring) Submit(sqe cring.SQE) (id uint64, err error) {
	id, err = r.Queue(sqe)
	if err != nil {
		return 0, err
	}
	n, err := r.Enter(1, 0, 0, nil)
	if err == nil && n != 1 {
		err = fmt.Errorf("io_uring_enter took %d requests of 1", n)
	}
	if err != nil {
		atomic.StoreUint32(r.sqTail, *r.sqTail-1) // the kernel did not take it
		return 0, err
	}
	r.inFlight[id] = true
	return id, nil
}

// Overflowed reports whether completions wait outside of the ring: IORING_SQ_CQ_OVERFLOW, since 5.8.
func (r *Ring) Overflowed() bool {
	return atomic.LoadUint32(word(r.sqMem, r.Params.SQOff.Flags))&cring.SQCQOverflow != 0
}

// Unseen returns how many CQEs are in the ring that neither Await nor Do has copied from it.
func (r *Ring) Unseen() int { return int(atomic.LoadUint32(r.cqTail) - *r.cqHead) }

// enterPatience is how often an entry is repeated that a signal or a shortage of the moment ended.
const enterPatience = 1000

// Enter wraps io_uring_enter(2), repeated after EINTR, EAGAIN and EBUSY. A nil arg means no argument; other flags
// than IORING_ENTER_EXT_ARG take none. The error is a unix.Errno.
func (r *Ring) Enter(submit, complete, flags uint32, arg *cring.GetEventsArg) (int, error) {
	return r.EnterFd(r.Fd, submit, complete, flags, arg)
}

// EnterFd is Enter through fd, which may be the ring's registered index.
func (r *Ring) EnterFd(fd int, submit, complete, flags uint32, arg *cring.GetEventsArg) (int, error) {
	var size uintptr
	if arg != nil {
		size = unsafe.Sizeof(*arg)
	}
	for try := 1; ; try++ {
		// SAFETY: GetEventsArg mirrors struct io_uring_getevents_arg, which the kernel only reads during the call.
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(complete),
			uintptr(flags), uintptr(unsafe.Pointer(arg)), size)
		switch {
		case errno == 0:
			return int(n), nil
		case errno == unix.EINTR, errno == unix.EAGAIN, errno == unix.EBUSY:
			if try == enterPatience {
				return 0, errno
			}
		default:
			return 0, errno
		}
	}
}

// Await returns the next CQE of a request, waiting for at most d. It keeps those of other requests for later. The
// error is os.ErrDeadlineExceeded when none came in time.
func (r *Ring) Await(id uint64, d time.Duration) (cring.CQE, error) {
	deadline := time.Now().Add(d)
	for {
		r.Reap()
		if c, ok := r.take(id); ok {
			return c, nil
		}
		// Completions of a ring with IORING_SETUP_DEFER_TASKRUN appear only inside such a call.
		if _, err := r.Enter(0, 0, cring.EnterGetEvents, nil); err != nil {
			return cring.CQE{}, err
		}
		r.Reap()
		if c, ok := r.take(id); ok {
			return c, nil
		}
		if err := WaitReadable(r.Fd, deadline); err != nil {
			return cring.CQE{}, err
		}
	}
}

// Do submits one request and waits for its first CQE.
func (r *Ring) Do(sqe cring.SQE, d time.Duration) (cring.CQE, error) {
	id, err := r.Submit(sqe)
	if err != nil {
		return cring.CQE{}, err
	}
	return r.Await(id, d)
}

func (r *Ring) take(id uint64) (cring.CQE, bool) {
	for i, c := range r.ready {
		if c.UserData == id {
			r.ready = append(r.ready[:i], r.ready[i+1:]...)
			return c, true
		}
	}
	return cring.CQE{}, false
}

// Reap copies what CQEs there are from the ring, for Await to return, and returns how many.
func (r *Ring) Reap() int {
	head, tail := *r.cqHead, atomic.LoadUint32(r.cqTail)
	n := int(tail - head)
	for ; head != tail; head++ {
		c := r.cqes[head&(r.Params.CQEntries-1)]
		if c.Flags&cring.CQEFMore == 0 {
			delete(r.inFlight, c.UserData)
		}
		r.ready = append(r.ready, c)
	}
	// The store gives the entries back: the kernel reads the head with acquire semantics.
	atomic.StoreUint32(r.cqHead, head)
	return n
}

// Register wraps io_uring_register(2). What arg names by address is for the caller to keep in place. The error is a
// unix.Errno.
func (r *Ring) Register(op uint32, arg unsafe.Pointer, nr int) (int, error) {
	return register(r.Fd, op, arg, nr)
}

// RegisterNoRing is Register for the few operations that work without a ring.
func RegisterNoRing(op uint32, arg unsafe.Pointer, nr int) error {
	_, err := register(-1, op, arg, nr)
	return err
}

func register(fd int, op uint32, arg unsafe.Pointer, nr int) (int, error) {
	for {
		// SAFETY: the kernel uses arg itself only during the call.
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(fd), uintptr(op), uintptr(arg),
			uintptr(nr), 0, 0)
		switch errno {
		case 0:
			return int(n), nil
		case unix.EINTR:
		default:
			return 0, errno
		}
	}
}

// WaitReadable waits until fd is readable. The error is os.ErrDeadlineExceeded when the deadline comes first.
func WaitReadable(fd int, deadline time.Time) error {
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return os.ErrDeadlineExceeded
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
		// Rounded up, so that the last wait does not become a busy loop.
		n, err := unix.Poll(fds, int(left/time.Millisecond)+1)
		switch {
		case err != nil && err != unix.EINTR:
			return err
		case n > 0:
			return nil
		}
	}
}

// Idle reports whether no request is in flight.
func (r *Ring) Idle() bool { return len(r.inFlight) == 0 }

// Pending reports whether Await has a CQE of the request to return or to wait for.
func (r *Ring) Pending(id uint64) bool {
	return r.inFlight[id] || slices.ContainsFunc(r.ready, func(c cring.CQE) bool { return c.UserData == id })
}
