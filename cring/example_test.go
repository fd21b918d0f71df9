//go:build linux && cgo

package cring_test

import (
	"fmt"
	"unsafe"

	"github.com/sockring/uring/cring"
)

// liburing's own functions fill an SQE as package uring's methods do.
func ExamplePrepSend() {
	p := []byte("hello")
	var sqe cring.SQE
	cring.PrepSend(&sqe, 7, unsafe.Pointer(&p[0]), uint64(len(p)), 0) // SAFETY: only the address is stored.
	fmt.Println(sqe.Opcode == cring.OpSend, sqe.Fd, sqe.Len)
	// Output: true 7 5
}

func ExamplePrepSendTo() {
	p, addr := []byte("hello"), make([]byte, 16)
	var sqe cring.SQE
	// SAFETY: only the addresses are stored.
	cring.PrepSendTo(&sqe, 7, unsafe.Pointer(&p[0]), uint64(len(p)), 0, unsafe.Pointer(&addr[0]), uint32(len(addr)))
	fmt.Println(sqe.Opcode == cring.OpSend, sqe.Len, sqe.Off != 0)
	// Output: true 5 true
}

// The group of a bundle is the caller's to set.
func ExamplePrepSendBundle() {
	var sqe cring.SQE
	cring.PrepSendBundle(&sqe, 7, 0, 0)
	sqe.Flags |= cring.SQEBufferSelect
	sqe.BufIndex = 1
	fmt.Println(sqe.IOPrio == cring.RecvSendBundle)
	// Output: true
}

func ExampleLookupOp() {
	op, known := cring.LookupOp(cring.OpSendZC)
	fmt.Printf("%s: since Linux %d.%d, %v\n", op.Name, op.Major, op.Minor, known)
	// Output: IORING_OP_SEND_ZC: since Linux 6.0, true
}
