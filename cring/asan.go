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
