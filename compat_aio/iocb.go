package aio

import (
	"math"
	"os"
	"runtime"
	"unsafe"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/unix"
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
// The zero IOCB belongs to no Context, and its methods give an error.
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

// PrepPread prepares IOCB_CMD_PREAD, as pread(2): up to len(b) bytes of fd from offset on into b, which the kernel
// writes until the event. For sockets and pipes offset is 0. The kernel takes at most 0x7ffff000 bytes at once.
func (cb *IOCB) PrepPread(fd int, b []byte, offset int64) error {
	return cb.prepTransfer(opPread, fd, b, offset, kernelWrites)
}

// PrepPwrite prepares IOCB_CMD_PWRITE, as pwrite(2): up to len(b) bytes of b to fd from offset on. The kernel reads b
// until the event. A peer that has closed its end of a socket or pipe costs a SIGPIPE, which Go programs ignore unless
// fd is 1 or 2.
func (cb *IOCB) PrepPwrite(fd int, b []byte, offset int64) error {
	return cb.prepTransfer(opPwrite, fd, b, offset, kernelReads)
}

// PrepPreadv prepares IOCB_CMD_PREADV, as preadv(2), with at most 1024 buffers. The slice itself is copied.
func (cb *IOCB) PrepPreadv(fd int, bufs [][]byte, offset int64) error {
	return cb.prepVector(opPreadv, fd, bufs, offset, kernelWrites)
}

// PrepPwritev prepares IOCB_CMD_PWRITEV, as pwritev(2), with at most 1024 buffers. The slice itself is copied.
func (cb *IOCB) PrepPwritev(fd int, bufs [][]byte, offset int64) error {
	return cb.prepVector(opPwritev, fd, bufs, offset, kernelReads)
}

// PrepFsync prepares IOCB_CMD_FSYNC, as fsync(2). It is not ordered behind writes that are in flight. Since 4.18;
// without it, and on what has no fsync, the submission gives EINVAL.
func (cb *IOCB) PrepFsync(fd int) error { return cb.begin(opFsync, fd) }

// PrepFdsync prepares IOCB_CMD_FDSYNC, as fdatasync(2). See PrepFsync.
func (cb *IOCB) PrepFdsync(fd int) error { return cb.begin(opFdsync, fd) }

// PrepPoll prepares IOCB_CMD_POLL: one wait for any of events (unix.POLLIN, unix.POLLOUT, ...) on fd. The result is
// what is ready. Since 4.18; without it the submission gives EINVAL.
func (cb *IOCB) PrepPoll(fd int, events uint16) error {
	if err := cb.begin(opPoll, fd); err != nil {
		return err
	}
	cb.raw.buf = uint64(events)
	return nil
}

// Notify has the completion counted by the context's eventfd, for which Context.Await waits. It comes after the Prep
// method.
func (cb *IOCB) Notify() error {
	if err := cb.prepared(); err != nil {
		return err
	}
	cb.notify = true
	cb.raw.flags |= flagResfd
	cb.raw.resfd = uint32(cb.ctx.notifier.fd)
	return nil
}

// SetRWFlags sets RWF_* flags of <linux/fs.h> for a transfer (4.13). The kernel answers flags that it does not know, or
// that the file cannot do, with EOPNOTSUPP at the submission. It comes after the Prep method.
func (cb *IOCB) SetRWFlags(flags uint32) error {
	if err := cb.prepared(); err != nil {
		return err
	}
	if cb.op == opFsync || cb.op == opFdsync || cb.op == opPoll {
		return invalid("RWF flags for %v", cb.op)
	}
	*cb.raw.rwFlags() = flags
	return nil
}

// SetIOPrio sets the I/O priority of a transfer, as ioprio_set(2) encodes it (4.18). It comes after the Prep method.
func (cb *IOCB) SetIOPrio(priority uint16) error {
	if err := cb.prepared(); err != nil {
		return err
	}
	cb.raw.flags |= flagIOPrio
	cb.raw.reqprio = int16(priority)
	return nil
}

// Release gives back an IOCB that Submit has not accepted.
func (cb *IOCB) Release() error {
	c := cb.ctx
	if c == nil { // of the zero IOCB
		return ErrNotPrepared
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if cb.state != iocbHeld && cb.state != iocbPrepared {
		return cb.notYours()
	}
	cb.clear()
	c.free = append(c.free, cb.index)
	return nil
}

func (cb *IOCB) prepared() error {
	switch cb.state {
	case iocbPrepared:
		return nil
	case iocbHeld:
		return ErrNotPrepared
	}
	return cb.notYours()
}

func (cb *IOCB) notYours() error {
	if cb.state == iocbInFlight {
		return ErrInProgress
	}
	return invalid("an IOCB that was given back")
}

// begin fills what all requests have. An IOCB may be prepared again; then the last preparation counts.
func (cb *IOCB) begin(op opcode, fd int) error {
	switch {
	case cb.state != iocbHeld && cb.state != iocbPrepared:
		return cb.notYours()
	case fd < 0 || fd > math.MaxInt32:
		return invalid("descriptor %d", fd)
	}
	cb.unpin()
	cb.state, cb.op, cb.notify = iocbPrepared, op, false
	*cb.raw = rawIOCB{data: uint64(cb.ID()), opcode: op, fd: uint32(fd)}
	return nil
}

// checkTransfer refuses what the kernel would refuse, or take for something else.
func checkTransfer(offset int64, b []byte, bufs [][]byte) error {
	if len(bufs) > vectorsMax {
		return invalid("%d buffers, more than %d", len(bufs), vectorsMax)
	}
	total := uint64(len(b))
	for _, buf := range bufs {
		if total += uint64(len(buf)); total > math.MaxInt64 {
			return invalid("buffers of more than 2^63 bytes")
		}
	}
	if offset < 0 || total > uint64(math.MaxInt64-offset) {
		return invalid("%d bytes at offset %d", total, offset)
	}
	return nil
}

func (cb *IOCB) prepTransfer(op opcode, fd int, b []byte, offset int64, a access) error {
	if err := checkTransfer(offset, b, nil); err != nil {
		return err
	}
	if err := cb.begin(op, fd); err != nil {
		return err
	}
	// SAFETY: the buffer is pinned until the event, which keeps the address what it is.
	p := unsafe.Pointer(unsafe.SliceData(b))
	cb.pin(p, len(b), a)
	cb.raw.buf, cb.raw.nbytes, cb.raw.offset = uint64(uintptr(p)), uint64(len(b)), offset
	return nil
}

func (cb *IOCB) prepVector(op opcode, fd int, bufs [][]byte, offset int64, a access) error {
	if err := checkTransfer(offset, nil, bufs); err != nil {
		return err
	}
	if err := cb.begin(op, fd); err != nil {
		return err
	}
	if err := cb.growVectors(len(bufs)); err != nil {
		cb.state = iocbHeld
		return err
	}
	for i, b := range bufs {
		// SAFETY: as in prepTransfer. The vector itself is mapped memory.
		p := unsafe.Pointer(unsafe.SliceData(b))
		cb.pin(p, len(b), a)
		cb.vectors[i] = iovec{base: uintptr(p), len: uintptr(len(b))}
	}
	cb.raw.buf = uint64(uintptr(unsafe.Pointer(unsafe.SliceData(cb.vectors))))
	cb.raw.nbytes, cb.raw.offset = uint64(len(bufs)), offset
	return nil
}

// growVectors makes room for n buffers. The IOCB keeps the room for later requests.
func (cb *IOCB) growVectors(n int) error {
	if n <= len(cb.vectors) {
		return nil
	}
	c := cb.ctx
	c.mu.Lock()
	defer c.mu.Unlock()
	vectors, err := alloc[iovec](&c.arena, vectorsMax)
	if err == nil {
		cb.vectors = vectors
	}
	return err
}

// Cancel wraps io_cancel(2). A nil error means that the kernel has accepted: the request's event still comes, with
// ErrCanceled as its result. Cancelling it again gives nil again. Only polls can be cancelled on Linux, and nothing
// that is being completed: that is ErrInProgress, and the event comes as if nothing had been. ErrCompleted means that
// the event is there or was read.
func (c *Context) Cancel(id ID) error {
	c.mu.Lock() // keeps the IOCB from being used for another request until the kernel has looked at it
	defer c.mu.Unlock()
	if c.ended() {
		return ErrClosed
	}
	cb := c.find(id)
	switch {
	case cb == nil:
		return ErrCompleted
	case cb.canceled:
		return nil
	}
	switch errno := ioCancel(c.id, cb.raw, c.scratch); errno {
	case 0, unix.EINPROGRESS:
		cb.canceled = true
		return nil
	case unix.EINVAL, unix.EAGAIN:
		if c.ring.mapped() && c.ring.contains(uint64(id)) {
			return ErrCompleted
		}
		return ErrInProgress
	default:
		return os.NewSyscallError("io_cancel", errno)
	}
}

// address returns where the kernel finds the request.
func (cb *IOCB) address() uintptr {
	return uintptr(unsafe.Pointer(cb.raw)) // SAFETY: mapped memory, which is named and not followed.
}

// cancelPolls cancels every poll in flight.
func (c *Context) cancelPolls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.iocbs {
		cb := &c.iocbs[i]
		if cb.state == iocbInFlight && cb.op == opPoll && !cb.canceled {
			errno := ioCancel(c.id, cb.raw, c.scratch)
			cb.canceled = errno == 0 || errno == unix.EINPROGRESS
		}
	}
}
