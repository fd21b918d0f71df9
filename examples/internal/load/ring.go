//go:build linux

package load

import (
	"context"

	"github.com/sockring/uring"
)

// reapMax is how many completions are taken from a ring at once.
const reapMax = 256

// completer is told of each completion, and says how many of the awaited ends it is: 0 or 1.
type completer interface {
	complete(c *uring.CQE) (ended int, err error)
}

// loop drives a ring until what was queued has ended.
type loop struct {
	ring    *uring.Ring
	cqes    []uring.CQE
	waitMax int // what a wait may wait for: the size of the completion queue
}

// newLoop opens a ring for so many requests at a time and so many completions that may come of them.
func newLoop(requests, completions int) (loop, error) {
	requests = min(requests, entriesMax)
	completions = min(max(completions, requests), cqEntriesMax)
	ring, err := uring.New(uint32(requests), uring.WithCQEntries(uint32(completions)))
	if err != nil {
		return loop{}, err
	}
	_, waitMax := ring.Entries()
	return loop{ring: ring, cqes: make([]uring.CQE, min(completions, reapMax)), waitMax: waitMax}, nil
}

// Limits of io_uring_setup(2).
const (
	entriesMax   = 32768
	cqEntriesMax = 2 * entriesMax
)

// runInline submits, reaps, and waits only if some of the pending ends are still missing: right for requests that
// mostly end within their submission.
func (l *loop) runInline(pending int, to completer) error {
	if _, err := l.ring.Submit(); err != nil {
		return err
	}
	pending, err := l.reap(pending, to)
	if err != nil || pending == 0 {
		return err
	}
	return l.runWaiting(pending, to)
}

// runWaiting submits and waits for the pending ends by one kernel entry, if nothing goes short.
func (l *loop) runWaiting(pending int, to completer) error {
	for pending > 0 {
		if _, err := l.ring.SubmitAndWait(context.Background(), min(pending, l.waitMax)); err != nil {
			return err
		}
		var err error
		if pending, err = l.reap(pending, to); err != nil {
			return err
		}
	}
	return nil
}

// reap hands on all completions that are there, and returns how many ends are still missing.
func (l *loop) reap(pending int, to completer) (int, error) {
	for n := len(l.cqes); n == len(l.cqes); {
		var err error
		if n, err = l.ring.Reap(l.cqes); err != nil {
			return pending, err
		}
		for i := range l.cqes[:n] {
			ended, err := to.complete(&l.cqes[i])
			if err != nil {
				return pending, err
			}
			pending -= ended
		}
	}
	return pending, nil
}

// syscalls counts the ring's kernel entries.
func (l *loop) syscalls() uint64 {
	return l.ring.Stats().Enters
}
