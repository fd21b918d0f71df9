//go:build linux

package conformance

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// bytesOf is a time as setsockopt(2) takes it.
func bytesOf(tv *unix.Timeval) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(tv)), unsafe.Sizeof(*tv)) // SAFETY: the value's own memory.
}
