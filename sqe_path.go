package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// The methods of this file copy their paths, which may have up to 4095 bytes; a longer one is unix.ENAMETOOLONG,
// and one with a NUL byte unix.EINVAL. dfd is a directory's descriptor or unix.AT_FDCWD. Those without an "at" in
// their name begin at the working directory.

// atFdcwd is AT_FDCWD of Linux.
const atFdcwd = -100

// PrepUnlinkat wraps io_uring_prep_unlinkat(3), an asynchronous unlinkat(2) with AT_REMOVEDIR or zero. Since 5.11.
func (s *SQE) PrepUnlinkat(dfd int, path string, flags int) error {
	e := s.begin("PrepUnlinkat", cring.OpUnlinkat)
	e.unlink(dfd, path, flags)
	return e.end()
}

// PrepUnlink wraps io_uring_prep_unlink(3). Since 5.11.
func (s *SQE) PrepUnlink(path string, flags int) error {
	e := s.begin("PrepUnlink", cring.OpUnlinkat)
	e.unlink(atFdcwd, path, flags)
	return e.end()
}

func (p *prep) unlink(dfd int, path string, flags int) {
	p.Fd = p.fd(dfd)
	p.Addr = p.path(path)
	p.OpFlags = p.u32("flags", flags)
}

// PrepRenameat wraps io_uring_prep_renameat(3), an asynchronous renameat2(2) with RENAME_* flags. Since 5.11.
func (s *SQE) PrepRenameat(oldDfd int, oldPath string, newDfd int, newPath string, flags uint32) error {
	e := s.begin("PrepRenameat", cring.OpRenameat)
	e.twoPaths(oldDfd, oldPath, newDfd, newPath)
	e.OpFlags = flags
	return e.end()
}

// PrepRename wraps io_uring_prep_rename(3). Since 5.11.
func (s *SQE) PrepRename(oldPath, newPath string) error {
	e := s.begin("PrepRename", cring.OpRenameat)
	e.twoPaths(atFdcwd, oldPath, atFdcwd, newPath)
	return e.end()
}

// PrepLinkat wraps io_uring_prep_linkat(3), an asynchronous linkat(2) with AT_* flags. Since 5.15.
func (s *SQE) PrepLinkat(oldDfd int, oldPath string, newDfd int, newPath string, flags int) error {
	e := s.begin("PrepLinkat", cring.OpLinkat)
	e.twoPaths(oldDfd, oldPath, newDfd, newPath)
	e.OpFlags = e.u32("flags", flags)
	return e.end()
}

// PrepLink wraps io_uring_prep_link(3), a hard link between files; Link is for operations. Since 5.15.
func (s *SQE) PrepLink(oldPath, newPath string, flags int) error {
	e := s.begin("PrepLink", cring.OpLinkat)
	e.twoPaths(atFdcwd, oldPath, atFdcwd, newPath)
	e.OpFlags = e.u32("flags", flags)
	return e.end()
}

func (p *prep) twoPaths(oldDfd int, oldPath string, newDfd int, newPath string) {
	p.Fd, p.Len = p.fd(oldDfd), uint32(p.fd(newDfd))
	p.Addr, p.Off = p.path(oldPath), p.path(newPath)
}

// PrepMkdirat wraps io_uring_prep_mkdirat(3), an asynchronous mkdirat(2). Since 5.15.
func (s *SQE) PrepMkdirat(dfd int, path string, mode uint32) error {
	e := s.begin("PrepMkdirat", cring.OpMkdirat)
	e.mkdir(dfd, path, mode)
	return e.end()
}

// PrepMkdir wraps io_uring_prep_mkdir(3). Since 5.15.
func (s *SQE) PrepMkdir(path string, mode uint32) error {
	e := s.begin("PrepMkdir", cring.OpMkdirat)
	e.mkdir(atFdcwd, path, mode)
	return e.end()
}

func (p *prep) mkdir(dfd int, path string, mode uint32) {
	p.Fd = p.fd(dfd)
	p.Addr = p.path(path)
	p.Len = mode
}

// PrepSymlinkat wraps io_uring_prep_symlinkat(3), an asynchronous symlinkat(2): linkPath under newDfd will
// lead to target. Since 5.15.
func (s *SQE) PrepSymlinkat(target string, newDfd int, linkPath string) error {
	e := s.begin("PrepSymlinkat", cring.OpSymlinkat)
	e.symlink(target, newDfd, linkPath)
	return e.end()
}

// PrepSymlink wraps io_uring_prep_symlink(3). Since 5.15.
func (s *SQE) PrepSymlink(target, linkPath string) error {
	e := s.begin("PrepSymlink", cring.OpSymlinkat)
	e.symlink(target, atFdcwd, linkPath)
	return e.end()
}

func (p *prep) symlink(target string, newDfd int, linkPath string) {
	p.Fd = p.fd(newDfd)
	p.Addr, p.Off = p.path(target), p.path(linkPath)
}

// Statx is what statx(2) tells of a file.
type Statx = cring.Statx

// PrepStatx wraps io_uring_prep_statx(3), an asynchronous statx(2) with AT_* flags and a STATX_* mask. Since 5.6.
//
// st is the kernel's to write until the terminal CQE.
func (s *SQE) PrepStatx(dfd int, path string, flags int, mask uint32, st *Statx) error {
	e := s.begin("PrepStatx", cring.OpStatx)
	e.Fd = e.fd(dfd)
	e.Addr = e.path(path)
	e.Len = mask
	if st == nil {
		e.bad(unix.EINVAL, "no room for the result")
	}
	e.Off = e.pin(unsafe.Pointer(st), unsafe.Sizeof(*st), kernelWrites) // SAFETY: see pin.
	e.OpFlags = e.u32("flags", flags)
	return e.end()
}
