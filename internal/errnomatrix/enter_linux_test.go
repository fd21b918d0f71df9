package errnomatrix

import (
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

var enterRows = map[string]row{
	"enter on non-ring fd": func(e *env) string { return e.enter(e.emptyPipe(), 0, 0, 0, nil, 0) },
	"enter on closed fd": func(e *env) string {
		fd, err := unix.FcntlInt(uintptr(e.emptyPipe()), unix.F_DUPFD_CLOEXEC, unusedFd-1)
		require.NoError(e, err)
		require.NoError(e, unix.Close(fd))
		return e.enter(fd, 0, 0, 0, nil, 0)
	},
	"enter unknown flags":      func(e *env) string { return e.enter(e.ring(0).Fd, 0, 0, 1<<31, nil, 0) },
	"enter to_submit> queued":  func(e *env) string { return e.enter(e.ring(0).Fd, 5, 0, 0, nil, 0) },
	"enter EXT_ARG wrong size": func(e *env) string { return e.waitUntil(&cring.GetEventsArg{}, 3) },

	"enter EXT_ARG tv_nsec=2e9 min=1": func(e *env) string {
		return e.waitFor(cring.Timespec{Nsec: 2e9})
	},
	"enter EXT_ARG 1ms nothing pending": func(e *env) string {
		return e.waitFor(cring.Timespec{Nsec: int64(time.Millisecond)})
	},
	"enter EXT_ARG ts bad ptr": func(e *env) string {
		return e.waitUntil(&cring.GetEventsArg{TS: badAddress}, unsafe.Sizeof(cring.GetEventsArg{}))
	},
}

// waitFor waits for one completion, which does not come, and answers what ends the wait.
func (e *env) waitFor(ts cring.Timespec) string {
	e.Helper()
	began := time.Now()
	answer := e.waitUntil(&cring.GetEventsArg{TS: rawring.Addr(alloc(e, ts))}, unsafe.Sizeof(cring.GetEventsArg{}))
	if answer == succeeded(unix.ETIME) {
		require.GreaterOrEqual(e, time.Since(began), time.Duration(ts.Nsec))
	}
	return answer
}

func (e *env) waitUntil(arg *cring.GetEventsArg, size uintptr) string {
	e.Helper()
	return e.enter(e.ring(0).Fd, 0, 1, cring.EnterGetEvents|cring.EnterExtArg, alloc(e, *arg), size)
}

// enter wraps io_uring_enter(2), with any size of argument, which is from the arena.
func (e *env) enter(fd int, submit, complete, flags uint32, arg *cring.GetEventsArg, size uintptr) string {
	for {
		// SAFETY: the kernel only reads the argument, and during the call; the arena keeps it in place.
		n, _, errno := unix.Syscall6(unix.SYS_IO_URING_ENTER, uintptr(fd), uintptr(submit), uintptr(complete),
			uintptr(flags), uintptr(unsafe.Pointer(arg)), size)
		switch errno {
		case 0:
			return answered(int(n), nil)
		case unix.EINTR:
		default:
			return succeeded(errno)
		}
	}
}
