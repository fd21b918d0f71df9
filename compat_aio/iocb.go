package aio

import (
	"runtime"
	"unsafe"

	"github.com/sockring/uring/internal/race"
)

// ID names one request of a Context: the index of its IOCB and, above it, a generation that grows each time the IOCB
// is used again, so that a late event is recognised and dropped. No ID is 0.
type ID uint64

const idGenerationShift = 32

// vectorsInline is how many buffers of a vectored request need no memory of their own.
const vectorsInline = 8

// vectorsMax is IOV_MAX: how many buffers a vectored request may have.
const vectorsMax = 1024

// IOCB is one request of a Context: taken with Context.IOCB, filled by a Prep method, handed to the kernel by
// Context.Submit, ended by its Event.
//
// Ownership: an IOCB belongs to the goroutine that took it until Submit has accepted it or Release has given it back.
// From then on the Context and the kernel own it and its methods must not be called; another request may be using it.
type IOCB struct {
	ctx   *Context
	raw   *rawIOCB // in mapped memory
	index uint32
	gen   uint32
	state iocbState
	op    opcode

	notify   bool // the context's eventfd counts the completion
	canceled bool // io_cancel has accepted it

	data   any
	data64 uint64

	vectors []iovec // in mapped memory
	pins    int
	pinners []runtime.Pinner // pinsPerPinner in each
	ranges  []memRange       // filled only under the race detector
}

// iocbState is guarded by Context.mu where it comes from or goes to one that the holder does not own.
type iocbState uint8

const (
	iocbFree     iocbState = iota
	iocbHeld               // taken, and not prepared
	iocbPrepared           // ready to be submitted
	iocbInFlight           // the kernel has it, or is about to
)

// pinsPerPinner is how many pointers a runtime.Pinner holds without allocating each time anew.
const pinsPerPinner = 5

// access says what the kernel does with memory that a request names.
type access uint8

const (
	kernelReads access = iota
	kernelWrites
)

// memRange is memory that the kernel uses. It is held by its address alone: what a pin forgot must not be kept alive
// by the note that is to find it.
type memRange struct {
	addr   uintptr
	n      int
	access access
}

// ID returns the name of the request that the IOCB holds now, for Context.Cancel.
func (cb *IOCB) ID() ID { return ID(cb.gen)<<idGenerationShift | ID(cb.index) }

// SetData has the request's Event carry data, which may keep alive what the request needs.
func (cb *IOCB) SetData(data any) { cb.data = data }

// SetData64 has the request's Event carry a number.
func (cb *IOCB) SetData64(data uint64) { cb.data64 = data }

// pin keeps n bytes of Go memory at p allocated and unmoved until the event, and notes what the kernel does with them.
func (cb *IOCB) pin(p unsafe.Pointer, n int, a access) {
	if n == 0 {
		return
	}
	if cb.pins == len(cb.pinners)*pinsPerPinner {
		cb.pinners = append(cb.pinners, runtime.Pinner{})
	}
	// SAFETY: a *byte keeps the whole object alive and pinned.
	cb.pinners[cb.pins/pinsPerPinner].Pin((*byte)(p))
	cb.pins++
	if race.Enabled {
		cb.ranges = append(cb.ranges, memRange{addr: uintptr(p), n: n, access: a}) // SAFETY: see memRange.
	}
}

// unpin gives up the memory that the request names.
func (cb *IOCB) unpin() {
	for i := 0; cb.pins > 0; i++ {
		cb.pinners[i].Unpin()
		cb.pins = max(cb.pins-pinsPerPinner, 0)
	}
	cb.ranges = cb.ranges[:0]
}

// announce tells the race detector what the kernel does with the request's memory: at the submission, and again at the
// completion, so that whoever touched the memory in between without synchronisation is reported.
func (cb *IOCB) announce() {
	if !race.Enabled {
		return
	}
	for _, m := range cb.ranges {
		p := *(*unsafe.Pointer)(unsafe.Pointer(&m.addr)) // SAFETY: what the address names is pinned, and only named.
		if m.access == kernelWrites {
			race.WriteRange(p, m.n)
		} else {
			race.ReadRange(p, m.n)
		}
	}
}

// clear gives up what the request held: it has ended, or never began.
func (cb *IOCB) clear() {
	cb.unpin()
	cb.data, cb.data64 = nil, 0
	cb.notify, cb.canceled = false, false
	cb.state = iocbFree
}
