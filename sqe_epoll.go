package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// EpollEvent is an event of epoll(7): what is waited for or what came, and the caller's own data.
type EpollEvent = cring.EpollEvent

// PrepEpollCtl wraps io_uring_prep_epoll_ctl(3), an asynchronous epoll_ctl(2). ev may be nil for EPOLL_CTL_DEL.
// Since 5.6.
//
// ev is the kernel's to read until the terminal CQE.
func (s *SQE) PrepEpollCtl(epfd, fd, op int, ev *EpollEvent) error {
	e := s.begin("PrepEpollCtl", cring.OpEpollCtl)
	e.Fd = e.fd(epfd)
	e.Off = uint64(uint32(e.fd(fd)))
	e.Len = e.u32("operation", op)
	e.Addr = e.pin(unsafe.Pointer(ev), unsafe.Sizeof(*ev), kernelReads) // SAFETY: see pin.
	return e.end()
}

// PrepEpollWait wraps io_uring_prep_epoll_wait(3), an asynchronous epoll_wait(2); the result is how many events
// came. flags must be zero. Since 6.15.
//
// events is the kernel's to write until the terminal CQE.
func (s *SQE) PrepEpollWait(epfd int, events []EpollEvent, flags uint32) error {
	e := s.begin("PrepEpollWait", cring.OpEpollWait)
	e.Fd = e.fd(epfd)
	n := len(events)
	if n == 0 {
		e.bad(unix.EINVAL, "no room for events")
		return e.end()
	}
	e.Len = uint32(e.i32("events", n))
	e.Addr = e.pin(unsafe.Pointer(&events[0]), uintptr(n)*unsafe.Sizeof(events[0]), kernelWrites) // SAFETY: see pin.
	e.OpFlags = flags
	return e.end()
}
