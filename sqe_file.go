package uring

import (
	"math"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
)

// The operations on files: on open ones sizes, advice, descriptors, reads, writes, splices and pipes; by their paths
// links, directories, statx(2), opening, and extended attributes.

// PrepFsync wraps io_uring_prep_fsync(3), an asynchronous fsync(2), or with cring.FsyncDatasync fdatasync(2). Since
// 5.1.
func (s *SQE) PrepFsync(fd int, flags uint32) error {
	e := s.begin("PrepFsync", cring.OpFsync)
	e.Fd = e.fd(fd)
	e.OpFlags = flags
	return e.end()
}

// PrepSyncFileRange wraps io_uring_prep_sync_file_range(3), an asynchronous sync_file_range(2) of n bytes with
// SYNC_FILE_RANGE_* flags; zero bytes stand for all behind the offset. Since 5.2.
func (s *SQE) PrepSyncFileRange(fd, n int, offset int64, flags int) error {
	e := s.begin("PrepSyncFileRange", cring.OpSyncFileRange)
	e.Fd = e.fd(fd)
	e.Len = e.u32("bytes", n)
	e.Off = e.position("offset", offset)
	e.OpFlags = e.u32("flags", flags)
	return e.end()
}

// PrepFallocate wraps io_uring_prep_fallocate(3), an asynchronous fallocate(2) with FALLOC_FL_* as mode. Since 5.6.
func (s *SQE) PrepFallocate(fd, mode int, offset, n int64) error {
	e := s.begin("PrepFallocate", cring.OpFallocate)
	e.Fd = e.fd(fd)
	e.Len = e.u32("mode", mode)
	e.Off, e.Addr = e.position("offset", offset), e.position("bytes", n)
	return e.end()
}

// PrepFtruncate wraps io_uring_prep_ftruncate(3), an asynchronous ftruncate(2). Since 6.9.
func (s *SQE) PrepFtruncate(fd int, size int64) error {
	e := s.begin("PrepFtruncate", cring.OpFtruncate)
	e.Fd = e.fd(fd)
	e.Off = e.position("size", size)
	return e.end()
}

// PrepFadvise wraps io_uring_prep_fadvise(3), an asynchronous posix_fadvise(2) for n bytes with POSIX_FADV_*
// advice. Since 5.6.
func (s *SQE) PrepFadvise(fd int, offset int64, n, advice int) error {
	e := s.begin("PrepFadvise", cring.OpFadvise)
	e.Fd = e.fd(fd)
	e.Off = e.position("offset", offset)
	e.Len = e.u32("bytes", n)
	e.OpFlags = e.u32("advice", advice)
	return e.end()
}

// PrepFadvise64 wraps io_uring_prep_fadvise64(3): PrepFadvise for more than 4 GiB. Since 6.10.
func (s *SQE) PrepFadvise64(fd int, offset, n int64, advice int) error {
	e := s.begin("PrepFadvise64", cring.OpFadvise)
	e.Fd = e.fd(fd)
	e.Off, e.Addr = e.position("offset", offset), e.position("bytes", n)
	e.OpFlags = e.u32("advice", advice)
	return e.end()
}

// PrepMadvise wraps io_uring_prep_madvise(3), an asynchronous madvise(2) with MADV_* advice. mem is to be whole
// pages of mapped memory; advice such as MADV_DONTNEED about the Go heap destroys the program. Since 5.6.
func (s *SQE) PrepMadvise(mem []byte, advice int) error {
	e := s.begin("PrepMadvise", cring.OpMadvise)
	e.Addr = e.memory(mem)
	e.Len = e.u32("bytes", len(mem))
	e.Fd = -1
	e.OpFlags = e.u32("advice", advice)
	return e.end()
}

// PrepMadvise64 wraps io_uring_prep_madvise64(3): PrepMadvise for more than 4 GiB. Since 6.10.
func (s *SQE) PrepMadvise64(mem []byte, advice int) error {
	e := s.begin("PrepMadvise64", cring.OpMadvise)
	e.Addr = e.memory(mem)
	e.Off = uint64(len(mem))
	e.Fd = -1
	e.OpFlags = e.u32("advice", advice)
	return e.end()
}

// memory pins memory that the operation does not look into.
func (p *prep) memory(mem []byte) uint64 {
	if len(mem) == 0 {
		return 0
	}
	return p.pin(unsafe.Pointer(unsafe.SliceData(mem)), 1, kernelReads) // SAFETY: see pin.
}

// position checks what may not be negative.
func (p *prep) position(what string, v int64) uint64 {
	if v < 0 {
		p.bad(unix.EINVAL, "%s %d", what, v)
	}
	return uint64(v)
}

// PrepClose wraps io_uring_prep_close(3), an asynchronous close(2). Operations that wait on the descriptor go on
// waiting: cancel them first. Since 5.6.
func (s *SQE) PrepClose(fd int) error {
	e := s.begin("PrepClose", cring.OpClose)
	e.Fd = e.fd(fd)
	return e.end()
}

// PrepCloseDirect wraps io_uring_prep_close_direct(3): it closes the direct descriptor with that index. Since 5.15.
func (s *SQE) PrepCloseDirect(index uint32) error {
	e := s.begin("PrepCloseDirect", cring.OpClose)
	if index >= math.MaxInt32 { // cring.FileIndexAlloc among them, with which liburing would close descriptor 0
		e.bad(unix.EINVAL, "direct descriptor %d", index)
	}
	e.FileIndex = int32(index + 1)
	return e.end()
}

// PrepFilesUpdate wraps io_uring_prep_files_update(3): it puts the descriptors fds into the slots of the registered
// files from offset on, where -1 empties a slot and cring.RegisterFilesSkip leaves it. With cring.FileIndexAlloc as
// offset the kernel chooses free slots and writes their indices to fds. The result is how many slots were changed.
// Since 5.6.
//
// fds stays the kernel's until the terminal CQE.
func (s *SQE) PrepFilesUpdate(fds []int32, offset uint32) error {
	e := s.begin("PrepFilesUpdate", cring.OpFilesUpdate)
	a := kernelReads
	if offset == cring.FileIndexAlloc {
		a = kernelWrites
	}
	if n := len(fds); n > 0 {
		e.Addr = e.pin(unsafe.Pointer(&fds[0]), uintptr(n)*unsafe.Sizeof(fds[0]), a) // SAFETY: see pin.
		e.Len = e.u32("descriptors", n)
	}
	e.Fd = -1
	e.Off = uint64(int64(int32(offset)))
	return e.end()
}

// PrepFixedFdInstall wraps io_uring_prep_fixed_fd_install(3): it makes an ordinary descriptor of the direct one
// with that index, close-on-exec unless flags has cring.FixedFdNoCloexec. The result is the descriptor. Since 6.8.
func (s *SQE) PrepFixedFdInstall(index int, flags uint32) error {
	e := s.begin("PrepFixedFdInstall", cring.OpFixedFdInstall)
	e.Fd = e.fd(index)
	e.Flags = cring.SQEFixedFile
	e.OpFlags = flags
	return e.end()
}

// blockURingCmdDiscard is BLOCK_URING_CMD_DISCARD of <linux/blkdev.h>, _IO(0x12, 0).
const blockURingCmdDiscard = 0x1200

// PrepCmdDiscard wraps io_uring_prep_cmd_discard(3): it has a block device discard n bytes from offset on. Since
// 6.12.
func (s *SQE) PrepCmdDiscard(fd int, offset, n uint64) error {
	e := s.begin("PrepCmdDiscard", cring.OpUringCmd)
	e.Fd = e.fd(fd)
	e.Off = words(blockURingCmdDiscard, 0)
	e.Addr, e.Addr3 = offset, n
	return e.end()
}

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
