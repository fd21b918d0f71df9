//go:build race

package race

import (
	"runtime"
	"unsafe"
)

// Enabled reports whether the program was built with the race detector. It is a constant, so that code
// guarded by it disappears from other builds.
const Enabled = true

// Acquire orders everything that happened before the latest Release on p before what the caller does
// next. p is an identity only: nothing is read from it.
func Acquire(p unsafe.Pointer) { runtime.RaceAcquire(p) }

// Release orders everything the caller did so far before what follows the next Acquire on p, in
// whatever goroutine. p is an identity only: nothing is written to it.
func Release(p unsafe.Pointer) { runtime.RaceRelease(p) }

// ReleaseMerge is Release that keeps what earlier Releases on p have ordered.
func ReleaseMerge(p unsafe.Pointer) { runtime.RaceReleaseMerge(p) }

// ReadRange announces that n bytes from p on are read, by the kernel on the calling goroutine's behalf.
// It does nothing when n <= 0, and p may be nil then.
func ReadRange(p unsafe.Pointer, n int) {
	if n > 0 {
		runtime.RaceReadRange(p, n)
	}
}

// WriteRange announces that n bytes from p on are written, by the kernel on the calling goroutine's
// behalf. It does nothing when n <= 0, and p may be nil then.
func WriteRange(p unsafe.Pointer, n int) {
	if n > 0 {
		runtime.RaceWriteRange(p, n)
	}
}
