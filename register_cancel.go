package uring

import (
	"fmt"
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

var opSyncCancel = registerOp{
	cring.RegisterSyncCancel, "IORING_REGISTER_SYNC_CANCEL",
	probe.Version{Major: 6, Minor: 0},
	1,
}

// CancelMatch says which operations are to be cancelled: the first one that matches, or all of them.
type CancelMatch struct {
	userData uint64
	fd       int
	flags    uint32
}

// CancelID matches the operation that SQE.ID named.
func CancelID(id OpID) CancelMatch { return CancelMatch{userData: uint64(id), fd: -1} }

// CancelFd matches operations on the descriptor.
func CancelFd(fd int) CancelMatch { return CancelMatch{fd: fd, flags: cring.AsyncCancelFd} }

// CancelFixedFile matches operations on the registered file of that index.
func CancelFixedFile(index int) CancelMatch {
	return CancelMatch{fd: index, flags: cring.AsyncCancelFd | cring.AsyncCancelFdFixed}
}

// CancelAny matches all operations, those of C code on the same ring included.
func CancelAny() CancelMatch { return CancelMatch{fd: -1, flags: cring.AsyncCancelAny} }

// All is m for all operations that match, not for the first of them only.
func (m CancelMatch) All() CancelMatch {
	m.flags |= cring.AsyncCancelAll
	return m
}

// SyncCancel cancels operations that match, and waits until the kernel has let go of them, for at most timeout, or
// without a limit where that is negative. What was cancelled completes with unix.ECANCELED or with what it had done
// so far; that CQE is still to be reaped, and until then the operation's memory stays pinned.
//
// Where nothing matches the error is unix.ENOENT, unless all were meant. Where the time is over it is
// os.ErrDeadlineExceeded, and the operations end later. It wraps io_uring_register_sync_cancel(3). Since 6.0.
func (r *Ring) SyncCancel(m CancelMatch, timeout time.Duration) error {
	if err := r.owned(); err != nil {
		return err
	}
	if int64(m.fd) < math.MinInt32 || int64(m.fd) > math.MaxInt32 {
		return fmt.Errorf("uring: cancel: file descriptor %d: %w", m.fd, unix.EBADF)
	}
	end := time.Now().Add(timeout)
	for again := false; ; again = true {
		arg := cring.SyncCancelReg{
			Addr: m.userData, Fd: int32(m.fd), Flags: m.flags, Timeout: cring.Timespec{Sec: -1, Nsec: -1},
		}
		if timeout >= 0 {
			arg.Timeout = timespec(max(time.Until(end), 0))
		}
		ret := r.c.Register(cring.RegisterSyncCancel, unsafe.Pointer(&arg), 1) // SAFETY: read during the call only.
		errno := unix.Errno(max(-ret, 0))
		switch {
		case r.life.closing.Load():
			return r.closeOwned()
		case ret >= 0, errno == unix.ENOENT && again: // what was found before the signal has ended meanwhile
			return nil
		case errno == unix.ETIME:
			return fmt.Errorf("uring: cancel: %w", errTimeout)
		case errno != unix.EINTR:
			return r.registerError(opSyncCancel, "cancel", errno)
		}
	}
}
