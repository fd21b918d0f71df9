package uring

import (
	"fmt"
	"os"
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
)

// mapMemory returns n bytes of zeroed, page-aligned memory outside the Go heap, rounded up to whole pages.
func mapMemory(n int) ([]byte, error) {
	page := unix.Getpagesize()
	n = (n + page - 1) &^ (page - 1)
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("uring: map %d bytes: %w", n, os.NewSyscallError("mmap", err))
	}
	return mem, nil
}

// watchedBuffers is the buffer memory under the race detector, which watches the Go heap and no mappings. It stays
// pinned until it is freed, also where the program lost the Ring.
var watchedBuffers = struct {
	sync.Mutex
	held map[*byte]*runtime.Pinner
}{held: map[*byte]*runtime.Pinner{}}

// allocBuffers returns n bytes that stay where they are until freeBuffers: mapped, or Go memory under the race
// detector.
func allocBuffers(n int) ([]byte, error) {
	if !race.Enabled {
		return mapMemory(n)
	}
	mem := make([]byte, n)
	pinner := &runtime.Pinner{}
	pinner.Pin(&mem[0])
	watchedBuffers.Lock()
	defer watchedBuffers.Unlock()
	watchedBuffers.held[&mem[0]] = pinner
	return mem, nil
}

// freeBuffers gives back what allocBuffers returned; nil is fine.
func freeBuffers(mem []byte) error {
	if len(mem) == 0 {
		return nil
	}
	// SAFETY: the sanitizer forgets what it was told of the range, before others get the addresses.
	cring.AsanUnpoison(unsafe.Pointer(&mem[0]), len(mem))
	if !race.Enabled {
		return unix.Munmap(mem)
	}
	watchedBuffers.Lock()
	defer watchedBuffers.Unlock()
	watchedBuffers.held[&mem[0]].Unpin()
	delete(watchedBuffers.held, &mem[0])
	return nil
}

// lendBytes tells the detectors that the kernel may read n bytes at p from now on, and that nobody else may touch
// them.
func lendBytes(p unsafe.Pointer, n int) {
	race.ReadRange(p, n)
	cring.AsanPoison(p, n)
}

// regainBytes tells the detectors that n bytes at p, into which the kernel may have written, are the application's
// again.
func regainBytes(p unsafe.Pointer, n int) {
	cring.AsanUnpoison(p, n)
	race.WriteRange(p, n)
}
