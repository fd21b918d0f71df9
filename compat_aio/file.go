package aio

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// File is what a Request works on: an open file by descriptor or as an *os.File. Making one looks at the file once, so
// make it once and use it for many requests.
//
// A Request keeps an *os.File from being collected until it has completed. The kernel takes hold of the file when the
// request is submitted: it must be open until then, and may be closed from then on.
type File struct {
	fd     int
	file   *os.File
	made   bool // by FD or FileOf
	blocks bool // a transfer may have to wait, and would do so in io_submit
	err    error
}

// FD returns the File of an open descriptor.
func FD(fd int) File {
	f := File{fd: fd, made: true}
	f.blocks, f.err = mayBlock(fd)
	return f
}

// FileOf returns the File of f. It leaves f as it is, where f.Fd may make it blocking.
func FileOf(f *os.File) File {
	if f == nil {
		return File{err: invalid("a nil *os.File")}
	}
	conn, err := f.SyscallConn()
	if err != nil {
		return File{err: err}
	}
	var file File
	if conn.Control(func(fd uintptr) { file = FD(int(fd)) }) != nil {
		return File{err: &os.PathError{Op: "aio", Path: f.Name(), Err: os.ErrClosed}} // There is no other reason.
	}
	file.file = f
	return file
}

// errBlocks is what a transfer gives that could block io_submit, and every other user of the Queue with it.
var errBlocks = errors.New("aio: neither a file nor in non-blocking mode: io_submit would wait for it")

// usable says why the file cannot be transferred to or from, or polled.
func (f File) usable(op opcode) error {
	switch {
	case f.err != nil:
		return f.err
	case !f.made:
		return invalid("a File that is neither FD's nor FileOf's")
	case f.blocks && op != opPoll && op != opFsync && op != opFdsync:
		return errors.Join(ErrInvalid, errBlocks)
	}
	return nil
}

// mayBlock reports whether a transfer could wait for another party. Disks are not meant.
func mayBlock(fd int) (bool, error) {
	var stat unix.Stat_t
	if err := retry(func() error { return unix.Fstat(fd, &stat) }); err != nil {
		return false, os.NewSyscallError("fstat", err)
	}
	switch stat.Mode & unix.S_IFMT {
	case unix.S_IFREG, unix.S_IFDIR, unix.S_IFBLK:
		return false, nil
	}
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	return flags&unix.O_NONBLOCK == 0, os.NewSyscallError("fcntl", err)
}

// retry calls f until no signal interrupts it.
func retry(f func() error) error {
	for {
		if err := f(); err != unix.EINTR {
			return err
		}
	}
}
