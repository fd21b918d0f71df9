//go:build linux

package socketops

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// MaxAddrLen is the size in bytes of the largest socket address: sizeof(struct sockaddr_storage) (A02).
const MaxAddrLen = 128

// iovInline is how many buffers need no memory of their own (A05), as the kernel's UIO_FASTIOV.
const iovInline = 8

// iovMax is how many buffers the kernel takes at once: UIO_MAXIOV.
const iovMax = 1024

// controlMax is room for what a receive is asked to say about its packet: in_pktinfo and in6_pktinfo.
const controlMax = 32 + 40

// message is what a transfer is about: buffers, the peer's address, control data. The kernel is given its parts by
// address, so it stays where it is until the transfer is over.
type message struct {
	bufs        [][]byte // the caller's
	one         [1][]byte
	first, skip int // bufs[first][skip:] is what comes next
	stream      bool

	name    [MaxAddrLen]byte
	nameLen int // of the address in name; before a receive, room for one
	control int // bytes of control data in controls; before a receive, room for it
	flags   int // of a receive, as the kernel reported them

	controls [controlMax]byte
	hdr      unix.Msghdr
	iov      [iovInline]unix.Iovec
	iovMore  []unix.Iovec
}

// set has the message be about one buffer.
func (m *message) set(b []byte) {
	m.one[0] = b
	m.bufs = m.one[:]
}

// rest returns the single buffer that is left to transfer.
func (m *message) rest() []byte { return m.bufs[m.first][m.skip:] }

// advance notes that n bytes were transferred, and returns how many buffers are not done with. Empty ones behind the
// last byte are (A18).
func (m *message) advance(n int) int {
	for m.first < len(m.bufs) {
		left := len(m.bufs[m.first]) - m.skip
		if n < left {
			m.skip += n
			break
		}
		n -= left
		m.first, m.skip = m.first+1, 0
	}
	return len(m.bufs) - m.first
}

// left returns how many bytes are left to transfer.
func (m *message) left() (n int) {
	for _, b := range m.bufs[m.first:] {
		n += len(b)
	}
	return n - m.skip
}

// header returns the header of what is left to transfer.
func (m *message) header() *unix.Msghdr {
	iov := m.vectors()
	m.hdr = unix.Msghdr{Iov: unsafe.SliceData(iov)}
	m.hdr.SetIovlen(len(iov))
	if m.nameLen > 0 {
		m.hdr.Name, m.hdr.Namelen = &m.name[0], uint32(m.nameLen)
	}
	if m.control > 0 {
		m.hdr.Control = &m.controls[0]
		m.hdr.SetControllen(m.control)
	}
	return &m.hdr
}

// vectors returns the buffers that are left to transfer. Of a stream those beyond what the kernel takes come later; of
// a datagram they are for the kernel to refuse (N08).
func (m *message) vectors() []unix.Iovec {
	bufs := m.bufs[m.first:]
	if m.stream && len(bufs) > iovMax {
		bufs = bufs[:iovMax]
	}
	iov := m.iov[:0]
	if len(bufs) > iovInline {
		iov = m.iovMore[:0]
	}
	skip := m.skip
	for _, b := range bufs {
		v := unix.Iovec{Base: unsafe.SliceData(b[skip:])}
		v.SetLen(len(b) - skip)
		iov = append(iov, v)
		skip = 0
	}
	if len(bufs) > iovInline {
		m.iovMore = iov
	}
	return iov
}

// received notes what the header says after a receive.
func (m *message) received() {
	m.nameLen, m.control, m.flags = int(m.hdr.Namelen), int(m.hdr.Controllen), int(m.hdr.Flags)
}
