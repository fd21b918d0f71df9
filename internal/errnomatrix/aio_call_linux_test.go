package errnomatrix

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/rawring"
)

// SAFETY: what the kernel keeps beyond a call is memory of an arena, which stays where it is until the row is over;
// everything else is an argument of one call and converted in its argument list. A context that is read as a pointer is
// the address at which the kernel has mapped the ring, until io_destroy.

// iocb mirrors struct iocb of <linux/aio_abi.h>.
type iocb struct {
	data     uint64
	_        [2]uint32 // key, rw_flags
	opcode   uint16
	_        int16 // reqprio
	fd       uint32
	buf      uint64
	nbytes   uint64
	_        uint64 // offset
	reserved uint64
	_        [2]uint32 // flags, resfd
}

// Opcodes of an iocb.
const (
	iocbPread = 0
	iocbPoll  = 5
)

// ioEvent mirrors struct io_event of <linux/aio_abi.h>.
type ioEvent struct {
	data, _ uint64 // obj
	res, _  int64  // res2
}

// aioContext is an aio_context_t.
type aioContext uintptr

func ioSetup(nr uintptr, ctx *aioContext) error {
	_, _, errno := unix.Syscall(unix.SYS_IO_SETUP, nr, uintptr(unsafe.Pointer(ctx)), 0)
	return errno
}

func ioDestroy(ctx aioContext) error {
	_, _, errno := unix.Syscall(unix.SYS_IO_DESTROY, uintptr(ctx), 0, 0)
	return errno
}

// ioSubmit wraps io_submit(2). The iocbs, and the array of their addresses, are from an arena.
func ioSubmit(ctx aioContext, nr uintptr, iocbs *uint64) (int, error) {
	n, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, uintptr(ctx), nr, uintptr(unsafe.Pointer(iocbs)))
	return int(n), errno
}

func ioCancel(ctx aioContext, cb *iocb) error {
	var unused ioEvent
	_, _, errno := unix.Syscall(unix.SYS_IO_CANCEL, uintptr(ctx), uintptr(unsafe.Pointer(cb)),
		uintptr(unsafe.Pointer(&unused)))
	return errno
}

// ioGetevents wraps io_getevents(2), begun again after EINTR. A nil timeout means no limit.
func ioGetevents(ctx aioContext, minimum, nr uintptr, events *ioEvent, timeout *unix.Timespec) (int, error) {
	for {
		n, _, errno := unix.Syscall6(unix.SYS_IO_GETEVENTS, uintptr(ctx), minimum, nr,
			uintptr(unsafe.Pointer(events)), uintptr(unsafe.Pointer(timeout)), 0)
		if errno != unix.EINTR {
			return int(n), errno
		}
	}
}

// aioRing is the head of the completion ring that the kernel maps at the address that is the context, struct aio_ring
// of fs/aio.c.
type aioRing struct {
	_  uint32 // id
	nr uint32
}

func (ctx aioContext) ring() *aioRing {
	// The number is read as a pointer instead of being converted to one: it is no Go memory.
	return *(**aioRing)(unsafe.Pointer(&ctx))
}

// iocbs returns an array of the iocbs' addresses.
func iocbs(e *env, list ...iocb) *uint64 {
	addresses := make([]uint64, len(list))
	for i, cb := range list {
		addresses[i] = rawring.Addr(alloc(e, cb))
	}
	return array(e, addresses...)
}
