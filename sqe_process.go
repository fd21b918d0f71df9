package uring

import (
	"unsafe"

	"github.com/sockring/uring/cring"
)

// PrepNop wraps io_uring_prep_nop(3): it does nothing and completes with zero. Since 5.1.
func (s *SQE) PrepNop() error {
	e := s.begin("PrepNop", cring.OpNop)
	e.Fd = -1
	return e.end()
}

// Siginfo is what waitid(2) tells of a child.
type Siginfo = cring.Siginfo

// PrepWaitid wraps io_uring_prep_waitid(3), an asynchronous waitid(2) with P_* as idType and W* options. info may be
// nil, and flags must be zero. Since 6.7.
//
// info is the kernel's to write until the terminal CQE.
func (s *SQE) PrepWaitid(idType, id int, info *Siginfo, options int, flags uint32) error {
	e := s.begin("PrepWaitid", cring.OpWaitid)
	e.Fd = e.i32("id", id)
	e.Len = e.u32("id type", idType)
	e.Off = e.pin(unsafe.Pointer(info), unsafe.Sizeof(*info), kernelWrites) // SAFETY: see pin.
	e.FileIndex = e.i32("options", options)
	e.OpFlags = flags
	return e.end()
}
