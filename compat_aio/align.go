package aio

import (
	"os"
	"unsafe"

	"github.com/sockring/uring/internal/unix"
)

// Alignment is what a file asks of transfers when it is open with O_DIRECT, in bytes: powers of two.
type Alignment struct {
	Memory int // what a buffer's address must be a multiple of
	Offset int // what the offset in the file and the length must be multiples of
}

// Buffer returns n zeroed bytes at an address that is a multiple of Memory, and of a page: disks take a buffer page by
// page, and one that begins within a page costs them a piece more. It is nil where n is negative. The zero Alignment
// asks for nothing but the page. As make does, Buffer panics where no memory could ever be as large as n.
func (a Alignment) Buffer(n int) []byte {
	if n < 0 {
		return nil
	}
	align := uintptr(max(a.Memory, os.Getpagesize()))
	mem := make([]byte, n+int(align)-1)
	// SAFETY: the address is a number here. Objects on Go's heap do not move, and so stay aligned.
	skip := -uintptr(unsafe.Pointer(unsafe.SliceData(mem))) & (align - 1)
	return mem[skip : skip+uintptr(n) : skip+uintptr(n)]
}

// arena is memory outside the Go heap for what the kernel is given by address: it never moves. Each piece is unmapped
// by free, and not before.
type arena struct{ pieces [][]byte }

// alloc maps zeroed memory for n values of T, which must have no Go pointers in it.
func alloc[T any](a *arena, n int) ([]T, error) {
	var t T
	mem, err := unix.Mmap(-1, 0, n*int(unsafe.Sizeof(t)), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	if err != nil {
		return nil, os.NewSyscallError("mmap", err)
	}
	a.pieces = append(a.pieces, mem)
	// SAFETY: a mapping begins on a page, is long enough for n values, and is no Go memory.
	return unsafe.Slice((*T)(unsafe.Pointer(&mem[0])), n), nil
}

// free unmaps everything. Nobody may use it any more, the kernel included.
func (a *arena) free() {
	for _, mem := range a.pieces {
		_ = unix.Munmap(mem) // fails only for what Mmap did not return
	}
	a.pieces = nil
}
