package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// Msghdr is a message for PrepSendmsg, PrepRecvmsg and their relatives, as sendmsg(2) and recvmsg(2) have it. One
// Msghdr can be used again and again, for one operation at a time.
//
// Ownership: from the Prep call until the operation's terminal CQE the Msghdr and all memory it points to belong to
// the kernel.
type Msghdr struct {
	To      Sockaddr // where a send goes; zero for a connected socket
	Buffers [][]byte // at most 1024, with at most 0x7ffff000 bytes together
	Control []byte   // control data to send, or room for what is received

	// NameRoom is how many bytes of each provided buffer PrepRecvmsgMultishot sets aside for the sender's address, at
	// most 128. Zero is for addresses that are not wanted.
	NameRoom int

	hdr  cring.Msghdr
	iov  []cring.Iovec
	from [sockaddrMax]byte
}

// From returns who sent the message that PrepRecvmsg received: no address for a connected stream socket.
func (m *Msghdr) From() Sockaddr {
	a := Sockaddr{n: m.hdr.Namelen}
	copy(a.raw[:], m.from[:a.Len()])
	return a
}

// Received returns the control data that PrepRecvmsg received, a part of Control.
func (m *Msghdr) Received() []byte {
	return m.Control[:min(m.hdr.Controllen, uint64(len(m.Control)))]
}

// Flags returns the MSG_* flags with which PrepRecvmsg received, such as MSG_TRUNC.
func (m *Msghdr) Flags() int { return int(m.hdr.Flags) }

func (p *prep) sendmsg(fd int, m *Msghdr, flags int) {
	if !p.message(fd, m, flags) {
		return
	}
	p.msgBuffers(m, kernelReads)
	switch {
	case m.To.n > sockaddrMax:
		p.bad(unix.EINVAL, "address of %d bytes", m.To.n)
	case m.To.n > 0:
		to := &m.To.raw
		m.hdr.Name, m.hdr.Namelen = p.pin(unsafe.Pointer(to), uintptr(m.To.n), kernelReads), m.To.n // SAFETY: see pin.
	}
	p.pin(unsafe.Pointer(&m.hdr), unsafe.Sizeof(m.hdr), kernelReads) // SAFETY: see pin.
}

func (p *prep) recvmsg(fd int, m *Msghdr, flags int) {
	if !p.message(fd, m, flags) {
		return
	}
	p.msgBuffers(m, kernelWrites)
	m.from = [sockaddrMax]byte{}
	m.hdr.Name = p.pin(unsafe.Pointer(&m.from), sockaddrMax, kernelWrites) // SAFETY: see pin.
	m.hdr.Namelen = sockaddrMax
	p.pin(unsafe.Pointer(&m.hdr), unsafe.Sizeof(m.hdr), kernelWrites) // SAFETY: see pin.
}

func (p *prep) recvmsgMultishot(fd int, m *Msghdr, flags int) {
	if !p.message(fd, m, flags) {
		return
	}
	switch {
	case m.NameRoom < 0 || m.NameRoom > sockaddrMax:
		p.bad(unix.EINVAL, "room of %d bytes for an address", m.NameRoom)
	case len(m.Control) > ioLenMax:
		p.bad(unix.EINVAL, "room of %d bytes for control data", len(m.Control))
	}
	m.hdr.Namelen, m.hdr.Controllen = uint32(m.NameRoom), uint64(len(m.Control))
	p.pin(unsafe.Pointer(&m.hdr), unsafe.Sizeof(m.hdr), kernelReads) // SAFETY: see pin.
}

// message begins with the message's header, and reports whether there is one.
func (p *prep) message(fd int, m *Msghdr, flags int) bool {
	p.Fd = p.fd(fd)
	p.OpFlags = p.u32("flags", flags)
	p.Len = 1
	if m == nil {
		p.bad(unix.EINVAL, "no message")
		return false
	}
	m.hdr = cring.Msghdr{}
	p.Addr = uint64(uintptr(unsafe.Pointer(&m.hdr))) // SAFETY: the caller pins it.
	return p.err == nil
}

// msgBuffers sets the message's buffers and control data.
func (p *prep) msgBuffers(m *Msghdr, a access) {
	if len(m.Buffers) > iovMax {
		p.bad(unix.EINVAL, "%d buffers, at most %d", len(m.Buffers), iovMax)
		return
	}
	if n := len(m.Buffers); n > 0 {
		if cap(m.iov) < n {
			m.iov = make([]cring.Iovec, n)
		}
		m.iov = m.iov[:n]
		p.iovecs(m.iov, m.Buffers, a)
		m.hdr.Iov = p.pin(unsafe.Pointer(&m.iov[0]), uintptr(n)*unsafe.Sizeof(m.iov[0]), kernelReads) // SAFETY: see pin.
		m.hdr.Iovlen = uint64(n)
	}
	addr, n := p.bytes(m.Control, a)
	m.hdr.Control, m.hdr.Controllen = addr, uint64(n)
}
