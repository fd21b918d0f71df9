//go:build !linux

package unix

import "os"

// The numbers are Linux's. No kernel sees them here.
const (
	AF_UNIX      = 1
	ETIME        = Errno(0x3e)
	F_GETFL      = 3
	MAP_ANON     = 0x20
	MAP_PRIVATE  = 2
	MSG_DONTWAIT = 0x40
	MSG_NOSIGNAL = 0x4000
	MSG_WAITALL  = 0x100
	O_NONBLOCK   = 0x800
	POLLERR      = 8
	POLLHUP      = 0x10
	POLLIN       = 1
	POLLNVAL     = 0x20
	POLLOUT      = 4
	PROT_NONE    = 0
	PROT_READ    = 1
	PROT_WRITE   = 2
	SOCK_STREAM  = 1
	SOL_SOCKET   = 1
	SO_TYPE      = 3
	S_IFBLK      = 0x6000
	S_IFDIR      = 0x4000
	S_IFMT       = 0xf000
	S_IFREG      = 0x8000
)

// Stat_t is what Fstat would fill.
type Stat_t struct{ Mode uint32 }

// Close says ENOSYS.
func Close(int) error { return ENOSYS }

// Fstat says ENOSYS.
func Fstat(int, *Stat_t) error { return ENOSYS }

// FcntlInt says ENOSYS.
func FcntlInt(uintptr, int, int) (int, error) { return 0, ENOSYS }

// Getpagesize returns the size of a page of memory.
func Getpagesize() int { return os.Getpagesize() }

// GetsockoptInt says ENOSYS.
func GetsockoptInt(int, int, int) (int, error) { return 0, ENOSYS }

// Mmap says ENOSYS.
func Mmap(int, int64, int, int, int) ([]byte, error) { return nil, ENOSYS }

// Munmap says ENOSYS.
func Munmap([]byte) error { return ENOSYS }
