package uring

import "github.com/sockring/uring/cring"

// PrepGetxattr wraps io_uring_prep_getxattr(3), an asynchronous getxattr(2); the result is the value's length. With
// an empty value it is the length that there would be. Since 5.19.
//
// value is the kernel's to write until the terminal CQE.
func (s *SQE) PrepGetxattr(name string, value []byte, path string) error {
	e := s.begin("PrepGetxattr", cring.OpGetxattr)
	e.xattr(name, value, kernelWrites)
	e.Addr3 = e.path(path)
	return e.end()
}

// PrepSetxattr wraps io_uring_prep_setxattr(3), an asynchronous setxattr(2) with XATTR_* flags. Since 5.19.
//
// value is the kernel's to read until the terminal CQE.
func (s *SQE) PrepSetxattr(name string, value []byte, path string, flags int) error {
	e := s.begin("PrepSetxattr", cring.OpSetxattr)
	e.xattr(name, value, kernelReads)
	e.Addr3 = e.path(path)
	e.OpFlags = e.u32("flags", flags)
	return e.end()
}

// PrepFgetxattr wraps io_uring_prep_fgetxattr(3): PrepGetxattr of an open file. Since 5.19.
func (s *SQE) PrepFgetxattr(fd int, name string, value []byte) error {
	e := s.begin("PrepFgetxattr", cring.OpFgetxattr)
	e.Fd = e.fd(fd)
	e.xattr(name, value, kernelWrites)
	return e.end()
}

// PrepFsetxattr wraps io_uring_prep_fsetxattr(3): PrepSetxattr of an open file. Since 5.19.
func (s *SQE) PrepFsetxattr(fd int, name string, value []byte, flags int) error {
	e := s.begin("PrepFsetxattr", cring.OpFsetxattr)
	e.Fd = e.fd(fd)
	e.xattr(name, value, kernelReads)
	e.OpFlags = e.u32("flags", flags)
	return e.end()
}

func (p *prep) xattr(name string, value []byte, a access) {
	p.Addr = p.cstring("attribute name", name)
	p.Off, p.Len = p.bytes(value, a)
}
