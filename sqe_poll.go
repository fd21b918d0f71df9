package uring

import (
	"math/bits"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// PrepPollAdd wraps io_uring_prep_poll_add(3): it waits for one of the POLL* events in mask, once; the result is
// those that came. Since 5.1.
func (s *SQE) PrepPollAdd(fd int, mask uint32) error {
	e := s.begin("PrepPollAdd", cring.OpPollAdd)
	e.Fd = e.fd(fd)
	e.OpFlags = pollMask(mask)
	return e.end()
}

// PrepPollMultishot wraps io_uring_prep_poll_multishot(3): each time an event comes it makes a CQE, until one that
// does not say CQE.More. Since 5.13.
func (s *SQE) PrepPollMultishot(fd int, mask uint32) error {
	e := s.begin("PrepPollMultishot", cring.OpPollAdd)
	e.Fd = e.fd(fd)
	e.Len = cring.PollAddMulti
	e.OpFlags = pollMask(mask)
	return e.end()
}

// PrepPollRemove wraps io_uring_prep_poll_remove(3): it ends a poll, which then completes with unix.ECANCELED.
// Where there is no such poll it is unix.ENOENT. Since 5.1.
func (s *SQE) PrepPollRemove(id OpID) error {
	e := s.begin("PrepPollRemove", cring.OpPollRemove)
	e.Fd = -1
	e.Addr = uint64(id)
	return e.end()
}

// PrepPollUpdate wraps io_uring_prep_poll_update(3): it changes a poll that waits, its mask with cring.PollUpdateEvents
// and its user data with cring.PollUpdateUserData; a multishot poll stays one with cring.PollAddMulti. newID is zero
// unless the user data changes, which is for polls of C code: a poll of this package keeps its own. Since 5.13.
func (s *SQE) PrepPollUpdate(id, newID OpID, mask, flags uint32) error {
	e := s.begin("PrepPollUpdate", cring.OpPollRemove)
	if flags&cring.PollUpdateUserData != 0 && id != newID && (id|newID)&userDataOurs != 0 {
		e.bad(unix.EINVAL, "operation %#x renamed to %#x", uint64(id), uint64(newID))
	}
	e.Fd = -1
	e.Addr, e.Off = uint64(id), uint64(newID)
	e.Len = flags
	e.OpFlags = pollMask(mask)
	return e.end()
}

// pollMask is a poll mask as the kernel takes it: its halves change places on big-endian machines.
func pollMask(mask uint32) uint32 {
	if cpu.IsBigEndian {
		return bits.RotateLeft32(mask, 16)
	}
	return mask
}
