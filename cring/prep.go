//go:build linux && cgo

package cring

/*
#cgo LDFLAGS: -luring
#include "polyfill.h"

// The address is a number here, so that cgo looks for no Go pointers behind it: the functions only store it.
static void prep_send(struct io_uring_sqe *sqe, int fd, uintptr_t buf, size_t len, int flags)
{
	io_uring_prep_send(sqe, fd, (void *)buf, len, flags);
}

static void prep_sendto(struct io_uring_sqe *sqe, int fd, uintptr_t buf, size_t len, int flags,
			uintptr_t addr, socklen_t addrlen)
{
	io_uring_prep_sendto(sqe, fd, (void *)buf, len, flags, (void *)addr, addrlen);
}
*/
import "C"

import "unsafe"

// csqe is s as C has it.
func csqe(s *SQE) *C.struct_io_uring_sqe {
	return (*C.struct_io_uring_sqe)(unsafe.Pointer(s)) // SAFETY: SQE mirrors the struct (abi_test.go).
}

// PrepSend wraps io_uring_prep_send(3). The buffer must stay in place until the terminal CQE. It returns 0.
func PrepSend(s *SQE, fd int, buf unsafe.Pointer, n uint64, flags int) int {
	C.prep_send(csqe(s), C.int(fd), C.uintptr_t(uintptr(buf)), C.size_t(n), C.int(flags))
	return 0
}

// PrepSendTo wraps io_uring_prep_sendto(3). Buffer and address must stay in place until the terminal CQE. It
// returns 0.
func PrepSendTo(s *SQE, fd int, buf unsafe.Pointer, n uint64, flags int, addr unsafe.Pointer, addrLen uint32) int {
	C.prep_sendto(csqe(s), C.int(fd), C.uintptr_t(uintptr(buf)), C.size_t(n), C.int(flags),
		C.uintptr_t(uintptr(addr)), C.socklen_t(addrLen))
	return 0
}

// PrepSendBundle wraps io_uring_prep_send_bundle(3). The caller adds SQEBufferSelect and the group, without which the
// kernel sends nothing. It returns 0.
func PrepSendBundle(s *SQE, fd int, n uint64, flags int) int {
	C.io_uring_prep_send_bundle(csqe(s), C.int(fd), C.size_t(n), C.int(flags))
	return 0
}
