package aio

import (
	"errors"
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// submitWindow is how many requests are handed over at a time.
const submitWindow = 64

// Submit hands prepared requests to the kernel and returns how many it took. It takes them in order, and completes
// them in any: a flush is not ordered behind the writes before it.
//
// An error is about reqs[n], the first that was not taken:
//
//   - ErrInvalid for a nil Request or one that is in the list twice, ErrNotPrepared, ErrInProgress, ErrClosed: nothing
//     was changed at all, and n is 0.
//   - ErrInsufficientResources: as many are in flight as the Queue was made for. reqs[n:] stay prepared.
//   - Otherwise the kernel has refused what reqs[n] asks, which completes it with that error, as its Result tells; Wait
//     does not return it. reqs[n+1:] stay prepared.
func (q *Queue) Submit(reqs ...*Request) (n int, err error) {
	if q.isClosing() {
		return 0, ErrClosed // without waiting for who closes
	}
	q.gate.RLock()
	defer q.gate.RUnlock()
	if q.isClosing() {
		return 0, ErrClosed
	}
	if err := claimAll(reqs); err != nil {
		return 0, err
	}
	for n < len(reqs) {
		end := min(len(reqs), n+submitWindow)
		taken, err := q.submit(reqs[n:end])
		if n += taken; err != nil {
			unclaim(reqs[end:])
			return n, err
		}
	}
	return n, nil
}

// claimAll reserves all requests, or none.
func claimAll(reqs []*Request) error {
	for i, r := range reqs {
		err := claim(r)
		if err == nil {
			continue
		}
		if r != nil && slices.Contains(reqs[:i], r) {
			err = invalid("the same Request twice")
		}
		unclaim(reqs[:i])
		return fmt.Errorf("aio: request %d of %d: %w", i, len(reqs), err)
	}
	return nil
}

// unclaim leaves requests prepared that the kernel has not taken.
func unclaim(reqs []*Request) {
	for _, r := range reqs {
		r.unclaim()
	}
}

// submit hands over claimed requests, up to submitWindow, and returns how many were taken. Where the error is about the
// next it completes that; the others it leaves prepared.
func (q *Queue) submit(reqs []*Request) (n int, err error) {
	var window [submitWindow]*IOCB
	free, err := q.c.IOCBs(window[:len(reqs)])
	iocbs := window[:free]
	for i := 0; err == nil && i < free; i++ {
		err = reqs[i].fill(iocbs[i])
	}
	if err != nil {
		release(iocbs)
		unclaim(reqs)
		return 0, err
	}
	for i, cb := range iocbs {
		reqs[i].launch(q, cb.ID())
	}
	n, err = q.c.Submit(iocbs...)
	release(iocbs[n:])
	rest := reqs[n:]
	if err != nil {
		if err = q.explain(rest[0].op, err); isAboutRequest(err) {
			rest[0].complete(0, err)
			rest = rest[1:]
		}
	} else if len(rest) > 0 {
		err = ErrInsufficientResources
	}
	unclaim(rest)
	return n, err
}

func release(iocbs []*IOCB) {
	for _, cb := range iocbs {
		_ = cb.Release() // They are held and prepared.
	}
}

// isAboutRequest reports whether an error of io_submit is about what the request asks, and not about the kernel's or
// the process's state.
func isAboutRequest(err error) bool {
	var missing *UnsupportedError
	if errors.As(err, &missing) {
		return missing.Name != "io_submit"
	}
	return !errors.Is(err, ErrInsufficientResources) && !errors.Is(err, ErrClosed)
}

// explain tells an operation that the kernel does not have from one that does not go with the file: it answers EINVAL
// to both.
func (q *Queue) explain(op opcode, err error) error {
	switch {
	case errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM):
		return &UnsupportedError{
			Name: "io_submit", Missing: "a seccomp filter or security module refuses it",
			Provider: "a profile that allows io_submit", Err: err,
		}
	case op != opPoll && op != opFsync && op != opFdsync, !errors.Is(err, unix.EINVAL):
		return err
	case !errors.Is(q.supports(op), unix.EINVAL):
		return err
	}
	command := map[opcode]string{opPoll: "IOCB_CMD_POLL", opFsync: "IOCB_CMD_FSYNC", opFdsync: "IOCB_CMD_FDSYNC"}[op]
	return &UnsupportedError{
		Name: command, Missing: "a kernel that does not know it", Provider: "kernel 4.18",
		SinceMajor: 4, SinceMinor: 18, Err: err,
	}
}
