package uring

import (
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

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
