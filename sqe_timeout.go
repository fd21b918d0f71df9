package uring

import (
	"time"

	"github.com/sockring/uring/cring"
)

// The methods of this file take CLOCK_MONOTONIC unless flags has cring.TimeoutBoottime or cring.TimeoutRealtime. With
// cring.TimeoutAbs the time is that of the clock, counted from its zero. A negative time is unix.EINVAL, and so
// is cring.TimeoutImmediateArg, which would save nothing here: the time is kept in the operation's slot.

// PrepTimeout wraps io_uring_prep_timeout(3): it completes with unix.ETIME when the time is over, or with zero once
// count operations have completed meanwhile, if count is not zero. With cring.TimeoutMultishot (6.4) it does so
// count times over, or for ever if count is zero. Since 5.4.
func (s *SQE) PrepTimeout(d time.Duration, count, flags uint32) error {
	e := s.begin("PrepTimeout", cring.OpTimeout)
	e.timeout(d, flags)
	e.Off = uint64(count)
	return e.end()
}

// PrepLinkTimeout wraps io_uring_prep_link_timeout(3): it cancels the operation of the entry before it, which has
// to be linked to it, when the time is over. It completes with unix.ETIME if it did, else with unix.ECANCELED.
// Since 5.5.
func (s *SQE) PrepLinkTimeout(d time.Duration, flags uint32) error {
	e := s.begin("PrepLinkTimeout", cring.OpLinkTimeout)
	e.timeout(d, flags)
	return e.end()
}

// PrepTimeoutRemove wraps io_uring_prep_timeout_remove(3): it ends a timeout, which then completes with
// unix.ECANCELED. Where there is no such timeout it is unix.ENOENT. Since 5.5.
func (s *SQE) PrepTimeoutRemove(id OpID, flags uint32) error {
	e := s.begin("PrepTimeoutRemove", cring.OpTimeoutRemove)
	e.Fd = -1
	e.Addr = uint64(id)
	e.OpFlags = flags
	return e.end()
}

// PrepTimeoutUpdate wraps io_uring_prep_timeout_update(3): it gives a timeout another time. Since 5.11.
func (s *SQE) PrepTimeoutUpdate(d time.Duration, id OpID, flags uint32) error {
	e := s.begin("PrepTimeoutUpdate", cring.OpTimeoutRemove)
	e.timeout(d, flags)
	e.Off, e.Addr, e.Len = e.Addr, uint64(id), 0
	e.OpFlags |= cring.TimeoutUpdate
	return e.end()
}

func (p *prep) timeout(d time.Duration, flags uint32) {
	if flags&cring.TimeoutImmediateArg != 0 {
		p.badFlags(uint64(flags))
	}
	p.Fd = -1
	p.Addr, p.Len = p.timespec(d), 1
	p.OpFlags = flags
}
