package uring

import (
	"encoding/binary"
	"fmt"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
)

// The operations on sockets: making and naming them, options, accept, receives, sends, and sends without a copy. See
// socket(2) and the pages of io_uring_prep_socket(3) and its likes. Last the messages of sendmsg(2) and recvmsg(2).

// PrepSocket wraps io_uring_prep_socket(3), an asynchronous socket(2); the result is the descriptor. flags must be
// zero. Since 5.19.
func (s *SQE) PrepSocket(domain, typ, protocol int, flags uint32) error {
	e := s.begin("PrepSocket", cring.OpSocket)
	e.socket(domain, typ, protocol, flags)
	return e.end()
}

// PrepSocketDirect wraps io_uring_prep_socket_direct(3): the socket becomes the direct descriptor with that index,
// or for cring.FileIndexAlloc a free one, which then is the result. Since 5.19.
func (s *SQE) PrepSocketDirect(domain, typ, protocol int, index, flags uint32) error {
	e := s.begin("PrepSocketDirect", cring.OpSocket)
	e.socket(domain, typ, protocol, flags)
	e.target(index)
	return e.end()
}

// PrepSocketDirectAlloc wraps io_uring_prep_socket_direct_alloc(3): the socket becomes a free direct descriptor,
// whose index is the result. Since 5.19.
func (s *SQE) PrepSocketDirectAlloc(domain, typ, protocol int, flags uint32) error {
	e := s.begin("PrepSocketDirectAlloc", cring.OpSocket)
	e.socket(domain, typ, protocol, flags)
	e.target(cring.FileIndexAlloc)
	return e.end()
}

func (p *prep) socket(domain, typ, protocol int, flags uint32) {
	p.Fd = p.i32("domain", domain)
	p.Off = uint64(int64(p.i32("type", typ)))
	p.Len = uint32(p.i32("protocol", protocol))
	p.OpFlags = flags
}

// PrepConnect wraps io_uring_prep_connect(3), an asynchronous connect(2). Since 5.5.
//
// The address is copied.
func (s *SQE) PrepConnect(fd int, addr *Sockaddr) error {
	e := s.begin("PrepConnect", cring.OpConnect)
	e.address(fd, addr)
	return e.end()
}

// PrepBind wraps io_uring_prep_bind(3), an asynchronous bind(2). Since 6.11.
//
// The address is copied.
func (s *SQE) PrepBind(fd int, addr *Sockaddr) error {
	e := s.begin("PrepBind", cring.OpBind)
	e.address(fd, addr)
	return e.end()
}

func (p *prep) address(fd int, addr *Sockaddr) {
	p.Fd = p.fd(fd)
	at, n := p.sockaddr(addr)
	p.Addr, p.Off = at, uint64(n)
}

// PrepListen wraps io_uring_prep_listen(3), an asynchronous listen(2). Since 6.11.
func (s *SQE) PrepListen(fd, backlog int) error {
	e := s.begin("PrepListen", cring.OpListen)
	e.Fd = e.fd(fd)
	e.Len = uint32(e.i32("backlog", backlog))
	return e.end()
}

// PrepShutdown wraps io_uring_prep_shutdown(3), an asynchronous shutdown(2). Since 5.11.
func (s *SQE) PrepShutdown(fd, how int) error {
	e := s.begin("PrepShutdown", cring.OpShutdown)
	e.Fd = e.fd(fd)
	e.Len = uint32(e.i32("how", how))
	return e.end()
}

// PrepCmdSock wraps io_uring_prep_cmd_sock(3), a command to a socket: cring.SocketOpSIOCINQ and SocketOpSIOCOUTQ,
// whose result is a count of bytes (6.5), SocketOpGetsockopt and SocketOpSetsockopt (6.7), of which the former has
// the option's length as its result.
//
// value is the option's, for the kernel to read or with SocketOpGetsockopt to write until the terminal CQE.
func (s *SQE) PrepCmdSock(op uint32, fd, level, option int, value []byte) error {
	e := s.begin("PrepCmdSock", cring.OpUringCmd)
	e.Fd = e.fd(fd)
	e.Off = words(op, 0) // cmd_op
	e.Addr = words(uint32(e.i32("level", level)), uint32(e.i32("option", option)))
	a := kernelReads
	if op != cring.SocketOpSetsockopt {
		a = kernelWrites
	}
	addr, n := e.bytes(value, a)
	e.Addr3, e.FileIndex = addr, int32(n) // optval and optlen
	return e.end()
}

// words joins two fields of 32 bits that lie next to each other where the SQE has one of 64.
func words(first, second uint32) (v uint64) {
	*(*[2]uint32)(unsafe.Pointer(&v)) = [2]uint32{first, second} // SAFETY: two words of 32 bits are one of 64.
	return v
}

// PrepCmdGetsockname wraps io_uring_prep_cmd_getsockname(3), an asynchronous getsockname(2), or with peer
// getpeername(2). Since 6.19.
//
// addr is the kernel's to write until the terminal CQE.
func (s *SQE) PrepCmdGetsockname(fd int, addr *Sockaddr, peer bool) error {
	e := s.begin("PrepCmdGetsockname", cring.OpUringCmd)
	e.Fd = e.fd(fd)
	e.Off = words(cring.SocketOpGetsockname, 0)
	if addr == nil {
		e.bad(unix.EINVAL, "no address")
	}
	e.Addr, e.Addr3 = e.sockaddrOut(addr)
	if peer {
		e.FileIndex = 1 // optlen
	}
	return e.end()
}

// PrepAccept wraps io_uring_prep_accept(3), an asynchronous accept4(2) with SOCK_* flags; the result is the
// descriptor. addr may be nil. Since 5.5.
//
// addr is the kernel's to write until the terminal CQE.
func (s *SQE) PrepAccept(fd int, addr *Sockaddr, flags int) error {
	e := s.begin("PrepAccept", cring.OpAccept)
	e.accept(fd, addr, flags)
	return e.end()
}

// PrepAcceptDirect wraps io_uring_prep_accept_direct(3): PrepAccept into the direct descriptor with that index, or
// for cring.FileIndexAlloc a free one, which then is the result. Since 5.19.
func (s *SQE) PrepAcceptDirect(fd int, addr *Sockaddr, flags int, index uint32) error {
	e := s.begin("PrepAcceptDirect", cring.OpAccept)
	e.accept(fd, addr, flags)
	e.target(index)
	return e.end()
}

// PrepMultishotAccept wraps io_uring_prep_multishot_accept(3): each connection makes a CQE, until one that does not
// say CQE.More. It takes no address, which the next connection would overwrite; ask with getpeername(2) or
// PrepCmdGetsockname. Since 5.19.
func (s *SQE) PrepMultishotAccept(fd, flags int) error {
	e := s.begin("PrepMultishotAccept", cring.OpAccept)
	e.accept(fd, nil, flags)
	e.IOPrio = cring.AcceptMultishot
	return e.end()
}

// PrepMultishotAcceptDirect wraps io_uring_prep_multishot_accept_direct(3): PrepMultishotAccept into free direct
// descriptors, whose indices are the results. Since 5.19.
func (s *SQE) PrepMultishotAcceptDirect(fd, flags int) error {
	e := s.begin("PrepMultishotAcceptDirect", cring.OpAccept)
	e.accept(fd, nil, flags)
	e.IOPrio = cring.AcceptMultishot
	e.target(cring.FileIndexAlloc)
	return e.end()
}

func (p *prep) accept(fd int, addr *Sockaddr, flags int) {
	p.Fd = p.fd(fd)
	p.Addr, p.Off = p.sockaddrOut(addr)
	p.OpFlags = p.u32("flags", flags)
}

// PrepRecv wraps io_uring_prep_recv(3), an asynchronous recv(2) with MSG_* flags. With an empty p and BufferSelect it
// receives into a provided buffer. At most 0x7ffff000 bytes are taken. Since 5.6.
//
// With unix.MSG_TRUNC the result is how long a datagram was, which may be more than len(p): cut p by the smaller of the
// two. On a TCP socket it has bytes thrown away instead of stored.
//
// p is the kernel's to write until the terminal CQE.
func (s *SQE) PrepRecv(fd int, p []byte, flags int) error {
	e := s.begin("PrepRecv", cring.OpRecv)
	e.Fd = e.fd(fd)
	e.buffer(p, kernelWrites)
	e.OpFlags = e.u32("flags", flags)
	return e.end()
}

// PrepRecvMultishot wraps io_uring_prep_recv_multishot(3) and sets IOSQE_BUFFER_SELECT with the group, without
// which there is no multishot: each arrival of data makes a CQE with a buffer of the group. The operation ends with
// the first CQE that does not say CQE.More, such as unix.ENOBUFS when the group has run dry, and is then to be
// prepared anew. Since 6.0.
//
// MSG_TRUNC is as with PrepRecv; BufRing.Consume cuts its pieces to what buffers hold. With a group of WithIncremental
// it is unix.EINVAL, as MSG_WAITALL is, since nobody could tell where in the buffers the bytes are.
func (s *SQE) PrepRecvMultishot(fd int, group uint16, flags int) error {
	e := s.begin("PrepRecvMultishot", cring.OpRecv)
	e.Fd = e.fd(fd)
	e.OpFlags = e.u32("flags", flags)
	e.IOPrio = cring.RecvMultishot
	e.fromGroup(group)
	return e.end()
}

// PrepRecvmsg wraps io_uring_prep_recvmsg(3), an asynchronous recvmsg(2). Since 5.3.
//
// m and all it points to are the kernel's to write until the terminal CQE; from then on m says what came.
func (s *SQE) PrepRecvmsg(fd int, m *Msghdr, flags int) error {
	e := s.begin("PrepRecvmsg", cring.OpRecvmsg)
	e.recvmsg(fd, m, flags)
	return e.end()
}

// PrepRecvmsgMultishot wraps io_uring_prep_recvmsg_multishot(3) and sets IOSQE_BUFFER_SELECT with the group: each
// message makes a CQE with a buffer of the group, which ParseRecvmsg takes apart. Of m only NameRoom and the length
// of Control count: how much of each buffer is for the address and for control data. It ends as PrepRecvMultishot
// does. Since 6.0.
//
// Buffers of the group that are too short for the header, NameRoom and Control are unix.EINVAL, and so is a group of
// WithIncremental: what is left of one of its buffers would come to be too short, and the kernel's EFAULT never end.
//
// m is the kernel's to read until the terminal CQE.
func (s *SQE) PrepRecvmsgMultishot(fd int, m *Msghdr, group uint16, flags int) error {
	e := s.begin("PrepRecvmsgMultishot", cring.OpRecvmsg)
	e.recvmsgMultishot(fd, m, flags)
	e.IOPrio = cring.RecvMultishot
	e.fromGroup(group)
	if m != nil {
		e.fits(group, recvmsgHeader+m.NameRoom+len(m.Control))
	}
	return e.end()
}

// fromGroup has the operation use provided buffers.
func (p *prep) fromGroup(group uint16) {
	p.Flags = cring.SQEBufferSelect
	p.BufIndex = group
}

// PrepSend wraps io_uring_prep_send(3), an asynchronous send(2) with MSG_* flags. It never raises SIGPIPE. An empty p
// sends nothing, or with BufferSelect a provided buffer. At most 0x7ffff000 bytes are taken. Since 5.6.
//
// p stays the kernel's to read until the terminal CQE.
func (s *SQE) PrepSend(fd int, p []byte, flags int) error {
	e := s.begin("PrepSend", cring.OpSend)
	e.Fd = e.fd(fd)
	e.buffer(p, kernelReads)
	e.OpFlags = e.u32("flags", flags)
	return e.end()
}

// PrepSendTo wraps io_uring_prep_sendto(3), an asynchronous sendto(2). A nil address makes it PrepSend. Since 6.1.
//
// p stays the kernel's to read until the terminal CQE; the address is copied.
func (s *SQE) PrepSendTo(fd int, p []byte, flags int, addr *Sockaddr) error {
	e := s.begin("PrepSendTo", cring.OpSend)
	e.Fd = e.fd(fd)
	e.buffer(p, kernelReads)
	e.OpFlags = e.u32("flags", flags)
	if addr != nil {
		e.destination(addr)
	}
	return e.end()
}

// PrepSendSetAddr wraps io_uring_prep_send_set_addr(3): it adds a destination to what PrepSend, PrepSendZC or
// PrepSendZCFixed prepared. After anything else it is unix.EINVAL. Since 6.0 for zero-copy sends, 6.1 for others.
//
// The address is copied.
func (s *SQE) PrepSendSetAddr(addr *Sockaddr) error {
	e := prep{s: s, name: "PrepSendSetAddr", err: errNoEntry}
	if s.filled() {
		e.SQE, e.err = *s.raw, s.owned()
	}
	if e.err == nil && e.Opcode != cring.OpSend && e.Opcode != cring.OpSendZC {
		e.badOrder("send")
	}
	e.destination(addr)
	return e.end()
}

// destination sets where a send goes.
func (p *prep) destination(a *Sockaddr) {
	addr, n := p.sockaddr(a)
	p.Off, p.FileIndex = addr, int32(n) // addr2 and addr_len
}

// SendBundleOption changes what PrepSendBundle prepares.
type SendBundleOption struct{ firstRound int }

// WithFirstRoundLimit has the first round of a bundle take no more than n bytes, in whole buffers and at least one.
// It is no limit for the whole: rounds after the first take what is there. Since 6.12; before, n other than zero
// completes with unix.EINVAL.
func WithFirstRoundLimit(n int) SendBundleOption { return SendBundleOption{firstRound: n} }

// PrepSendBundle wraps io_uring_prep_send_bundle(3) and sets IOSQE_BUFFER_SELECT with the group: the operation
// sends buffers of the group in the order of its ring until none is left, at most 256 of them for each CQE. More
// CQEs follow while CQE.More says so; each has the number of bytes as its result and names its first buffer. An
// empty group is unix.ENOBUFS. Since 6.10, announced by FeatRecvSendBundle.
//
// Buffers are consumed when the operation picks them, sent or not. On a datagram socket all of them make one
// datagram.
func (s *SQE) PrepSendBundle(fd int, group uint16, flags int, opts ...SendBundleOption) error {
	e := s.begin("PrepSendBundle", cring.OpSend)
	e.Fd = e.fd(fd)
	e.OpFlags = e.u32("flags", flags)
	e.IOPrio = cring.RecvSendBundle
	e.fromGroup(group)
	for _, o := range opts {
		e.Len = e.size("first round", o.firstRound)
	}
	return e.end()
}

// PrepSendmsg wraps io_uring_prep_sendmsg(3), an asynchronous sendmsg(2). Since 5.3.
//
// m and all it points to stay the kernel's to read until the terminal CQE.
func (s *SQE) PrepSendmsg(fd int, m *Msghdr, flags int) error {
	e := s.begin("PrepSendmsg", cring.OpSendmsg)
	e.sendmsg(fd, m, flags)
	return e.end()
}

// PrepSendZC wraps io_uring_prep_send_zc(3), an asynchronous send(2) that sends p from where it is. zcFlags are
// cring.RecvSendPollFirst and cring.SendZCReportUsage. Since 6.0.
//
// There are two CQEs: one with the result, and where that says CQE.More a second with CQENotif, which can come much
// later. p stays the kernel's to read until the terminal one.
func (s *SQE) PrepSendZC(fd int, p []byte, flags int, zcFlags uint16) error {
	e := s.begin("PrepSendZC", cring.OpSendZC)
	e.sendZC(fd, p, flags, zcFlags)
	return e.end()
}

// PrepSendZCFixed wraps io_uring_prep_send_zc_fixed(3): PrepSendZC from within the registered buffer with that
// index. Since 6.0.
func (s *SQE) PrepSendZCFixed(fd int, p []byte, flags int, zcFlags, bufIndex uint16) error {
	e := s.begin("PrepSendZCFixed", cring.OpSendZC)
	e.sendZC(fd, p, flags, zcFlags)
	e.fixed(bufIndex)
	return e.end()
}

// PrepSendmsgZC wraps io_uring_prep_sendmsg_zc(3): PrepSendmsg with the CQEs and the memory rule of PrepSendZC.
// Since 6.1.
func (s *SQE) PrepSendmsgZC(fd int, m *Msghdr, flags int) error {
	e := s.begin("PrepSendmsgZC", cring.OpSendmsgZC)
	e.sendmsg(fd, m, flags)
	return e.end()
}

// PrepSendmsgZCFixed wraps io_uring_prep_sendmsg_zc_fixed(3): PrepSendmsgZC from within the registered buffer with
// that index. Since 6.15.
func (s *SQE) PrepSendmsgZCFixed(fd int, m *Msghdr, flags int, bufIndex uint16) error {
	e := s.begin("PrepSendmsgZCFixed", cring.OpSendmsgZC)
	e.sendmsg(fd, m, flags)
	e.fixed(bufIndex)
	return e.end()
}

func (p *prep) sendZC(fd int, b []byte, flags int, zcFlags uint16) {
	p.Fd = p.fd(fd)
	p.buffer(b, kernelReads)
	p.OpFlags = p.u32("flags", flags)
	if zcFlags&cring.SendVectorized != 0 {
		p.badFlags(uint64(zcFlags)) // the kernel would take the bytes to be sent for addresses
	}
	p.IOPrio = zcFlags
}

// fixed names the registered buffer that the operation's memory lies in.
func (p *prep) fixed(bufIndex uint16) {
	p.IOPrio |= cring.RecvSendFixedBuf
	p.BufIndex = bufIndex
}

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

// recvmsgHeader is the length of struct io_uring_recvmsg_out.
const recvmsgHeader = int(unsafe.Sizeof(cring.RecvmsgOut{}))

// RecvmsgOut is one message of PrepRecvmsgMultishot. Control and Payload are parts of the provided buffer and valid
// for as long as it is the application's.
type RecvmsgOut struct {
	Name        Sockaddr // who sent it, cut to NameRoom
	Control     []byte   // control data, cut to its room
	Payload     []byte   // data, cut to what the buffer holds
	Flags       int      // MSG_*; MSG_TRUNC and MSG_CTRUNC say that something was cut
	PayloadSize int      // how long the data would have been
}

// ParseRecvmsg takes the contents of a provided buffer apart, which a CQE of PrepRecvmsgMultishot named: b is the
// buffer cut to CQE.Res, and m the Msghdr of the operation. The lengths in the buffer are checked against b.
//
//	+--------+------------------+----------------------+---------------+
//	| header | name: m.NameRoom | control: len(Control)| payload ...   |
//	+--------+------------------+----------------------+---------------+
//
// A buffer too short for its fixed parts is unix.EINVAL.
func ParseRecvmsg(b []byte, m *Msghdr) (RecvmsgOut, error) {
	if m == nil || m.NameRoom < 0 || m.NameRoom > sockaddrMax {
		return RecvmsgOut{}, fmt.Errorf("uring: ParseRecvmsg: not a message of PrepRecvmsgMultishot: %w", unix.EINVAL)
	}
	if len(b) < recvmsgHeader || len(b)-recvmsgHeader < m.NameRoom || len(b)-recvmsgHeader-m.NameRoom < len(m.Control) {
		return RecvmsgOut{}, fmt.Errorf("uring: ParseRecvmsg: %d bytes with %d for the name and %d for control data: %w",
			len(b), m.NameRoom, len(m.Control), unix.EINVAL)
	}
	h := cring.RecvmsgOut{
		Namelen:    binary.NativeEndian.Uint32(b[0:]),
		Controllen: binary.NativeEndian.Uint32(b[4:]),
		Payloadlen: binary.NativeEndian.Uint32(b[8:]),
		Flags:      binary.NativeEndian.Uint32(b[12:]),
	}
	name, rest := b[recvmsgHeader:][:m.NameRoom], b[recvmsgHeader+m.NameRoom:]
	control, payload := rest[:len(m.Control)], rest[len(m.Control):]
	out := RecvmsgOut{
		Control:     control[:min(uint64(h.Controllen), uint64(len(control)))],
		Payload:     payload[:min(uint64(h.Payloadlen), uint64(len(payload)))],
		Flags:       int(h.Flags),
		PayloadSize: int(h.Payloadlen),
	}
	out.Name.n = uint32(copy(out.Name.raw[:], name[:min(uint64(h.Namelen), uint64(len(name)))]))
	return out, nil
}
