//go:build !race

package race

import "unsafe"

// Enabled reports whether the program was built with the race detector. It is a constant, so that code
// guarded by it disappears from other builds.
const Enabled = false

// Acquire does nothing: the program was built without the race detector.
func Acquire(unsafe.Pointer) {}

// Release does nothing: the program was built without the race detector.
func Release(unsafe.Pointer) {}

// ReleaseMerge does nothing: the program was built without the race detector.
func ReleaseMerge(unsafe.Pointer) {}

// ReadRange does nothing: the program was built without the race detector.
func ReadRange(unsafe.Pointer, int) {}

// WriteRange does nothing: the program was built without the race detector.
func WriteRange(unsafe.Pointer, int) {}
