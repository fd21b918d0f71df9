package uring

import "github.com/sockring/uring/cring"

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
