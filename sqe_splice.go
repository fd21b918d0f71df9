package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// PrepSplice wraps io_uring_prep_splice(3), an asynchronous splice(2) of n bytes with SPLICE_F_* flags. An offset
// is -1 for a pipe and for a file's own position. With cring.SpliceFFdInFixed fdIn is a direct descriptor. Since 5.7.
func (s *SQE) PrepSplice(fdIn int, offIn int64, fdOut int, offOut int64, n int, flags uint32) error {
	e := s.begin("PrepSplice", cring.OpSplice)
	e.splice(fdIn, fdOut, n, flags)
	e.Addr, e.Off = e.offset(offIn), e.offset(offOut) // splice_off_in and off
	return e.end()
}

// PrepTee wraps io_uring_prep_tee(3), an asynchronous tee(2). Since 5.8.
func (s *SQE) PrepTee(fdIn, fdOut, n int, flags uint32) error {
	e := s.begin("PrepTee", cring.OpTee)
	e.splice(fdIn, fdOut, n, flags)
	return e.end()
}

func (p *prep) splice(fdIn, fdOut, n int, flags uint32) {
	p.FileIndex, p.Fd = p.fd(fdIn), p.fd(fdOut) // splice_fd_in
	p.Len = p.u32("bytes", n)
	p.OpFlags = flags
}

// PrepPipe wraps io_uring_prep_pipe(3), an asynchronous pipe2(2) with O_* flags. Since 6.16.
//
// fds is the kernel's to write until the terminal CQE.
func (s *SQE) PrepPipe(fds *[2]int32, flags int) error {
	e := s.begin("PrepPipe", cring.OpPipe)
	e.pipe(fds, flags)
	return e.end()
}

// PrepPipeDirect wraps io_uring_prep_pipe_direct(3): the ends of the pipe become the direct descriptors index and
// index+1, or for cring.FileIndexAlloc free ones, whose indices are in fds. Since 6.16.
//
// fds is the kernel's to write until the terminal CQE.
func (s *SQE) PrepPipeDirect(fds *[2]int32, flags int, index uint32) error {
	e := s.begin("PrepPipeDirect", cring.OpPipe)
	e.pipe(fds, flags)
	e.target(index)
	return e.end()
}

func (p *prep) pipe(fds *[2]int32, flags int) {
	if fds == nil {
		p.bad(unix.EINVAL, "no room for the descriptors")
		return
	}
	p.Addr = p.pin(unsafe.Pointer(fds), unsafe.Sizeof(*fds), kernelWrites) // SAFETY: see pin.
	p.OpFlags = p.u32("flags", flags)
}
