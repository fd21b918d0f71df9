//go:build linux && cgo

// Package ctest is C code that owns a ring, for the tests of sharing one with Go. Its functions return what liburing
// returns: zero or a count, or a negative errno.
package ctest

/*
#cgo CFLAGS: -I${SRCDIR}/../../cring
#cgo LDFLAGS: -luring
#include "ctest.h"
*/
import "C"

import "unsafe"

// Ring is a struct io_uring that C code set up.
type Ring struct{ c *C.struct_io_uring }

// New sets up a ring in C with io_uring_queue_init(3).
func New(entries, flags uint32) (*Ring, int) {
	var ret C.int
	ring := C.ctest_new(C.unsigned(entries), C.unsigned(flags), &ret)
	if ring == nil {
		return nil, int(ret)
	}
	return &Ring{ring}, 0
}

// Wrap takes the struct io_uring that Go code set up.
func Wrap(p unsafe.Pointer) *Ring {
	return &Ring{(*C.struct_io_uring)(p)} // SAFETY: the caller says what it is.
}

// Pointer returns the struct io_uring.
func (r *Ring) Pointer() unsafe.Pointer {
	return unsafe.Pointer(r.c) // SAFETY: C memory, valid until Free.
}

// Nop queues a NOP with this user data.
func (r *Ring) Nop(userData uint64) int { return int(C.ctest_nop(r.c, C.uint64_t(userData))) }

// Submit submits everything that is queued, Go's entries included.
func (r *Ring) Submit() int { return int(C.ctest_submit(r.c)) }

// Wait takes the next completion from the queue, and waits for it if need be.
func (r *Ring) Wait() (userData uint64, res, ret int) {
	var data C.uint64_t
	var result C.int
	ret = int(C.ctest_wait(r.c, &data, &result))
	return uint64(data), int(result), ret
}

// Free ends the ring.
func (r *Ring) Free() { C.ctest_free(r.c) }
