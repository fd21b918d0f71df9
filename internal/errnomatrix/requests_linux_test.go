package errnomatrix

import (
	"math"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
	"github.com/sockring/uring/internal/testutil"
)

var requestRows = map[string]row{
	"sqe opcode=255": func(e *env) string { return e.request(cring.SQE{Opcode: 255}) },
	"sqe flags=0x80": func(e *env) string { return e.request(cring.SQE{Opcode: cring.OpNop, Flags: 0x80}) },
	"sqe personality=55 unknown": func(e *env) string {
		return e.request(cring.SQE{Opcode: cring.OpNop, Personality: 55})
	},
	"nop + BUFFER_SELECT": func(e *env) string {
		return e.request(cring.SQE{Opcode: cring.OpNop, Flags: cring.SQEBufferSelect})
	},

	"read fd=-1":  func(e *env) string { return e.read(-1) },
	"read fd=999": func(e *env) string { return e.read(unusedFd) },
	"read on write-only pipe end": func(e *env) string {
		_, writer := testutil.Pipe(e)
		return e.read(writer)
	},
	"read into addr=8": func(e *env) string {
		return e.request(cring.SQE{Opcode: cring.OpRead, Fd: int32(e.filledPipe()), Addr: badAddress, Len: 8})
	},
	"FIXED_FILE w/o table": func(e *env) string {
		return e.request(cring.SQE{
			Opcode: cring.OpRead, Flags: cring.SQEFixedFile, Addr: e.page(), Len: 8,
		})
	},

	"timeout ts=NULL":    func(e *env) string { return e.request(cring.SQE{Opcode: cring.OpTimeout, Len: 1}) },
	"timeout tv_sec=-1":  func(e *env) string { return e.timeout(cring.Timespec{Sec: -1}) },
	"timeout tv_nsec=-1": func(e *env) string { return e.timeout(cring.Timespec{Nsec: -1}) },
	"timeout 0":          func(e *env) string { return e.timeout(cring.Timespec{}) },
	"link_timeout without link": func(e *env) string {
		return e.request(cring.SQE{
			Opcode: cring.OpLinkTimeout, Addr: rawring.Addr(alloc(e, cring.Timespec{Sec: 1})), Len: 1,
		})
	},

	"msg_ring to pipe fd": func(e *env) string {
		_, writer := testutil.Pipe(e)
		return e.request(cring.SQE{Opcode: cring.OpMsgRing, Fd: int32(writer)})
	},
	"close own ring fd via SQE": func(e *env) string {
		r := e.ring(0)
		return e.requestOn(r, cring.SQE{Opcode: cring.OpClose, Fd: int32(r.Fd)})
	},
	"close fd 999": func(e *env) string { return e.request(cring.SQE{Opcode: cring.OpClose, Fd: unusedFd}) },
}

func (e *env) read(fd int) string {
	e.Helper()
	return e.request(cring.SQE{Opcode: cring.OpRead, Fd: int32(fd), Off: math.MaxUint64, Addr: e.page(), Len: 8})
}

func (e *env) timeout(ts cring.Timespec) string {
	e.Helper()
	return e.request(cring.SQE{Opcode: cring.OpTimeout, Addr: rawring.Addr(alloc(e, ts)), Len: 1})
}
