//go:build asan && linux && cgo

package cring

/*
#include <sanitizer/asan_interface.h>
#include <stdint.h>

// The addresses come as numbers: what lies there may hold Go pointers, which is no concern of the sanitizer's shadow.
static int shim_poisoned(uintptr_t p, size_t n)
{
	return __asan_region_is_poisoned((void *)p, n) != NULL;
}

static void shim_poison(uintptr_t p, size_t n)
{
	__asan_poison_memory_region((void *)p, n);
}

static void shim_unpoison(uintptr_t p, size_t n)
{
	__asan_unpoison_memory_region((void *)p, n);
}
*/
import "C"

import "unsafe"

// AsanEnabled reports whether this binary was built with -asan.
const AsanEnabled = true

// AsanPoisoned reports whether any of the n bytes at an address is memory that the address sanitizer knows to be
// freed or out of bounds. The sanitizer does not see what the kernel touches, so it must be asked.
func AsanPoisoned(addr uintptr, n int) bool {
	return C.shim_poisoned(C.uintptr_t(addr), C.size_t(n)) != 0
}

// AsanPoison has the address sanitizer report every access to the n bytes at p until AsanUnpoison.
func AsanPoison(p unsafe.Pointer, n int) {
	C.shim_poison(C.uintptr_t(uintptr(p)), C.size_t(n)) // SAFETY: only the address is used.
}

// AsanUnpoison ends what AsanPoison began.
func AsanUnpoison(p unsafe.Pointer, n int) {
	C.shim_unpoison(C.uintptr_t(uintptr(p)), C.size_t(n)) // SAFETY: only the address is used.
}
