package uring

import "github.com/sockring/uring/cring"

// The methods of this file complete with zero when what they name was cancelled, with unix.EALREADY when it cannot
// be stopped any more, and with unix.ENOENT when there is no such operation. With cring.AsyncCancelAll the result
// is how many were found. What was cancelled completes with unix.ECANCELED, or with what it had done so far.

// PrepCancel wraps io_uring_prep_cancel(3) for an operation that SQE.ID named. Since 5.5; flags since 5.19.
func (s *SQE) PrepCancel(id OpID, flags int) error {
	e := s.begin("PrepCancel", cring.OpAsyncCancel)
	e.cancel(uint64(id), flags)
	return e.end()
}

// PrepCancel64 wraps io_uring_prep_cancel64(3) for a request of C code, named by its user data. Since 5.5; flags
// since 5.19.
func (s *SQE) PrepCancel64(userData uint64, flags int) error {
	e := s.begin("PrepCancel64", cring.OpAsyncCancel)
	e.cancel(userData, flags)
	return e.end()
}

func (p *prep) cancel(userData uint64, flags int) {
	p.Fd = -1
	p.Addr = userData
	p.OpFlags = p.u32("flags", flags)
}

// PrepCancelFd wraps io_uring_prep_cancel_fd(3) for an operation on that descriptor. Since 5.19.
func (s *SQE) PrepCancelFd(fd int, flags uint32) error {
	e := s.begin("PrepCancelFd", cring.OpAsyncCancel)
	e.Fd = e.fd(fd)
	e.OpFlags = flags | cring.AsyncCancelFd
	return e.end()
}
