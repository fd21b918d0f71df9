package uring

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
)

const (
	// pathMax is PATH_MAX, the terminating NUL included.
	pathMax = 4096
	// iovMax is IOV_MAX, the most buffers that one request takes.
	iovMax = 1024
)

// errNoEntry occurs when an SQE is used that is not being filled: it was submitted, or never came from Ring.SQE.
var errNoEntry = fmt.Errorf("uring: no submission entry to fill: %w", unix.EINVAL)

// prep is one Prep call at work. It fills a copy of the entry, which becomes the entry as a whole in end, and
// remembers the first bad argument.
//
// Like io_uring_get_sqe(3) and the io_uring_prep_* function after it, begin and end together set all of the entry
// but its user data, which is the slot's for as long as the operation lives.
type prep struct {
	cring.SQE
	s    *SQE
	name string
	err  error
}

func (s *SQE) begin(name string, op uint8) prep {
	p := prep{s: s, name: name}
	if s == nil || s.raw == nil {
		p.err = errNoEntry
		return p
	}
	if p.err = s.owned(); p.err != nil {
		return p
	}
	s.slot.unpin() // by an earlier Prep of the same entry
	s.audible()
	p.Opcode = op
	p.UserData = s.raw.UserData
	return p
}

// end makes the entry what was prepared, or a NOP where an argument was bad.
func (p *prep) end() error {
	if p.err == nil && p.Flags&cring.SQEBufferSelect != 0 {
		p.err = p.s.slot.table.cannotReceive(&p.SQE)
	}
	switch {
	case p.err == nil:
		*p.s.raw = p.SQE
		p.s.slot.state = slotFilling
		return nil
	case errors.Is(p.err, errNoEntry), errors.Is(p.err, ErrNotOwner):
		return fmt.Errorf("uring: %s: %w", p.name, p.err)
	}
	return p.s.fail(fmt.Errorf("uring: %s: %w", p.name, p.err))
}

// fail makes the entry a NOP that pins nothing and whose CQE is dropped, and returns err.
func (s *SQE) fail(err error) error {
	s.slot.unpin()
	*s.raw = cring.SQE{Opcode: cring.OpNop, Fd: -1, UserData: s.raw.UserData}
	s.slot.state = slotDropped
	return err
}

// bad notes a bad argument, unless there was one before.
func (p *prep) bad(errno unix.Errno, format string, args ...any) {
	if p.err == nil {
		p.err = fmt.Errorf(format+": %w", append(args, errno)...)
	}
}

// badFlags notes flags that cannot be served.
func (p *prep) badFlags(flags uint64) { p.bad(unix.EINVAL, "flags %#x", flags) }

// badOrder notes that the entry is not of the operation that it would have to be.
func (p *prep) badOrder(want string) {
	p.bad(unix.EINVAL, "entry is a %s, not a %s", opName(p.Opcode), want)
}

// fd checks a descriptor. One that is merely not open, such as -1, is for the kernel to refuse.
func (p *prep) fd(fd int) int32 {
	if int64(fd) < math.MinInt32 || int64(fd) > math.MaxInt32 {
		p.bad(unix.EBADF, "file descriptor %d", fd)
	}
	return int32(fd)
}

// u32 checks a value that the kernel takes in 32 bits.
func (p *prep) u32(what string, v int) uint32 {
	if v < 0 || int64(v) > math.MaxUint32 {
		p.bad(unix.EINVAL, "%s %d", what, v)
	}
	return uint32(v)
}

// i32 checks a value that the kernel takes as a signed number of 32 bits.
func (p *prep) i32(what string, v int) int32 {
	if int64(v) < math.MinInt32 || int64(v) > math.MaxInt32 {
		p.bad(unix.EINVAL, "%s %d", what, v)
	}
	return int32(v)
}

// size checks a length of memory that the kernel itself provides.
func (p *prep) size(what string, n int) uint32 {
	if n < 0 || n > ioLenMax {
		p.bad(unix.EINVAL, "%s of %d bytes, at most %d", what, n, ioLenMax)
	}
	return uint32(n)
}

// offset checks a position in a file, where -1 is the file's own.
func (p *prep) offset(off int64) uint64 {
	if off < -1 {
		p.bad(unix.EINVAL, "offset %d", off)
	}
	return uint64(off)
}

// target sets the direct-descriptor slot that the operation fills.
func (p *prep) target(index uint32) {
	switch {
	case index == cring.FileIndexAlloc:
		p.FileIndex = -1 // IORING_FILE_INDEX_ALLOC
	case index >= math.MaxInt32:
		p.bad(unix.EINVAL, "direct descriptor %d", index)
	default:
		p.FileIndex = int32(index) + 1 // zero is for no direct descriptor
	}
}

// pin keeps n bytes at q for the operation and returns their address.
func (p *prep) pin(q unsafe.Pointer, n uintptr, a access) uint64 {
	if p.err != nil {
		return 0
	}
	p.s.slot.pin(q, int(n), a)
	return uint64(uintptr(q)) // SAFETY: a number for the kernel; the pin keeps what it names in place.
}

// bytes pins b and returns its address, zero where it is empty.
func (p *prep) bytes(b []byte, a access) (addr uint64, n uint32) {
	switch {
	case len(b) == 0:
		return 0, 0
	case len(b) > ioLenMax:
		p.bad(unix.EINVAL, "%d bytes, at most %d", len(b), ioLenMax)
		return 0, 0
	}
	return p.pin(unsafe.Pointer(unsafe.SliceData(b)), uintptr(len(b)), a), uint32(len(b)) // SAFETY: see pin.
}

// buffer sets the operation's buffer.
func (p *prep) buffer(b []byte, a access) {
	p.Addr, p.Len = p.bytes(b, a)
}

// iovecs pins buffers and writes where they are into vec.
func (p *prep) iovecs(vec []cring.Iovec, buffers [][]byte, a access) {
	total := 0
	for i, b := range buffers {
		addr, n := p.bytes(b, a)
		vec[i] = cring.Iovec{Base: addr, Len: uint64(n)}
		if total += len(b); total > ioLenMax {
			p.bad(unix.EINVAL, "%d bytes and more, at most %d", total, ioLenMax)
		}
		if p.err != nil {
			return
		}
	}
}

// vector sets the operation's buffers. A few have their vector in the slot, more of them in memory of its own.
func (p *prep) vector(buffers [][]byte, a access) {
	switch {
	case p.err != nil || len(buffers) == 0:
		return
	case len(buffers) > iovMax:
		p.bad(unix.EINVAL, "%d buffers, at most %d", len(buffers), iovMax)
		return
	}
	p.Len = uint32(len(buffers))
	if own := p.s.slot.args.iov[:]; len(buffers) <= len(own) {
		p.iovecs(own, buffers, a)
		p.Addr = uint64(uintptr(unsafe.Pointer(&own[0]))) // SAFETY: slots do not move.
		return
	}
	vec := make([]cring.Iovec, len(buffers))
	p.iovecs(vec, buffers, a)
	p.Addr = p.pin(unsafe.Pointer(&vec[0]), uintptr(len(vec))*unsafe.Sizeof(vec[0]), kernelReads) // SAFETY: see pin.
}

// cstring copies a string to pinned memory that ends with a NUL.
func (p *prep) cstring(what, s string) uint64 {
	if strings.IndexByte(s, 0) >= 0 {
		p.bad(unix.EINVAL, "%s with a NUL byte", what)
		return 0
	}
	b := make([]byte, len(s)+1)
	copy(b, s)
	addr, _ := p.bytes(b, kernelReads)
	return addr
}

// path is cstring for a path.
func (p *prep) path(path string) uint64 {
	if len(path) >= pathMax {
		p.bad(unix.ENAMETOOLONG, "path of %d bytes", len(path))
		return 0
	}
	return p.cstring("path", path)
}

// sockaddr copies an address into the slot and returns where it is.
func (p *prep) sockaddr(a *Sockaddr) (addr uint64, n uint32) {
	switch {
	case p.err != nil:
		return 0, 0
	case a == nil || a.n == 0:
		p.bad(unix.EINVAL, "no address")
		return 0, 0
	case a.n < sunPathOffset || a.n > sockaddrMax:
		p.bad(unix.EINVAL, "address of %d bytes", a.n)
		return 0, 0
	}
	to := &p.s.slot.args.addr
	*to = a.raw
	return uint64(uintptr(unsafe.Pointer(to))), a.n // SAFETY: slots do not move.
}

// sockaddrOut pins an address for the kernel to fill, and returns where it and its length are: zero for a nil one.
func (p *prep) sockaddrOut(a *Sockaddr) (addr, length uint64) {
	if a == nil || p.err != nil {
		return 0, 0
	}
	*a = Sockaddr{n: sockaddrMax}
	addr = p.pin(unsafe.Pointer(a), unsafe.Sizeof(*a), kernelWrites) // SAFETY: see pin.
	return addr, uint64(uintptr(unsafe.Pointer(&a.n)))               // SAFETY: part of what is pinned.
}

// timespec writes a duration into the slot and returns where it is.
func (p *prep) timespec(d time.Duration) uint64 {
	if d < 0 {
		p.bad(unix.EINVAL, "time of %v", d)
	}
	if p.err != nil {
		return 0
	}
	ts := &p.s.slot.args.ts[0]
	*ts = timespec(d)
	return uint64(uintptr(unsafe.Pointer(ts))) // SAFETY: slots do not move.
}
