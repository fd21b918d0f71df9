//go:build asan && linux && cgo

package cring

/*
#include <sanitizer/asan_interface.h>
*/
import "C"

import "unsafe"

// AsanEnabled reports whether this binary was built with -asan.
const AsanEnabled = true

// AsanPoisoned reports whether any of the n bytes at p is memory that the address sanitizer knows to be freed or
// out of bounds. The sanitizer does not see what the kernel touches, so it must be asked.
func AsanPoisoned(p unsafe.Pointer, n int) bool {
	// SAFETY: the sanitizer only looks at its shadow of the range.
	return C.__asan_region_is_poisoned(p, C.size_t(n)) != nil
}

// AsanPoison has the address sanitizer report every access to the n bytes at p until AsanUnpoison.
func AsanPoison(p unsafe.Pointer, n int) {
	C.__asan_poison_memory_region(p, C.size_t(n)) // SAFETY: it changes the sanitizer's shadow only.
}

// AsanUnpoison ends what AsanPoison began.
func AsanUnpoison(p unsafe.Pointer, n int) {
	C.__asan_unpoison_memory_region(p, C.size_t(n)) // SAFETY: it changes the sanitizer's shadow only.
}
