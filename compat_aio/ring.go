package aio

import (
	"sync/atomic"
	"unsafe"
)

// ring is the completion ring that the kernel maps at the context's address:
//
//	+--------+---------+---------+-----+-----------+
//	| header | event 0 | event 1 | ... | event nr-1|     head == tail: nothing to read
//	+--------+---------+---------+-----+-----------+
//
// Ownership: the kernel writes the events from head to tail, and tail. Whoever reads events writes head: this package,
// or the kernel in io_getevents, which does so under a lock of its own that user space has no part in. So the two must
// never read at the same time, for which Context.reaping stands.
type ring struct {
	header *ringHeader
	events []rawEvent
}

// openRing finds the ring of a context. The result has no events where the kernel, or what plays its part, does not
// promise the layout that is known here; then events come by system call.
func openRing(ctx uintptr) ring {
	if !mapped(ctx) {
		return ring{}
	}
	// SAFETY: the address was found to be mapped, and stays so until io_destroy. It is no Go memory, which is why the
	// number is read as a pointer instead of being converted to one.
	h := *(**ringHeader)(unsafe.Pointer(&ctx))
	if !h.known() {
		return ring{}
	}
	keepFromChildren(ctx, uintptr(h.headerLength)+uintptr(h.nr)*unsafe.Sizeof(rawEvent{}))
	// SAFETY: a ring that is known has nr events behind its header.
	events := unsafe.Slice((*rawEvent)(unsafe.Add(unsafe.Pointer(h), h.headerLength)), h.nr)
	return ring{header: h, events: events}
}

// known reports whether the header promises the layout of this package.
func (h *ringHeader) known() bool {
	return h.magic == ringMagic && h.compat == ringCompat && h.incompat == 0 &&
		uintptr(h.headerLength) == unsafe.Sizeof(*h) && h.nr > 0
}

// mapped reports whether events can be read without a system call.
func (r ring) mapped() bool { return r.header != nil }

// read copies events that are there to out and gives their room back. The caller is the only reader.
func (r ring) read(out []rawEvent) int {
	// The load of tail comes before those of the events, which the kernel wrote before tail; the store of head comes
	// after them, so that the kernel does not write where they are still read.
	head, tail := atomic.LoadUint32(&r.header.head), atomic.LoadUint32(&r.header.tail)
	size := uint32(len(r.events))
	head, tail = head%size, tail%size
	n := 0
	for ; head != tail && n < len(out); n++ {
		out[n] = r.events[head]
		if head++; head == size {
			head = 0
		}
	}
	if n > 0 {
		atomic.StoreUint32(&r.header.head, head)
	}
	return n
}

// contains reports whether the ring has held the event of that user data, whether or not it was read since.
func (r ring) contains(data uint64) bool {
	for i := range r.events {
		if atomic.LoadUint64(&r.events[i].data) == data {
			return true
		}
	}
	return false
}
