//go:build linux && cgo

// Package cprep hands liburing's own io_uring_prep_* functions, and the constants and struct layouts of the headers
// it was compiled against, to the tests that hold the Go side equal to them. Nothing but tests imports it.
package cprep

/*
#cgo CFLAGS: -I${SRCDIR}/../../cring
#cgo LDFLAGS: -luring
#include <stdlib.h>
#include "cprep.h"
*/
import "C"

import (
	"unsafe"

	"github.com/sockring/uring/cring"
)

// argsMax is how many arguments after the SQE the longest of the functions takes.
const argsMax = 6

// Version returns the version of the headers compiled against, as major * 100 + minor: 203 for liburing 2.3.
func Version() int { return int(C.cprep_version()) }

// Has reports whether the headers, or the polyfill, have the function as it works today.
func Has(function string) bool { return call(nil, function, nil) }

// Call clears s but for its user data, as io_uring_get_sqe(3) does, and then lets the named C function prepare it.
// Each argument is a number or an address; the function stores addresses and never follows them. Call reports
// whether there is such a function.
func Call(s *cring.SQE, function string, args ...uint64) bool {
	*s = cring.SQE{UserData: s.UserData}
	return call(s, function, args)
}

// Apply is Call on top of what s holds, for functions that change an entry already prepared.
func Apply(s *cring.SQE, function string, args ...uint64) bool {
	return call(s, function, args)
}

func call(s *cring.SQE, function string, args []uint64) bool {
	name := C.CString(function)
	defer C.free(unsafe.Pointer(name)) // SAFETY: allocated by the line above.
	var a [argsMax]C.uint64_t
	for i, v := range args {
		a[i] = C.uint64_t(v)
	}
	// SAFETY: cring.SQE mirrors struct io_uring_sqe (abi_test.go), and C keeps neither pointer.
	return bool(C.cprep_call((*C.struct_io_uring_sqe)(unsafe.Pointer(s)), name, &a[0]))
}

// Memory returns a copy of n bytes at an address that an SQE names, as the kernel would find them. Nothing checks that
// there is memory.
func Memory(addr uint64, n int) []byte {
	b := make([]byte, n)
	if n > 0 {
		C.cprep_copy(unsafe.Pointer(&b[0]), C.uint64_t(addr), C.size_t(n)) // SAFETY: C keeps nothing of b.
	}
	return b
}

// Constants returns the constants of the headers, or of the polyfill, by their C names.
func Constants() map[string]int64 {
	var n C.size_t
	return values(unsafe.Slice(C.cprep_constants(&n), n)) // SAFETY: a static array of n elements.
}

// Layout returns the sizes of structs by name ("io_uring_sqe") and the offsets of their fields ("io_uring_sqe.fd").
func Layout() map[string]int64 {
	var n C.size_t
	return values(unsafe.Slice(C.cprep_layout(&n), n)) // SAFETY: a static array of n elements.
}

func values(rows []C.struct_cprep_value) map[string]int64 {
	m := make(map[string]int64, len(rows))
	for _, r := range rows {
		m[C.GoString(r.name)] = int64(r.value)
	}
	return m
}

// BufRing sets up a ring with a provided-buffer ring by io_uring_setup_buf_ring(3) and takes both down again. It
// returns 0 or a negative errno.
func BufRing(entries uint32, group uint16) int {
	return int(C.cprep_buf_ring(C.uint(entries), C.int(group)))
}
