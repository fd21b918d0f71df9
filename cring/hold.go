//go:build linux && cgo

package cring

/*
#cgo noescape shim_hold_check
#cgo nocallback shim_hold_check
#cgo noescape shim_hold_release
#cgo nocallback shim_hold_release
#include "shim.h"
*/
import "C"

import "runtime"

// Hold is what a thread has for as long as it lives or until it lets go. It tells a thread from all others, later ones
// of the same number included. The goroutine that takes and releases it is locked to the thread.
//
// Ownership: the memory is C's, since the kernel looks at it when the thread ends. It is freed with the Hold, unless a
// living thread never let go of it.
type Hold struct{ hold *C.struct_shim_hold }

// TakeHold has the calling thread take a hold; nil where there is no memory.
func TakeHold() *Hold {
	c := C.shim_hold_take()
	if c == nil {
		return nil
	}
	h := &Hold{c}
	runtime.AddCleanup(h, func(c *C.struct_shim_hold) { C.shim_hold_free(c) }, c)
	return h
}

// Mine reports whether the calling thread has the hold.
func (h *Hold) Mine() bool {
	defer runtime.KeepAlive(h)
	return C.shim_hold_check(h.hold) == C.SHIM_HOLD_SELF
}

// Gone reports whether no living thread has the hold: its thread let go, or has ended and the kernel has cancelled
// what io_uring requests it had submitted.
func (h *Hold) Gone() bool {
	defer runtime.KeepAlive(h)
	return C.shim_hold_check(h.hold) == C.SHIM_HOLD_GONE
}

// Release lets go of the hold. The calling thread has it.
func (h *Hold) Release() {
	defer runtime.KeepAlive(h)
	C.shim_hold_release(h.hold)
}
