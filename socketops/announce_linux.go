package socketops

import (
	"unsafe"

	"github.com/sockring/uring/internal/race"
)

// transfers orders what was done before a send before what is done after a receive, for the race detector, as package
// syscall does: which receive belongs to which send it does not know.
var transfers byte

// received announces that the kernel has written n bytes at p.
func received(p unsafe.Pointer, n int) {
	race.WriteRange(p, n)
	race.Acquire(unsafe.Pointer(&transfers)) // SAFETY: an identity.
}

// sends announces that the kernel reads n bytes at p.
func sends(p unsafe.Pointer, n int) {
	race.ReleaseMerge(unsafe.Pointer(&transfers)) // SAFETY: an identity.
	race.ReadRange(p, n)
}

// announceReceived announces that the kernel has written n bytes to the buffers.
func (m *message) announceReceived(n int) {
	skip := m.skip
	for _, b := range m.bufs[m.first:] {
		b = b[skip:]
		skip = 0
		k := min(n, len(b))
		race.WriteRange(unsafe.Pointer(unsafe.SliceData(b)), k) // SAFETY: the slice's own memory.
		n -= k
	}
	race.Acquire(unsafe.Pointer(&transfers)) // SAFETY: an identity.
}

// announceSent announces that the kernel reads what is left to send.
func (m *message) announceSent() {
	race.ReleaseMerge(unsafe.Pointer(&transfers)) // SAFETY: an identity.
	skip := m.skip
	for _, b := range m.bufs[m.first:] {
		race.ReadRange(unsafe.Pointer(unsafe.SliceData(b[skip:])), len(b)-skip) // SAFETY: the slice's own memory.
		skip = 0
	}
}
