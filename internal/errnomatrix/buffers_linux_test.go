package errnomatrix

import (
	"os"
	"unsafe"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

// groupID is that of the only buffer ring of a ring. Kernel 6.1 keeps the heads of groups below 64.
const groupID = 1000

const groupEntries = 8

var bufferRows = map[string]row{
	"pbuf_ring entries=0":     func(e *env) string { return e.registerGroup(e.page(), 0) },
	"pbuf_ring entries=3":     func(e *env) string { return e.registerGroup(e.page(), 3) },
	"pbuf_ring entries=65536": func(e *env) string { return e.registerGroup(e.page(), 65536) },
	"pbuf_ring unaligned addr": func(e *env) string {
		return e.registerGroup(e.page()+uint64(unsafe.Sizeof(cring.Buf{})), groupEntries)
	},
	"pbuf_ring addr=0":        func(e *env) string { return e.registerGroup(0, groupEntries) },
	"pbuf_ring unmapped addr": func(e *env) string { return e.registerGroup(unmappedPage, groupEntries) },
	"pbuf_ring ok":            func(e *env) string { return e.registerGroup(e.page(), groupEntries) },
	"pbuf_ring bad flags": func(e *env) string {
		return e.group(e.ring(0), cring.BufReg{RingAddr: e.page(), RingEntries: groupEntries, Flags: 1 << 15})
	},
	"pbuf_ring duplicate bgid": func(e *env) string {
		r := e.ring(0)
		first := e.group(r, cring.BufReg{RingAddr: e.page(), RingEntries: groupEntries})
		second := e.group(r, cring.BufReg{RingAddr: e.page(), RingEntries: groupEntries})
		if first != ok {
			require.Equal(e, first, second)
		}
		return second
	},
	"unregister unknown bgid": func(e *env) string {
		return register(e.ring(0), cring.UnregisterPbufRing, alloc(e, cring.BufReg{Bgid: groupID}), 1)
	},

	"recv BUFFER_SELECT unknown group (data absent)": func(e *env) string {
		return e.recvSelected(e.ring(0), e.socket())
	},
	"recv BUFFER_SELECT empty ring, data ready": func(e *env) string { return e.recvInto() },
	"recv into provided buffer len=0, data ready": func(e *env) string {
		return e.recvInto(cring.Buf{Addr: e.page()})
	},
	"recv into provided buffer addr=8, data ready": func(e *env) string {
		return e.recvInto(cring.Buf{Addr: badAddress, Len: 64})
	},
}

func (e *env) group(r *rawring.Ring, reg cring.BufReg) string {
	e.Helper()
	reg.Bgid = groupID
	return register(r, cring.RegisterPbufRing, alloc(e, reg), 1)
}

func (e *env) registerGroup(base uint64, entries uint32) string {
	e.Helper()
	return e.group(e.ring(0), cring.BufReg{RingAddr: base, RingEntries: entries})
}

// recvInto receives from a socket with data, out of a group of the given buffers. Where the kernel has no buffer
// rings that is the answer.
func (e *env) recvInto(buffers ...cring.Buf) string {
	e.Helper()
	r, base := e.ring(0), e.mem.Bytes(os.Getpagesize(), os.Getpagesize())
	registered := e.group(r, cring.BufReg{RingAddr: rawring.Addr(&base[0]), RingEntries: groupEntries})
	if registered != ok {
		return registered
	}
	// SAFETY: a page of the arena is large and aligned enough for the entries, which have no Go pointers.
	entries := unsafe.Slice((*cring.Buf)(unsafe.Pointer(&base[0])), groupEntries)
	copy(entries, buffers)
	// The tail lies in the first entry. A plain store will do: the kernel reads it on this thread, in a later call.
	entries[0].Resv = uint16(len(buffers))
	return e.recvSelected(r, e.filledSocket())
}

func (e *env) recvSelected(r *rawring.Ring, fd int) string {
	e.Helper()
	return e.requestOn(r, cring.SQE{
		Opcode: cring.OpRecv, Flags: cring.SQEBufferSelect, Fd: int32(fd), BufIndex: groupID,
	})
}
