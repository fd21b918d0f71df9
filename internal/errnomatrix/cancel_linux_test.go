package errnomatrix

import (
	"math"

	"github.com/sockring/uring/cring"
)

var cancelRows = map[string]row{
	"cancel unknown user_data": func(e *env) string {
		return e.request(cring.SQE{Opcode: cring.OpAsyncCancel, Fd: -1, Addr: math.MaxUint64 - 1})
	},
	"cancel_fd 999 ALL": func(e *env) string {
		return e.cancel(unusedFd, cring.AsyncCancelFd|cring.AsyncCancelAll)
	},
	"cancel ANY|ALL with nothing pending": func(e *env) string {
		return e.cancel(-1, cring.AsyncCancelAny|cring.AsyncCancelAll)
	},
	"cancel unknown flags": func(e *env) string { return e.cancel(-1, 1<<31) },
}

func (e *env) cancel(fd int32, flags uint32) string {
	e.Helper()
	return e.request(cring.SQE{Opcode: cring.OpAsyncCancel, Fd: fd, OpFlags: flags})
}
