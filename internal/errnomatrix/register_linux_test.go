package errnomatrix

import (
	"math"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

var registerRows = map[string]row{
	"register opcode 9999": func(e *env) string { return register[byte](e.ring(0), 9999, nil, 0) },
	"register on pipe fd": func(e *env) string {
		_, _, errno := unix.Syscall6(unix.SYS_IO_URING_REGISTER, uintptr(e.emptyPipe()), cring.RegisterProbe, 0, 0, 0, 0)
		return succeeded(errno)
	},

	"probe nr=256": func(e *env) string { return e.probe(cring.Probe{}, 256) },
	"probe nr=257": func(e *env) string { return e.probe(cring.Probe{}, 257) },
	"probe nonzero input": func(e *env) string {
		var p cring.Probe
		p.Ops[3].Flags = 1
		return e.probe(p, 256)
	},

	"register_eventfd": alone(func(e *env) string { return e.registerEventfd(e.ring(0)) }),
	"register_eventfd twice": alone(func(e *env) string {
		r := e.ring(0)
		e.prepared(e.registerEventfd(r))
		return e.registerEventfd(r)
	}),
	"register_eventfd on pipe": alone(func(e *env) string {
		return register(e.ring(0), cring.RegisterEventfd, alloc(e, int32(e.emptyPipe())), 1)
	}),
}

func (e *env) probe(p cring.Probe, nr int) string {
	e.Helper()
	// One element more than there can be, so that the kernel finds memory there too.
	arg := alloc(e, struct {
		cring.Probe
		_ cring.ProbeOp
	}{Probe: p})
	return register(e.ring(0), cring.RegisterProbe, arg, nr)
}

func (e *env) registerEventfd(r *rawring.Ring) string {
	e.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	require.NoError(e, err)
	e.Cleanup(func() { unix.Close(fd) })
	return register(r, cring.RegisterEventfd, alloc(e, int32(fd)), 1)
}

// fileRows are about registered files and buffers.
var fileRows = map[string]row{
	"unregister files (none)": func(e *env) string { return register[byte](e.ring(0), cring.UnregisterFiles, nil, 0) },
	"register_files bad fd": func(e *env) string {
		return register(e.ring(0), cring.RegisterFiles, alloc(e, int32(unusedFd)), 1)
	},
	"register_files nr=0": func(e *env) string {
		return register(e.ring(0), cring.RegisterFiles, alloc(e, int32(0)), 0)
	},

	"unregister buffers (none)": func(e *env) string {
		return register[byte](e.ring(0), cring.UnregisterBuffers, nil, 0)
	},
	"register_buffers 1": func(e *env) string { return e.registerBuffer(e.ring(0), e.page(), 4096) },
	"register_buffers twice": func(e *env) string {
		r := e.ring(0)
		e.prepared(e.registerBuffer(r, e.page(), 4096))
		return e.registerBuffer(r, e.page(), 4096)
	},
	"register_buffers len=0":              func(e *env) string { return e.registerBuffer(e.ring(0), e.page(), 0) },
	"register_buffers base=NULL len=4096": func(e *env) string { return e.registerBuffer(e.ring(0), 0, 4096) },
	"register_buffers 2GiB":               func(e *env) string { return e.registerBuffer(e.ring(0), e.page(), 2<<30) },

	"read_fixed w/o registered buffers": func(e *env) string { return e.readFixed(e.ring(0), e.page(), 8, 0) },
	"read_fixed len beyond buffer":      func(e *env) string { return e.readFromBuffer(8192, 0) },
	"read_fixed idx out of range":       func(e *env) string { return e.readFromBuffer(8, 1) },
}

func (e *env) registerBuffer(r *rawring.Ring, base, size uint64) string {
	e.Helper()
	return register(r, cring.RegisterBuffers, alloc(e, cring.Iovec{Base: base, Len: size}), 1)
}

// readFromBuffer reads where one buffer of 4096 bytes is registered.
func (e *env) readFromBuffer(size uint32, index uint16) string {
	e.Helper()
	r, base := e.ring(0), e.page()
	e.prepared(e.registerBuffer(r, base, 4096))
	return e.readFixed(r, base, size, index)
}

func (e *env) readFixed(r *rawring.Ring, base uint64, size uint32, index uint16) string {
	e.Helper()
	return e.requestOn(r, cring.SQE{
		Opcode: cring.OpReadFixed, Fd: int32(e.filledPipe()), Off: math.MaxUint64, Addr: base, Len: size, BufIndex: index,
	})
}

var restrictionRows = map[string]row{
	"restrictions on enabled ring": func(e *env) string { return e.restrict(e.ring(0)) },
	"enable_rings on enabled ring": func(e *env) string { return enable(e.ring(0)) },
	"submit on R_DISABLED ring": func(e *env) string {
		return e.requestOn(e.ring(cring.SetupRDisabled), cring.SQE{Opcode: cring.OpNop})
	},
	"register restrictions": func(e *env) string { return e.restrict(e.ring(cring.SetupRDisabled)) },
	"register restrictions twice": func(e *env) string {
		r := e.ring(cring.SetupRDisabled)
		e.prepared(e.restrict(r))
		return e.restrict(r)
	},
	"restricted opcode CQE": func(e *env) string {
		r := e.restricted()
		e.prepared(e.requestOn(r, cring.SQE{Opcode: cring.OpNop}))
		return e.requestOn(r, cring.SQE{Opcode: cring.OpRead, Fd: int32(e.filledPipe()), Addr: e.page(), Len: 8})
	},
	"register_files on restricted ring": func(e *env) string {
		return register(e.restricted(), cring.RegisterFiles, alloc(e, int32(e.emptyPipe())), 1)
	},
}

// restrict allows one opcode and says nothing of registrations.
func (e *env) restrict(r *rawring.Ring) string {
	e.Helper()
	nop := cring.Restriction{Opcode: cring.RestrictionSQEOp, Arg: cring.OpNop}
	return register(r, cring.RegisterRestrictions, alloc(e, nop), 1)
}

func enable(r *rawring.Ring) string { return register[byte](r, cring.RegisterEnableRings, nil, 0) }

// restricted returns an enabled ring that may do NOPs only.
func (e *env) restricted() *rawring.Ring {
	e.Helper()
	r := e.ring(cring.SetupRDisabled)
	e.prepared(e.restrict(r))
	e.prepared(enable(r))
	return r
}
