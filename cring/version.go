//go:build linux && cgo

package cring

/*
#cgo LDFLAGS: -luring
#ifndef _GNU_SOURCE
#define _GNU_SOURCE // RTLD_DEFAULT
#endif
#include "polyfill.h"
#include <dlfcn.h>

// Libraries say their version since 2.4. Where the headers are older the library may yet be newer, which
// only the dynamic linker knows.
static int shim_library_version(void)
{
#if SOCKRING_LIBURING >= 204
	return io_uring_major_version() * 100 + io_uring_minor_version();
#else
	int (*major)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "io_uring_major_version");
	int (*minor)(void) = (int (*)(void))dlsym(RTLD_DEFAULT, "io_uring_minor_version");

	return major && minor ? major() * 100 + minor() : 203;
#endif
}
*/
import "C"

// HeaderVersion returns the version of the liburing that this binary was compiled against.
func HeaderVersion() (major, minor int) { return C.SOCKRING_LIBURING / 100, C.SOCKRING_LIBURING % 100 }

// LibraryVersion returns the version of the liburing that this process runs with, which is newer than the
// headers where the system was upgraded since.
func LibraryVersion() (major, minor int) {
	v := int(C.shim_library_version())
	return v / 100, v % 100
}
