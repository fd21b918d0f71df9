package rawring

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// Arena is memory outside the Go heap for what requests name by address: it never moves, and a late write of the
// kernel can harm nobody as long as it is mapped.
type Arena struct {
	mem  []byte
	used int
}

// NewArena maps size bytes.
func NewArena(size int) (*Arena, error) {
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANONYMOUS)
	if err != nil {
		return nil, err
	}
	return &Arena{mem: mem}, nil
}

// Bytes hands out n zeroed bytes that start at a multiple of align, a power of two up to the page size. It panics
// when the arena is exhausted.
func (a *Arena) Bytes(n, align int) []byte {
	start := (a.used + align - 1) &^ (align - 1)
	b := a.mem[start : start+n : start+n]
	a.used = start + n
	clear(b)
	return b
}

// Reset takes back everything that was handed out. Nothing may be in flight.
func (a *Arena) Reset() { a.used = 0 }

// Free unmaps the arena. Nothing may be in flight.
func (a *Arena) Free() {
	// Munmap fails only for a slice that Mmap did not return.
	_ = unix.Munmap(a.mem)
	a.mem = nil
}

// Alloc hands out zeroed memory for one T, which must have no Go pointers in it.
func Alloc[T any](a *Arena) *T {
	var t T
	b := a.Bytes(int(unsafe.Sizeof(t)), int(unsafe.Alignof(t)))
	// SAFETY: Bytes returned memory of T's size and alignment, outside the heap and without pointers to Go memory.
	return (*T)(unsafe.Pointer(&b[0]))
}

// Addr is the address of memory as a request carries it. The memory must be from an Arena, which does not move.
func Addr[T any](p *T) uint64 {
	// SAFETY: a number for the kernel only; the arena keeps the memory mapped.
	return uint64(uintptr(unsafe.Pointer(p)))
}
