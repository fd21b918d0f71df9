package unix

import "golang.org/x/sys/unix"

// Numbers that the portable files pass to the kernel or find in what it returns.
const (
	AF_UNIX      = unix.AF_UNIX
	ETIME        = unix.ETIME
	F_GETFL      = unix.F_GETFL
	MAP_ANON     = unix.MAP_ANON
	MAP_PRIVATE  = unix.MAP_PRIVATE
	MSG_DONTWAIT = unix.MSG_DONTWAIT
	MSG_NOSIGNAL = unix.MSG_NOSIGNAL
	MSG_WAITALL  = unix.MSG_WAITALL
	O_NONBLOCK   = unix.O_NONBLOCK
	POLLERR      = unix.POLLERR
	POLLHUP      = unix.POLLHUP
	POLLIN       = unix.POLLIN
	POLLNVAL     = unix.POLLNVAL
	POLLOUT      = unix.POLLOUT
	PROT_NONE    = unix.PROT_NONE
	PROT_READ    = unix.PROT_READ
	PROT_WRITE   = unix.PROT_WRITE
	SOCK_STREAM  = unix.SOCK_STREAM
	SOL_SOCKET   = unix.SOL_SOCKET
	SO_TYPE      = unix.SO_TYPE
	S_IFBLK      = unix.S_IFBLK
	S_IFDIR      = unix.S_IFDIR
	S_IFMT       = unix.S_IFMT
	S_IFREG      = unix.S_IFREG
)

// Stat_t is what Fstat fills.
type Stat_t = unix.Stat_t

// Close wraps close(2).
func Close(fd int) error { return unix.Close(fd) }

// Fstat wraps fstat(2).
func Fstat(fd int, stat *Stat_t) error { return unix.Fstat(fd, stat) }

// FcntlInt wraps fcntl(2).
func FcntlInt(fd uintptr, cmd, arg int) (int, error) { return unix.FcntlInt(fd, cmd, arg) }

// Getpagesize returns the size of a page of memory.
func Getpagesize() int { return unix.Getpagesize() }

// GetsockoptInt wraps getsockopt(2).
func GetsockoptInt(fd, level, opt int) (int, error) { return unix.GetsockoptInt(fd, level, opt) }

// Mmap wraps mmap(2).
func Mmap(fd int, offset int64, length, prot, flags int) ([]byte, error) {
	return unix.Mmap(fd, offset, length, prot, flags)
}

// Munmap wraps munmap(2) of what Mmap returned.
func Munmap(b []byte) error { return unix.Munmap(b) }
