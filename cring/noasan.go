//go:build !asan || !linux || !cgo

package cring

import "unsafe"

// AsanEnabled reports whether this binary was built with -asan.
const AsanEnabled = false

// AsanPoisoned is false: no sanitizer is there to ask.
func AsanPoisoned(uintptr, int) bool { return false }

// AsanPoison does nothing: no sanitizer is there to be told.
func AsanPoison(unsafe.Pointer, int) {}

// AsanUnpoison does nothing: no sanitizer is there to be told.
func AsanUnpoison(unsafe.Pointer, int) {}
