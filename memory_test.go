package uring

import (
	"bytes"
	"unsafe"
)

// where is the address of a value.
func where[T any](p *T) uint64 {
	return uint64(uintptr(unsafe.Pointer(p))) // SAFETY: a number, which is followed only while a slot pins the value.
}

// address is where a buffer lies, zero for an empty one.
func address(b []byte) uint64 {
	if len(b) == 0 {
		return 0
	}
	return where(&b[0])
}

// memory is the bytes of plain values.
func memory[T any](v []T) []byte {
	if len(v) == 0 {
		return nil
	}
	// SAFETY: the bytes of a live slice without pointers.
	return bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(&v[0])), uintptr(len(v))*unsafe.Sizeof(v[0])))
}
