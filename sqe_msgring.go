package uring

import (
	"math"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// The methods of this file post a CQE to the ring whose descriptor is fd. In a Ring of this package it is a Foreign
// CQE with data as its ID. Data with bit 63 set would pass for an operation of that Ring's and is unix.EINVAL.

// PrepMsgRing wraps io_uring_prep_msg_ring(3): the CQE has n as its result. Since 5.18.
func (s *SQE) PrepMsgRing(fd int, n uint32, data uint64, flags uint32) error {
	e := s.begin("PrepMsgRing", cring.OpMsgRing)
	e.msgRing(fd, data, flags)
	e.Len = n
	return e.end()
}

// PrepMsgRingCQEFlags wraps io_uring_prep_msg_ring_cqe_flags(3): PrepMsgRing with the flags of the CQE. Since 6.3.
func (s *SQE) PrepMsgRingCQEFlags(fd int, n uint32, data uint64, flags, cqeFlags uint32) error {
	e := s.begin("PrepMsgRingCQEFlags", cring.OpMsgRing)
	e.msgRing(fd, data, flags|cring.MsgRingFlagsPass)
	e.Len = n
	e.FileIndex = int32(cqeFlags)
	return e.end()
}

// PrepMsgRingFd wraps io_uring_prep_msg_ring_fd(3): it sends the direct descriptor sourceFd to the other ring, as
// its direct descriptor targetFd or for cring.FileIndexAlloc as a free one, whose index then is the result. Since
// 6.0.
func (s *SQE) PrepMsgRingFd(fd, sourceFd int, targetFd uint32, data uint64, flags uint32) error {
	e := s.begin("PrepMsgRingFd", cring.OpMsgRing)
	e.msgRingFd(fd, sourceFd, data, flags)
	e.target(targetFd)
	return e.end()
}

// PrepMsgRingFdAlloc wraps io_uring_prep_msg_ring_fd_alloc(3): PrepMsgRingFd with cring.FileIndexAlloc. Since 6.0.
func (s *SQE) PrepMsgRingFdAlloc(fd, sourceFd int, data uint64, flags uint32) error {
	e := s.begin("PrepMsgRingFdAlloc", cring.OpMsgRing)
	e.msgRingFd(fd, sourceFd, data, flags)
	e.target(cring.FileIndexAlloc)
	return e.end()
}

func (p *prep) msgRing(fd int, data uint64, flags uint32) {
	if data&userDataOurs != 0 {
		p.bad(unix.EINVAL, "data %#x has bit 63 set", data)
	}
	p.Fd = p.fd(fd)
	p.Off = data
	p.OpFlags = flags
}

func (p *prep) msgRingFd(fd, sourceFd int, data uint64, flags uint32) {
	if sourceFd < 0 || int64(sourceFd) > math.MaxInt32 {
		p.bad(unix.EBADF, "direct descriptor %d", sourceFd)
	}
	p.msgRing(fd, data, flags)
	p.Addr = cring.MsgSendFd
	p.Addr3 = uint64(sourceFd)
}
