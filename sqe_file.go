package uring

import (
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

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
