package probe

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
)

var waitChecks = []check{
	{GroupWait, WaitTimeout, Version{5, 11}, FeatExtArg, tryWaitTimeout},
	{GroupWait, WaitMinTimeout, Version{6, 12}, FeatMinTimeout, tryWaitMinTimeout},
	{GroupWait, WaitAbsolute, Version{6, 12}, FeatExtArg, tryWaitAbsolute},
	{GroupWait, CancelAny, Version{5, 19}, "IORING_OP_ASYNC_CANCEL", tryCancelAny},
	{GroupWait, "IORING_REGISTER_SYNC_CANCEL", Version{6, 0}, IOURingRegister, trySyncCancel},
}

// waitLength is how long the attempts wait for a completion that does not come.
const waitLength = time.Millisecond

// waitTries is how many waits may end early before that is the answer. Any completion ends one, also the late last one
// of an earlier attempt.
const waitTries = 5

// waitInVain waits for a completion on an idle ring, which must end by ETIME.
func (p *prober) waitInVain(flags uint32, minimum time.Duration, ts cring.Timespec) error {
	r, mem, err := p.shared()
	if err != nil {
		return err
	}
	until := rawring.Alloc[cring.Timespec](mem)
	*until = ts
	arg := &cring.GetEventsArg{MinWaitUsec: uint32(minimum.Microseconds()), TS: rawring.Addr(until)}
	strays := 0
	for range waitTries {
		strays += r.Reap()
		_, err = r.Enter(0, 1, cring.EnterGetEvents|cring.EnterExtArg|flags, arg)
		switch err {
		case unix.ETIME:
			return nil
		case nil: // ended early
		default:
			return answeredCall("io_uring_enter", err)
		}
	}
	return fmt.Errorf("%d waits on an idle ring did not time out, and %d completions came", waitTries, strays+r.Reap())
}

func tryWaitTimeout(p *prober) error {
	return p.waitInVain(0, 0, cring.Timespec{Nsec: int64(waitLength)})
}

func tryWaitMinTimeout(p *prober) error {
	return p.waitInVain(0, waitLength/2, cring.Timespec{Nsec: int64(waitLength)})
}

func tryWaitAbsolute(p *prober) error {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return answeredHelper("clock_gettime", err)
	}
	end := unix.NsecToTimespec(now.Nano() + int64(waitLength))
	return p.waitInVain(cring.EnterAbsTimer, 0, cring.Timespec{Sec: int64(end.Sec), Nsec: int64(end.Nsec)})
}

// armPoll submits a poll that ends only when it is cancelled.
func (p *prober) armPoll(r *rawring.Ring) (id uint64, err error) {
	fd, err := p.eventfd()
	if err != nil {
		return 0, err
	}
	return submit(r, cring.SQE{Opcode: cring.OpPollAdd, Fd: int32(fd), OpFlags: unix.POLLIN})
}

// tryCancelAny cancels everything that is in flight, without naming it.
func tryCancelAny(p *prober) error {
	r, err := p.own(0)
	if err != nil {
		return err
	}
	for range 2 {
		if _, err := p.armPoll(r); err != nil {
			return err
		}
	}
	cancel := cring.SQE{Opcode: cring.OpAsyncCancel, Fd: -1, OpFlags: cring.AsyncCancelAny | cring.AsyncCancelAll}
	c, err := p.do(r, cancel)
	if err == nil && c.Res != 2 {
		err = lacking(Version{5, 19}, "cancelled %d requests of 2", c.Res)
	}
	return err
}

// trySyncCancel asks for the operation on an idle ring first: kernels before 5.19 answer to one that they do not know
// only after every request has ended.
func trySyncCancel(p *prober) error {
	r, _, err := p.shared()
	if err != nil {
		return err
	}
	cancel := &cring.SyncCancelReg{Addr: 1 << 62, Timeout: cring.Timespec{Sec: int64(attemptPatience / time.Second)}}
	if _, err := register(r, cring.RegisterSyncCancel, cancel, 1); errnoOf(err) != unix.ENOENT {
		return err
	}
	if cancel.Addr, err = p.armPoll(r); err != nil {
		return err
	}
	if _, err := register(r, cring.RegisterSyncCancel, cancel, 1); err != nil {
		return err
	}
	_, err = p.await(r, cancel.Addr, cring.OpPollAdd)
	if errnoOf(err) == unix.ECANCELED {
		return nil
	}
	return lacking(Version{6, 0}, "a cancelled request ended with %v", err)
}
