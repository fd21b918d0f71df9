//go:build linux && cgo

package cring

/*
#cgo LDFLAGS: -luring
#cgo noescape shim_view
#cgo nocallback shim_view
#cgo noescape shim_wait
#cgo nocallback shim_wait
#cgo noescape shim_wait_min
#cgo nocallback shim_wait_min
#cgo noescape io_uring_submit
#cgo nocallback io_uring_submit
#cgo noescape io_uring_register
#cgo nocallback io_uring_register
#cgo noescape io_uring_sqring_wait
#cgo nocallback io_uring_sqring_wait
#include "shim.h"
*/
import "C"

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Supported reports whether this build reaches liburing at all.
const Supported = true

// Ring is a liburing ring and the addresses of the memory it shares with the kernel.
//
// Ownership: the struct io_uring lies in C memory, so it never moves. Go may read and write what View points at from
// Setup or Adopt until Exit, on the goroutine that owns the ring.
type Ring struct {
	View

	ring  *C.struct_io_uring
	calls uint64
}

// Setup wraps io_uring_queue_init_params(3): it makes a ring of entries SQEs as p asks and fills p with what
// the kernel granted. It returns a negative errno where there is no ring.
func Setup(entries uint32, p *Params) (*Ring, int) {
	ring := C.shim_alloc()
	if ring == nil {
		return nil, -int(unix.ENOMEM)
	}
	// SAFETY: Params mirrors struct io_uring_params (abi_test.go) and C keeps no pointer to it.
	ret := C.io_uring_queue_init_params(C.unsigned(entries), ring, (*C.struct_io_uring_params)(unsafe.Pointer(p)))
	if ret < 0 {
		C.free(unsafe.Pointer(ring)) // SAFETY: allocated above, and nobody else has seen it.
		return nil, int(ret)
	}
	return newRing(ring), 0
}

// Adopt wraps a struct io_uring that C code set up and goes on owning. The pointer must stay valid for the life of
// the Ring.
func Adopt(p unsafe.Pointer) *Ring {
	// SAFETY: the caller says that p is a struct io_uring; nothing can check it.
	return newRing((*C.struct_io_uring)(p))
}

func newRing(ring *C.struct_io_uring) *Ring {
	var v C.struct_shim_view
	C.shim_view(ring, &v)
	r := &Ring{ring: ring}
	// SAFETY: these point into memory that liburing mapped, which stays until Exit, and each is of the C type that
	// its Go field mirrors.
	r.View = View{
		SQHead:     (*uint32)(unsafe.Pointer(v.sq_khead)),
		SQTail:     (*uint32)(unsafe.Pointer(v.sq_ktail)),
		SQFlags:    (*uint32)(unsafe.Pointer(v.sq_kflags)),
		SQDropped:  (*uint32)(unsafe.Pointer(v.sq_kdropped)),
		SQEHead:    (*uint32)(unsafe.Pointer(v.sqe_head)),
		SQETail:    (*uint32)(unsafe.Pointer(v.sqe_tail)),
		SQEs:       unsafe.Slice((*SQE)(unsafe.Pointer(v.sqes)), int(v.sq_entries)),
		CQHead:     (*uint32)(unsafe.Pointer(v.cq_khead)),
		CQTail:     (*uint32)(unsafe.Pointer(v.cq_ktail)),
		CQOverflow: (*uint32)(unsafe.Pointer(v.cq_koverflow)),
		CQFlags:    (*uint32)(unsafe.Pointer(v.cq_kflags)),
		CQEs:       unsafe.Slice((*CQE)(unsafe.Pointer(v.cqes)), int(v.cq_entries)),
		Flags:      uint32(v.flags),
		Features:   uint32(v.features),
		Fd:         int(v.ring_fd),
		EnterFd:    int(v.enter_fd),
	}
	return r
}

// Pointer returns the struct io_uring for C code.
func (r *Ring) Pointer() unsafe.Pointer {
	return unsafe.Pointer(r.ring) // SAFETY: C memory, valid until Exit.
}

// Calls returns how many times this ring crossed into C since its set-up, for the promise that the number
// does not grow with SQEs, CQEs or buffers.
func (r *Ring) Calls() uint64 { return r.calls }

// Exit wraps io_uring_queue_exit(3) and frees the ring that Setup made. Afterwards View holds what was granted and
// neither memory nor descriptors.
func (r *Ring) Exit() {
	r.calls++
	C.io_uring_queue_exit(r.ring)
	C.free(unsafe.Pointer(r.ring)) // SAFETY: Setup allocated it; Exit is called once.
	r.ring = nil
	r.View = View{Flags: r.Flags, Features: r.Features, Fd: -1, EnterFd: -1}
}

// Submit wraps io_uring_submit(3).
func (r *Ring) Submit() int {
	r.calls++
	return int(C.io_uring_submit(r.ring))
}

// Wait submits what is queued and waits for nr completions, for at most d where d is not negative. It is
// io_uring_submit_and_wait(3) or io_uring_submit_and_wait_timeout(3): one kernel entry.
func (r *Ring) Wait(nr uint32, d Timespec) int {
	r.calls++
	return int(C.shim_wait(r.ring, C.unsigned(nr), C.longlong(d.Sec), C.longlong(d.Nsec)))
}

// WaitMin is Wait that also returns once minUsec microseconds have passed and there is any completion. It needs
// IORING_FEAT_MIN_TIMEOUT. The caller flushed the submission queue and says how many SQEs are in it.
func (r *Ring) WaitMin(toSubmit, nr, flags uint32, d Timespec, minUsec uint32) int {
	r.calls++
	return int(C.shim_wait_min(r.ring, C.unsigned(toSubmit), C.unsigned(nr), C.unsigned(flags),
		C.longlong(d.Sec), C.longlong(d.Nsec), C.unsigned(minUsec)))
}

// WaitSQ wraps io_uring_sqring_wait(3): with IORING_SETUP_SQPOLL it waits until the polling thread has taken an SQE
// and so made room in the submission queue (kernel 5.10).
func (r *Ring) WaitSQ() int {
	r.calls++
	return int(C.io_uring_sqring_wait(r.ring))
}

// Register wraps io_uring_register(2) on the ring's own descriptor. Addresses inside arg are numbers, so what
// they point at must be kept in place by the caller.
func (r *Ring) Register(op uint32, arg unsafe.Pointer, nr uint32) int {
	r.calls++
	return int(C.io_uring_register(C.uint(r.Fd), C.uint(op), arg, C.uint(nr)))
}

// RegisterRingFd wraps io_uring_register_ring_fd(3): the calling thread then enters the ring by index.
func (r *Ring) RegisterRingFd() int {
	r.calls++
	ret := int(C.io_uring_register_ring_fd(r.ring))
	if ret == 1 {
		r.EnterFd = int(r.ring.enter_ring_fd)
	}
	return ret
}

// UnregisterRingFd wraps io_uring_unregister_ring_fd(3).
func (r *Ring) UnregisterRingFd() int {
	r.calls++
	ret := int(C.io_uring_unregister_ring_fd(r.ring))
	if ret == 1 {
		r.EnterFd = int(r.ring.enter_ring_fd)
	}
	return ret
}

// Enter is io_uring_enter(2) made by Go itself, without a signal mask. It keeps the P, as no cgo call does: right
// for a bounded submission whose work is done inline, wrong for a wait (docs/benchmarks.md has the figures).
func (r *Ring) Enter(toSubmit, minComplete, flags uint32) int {
	n, _, errno := unix.RawSyscall6(unix.SYS_IO_URING_ENTER, uintptr(r.EnterFd), uintptr(toSubmit),
		uintptr(minComplete), uintptr(flags), 0, 0)
	if errno != 0 {
		return -int(errno)
	}
	return int(n)
}
