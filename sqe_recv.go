package uring

import "github.com/sockring/uring/cring"

// PrepRecv wraps io_uring_prep_recv(3), an asynchronous recv(2) with MSG_* flags. With an empty p and BufferSelect it
// receives into a provided buffer. At most 0x7ffff000 bytes are taken. Since 5.6.
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
// m is the kernel's to read until the terminal CQE.
func (s *SQE) PrepRecvmsgMultishot(fd int, m *Msghdr, group uint16, flags int) error {
	e := s.begin("PrepRecvmsgMultishot", cring.OpRecvmsg)
	e.recvmsgMultishot(fd, m, flags)
	e.IOPrio = cring.RecvMultishot
	e.fromGroup(group)
	return e.end()
}

// fromGroup has the operation use provided buffers.
func (p *prep) fromGroup(group uint16) {
	p.Flags = cring.SQEBufferSelect
	p.BufIndex = group
}
