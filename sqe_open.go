package uring

import (
	"unsafe"

	"github.com/sockring/uring/cring"
)

// PrepOpenat wraps io_uring_prep_openat(3), an asynchronous openat(2) with O_* flags; the result is the descriptor.
// Since 5.6.
func (s *SQE) PrepOpenat(dfd int, path string, flags int, mode uint32) error {
	e := s.begin("PrepOpenat", cring.OpOpenat)
	e.open(dfd, path, flags, mode)
	return e.end()
}

// PrepOpenatDirect wraps io_uring_prep_openat_direct(3): the file becomes the direct descriptor with that index, or
// for cring.FileIndexAlloc a free one, which then is the result. Since 5.15.
func (s *SQE) PrepOpenatDirect(dfd int, path string, flags int, mode, index uint32) error {
	e := s.begin("PrepOpenatDirect", cring.OpOpenat)
	e.open(dfd, path, flags, mode)
	e.target(index)
	return e.end()
}

// PrepOpen wraps io_uring_prep_open(3): PrepOpenat from the working directory. Since 5.6.
func (s *SQE) PrepOpen(path string, flags int, mode uint32) error {
	e := s.begin("PrepOpen", cring.OpOpenat)
	e.open(atFdcwd, path, flags, mode)
	return e.end()
}

// PrepOpenDirect wraps io_uring_prep_open_direct(3): PrepOpenatDirect from the working directory. Since 5.15.
func (s *SQE) PrepOpenDirect(path string, flags int, mode, index uint32) error {
	e := s.begin("PrepOpenDirect", cring.OpOpenat)
	e.open(atFdcwd, path, flags, mode)
	e.target(index)
	return e.end()
}

func (p *prep) open(dfd int, path string, flags int, mode uint32) {
	p.Fd = p.fd(dfd)
	p.Addr = p.path(path)
	p.Len = mode
	p.OpFlags = p.u32("flags", flags)
}

// OpenHow is how openat2(2) opens a file.
type OpenHow = cring.OpenHow

// PrepOpenat2 wraps io_uring_prep_openat2(3), an asynchronous openat2(2). how is copied. Since 5.6.
func (s *SQE) PrepOpenat2(dfd int, path string, how OpenHow) error {
	e := s.begin("PrepOpenat2", cring.OpOpenat2)
	e.open2(dfd, path, how)
	return e.end()
}

// PrepOpenat2Direct wraps io_uring_prep_openat2_direct(3): PrepOpenat2 into a direct descriptor, as PrepOpenatDirect
// does. Since 5.15.
func (s *SQE) PrepOpenat2Direct(dfd int, path string, how OpenHow, index uint32) error {
	e := s.begin("PrepOpenat2Direct", cring.OpOpenat2)
	e.open2(dfd, path, how)
	e.target(index)
	return e.end()
}

func (p *prep) open2(dfd int, path string, how OpenHow) {
	p.Fd = p.fd(dfd)
	p.Addr = p.path(path)
	p.Len = uint32(unsafe.Sizeof(how))
	own := new(OpenHow)
	*own = how
	p.Off = p.pin(unsafe.Pointer(own), unsafe.Sizeof(how), kernelReads) // SAFETY: see pin.
}
