//go:build linux && cgo

package uring

import (
	"math"

	"github.com/sockring/uring/cring"
)

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
