package uring

import (
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// PrepProvideBuffers wraps io_uring_prep_provide_buffers(3): it gives the kernel n buffers of size bytes each, which
// follow each other in mem, under the group with ids from firstID on. This is the old way; a BufRing is the better
// one and never goes wrong in the ways that this one did. Since 5.7.
//
// mem stays the kernel's far beyond the operation's CQE: until each buffer has come back in the CQE of a receive,
// or was removed. The caller must keep it in place for so long, by mmap(2) or with a runtime.Pinner of its own.
func (s *SQE) PrepProvideBuffers(mem []byte, size, n int, group, firstID uint16) error {
	e := s.begin("PrepProvideBuffers", cring.OpProvideBuffers)
	if size < 1 || n < 1 || n > 1<<16-int(firstID) || int64(size)*int64(n) > int64(len(mem)) {
		e.bad(unix.EINVAL, "%d buffers of %d bytes from id %d in %d bytes", n, size, firstID, len(mem))
	}
	e.Addr, _ = e.bytes(mem, kernelReads)
	e.Fd = int32(n)
	e.Len = e.size("buffer", size)
	e.Off = uint64(firstID)
	e.BufIndex = group
	return e.end()
}

// PrepRemoveBuffers wraps io_uring_prep_remove_buffers(3): it takes up to n buffers of the group back from the kernel
// that PrepProvideBuffers gave; the result is how many. Since 5.7.
func (s *SQE) PrepRemoveBuffers(n int, group uint16) error {
	e := s.begin("PrepRemoveBuffers", cring.OpRemoveBuffers)
	if n < 1 || n > 1<<16 {
		e.bad(unix.EINVAL, "%d buffers", n)
	}
	e.Fd = int32(n)
	e.BufIndex = group
	return e.end()
}
