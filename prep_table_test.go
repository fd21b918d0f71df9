//go:build linux && cgo

package uring

import (
	"math"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/cprep"
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

// clockFlags are flags of a timeout, without the one that is refused.
func (in *input) clockFlags() uint32 {
	f := in.u32()
	if f&cring.TimeoutImmediateArg != 0 {
		in.wild = true
	}
	return f
}

var timeRows = []prepRow{
	{c: "io_uring_prep_timeout", method: "PrepTimeout", call: func(s *SQE, in *input) ([]uint64, error) {
		d, count, flags := in.duration(), in.u32(), in.clockFlags()
		err := s.PrepTimeout(d, count, flags)
		in.sees(s.raw.Addr, memory([]cring.Timespec{timespec(d)}))
		return vals(s.raw.Addr, count, flags), err
	}},
	{c: "io_uring_prep_timeout_remove", method: "PrepTimeoutRemove", call: func(s *SQE, in *input) ([]uint64, error) {
		id, flags := OpID(in.u64()), in.u32()
		return vals(id, flags), s.PrepTimeoutRemove(id, flags)
	}},
	{c: "io_uring_prep_timeout_update", method: "PrepTimeoutUpdate", call: func(s *SQE, in *input) ([]uint64, error) {
		d, id, flags := in.duration(), OpID(in.u64()), in.clockFlags()
		err := s.PrepTimeoutUpdate(d, id, flags)
		in.sees(s.raw.Off, memory([]cring.Timespec{timespec(d)}))
		return vals(s.raw.Off, id, flags), err
	}},
	{c: "io_uring_prep_link_timeout", method: "PrepLinkTimeout", call: func(s *SQE, in *input) ([]uint64, error) {
		d, flags := in.duration(), in.clockFlags()
		err := s.PrepLinkTimeout(d, flags)
		in.sees(s.raw.Addr, memory([]cring.Timespec{timespec(d)}))
		return vals(s.raw.Addr, flags), err
	}},
}

var pollRows = []prepRow{
	{c: "io_uring_prep_poll_add", method: "PrepPollAdd", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, mask := in.fd(), in.u32()
		return vals(fd, mask), s.PrepPollAdd(fd, mask)
	}},
	{c: "io_uring_prep_poll_multishot", method: "PrepPollMultishot", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, mask := in.fd(), in.u32()
		return vals(fd, mask), s.PrepPollMultishot(fd, mask)
	}},
	{c: "io_uring_prep_poll_remove", method: "PrepPollRemove", call: func(s *SQE, in *input) ([]uint64, error) {
		id := OpID(in.u64())
		return vals(id), s.PrepPollRemove(id)
	}},
	{c: "io_uring_prep_poll_update", method: "PrepPollUpdate", call: func(s *SQE, in *input) ([]uint64, error) {
		id, newID, mask, flags := OpID(in.foreign()), OpID(in.foreign()), in.u32(), in.u32()
		return vals(id, newID, mask, flags), s.PrepPollUpdate(id, newID, mask, flags)
	}},
	{c: "io_uring_prep_epoll_ctl", method: "PrepEpollCtl", call: func(s *SQE, in *input) ([]uint64, error) {
		epfd, fd, op, ev := in.fd(), in.fd(), in.flags(), &EpollEvent{Events: in.u32()}
		err := s.PrepEpollCtl(epfd, fd, op, ev)
		in.sees(s.raw.Addr, memory([]EpollEvent{*ev}))
		return vals(epfd, fd, op, where(ev)), err
	}},
	{c: "io_uring_prep_epoll_wait", method: "PrepEpollWait", call: func(s *SQE, in *input) ([]uint64, error) {
		epfd, events, flags := in.fd(), make([]EpollEvent, max(min(in.num(1, 20), 20), 0)), in.u32()
		err := s.PrepEpollWait(epfd, events, flags)
		in.sees(s.raw.Addr, memory(events))
		return vals(epfd, s.raw.Addr, len(events), flags), err
	}},
}

var otherRows = []prepRow{
	{c: "io_uring_prep_nop", method: "PrepNop", call: func(s *SQE, _ *input) ([]uint64, error) {
		return nil, s.PrepNop()
	}},
	{c: "io_uring_prep_cancel", method: "PrepCancel", call: func(s *SQE, in *input) ([]uint64, error) {
		id, flags := OpID(in.u64()), in.flags()
		return vals(id, flags), s.PrepCancel(id, flags)
	}},
	{c: "io_uring_prep_cancel64", method: "PrepCancel64", call: func(s *SQE, in *input) ([]uint64, error) {
		data, flags := in.u64(), in.flags()
		return vals(data, flags), s.PrepCancel64(data, flags)
	}},
	{c: "io_uring_prep_cancel_fd", method: "PrepCancelFd", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, flags := in.fd(), in.u32()
		return vals(fd, flags), s.PrepCancelFd(fd, flags)
	}},
	{c: "io_uring_prep_msg_ring", method: "PrepMsgRing", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, n, data, flags := in.fd(), in.u32(), in.foreign(), in.u32()
		return vals(fd, n, data, flags), s.PrepMsgRing(fd, n, data, flags)
	}},
	{
		c: "io_uring_prep_msg_ring_cqe_flags", method: "PrepMsgRingCQEFlags",
		call: func(s *SQE, in *input) ([]uint64, error) {
			fd, n, data, flags, cqeFlags := in.fd(), in.u32(), in.foreign(), in.u32(), in.u32()
			return vals(fd, n, data, flags, cqeFlags), s.PrepMsgRingCQEFlags(fd, n, data, flags, cqeFlags)
		},
	},
	{c: "io_uring_prep_msg_ring_fd", method: "PrepMsgRingFd", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, source, target, data, flags := in.fd(), in.direct(), in.index(), in.foreign(), in.u32()
		return vals(fd, source, target, data, flags), s.PrepMsgRingFd(fd, source, target, data, flags)
	}},
	{
		c: "io_uring_prep_msg_ring_fd_alloc", method: "PrepMsgRingFdAlloc",
		call: func(s *SQE, in *input) ([]uint64, error) {
			fd, source, data, flags := in.fd(), in.direct(), in.foreign(), in.u32()
			return vals(fd, source, data, flags), s.PrepMsgRingFdAlloc(fd, source, data, flags)
		},
	},
	{c: "io_uring_prep_futex_wake", method: "PrepFutexWake", call: func(s *SQE, in *input) ([]uint64, error) {
		word, n, mask, kind, flags := &[]uint32{in.u32()}[0], in.u64(), in.u64(), in.u32(), in.u32()
		in.sees(where(word), memory([]uint32{*word}))
		return vals(where(word), n, mask, kind, flags), s.PrepFutexWake(word, n, mask, kind, flags)
	}},
	{c: "io_uring_prep_futex_wait", method: "PrepFutexWait", call: func(s *SQE, in *input) ([]uint64, error) {
		word, value, mask, kind, flags := &[]uint32{in.u32()}[0], in.u64(), in.u64(), in.u32(), in.u32()
		in.sees(where(word), memory([]uint32{*word}))
		return vals(where(word), value, mask, kind, flags), s.PrepFutexWait(word, value, mask, kind, flags)
	}},
	{c: "io_uring_prep_futex_waitv", method: "PrepFutexWaitv", call: func(s *SQE, in *input) ([]uint64, error) {
		w, flags := make([]FutexWaiter, max(min(in.num(1, 128), 129), 0)), in.u32()
		var vec []cring.FutexWaitv
		for i := range w {
			w[i] = FutexWaiter{Word: new(uint32), Value: in.u64(), Flags: in.u32()}
			addr := where(w[i].Word)
			vec = append(vec, cring.FutexWaitv{Val: w[i].Value, Uaddr: addr, Flags: w[i].Flags})
		}
		err := s.PrepFutexWaitv(w, flags)
		in.sees(s.raw.Addr, memory(vec))
		return vals(s.raw.Addr, len(w), flags), err
	}},
	{c: "io_uring_prep_waitid", method: "PrepWaitid", call: func(s *SQE, in *input) ([]uint64, error) {
		kind, id, options, flags := int(in.num(0, math.MaxInt32)), in.i32(), in.i32(), in.u32()
		info := &Siginfo{Signo: int32(in.i32())}
		err := s.PrepWaitid(kind, id, info, options, flags)
		in.sees(s.raw.Off, memory([]Siginfo{*info}))
		return vals(kind, id, where(info), options, flags), err
	}},
}

// vector notes what the kernel has to find of buffers.
func (in *input) vector(s *SQE, buffers [][]byte) {
	in.sees(s.raw.Addr, iovecs(buffers))
	for _, b := range buffers {
		in.sees(address(b), b)
	}
}

var readWriteRows = []prepRow{
	{c: "io_uring_prep_read", method: "PrepRead", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, off := in.fd(), in.bytes(), in.offset()
		in.sees(address(p), p)
		return vals(fd, p, len(p), off), s.PrepRead(fd, p, off)
	}},
	{c: "io_uring_prep_write", method: "PrepWrite", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, off := in.fd(), in.bytes(), in.offset()
		in.sees(address(p), p)
		return vals(fd, p, len(p), off), s.PrepWrite(fd, p, off)
	}},
	{c: "io_uring_prep_read_fixed", method: "PrepReadFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, off, index := in.fd(), in.bytes(), in.offset(), in.u16()
		in.sees(address(p), p)
		return vals(fd, p, len(p), off, index), s.PrepReadFixed(fd, p, off, index)
	}},
	{c: "io_uring_prep_write_fixed", method: "PrepWriteFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, p, off, index := in.fd(), in.bytes(), in.offset(), in.u16()
		in.sees(address(p), p)
		return vals(fd, p, len(p), off, index), s.PrepWriteFixed(fd, p, off, index)
	}},
	{c: "io_uring_prep_read_multishot", method: "PrepReadMultishot", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, n, off, group := in.fd(), int(in.num(0, ioLenMax)), in.offset(), in.u16()
		return vals(fd, n, off, group), s.PrepReadMultishot(fd, n, off, group)
	}},
	{c: "io_uring_prep_readv", method: "PrepReadv", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off := in.fd(), in.buffers(), in.offset()
		err := s.PrepReadv(fd, v, off)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off), err
	}},
	{c: "io_uring_prep_readv2", method: "PrepReadv2", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off, flags := in.fd(), in.buffers(), in.offset(), in.flags()
		err := s.PrepReadv2(fd, v, off, flags)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off, flags), err
	}},
	{c: "io_uring_prep_readv_fixed", method: "PrepReadvFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off, flags, index := in.fd(), in.buffers(), in.offset(), in.flags(), in.u16()
		err := s.PrepReadvFixed(fd, v, off, flags, index)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off, flags, index), err
	}},
	{c: "io_uring_prep_writev", method: "PrepWritev", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off := in.fd(), in.buffers(), in.offset()
		err := s.PrepWritev(fd, v, off)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off), err
	}},
	{c: "io_uring_prep_writev2", method: "PrepWritev2", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off, flags := in.fd(), in.buffers(), in.offset(), in.flags()
		err := s.PrepWritev2(fd, v, off, flags)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off, flags), err
	}},
	{c: "io_uring_prep_writev_fixed", method: "PrepWritevFixed", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, v, off, flags, index := in.fd(), in.buffers(), in.offset(), in.flags(), in.u16()
		err := s.PrepWritevFixed(fd, v, off, flags, index)
		in.vector(s, v)
		return vals(fd, s.raw.Addr, len(v), off, flags, index), err
	}},
	{c: "io_uring_prep_splice", method: "PrepSplice", call: func(s *SQE, in *input) ([]uint64, error) {
		fdIn, offIn, fdOut, offOut := in.fd(), in.offset(), in.fd(), in.offset()
		n, flags := int(in.num(0, math.MaxUint32)), in.u32()
		return vals(fdIn, offIn, fdOut, offOut, n, flags), s.PrepSplice(fdIn, offIn, fdOut, offOut, n, flags)
	}},
	{c: "io_uring_prep_tee", method: "PrepTee", call: func(s *SQE, in *input) ([]uint64, error) {
		fdIn, fdOut, n, flags := in.fd(), in.fd(), int(in.num(0, math.MaxUint32)), in.u32()
		return vals(fdIn, fdOut, n, flags), s.PrepTee(fdIn, fdOut, n, flags)
	}},
	{c: "io_uring_prep_pipe", method: "PrepPipe", call: func(s *SQE, in *input) ([]uint64, error) {
		fds, flags := &[2]int32{-1, -1}, in.flags()
		in.sees(where(fds), memory(fds[:]))
		return vals(where(fds), flags), s.PrepPipe(fds, flags)
	}},
	{c: "io_uring_prep_pipe_direct", method: "PrepPipeDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		fds, flags, index := &[2]int32{-1, -1}, in.flags(), in.index()
		in.sees(where(fds), memory(fds[:]))
		return vals(where(fds), flags, index), s.PrepPipeDirect(fds, flags, index)
	}},
}

var fileRows = []prepRow{
	{c: "io_uring_prep_fsync", method: "PrepFsync", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, flags := in.fd(), in.u32()
		return vals(fd, flags), s.PrepFsync(fd, flags)
	}},
	{c: "io_uring_prep_sync_file_range", method: "PrepSyncFileRange", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, n, off, flags := in.fd(), int(in.num(0, math.MaxUint32)), in.size(), in.flags()
		return vals(fd, n, off, flags), s.PrepSyncFileRange(fd, n, off, flags)
	}},
	{c: "io_uring_prep_fallocate", method: "PrepFallocate", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, mode, off, n := in.fd(), in.flags(), in.size(), in.size()
		return vals(fd, mode, off, n), s.PrepFallocate(fd, mode, off, n)
	}},
	{c: "io_uring_prep_ftruncate", method: "PrepFtruncate", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, n := in.fd(), in.size()
		return vals(fd, n), s.PrepFtruncate(fd, n)
	}},
	{c: "io_uring_prep_fadvise", method: "PrepFadvise", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, off, n, advice := in.fd(), in.size(), int(in.num(0, math.MaxUint32)), in.flags()
		return vals(fd, off, n, advice), s.PrepFadvise(fd, off, n, advice)
	}},
	{c: "io_uring_prep_fadvise64", method: "PrepFadvise64", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, off, n, advice := in.fd(), in.size(), in.size(), in.flags()
		return vals(fd, off, n, advice), s.PrepFadvise64(fd, off, n, advice)
	}},
	{c: "io_uring_prep_madvise", method: "PrepMadvise", call: func(s *SQE, in *input) ([]uint64, error) {
		mem, advice := in.bytes(), in.flags()
		in.sees(address(mem), mem)
		return vals(mem, len(mem), advice), s.PrepMadvise(mem, advice)
	}},
	{c: "io_uring_prep_madvise64", method: "PrepMadvise64", call: func(s *SQE, in *input) ([]uint64, error) {
		mem, advice := in.bytes(), in.flags()
		in.sees(address(mem), mem)
		return vals(mem, len(mem), advice), s.PrepMadvise64(mem, advice)
	}},
	{c: "io_uring_prep_close", method: "PrepClose", call: func(s *SQE, in *input) ([]uint64, error) {
		fd := in.fd()
		return vals(fd), s.PrepClose(fd)
	}},
	{c: "io_uring_prep_close_direct", method: "PrepCloseDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		index := uint32(in.num(0, math.MaxInt32-1))
		return vals(index), s.PrepCloseDirect(index)
	}},
	{c: "io_uring_prep_files_update", method: "PrepFilesUpdate", call: func(s *SQE, in *input) ([]uint64, error) {
		fds, offset := make([]int32, max(min(in.num(0, 20), 20), 0)), in.u32()
		for i := range fds {
			fds[i] = int32(in.fd())
		}
		err := s.PrepFilesUpdate(fds, offset)
		in.sees(s.raw.Addr, memory(fds))
		return vals(s.raw.Addr, len(fds), int32(offset)), err
	}},
	{c: "io_uring_prep_fixed_fd_install", method: "PrepFixedFdInstall", call: func(s *SQE, in *input) ([]uint64, error) {
		index, flags := in.fd(), in.u32()
		return vals(index, flags), s.PrepFixedFdInstall(index, flags)
	}},
	{c: "io_uring_prep_cmd_discard", method: "PrepCmdDiscard", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, off, n := in.fd(), in.u64(), in.u64()
		return vals(fd, off, n), s.PrepCmdDiscard(fd, off, n)
	}},
}

var openRows = []prepRow{
	{c: "io_uring_prep_openat", method: "PrepOpenat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, flags, mode := in.fd(), in.path(), in.flags(), in.u32()
		err := s.PrepOpenat(dfd, path, flags, mode)
		in.text(s.raw.Addr, path)
		return vals(dfd, s.raw.Addr, flags, mode), err
	}},
	{c: "io_uring_prep_openat_direct", method: "PrepOpenatDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, flags, mode, index := in.fd(), in.path(), in.flags(), in.u32(), in.index()
		err := s.PrepOpenatDirect(dfd, path, flags, mode, index)
		in.text(s.raw.Addr, path)
		return vals(dfd, s.raw.Addr, flags, mode, fixedIndex(index)), err
	}},
	{c: "io_uring_prep_open", method: "PrepOpen", call: func(s *SQE, in *input) ([]uint64, error) {
		path, flags, mode := in.path(), in.flags(), in.u32()
		err := s.PrepOpen(path, flags, mode)
		in.text(s.raw.Addr, path)
		return vals(s.raw.Addr, flags, mode), err
	}},
	{c: "io_uring_prep_open_direct", method: "PrepOpenDirect", call: func(s *SQE, in *input) ([]uint64, error) {
		path, flags, mode, index := in.path(), in.flags(), in.u32(), in.index()
		err := s.PrepOpenDirect(path, flags, mode, index)
		in.text(s.raw.Addr, path)
		return vals(s.raw.Addr, flags, mode, index), err
	}},
	{c: "io_uring_prep_openat2", method: "PrepOpenat2", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, how := in.fd(), in.path(), OpenHow{Flags: in.u64(), Mode: in.u64(), Resolve: in.u64()}
		err := s.PrepOpenat2(dfd, path, how)
		in.text(s.raw.Addr, path)
		in.sees(s.raw.Off, memory([]OpenHow{how}))
		return vals(dfd, s.raw.Addr, s.raw.Off), err
	}},
	{c: "io_uring_prep_openat2_direct", method: "PrepOpenat2Direct", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, how := in.fd(), in.path(), OpenHow{Flags: in.u64(), Mode: in.u64(), Resolve: in.u64()}
		index := in.index()
		err := s.PrepOpenat2Direct(dfd, path, how, index)
		in.text(s.raw.Addr, path)
		in.sees(s.raw.Off, memory([]OpenHow{how}))
		return vals(dfd, s.raw.Addr, s.raw.Off, fixedIndex(index)), err
	}},
	{c: "io_uring_prep_statx", method: "PrepStatx", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, flags, mask, st := in.fd(), in.path(), in.flags(), in.u32(), new(Statx)
		st.Size = in.u64()
		err := s.PrepStatx(dfd, path, flags, mask, st)
		in.text(s.raw.Addr, path)
		in.sees(s.raw.Off, memory([]Statx{*st}))
		return vals(dfd, s.raw.Addr, flags, mask, where(st)), err
	}},
}

var pathRows = []prepRow{
	{c: "io_uring_prep_unlinkat", method: "PrepUnlinkat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, flags := in.fd(), in.path(), in.flags()
		err := s.PrepUnlinkat(dfd, path, flags)
		in.text(s.raw.Addr, path)
		return vals(dfd, s.raw.Addr, flags), err
	}},
	{c: "io_uring_prep_unlink", method: "PrepUnlink", call: func(s *SQE, in *input) ([]uint64, error) {
		path, flags := in.path(), in.flags()
		err := s.PrepUnlink(path, flags)
		in.text(s.raw.Addr, path)
		return vals(s.raw.Addr, flags), err
	}},
	{c: "io_uring_prep_renameat", method: "PrepRenameat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, newDfd, newPath, flags := in.fd(), in.path(), in.fd(), in.path(), in.u32()
		err := s.PrepRenameat(dfd, path, newDfd, newPath, flags)
		in.text(s.raw.Addr, path)
		in.text(s.raw.Off, newPath)
		return vals(dfd, s.raw.Addr, newDfd, s.raw.Off, flags), err
	}},
	{c: "io_uring_prep_rename", method: "PrepRename", call: func(s *SQE, in *input) ([]uint64, error) {
		path, newPath := in.path(), in.path()
		err := s.PrepRename(path, newPath)
		in.text(s.raw.Addr, path)
		in.text(s.raw.Off, newPath)
		return vals(s.raw.Addr, s.raw.Off), err
	}},
	{c: "io_uring_prep_mkdirat", method: "PrepMkdirat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, mode := in.fd(), in.path(), in.u32()
		err := s.PrepMkdirat(dfd, path, mode)
		in.text(s.raw.Addr, path)
		return vals(dfd, s.raw.Addr, mode), err
	}},
	{c: "io_uring_prep_mkdir", method: "PrepMkdir", call: func(s *SQE, in *input) ([]uint64, error) {
		path, mode := in.path(), in.u32()
		err := s.PrepMkdir(path, mode)
		in.text(s.raw.Addr, path)
		return vals(s.raw.Addr, mode), err
	}},
	{c: "io_uring_prep_symlinkat", method: "PrepSymlinkat", call: func(s *SQE, in *input) ([]uint64, error) {
		target, dfd, path := in.path(), in.fd(), in.path()
		err := s.PrepSymlinkat(target, dfd, path)
		in.text(s.raw.Addr, target)
		in.text(s.raw.Off, path)
		return vals(s.raw.Addr, dfd, s.raw.Off), err
	}},
	{c: "io_uring_prep_symlink", method: "PrepSymlink", call: func(s *SQE, in *input) ([]uint64, error) {
		target, path := in.path(), in.path()
		err := s.PrepSymlink(target, path)
		in.text(s.raw.Addr, target)
		in.text(s.raw.Off, path)
		return vals(s.raw.Addr, s.raw.Off), err
	}},
	{c: "io_uring_prep_linkat", method: "PrepLinkat", call: func(s *SQE, in *input) ([]uint64, error) {
		dfd, path, newDfd, newPath, flags := in.fd(), in.path(), in.fd(), in.path(), in.flags()
		err := s.PrepLinkat(dfd, path, newDfd, newPath, flags)
		in.text(s.raw.Addr, path)
		in.text(s.raw.Off, newPath)
		return vals(dfd, s.raw.Addr, newDfd, s.raw.Off, flags), err
	}},
	{c: "io_uring_prep_link", method: "PrepLink", call: func(s *SQE, in *input) ([]uint64, error) {
		path, newPath, flags := in.path(), in.path(), in.flags()
		err := s.PrepLink(path, newPath, flags)
		in.text(s.raw.Addr, path)
		in.text(s.raw.Off, newPath)
		return vals(s.raw.Addr, s.raw.Off, flags), err
	}},
	{c: "io_uring_prep_getxattr", method: "PrepGetxattr", call: func(s *SQE, in *input) ([]uint64, error) {
		name, value, path := in.path(), in.bytes(), in.path()
		err := s.PrepGetxattr(name, value, path)
		in.attribute(s.raw, name, value)
		in.text(s.raw.Addr3, path)
		return vals(s.raw.Addr, value, s.raw.Addr3, len(value)), err
	}},
	{c: "io_uring_prep_setxattr", method: "PrepSetxattr", call: func(s *SQE, in *input) ([]uint64, error) {
		name, value, path, flags := in.path(), in.bytes(), in.path(), in.flags()
		err := s.PrepSetxattr(name, value, path, flags)
		in.attribute(s.raw, name, value)
		in.text(s.raw.Addr3, path)
		return vals(s.raw.Addr, value, s.raw.Addr3, flags, len(value)), err
	}},
	{c: "io_uring_prep_fgetxattr", method: "PrepFgetxattr", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, name, value := in.fd(), in.path(), in.bytes()
		err := s.PrepFgetxattr(fd, name, value)
		in.attribute(s.raw, name, value)
		return vals(fd, s.raw.Addr, value, len(value)), err
	}},
	{c: "io_uring_prep_fsetxattr", method: "PrepFsetxattr", call: func(s *SQE, in *input) ([]uint64, error) {
		fd, name, value, flags := in.fd(), in.path(), in.bytes(), in.flags()
		err := s.PrepFsetxattr(fd, name, value, flags)
		in.attribute(s.raw, name, value)
		return vals(fd, s.raw.Addr, value, flags, len(value)), err
	}},
}

// attribute notes what the kernel has to find of an extended attribute.
func (in *input) attribute(q *cring.SQE, name string, value []byte) {
	in.text(q.Addr, name)
	in.sees(address(value), value)
}
