package uring

import (
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

var (
	opEventfd = registerOp{cring.RegisterEventfd, "IORING_REGISTER_EVENTFD", probe.Version{Major: 5, Minor: 2}, everKnown}

	opEventfdAsync = registerOp{
		cring.RegisterEventfdAsync, "IORING_REGISTER_EVENTFD_ASYNC",
		probe.Version{Major: 5, Minor: 6},
		1,
	}

	opEventfdUnregister = registerOp{
		cring.UnregisterEventfd, "IORING_UNREGISTER_EVENTFD",
		probe.Version{Major: 5, Minor: 2},
		everKnown,
	}
)

// RegisterEventfd has the kernel add to the eventfd(2) fd whenever it posts completions, for a poll(2) of some other
// loop to see. It wraps io_uring_register_eventfd(3). A second eventfd is unix.EBUSY, another kind of file
// unix.EINVAL. The ring holds the file open by itself. Since 5.2.
//
// With IORING_SETUP_DEFER_TASKRUN the kernel signals already that a completion can be fetched; Reap and Completions
// do that.
func (r *Ring) RegisterEventfd(fd int) error {
	return r.registerEventfd(opEventfd, "register eventfd", fd)
}

// RegisterEventfdAsync is RegisterEventfd without the operations that complete within their submission: the kernel
// signals those that a worker thread has served, see SQE.Async. It wraps io_uring_register_eventfd_async(3). Since
// 5.6.
func (r *Ring) RegisterEventfdAsync(fd int) error {
	return r.registerEventfd(opEventfdAsync, "register asynchronous eventfd", fd)
}

func (r *Ring) registerEventfd(op registerOp, what string, fd int) error {
	if err := r.owned(); err != nil {
		return err
	}
	file := int32(fd)
	_, err := r.register(op, what, unsafe.Pointer(&file), 1) // SAFETY: read during the call only.
	r.undo.eventfd = r.undo.eventfd || err == nil
	return err
}

// UnregisterEventfd ends the signalling. It wraps io_uring_unregister_eventfd(3). Where there is no eventfd it is
// unix.ENXIO. Since 5.2.
func (r *Ring) UnregisterEventfd() error {
	if err := r.owned(); err != nil {
		return err
	}
	return r.unregisterEventfd()
}

func (r *Ring) unregisterEventfd() error {
	_, err := r.register(opEventfdUnregister, "unregister eventfd", nil, 0)
	if err == nil {
		r.undo.eventfd = false
	}
	return err
}

// SetEventfdEnabled switches the signals of a registered eventfd off and on, without a system call. It wraps
// io_uring_cq_eventfd_toggle(3). Since 5.8.
func (r *Ring) SetEventfdEnabled(on bool) error {
	if err := r.owned(); err != nil {
		return err
	}
	flags := r.c.CQFlags
	if flags == nil {
		return &UnsupportedError{
			Name: "IORING_CQ_EVENTFD_DISABLED", Missing: "the kernel shares no flags of the completion queue",
			Provider: "kernel 5.8", SinceMajor: 5, SinceMinor: 8, Err: unix.EOPNOTSUPP,
		}
	}
	word := atomic.LoadUint32(flags) &^ cring.CQEventfdDisabled
	if !on {
		word |= cring.CQEventfdDisabled
	}
	atomic.StoreUint32(flags, word)
	return nil
}
