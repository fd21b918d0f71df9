//go:build unix

package sendq

import (
	"os"

	"golang.org/x/sys/unix"
)

// mapRegion returns size bytes of zeroed anonymous memory outside the Go heap. It wraps mmap(2).
func mapRegion(size int) ([]byte, error) {
	mem, err := unix.Mmap(-1, 0, size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	return mem, os.NewSyscallError("mmap", err)
}

// unmapRegion gives back what mapRegion returned, which must not be used any more. It wraps munmap(2).
func unmapRegion(mem []byte) error {
	return os.NewSyscallError("munmap", unix.Munmap(mem))
}
