package uring

import (
	"math"
	"math/bits"
	"time"
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
)

// The operations that wait for something or wake who waits: polls, timeouts, cancellations, epoll, futexes, processes,
// messages to other rings; and the buffers of IORING_OP_PROVIDE_BUFFERS, which receives wait for.

// PrepPollAdd wraps io_uring_prep_poll_add(3): it waits for one of the POLL* events in mask, once; the result is
// those that came. Since 5.1.
func (s *SQE) PrepPollAdd(fd int, mask uint32) error {
	e := s.begin("PrepPollAdd", cring.OpPollAdd)
	e.Fd = e.fd(fd)
	e.OpFlags = pollMask(mask)
	return e.end()
}

// PrepPollMultishot wraps io_uring_prep_poll_multishot(3): each time an event comes it makes a CQE, until one that
// does not say CQE.More. It tells what changes and not what is: data that stays unread brings no further CQE until more
// comes, so read until unix.EAGAIN; and a CQE may be of a socket that has been read empty meanwhile. Since 5.13.
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

// The methods of this file complete with zero when what they name was cancelled, with unix.EALREADY when it cannot
// be stopped any more, and with unix.ENOENT when there is no such operation. With cring.AsyncCancelAll the result
// is how many were found. What was cancelled completes with unix.ECANCELED, or with what it had done so far.

// PrepCancel wraps io_uring_prep_cancel(3) for an operation that SQE.ID named. Since 5.5; flags since 5.19.
func (s *SQE) PrepCancel(id OpID, flags int) error {
	e := s.begin("PrepCancel", cring.OpAsyncCancel)
	e.cancel(uint64(id), flags)
	return e.end()
}

// PrepCancel64 wraps io_uring_prep_cancel64(3) for a request of C code, named by its user data. Since 5.5; flags
// since 5.19.
func (s *SQE) PrepCancel64(userData uint64, flags int) error {
	e := s.begin("PrepCancel64", cring.OpAsyncCancel)
	e.cancel(userData, flags)
	return e.end()
}

func (p *prep) cancel(userData uint64, flags int) {
	p.Fd = -1
	p.Addr = userData
	p.OpFlags = p.u32("flags", flags)
}

// PrepCancelFd wraps io_uring_prep_cancel_fd(3) for an operation on that descriptor. Since 5.19.
func (s *SQE) PrepCancelFd(fd int, flags uint32) error {
	e := s.begin("PrepCancelFd", cring.OpAsyncCancel)
	e.Fd = e.fd(fd)
	e.OpFlags = flags | cring.AsyncCancelFd
	return e.end()
}

// EpollEvent is an event of epoll(7): what is waited for or what came, and the caller's own data.
type EpollEvent = cring.EpollEvent

// PrepEpollCtl wraps io_uring_prep_epoll_ctl(3), an asynchronous epoll_ctl(2). ev may be nil for EPOLL_CTL_DEL.
// Since 5.6.
//
// ev is the kernel's to read until the terminal CQE.
func (s *SQE) PrepEpollCtl(epfd, fd, op int, ev *EpollEvent) error {
	e := s.begin("PrepEpollCtl", cring.OpEpollCtl)
	e.Fd = e.fd(epfd)
	e.Off = uint64(uint32(e.fd(fd)))
	e.Len = e.u32("operation", op)
	e.Addr = e.pin(unsafe.Pointer(ev), unsafe.Sizeof(*ev), kernelReads) // SAFETY: see pin.
	return e.end()
}

// PrepEpollWait wraps io_uring_prep_epoll_wait(3), an asynchronous epoll_wait(2); the result is how many events
// came. flags must be zero. Since 6.15.
//
// events is the kernel's to write until the terminal CQE.
func (s *SQE) PrepEpollWait(epfd int, events []EpollEvent, flags uint32) error {
	e := s.begin("PrepEpollWait", cring.OpEpollWait)
	e.Fd = e.fd(epfd)
	n := len(events)
	if n == 0 {
		e.bad(unix.EINVAL, "no room for events")
		return e.end()
	}
	e.Len = uint32(e.i32("events", n))
	e.Addr = e.pin(unsafe.Pointer(&events[0]), uintptr(n)*unsafe.Sizeof(events[0]), kernelWrites) // SAFETY: see pin.
	e.OpFlags = flags
	return e.end()
}

// The methods of this file take words of 32 bits, with cring.Futex2SizeU32 and optionally cring.Futex2Private as
// futexFlags. A word stays the kernel's to read until the terminal CQE; atomic operations on it are what it is for.
// flags must be zero.

// PrepFutexWake wraps io_uring_prep_futex_wake(3): it wakes up to n waiters whose mask has a bit in common with
// mask; the result is how many. Since 6.7.
func (s *SQE) PrepFutexWake(word *uint32, n, mask uint64, futexFlags, flags uint32) error {
	e := s.begin("PrepFutexWake", cring.OpFutexWake)
	e.futex(word, n, mask, futexFlags, flags)
	return e.end()
}

// PrepFutexWait wraps io_uring_prep_futex_wait(3): if the word has the value it waits to be woken, else the result is
// unix.EAGAIN. Since 6.7.
func (s *SQE) PrepFutexWait(word *uint32, value, mask uint64, futexFlags, flags uint32) error {
	e := s.begin("PrepFutexWait", cring.OpFutexWait)
	e.futex(word, value, mask, futexFlags, flags)
	return e.end()
}

func (p *prep) futex(word *uint32, value, mask uint64, futexFlags, flags uint32) {
	p.Addr = p.word(word)
	p.Off, p.Addr3 = value, mask
	p.Fd = int32(futexFlags)
	p.OpFlags = flags
}

// word pins a futex. Nothing is said to the race detector: the kernel's reads are atomic.
func (p *prep) word(word *uint32) uint64 {
	if word == nil {
		p.bad(unix.EINVAL, "no futex")
		return 0
	}
	if p.err != nil {
		return 0
	}
	p.s.slot.pinQuietly(unsafe.Pointer(word))    // SAFETY: as for pin.
	return uint64(uintptr(unsafe.Pointer(word))) // SAFETY: pinned by the line above.
}

// FutexWaiter is one word that PrepFutexWaitv waits on.
type FutexWaiter struct {
	Word  *uint32
	Value uint64 // what the word has to hold for there to be a wait
	Flags uint32 // cring.Futex2SizeU32, cring.Futex2Private
}

// PrepFutexWaitv wraps io_uring_prep_futex_waitv(3): it waits on 1 to 128 words until one of them is woken; the
// result is the index of that one. waiters is copied. Since 6.7.
func (s *SQE) PrepFutexWaitv(waiters []FutexWaiter, flags uint32) error {
	e := s.begin("PrepFutexWaitv", cring.OpFutexWaitv)
	n := len(waiters)
	if n == 0 || n > cring.FutexWaitvMax {
		e.bad(unix.EINVAL, "%d futexes, want 1 to %d", n, cring.FutexWaitvMax)
		return e.end()
	}
	vec := make([]cring.FutexWaitv, n)
	for i, w := range waiters {
		vec[i] = cring.FutexWaitv{Val: w.Value, Uaddr: e.word(w.Word), Flags: w.Flags}
	}
	e.Addr = e.pin(unsafe.Pointer(&vec[0]), uintptr(n)*unsafe.Sizeof(vec[0]), kernelReads) // SAFETY: see pin.
	e.Len = uint32(n)
	e.OpFlags = flags
	return e.end()
}

// PrepNop wraps io_uring_prep_nop(3): it does nothing and completes with zero. Since 5.1.
func (s *SQE) PrepNop() error {
	e := s.begin("PrepNop", cring.OpNop)
	e.Fd = -1
	return e.end()
}

// Siginfo is what waitid(2) tells of a child.
type Siginfo = cring.Siginfo

// PrepWaitid wraps io_uring_prep_waitid(3), an asynchronous waitid(2) with P_* as idType and W* options. info may be
// nil, and flags must be zero. Since 6.7.
//
// info is the kernel's to write until the terminal CQE.
func (s *SQE) PrepWaitid(idType, id int, info *Siginfo, options int, flags uint32) error {
	e := s.begin("PrepWaitid", cring.OpWaitid)
	e.Fd = e.i32("id", id)
	e.Len = e.u32("id type", idType)
	e.Off = e.pin(unsafe.Pointer(info), unsafe.Sizeof(*info), kernelWrites) // SAFETY: see pin.
	e.FileIndex = e.i32("options", options)
	e.OpFlags = flags
	return e.end()
}

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

// PrepProvideBuffers wraps io_uring_prep_provide_buffers(3): it gives the kernel n buffers of size bytes each, which
// follow each other in mem, under the group with ids from firstID on. This is the old way; a BufRing is the better
// one and never goes wrong in the ways that this one did. Since 5.7.
//
// mem stays the kernel's far beyond the operation's CQE: until each buffer has come back in the CQE of a receive,
// or was removed. The caller must keep it in place for so long, by mmap(2) or with a runtime.Pinner of its own.
func (s *SQE) PrepProvideBuffers(mem []byte, size, n int, group, firstID uint16) error {
	e := s.begin("PrepProvideBuffers", cring.OpProvideBuffers)
	if size < 1 || n < 1 || n > 1<<16-int(firstID) || int64(size)*int64(n) > int64(len(mem)) {
		e.bad(unix.EINVAL, "%d buffers of %d bytes from id %d in %d bytes", n, size, firstID, len(mem))
	}
	e.Addr, _ = e.bytes(mem, kernelReads)
	e.Fd = int32(n)
	e.Len = e.size("buffer", size)
	e.Off = uint64(firstID)
	e.BufIndex = group
	return e.end()
}

// PrepRemoveBuffers wraps io_uring_prep_remove_buffers(3): it takes up to n buffers of the group back from the kernel
// that PrepProvideBuffers gave; the result is how many. Since 5.7.
func (s *SQE) PrepRemoveBuffers(n int, group uint16) error {
	e := s.begin("PrepRemoveBuffers", cring.OpRemoveBuffers)
	if n < 1 || n > 1<<16 {
		e.bad(unix.EINVAL, "%d buffers", n)
	}
	e.Fd = int32(n)
	e.BufIndex = group
	return e.end()
}
