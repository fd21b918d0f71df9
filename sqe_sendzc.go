package uring

import "github.com/sockring/uring/cring"

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
