package uring

import "github.com/sockring/uring/cring"

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
		e.SQE, e.err = *s.raw, nil
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
