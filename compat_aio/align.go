package aio

import (
	"os"
	"unsafe"
)

// Alignment is what a file asks of transfers when it is open with O_DIRECT, in bytes: powers of two.
type Alignment struct {
	Memory int // what a buffer's address must be a multiple of
	Offset int // what the offset in the file and the length must be multiples of
}

// Buffer returns n zeroed bytes at an address that is a multiple of Memory, and of a page: disks take a buffer page by
// page, and one that begins within a page costs them a piece more.
func (a Alignment) Buffer(n int) []byte {
	align := uintptr(max(a.Memory, os.Getpagesize()))
	mem := make([]byte, n+int(align)-1)
	// SAFETY: the address is a number here. Objects on Go's heap do not move, and so stay aligned.
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(mem))) & (align - 1)
	return mem[skip : skip+uintptr(n) : skip+uintptr(n)]
}
