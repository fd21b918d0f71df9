//go:build linux && cgo

package uring

import (
	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/cring/cprep"
)

// fixedIndex is what C takes for a direct descriptor. liburing 2.3 does not know IORING_FILE_INDEX_ALLOC there; what
// 2.4 and newer make of it is one less.
func fixedIndex(index uint32) uint32 {
	if cprep.Version() < 204 && index == cring.FileIndexAlloc {
		return index - 1
	}
	return index
}

// filled notes that the kernel is to find room for an address, and returns where it and its length are.
func (in *input) filled(a *Sockaddr) (addr, length uint64) {
	in.sees(where(a), memory([]Sockaddr{{n: sockaddrMax}}))
	return where(&a.raw), where(&a.n)
}

var socketRows = []prepRow{
	{c: "io_uring_prep_socket", method: "PrepSocket", call: func(s *SQE, in *input) ([]uint64, error) {
		domain, typ, protocol, flags := in.i32(), in.i32(), in.i32(), in.u32()
		return vals(domain, typ, protocol, flags), s.PrepSocket(domain, typ, protocol, flags)
	}},
	{c: "io_uring_prep_socket_direct", method: "PrepSocketDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		domain, typ, protocol, index, flags := in.i32(), in.i32(), in.i32(), in.index(), in.u32()
		return vals(domain, typ, protocol, fixedIndex(index), flags),
			s.PrepSocketDirect(domain, typ, protocol, index, flags)
	}},
	{
		c: "io_uring_prep_socket_direct_alloc", method: "PrepSocketDirectAlloc",
		call: func(s *SQE, in *input) ([]uint64, error) {
			domain, typ, protocol, flags := in.i32(), in.i32(), in.i32(), in.u32()
			return vals(domain, typ, protocol, flags), s.PrepSocketDirectAlloc(domain, typ, protocol, flags)
		},
	},
	{c: "io_uring_prep_connect", method: "PrepConnect", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, a := in.fd(), in.sockaddr()
		err := s.PrepConnect(fd, a)
		in.sees(s.raw.Addr, a.Bytes())
		return vals(fd, s.raw.Addr, a.Len()), err
	}},
	{c: "io_uring_prep_bind", method: "PrepBind", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, a := in.fd(), in.sockaddr()
		err := s.PrepBind(fd, a)
		in.sees(s.raw.Addr, a.Bytes())
		return vals(fd, s.raw.Addr, a.Len()), err
	}},
	{c: "io_uring_prep_listen", method: "PrepListen", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, backlog := in.fd(), in.i32()
		return vals(fd, backlog), s.PrepListen(fd, backlog)
	}},
	{c: "io_uring_prep_shutdown", method: "PrepShutdown", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, how := in.fd(), in.i32()
		return vals(fd, how), s.PrepShutdown(fd, how)
	}},
	{c: "io_uring_prep_cmd_sock", method: "PrepCmdSock", call: func(s *SQE, in *input) ([]uint64, error) {
		op, fd, level, option, value := in.u32(), in.fd(), in.i32(), in.i32(), in.bytes()
		in.sees(address(value), value)
		return vals(op, fd, level, option, value, len(value)), s.PrepCmdSock(op, fd, level, option, value)
	}},
	{c: "io_uring_prep_cmd_getsockname", method: "PrepCmdGetsockname", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, a, peer := in.fd(), new(Sockaddr), in.num(0, 1)&1
		addr, length := in.filled(a)
		return vals(fd, addr, length, peer), s.PrepCmdGetsockname(fd, a, peer == 1)
	}},
	{c: "io_uring_prep_accept", method: "PrepAccept", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, flags := in.fd(), in.flags()
		if in.num(0, 1) == 0 {
			return vals(fd, 0, 0, flags), s.PrepAccept(fd, nil, flags)
		}
		a := new(Sockaddr)
		addr, length := in.filled(a)
		return vals(fd, addr, length, flags), s.PrepAccept(fd, a, flags)
	}},
	{c: "io_uring_prep_accept_direct", method: "PrepAcceptDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, flags, index, a := in.fd(), in.flags(), in.index(), new(Sockaddr)
		addr, length := in.filled(a)
		return vals(fd, addr, length, flags, fixedIndex(index)), s.PrepAcceptDirect(fd, a, flags, index)
	}},
	{
		c: "io_uring_prep_multishot_accept", method: "PrepMultishotAccept",
		call: func(s *SQE, in *input) ([]uint64, error) {
			fd, flags := in.fd(), in.flags()
			return vals(fd, 0, 0, flags), s.PrepMultishotAccept(fd, flags)
		},
	},
	{
		c: "io_uring_prep_multishot_accept_direct", method: "PrepMultishotAcceptDirect",
		call: func(s *SQE, in *input) ([]uint64, error) {
			fd, flags := in.fd(), in.flags()
			return vals(fd, 0, 0, flags), s.PrepMultishotAcceptDirect(fd, flags)
		},
	},
}
