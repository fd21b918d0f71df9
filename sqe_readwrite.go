package uring

import "github.com/sockring/uring/cring"

// In this file an offset of -1 stands for the file's own position, which the operation then moves; sockets and pipes
// take -1 or zero. At most 0x7ffff000 bytes are taken. Memory stays the kernel's until the terminal CQE: reads write
// it, writes read it.

// PrepRead wraps io_uring_prep_read(3), an asynchronous pread(2). Since 5.6.
func (s *SQE) PrepRead(fd int, p []byte, offset int64) error {
	e := s.begin("PrepRead", cring.OpRead)
	e.rw(fd, p, offset, kernelWrites)
	return e.end()
}

// PrepWrite wraps io_uring_prep_write(3), an asynchronous pwrite(2). On a closed socket or pipe it raises SIGPIPE,
// which PrepSend does not. Since 5.6.
func (s *SQE) PrepWrite(fd int, p []byte, offset int64) error {
	e := s.begin("PrepWrite", cring.OpWrite)
	e.rw(fd, p, offset, kernelReads)
	return e.end()
}

// PrepReadFixed wraps io_uring_prep_read_fixed(3): PrepRead into a part of the registered buffer with that
// index. Since 5.1.
func (s *SQE) PrepReadFixed(fd int, p []byte, offset int64, bufIndex uint16) error {
	e := s.begin("PrepReadFixed", cring.OpReadFixed)
	e.rw(fd, p, offset, kernelWrites)
	e.BufIndex = bufIndex
	return e.end()
}

// PrepWriteFixed wraps io_uring_prep_write_fixed(3): PrepWrite from a part of the registered buffer with that
// index. Since 5.1.
func (s *SQE) PrepWriteFixed(fd int, p []byte, offset int64, bufIndex uint16) error {
	e := s.begin("PrepWriteFixed", cring.OpWriteFixed)
	e.rw(fd, p, offset, kernelReads)
	e.BufIndex = bufIndex
	return e.end()
}

// PrepReadMultishot wraps io_uring_prep_read_multishot(3): each arrival of data at a pipe or the like makes a CQE
// with a buffer of the group, until one that does not say CQE.More. n limits each read, zero to the buffer's
// length. Since 6.7.
func (s *SQE) PrepReadMultishot(fd, n int, offset int64, group uint16) error {
	e := s.begin("PrepReadMultishot", cring.OpReadMultishot)
	e.Fd = e.fd(fd)
	e.Len = e.size("read", n)
	e.Off = e.offset(offset)
	e.fromGroup(group)
	return e.end()
}

// PrepReadv wraps io_uring_prep_readv(3), an asynchronous preadv(2) into at most 1024 buffers. Since 5.1.
func (s *SQE) PrepReadv(fd int, buffers [][]byte, offset int64) error {
	e := s.begin("PrepReadv", cring.OpReadv)
	e.rwv(fd, buffers, offset, 0, kernelWrites)
	return e.end()
}

// PrepReadv2 wraps io_uring_prep_readv2(3), an asynchronous preadv2(2) with RWF_* flags. Since 5.1.
func (s *SQE) PrepReadv2(fd int, buffers [][]byte, offset int64, flags int) error {
	e := s.begin("PrepReadv2", cring.OpReadv)
	e.rwv(fd, buffers, offset, flags, kernelWrites)
	return e.end()
}

// PrepReadvFixed wraps io_uring_prep_readv_fixed(3): PrepReadv2 into parts of the registered buffer with that
// index. Since 6.15.
func (s *SQE) PrepReadvFixed(fd int, buffers [][]byte, offset int64, flags int, bufIndex uint16) error {
	e := s.begin("PrepReadvFixed", cring.OpReadvFixed)
	e.rwv(fd, buffers, offset, flags, kernelWrites)
	e.BufIndex = bufIndex
	return e.end()
}

// PrepWritev wraps io_uring_prep_writev(3), an asynchronous pwritev(2) of at most 1024 buffers. Since 5.1.
func (s *SQE) PrepWritev(fd int, buffers [][]byte, offset int64) error {
	e := s.begin("PrepWritev", cring.OpWritev)
	e.rwv(fd, buffers, offset, 0, kernelReads)
	return e.end()
}

// PrepWritev2 wraps io_uring_prep_writev2(3), an asynchronous pwritev2(2) with RWF_* flags. Since 5.1.
func (s *SQE) PrepWritev2(fd int, buffers [][]byte, offset int64, flags int) error {
	e := s.begin("PrepWritev2", cring.OpWritev)
	e.rwv(fd, buffers, offset, flags, kernelReads)
	return e.end()
}

// PrepWritevFixed wraps io_uring_prep_writev_fixed(3): PrepWritev2 from parts of the registered buffer with that
// index. Since 6.15.
func (s *SQE) PrepWritevFixed(fd int, buffers [][]byte, offset int64, flags int, bufIndex uint16) error {
	e := s.begin("PrepWritevFixed", cring.OpWritevFixed)
	e.rwv(fd, buffers, offset, flags, kernelReads)
	e.BufIndex = bufIndex
	return e.end()
}

func (p *prep) rw(fd int, b []byte, offset int64, a access) {
	p.Fd = p.fd(fd)
	p.buffer(b, a)
	p.Off = p.offset(offset)
}

func (p *prep) rwv(fd int, buffers [][]byte, offset int64, flags int, a access) {
	p.Fd = p.fd(fd)
	p.vector(buffers, a)
	p.Off = p.offset(offset)
	p.OpFlags = p.u32("flags", flags)
}
