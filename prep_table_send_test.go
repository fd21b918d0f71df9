//go:build linux && cgo

package uring

import (
	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/cring/cprep"
)

// prepRow is one Prep method and the C function that it stands for.
type prepRow struct {
	c      string
	method string

	// call draws arguments, calls the method, and returns what the C function takes for them.
	call func(s *SQE, in *input) ([]uint64, error)

	// also is what the method does beyond the C function.
	also func(q *cring.SQE, args []uint64)
}

// withGroup sets IOSQE_BUFFER_SELECT and the group, which follows the C function's own arguments.
func withGroup(q *cring.SQE, args []uint64) {
	cprep.Apply(q, "io_uring_sqe_set_flags", cring.SQEBufferSelect)
	q.BufIndex = uint16(args[len(args)-1])
}

// sent notes what the kernel has to find of a message to send.
func (in *input) sent(s *SQE, m *Msghdr) {
	in.sees(s.raw.Addr, memory([]cring.Msghdr{m.hdr}))
	in.sees(m.hdr.Iov, iovecs(m.Buffers))
	for _, b := range m.Buffers {
		in.sees(address(b), b)
	}
	in.sees(m.hdr.Control, m.Control)
	in.sees(m.hdr.Name, m.To.Bytes())
}

var sendRows = []prepRow{
	{c: "io_uring_prep_send", method: "PrepSend", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, flags := in.fd(), in.bytes(), in.flags()
		in.sees(address(p), p)
		return vals(fd, p, len(p), flags), s.PrepSend(fd, p, flags)
	}},
	{c: "io_uring_prep_sendto", method: "PrepSendTo", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, flags, to := in.fd(), in.bytes(), in.flags(), in.sockaddr()
		err := s.PrepSendTo(fd, p, flags, to)
		in.sees(address(p), p)
		in.sees(s.raw.Off, to.Bytes())
		return vals(fd, p, len(p), flags, s.raw.Off, to.Len()), err
	}},
	{c: "io_uring_prep_send_bundle", method: "PrepSendBundle", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, group, flags, limit := in.fd(), in.u16(), in.flags(), in.num(0, ioLenMax)
		return vals(fd, limit, flags, group), s.PrepSendBundle(fd, group, flags, WithFirstRoundLimit(int(limit)))
	}, also: withGroup},
	{c: "io_uring_prep_sendmsg", method: "PrepSendmsg", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, m, flags := in.fd(), in.message(), in.flags()
		err := s.PrepSendmsg(fd, m, flags)
		in.sent(s, m)
		return vals(fd, where(&m.hdr), flags), err
	}},
	{c: "io_uring_prep_send_zc", method: "PrepSendZC", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, flags, zc := in.fd(), in.bytes(), in.flags(), uint16(in.num(0, cring.SendVectorized-1))
		in.sees(address(p), p)
		return vals(fd, p, len(p), flags, zc), s.PrepSendZC(fd, p, flags, zc)
	}},
	{c: "io_uring_prep_send_zc_fixed", method: "PrepSendZCFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, flags, zc := in.fd(), in.bytes(), in.flags(), uint16(in.num(0, cring.SendVectorized-1))
		index := in.u16()
		in.sees(address(p), p)
		return vals(fd, p, len(p), flags, zc, index), s.PrepSendZCFixed(fd, p, flags, zc, index)
	}},
	{c: "io_uring_prep_sendmsg_zc", method: "PrepSendmsgZC", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, m, flags := in.fd(), in.message(), in.flags()
		err := s.PrepSendmsgZC(fd, m, flags)
		in.sent(s, m)
		return vals(fd, where(&m.hdr), flags), err
	}},
	{c: "io_uring_prep_sendmsg_zc_fixed", method: "PrepSendmsgZCFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, m, flags, index := in.fd(), in.message(), in.flags(), in.u16()
		err := s.PrepSendmsgZCFixed(fd, m, flags, index)
		in.sent(s, m)
		return vals(fd, where(&m.hdr), flags, index), err
	}},
}

var recvRows = []prepRow{
	{c: "io_uring_prep_recv", method: "PrepRecv", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, flags := in.fd(), in.bytes(), in.flags()
		in.sees(address(p), p)
		return vals(fd, p, len(p), flags), s.PrepRecv(fd, p, flags)
	}},
	{c: "io_uring_prep_recv_multishot", method: "PrepRecvMultishot", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, group, flags := in.fd(), in.u16(), in.flags()
		return vals(fd, 0, 0, flags, group), s.PrepRecvMultishot(fd, group, flags)
	}, also: withGroup},
	{c: "io_uring_prep_recvmsg", method: "PrepRecvmsg", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, m, flags := in.fd(), in.message(), in.flags()
		err := s.PrepRecvmsg(fd, m, flags)
		in.sees(s.raw.Addr, memory([]cring.Msghdr{m.hdr}))
		in.sees(m.hdr.Iov, iovecs(m.Buffers))
		in.sees(m.hdr.Name, make([]byte, sockaddrMax))
		in.sees(m.hdr.Control, m.Control)
		return vals(fd, where(&m.hdr), flags), err
	}},
	{
		c: "io_uring_prep_recvmsg_multishot", method: "PrepRecvmsgMultishot",
		call: func(s *SQE, in *input) ([]uint64, error) {
			fd, m, group, flags := in.fd(), in.message(), in.u16(), in.flags()
			err := s.PrepRecvmsgMultishot(fd, m, group, flags)
			want := cring.Msghdr{Namelen: uint32(m.NameRoom), Controllen: uint64(len(m.Control))}
			in.sees(s.raw.Addr, memory([]cring.Msghdr{want}))
			return vals(fd, where(&m.hdr), flags, group), err
		},
		also: withGroup,
	},
	{c: "io_uring_prep_provide_buffers", method: "PrepProvideBuffers", call: func(s *SQE, in *input) ([]uint64, error) {
		size, n, group, first := int(in.num(1, 9)), int(in.num(1, 20)), in.u16(), uint16(in.num(0, 65000))
		mem := make([]byte, 200)
		in.sees(address(mem), mem)
		return vals(mem, size, n, group, first), s.PrepProvideBuffers(mem, size, n, group, first)
	}},
	{c: "io_uring_prep_remove_buffers", method: "PrepRemoveBuffers", call: func(s *SQE, in *input) ([]uint64, error) {
		n, group := int(in.num(1, 1<<16)), in.u16()
		return vals(n, group), s.PrepRemoveBuffers(n, group)
	}},
}
