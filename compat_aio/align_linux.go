package aio

import (
	"bytes"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// sectorSize is the alignment that no disk goes below.
const sectorSize = 512

// FileAlignment returns what f asks of transfers with O_DIRECT, whether or not it is open with it: as statx(2) tells
// (6.1, and not of every file system), or else the logical block size of its disk, or of its file system. Where the
// file system has no O_DIRECT the error is an *UnsupportedError.
func FileAlignment(f *os.File) (Alignment, error) {
	file := FileOf(f)
	if file.err != nil {
		return Alignment{}, file.err
	}
	var stat unix.Statx_t
	err := retry(func() error {
		return unix.Statx(file.fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_DIOALIGN, &stat)
	})
	switch {
	case err != nil && err != unix.ENOSYS && err != unix.EPERM:
		return Alignment{}, os.NewSyscallError("statx", err)
	case err == nil && stat.Mask&unix.STATX_DIOALIGN == 0, err != nil:
		return probedAlignment(file.fd)
	case stat.Dio_mem_align == 0:
		return Alignment{}, noDirect("statx(2) says that the file has none", nil)
	}
	return Alignment{Memory: int(stat.Dio_mem_align), Offset: int(stat.Dio_offset_align)}, nil
}

func noDirect(missing string, err error) error {
	return &UnsupportedError{Name: "O_DIRECT", Missing: missing, Provider: "another file system", Err: err}
}

// probedAlignment finds the alignment without statx.
func probedAlignment(fd int) (Alignment, error) {
	direct, err := unix.Open(fmt.Sprintf("/proc/self/fd/%d", fd), unix.O_RDONLY|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	switch err {
	case nil:
		unix.Close(direct)
	case unix.EINVAL:
		return Alignment{}, noDirect("the file system refuses it", os.NewSyscallError("open", err))
	default:
		return Alignment{}, os.NewSyscallError("open", err)
	}
	size := logicalBlockSize(fd)
	return Alignment{Memory: size, Offset: size}, nil
}

// logicalBlockSize returns the block size of the disk that a file is on, or of its file system, where that is on none
// or on many.
func logicalBlockSize(fd int) int {
	var stat unix.Stat_t
	if unix.Fstat(fd, &stat) == nil {
		disk := fmt.Sprintf("/sys/dev/block/%d:%d", unix.Major(uint64(stat.Dev)), unix.Minor(uint64(stat.Dev)))
		for _, queue := range []string{disk + "/queue", disk + "/../queue"} { // of a disk, and of a partition
			text, err := os.ReadFile(queue + "/logical_block_size")
			if size, wrong := strconv.Atoi(string(bytes.TrimSpace(text))); err == nil && wrong == nil {
				return max(size, sectorSize)
			}
		}
	}
	var system unix.Statfs_t
	if unix.Fstatfs(fd, &system) == nil {
		return max(int(system.Bsize), sectorSize)
	}
	return os.Getpagesize()
}
