package aio

import (
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

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
