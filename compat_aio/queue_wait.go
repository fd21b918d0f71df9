package aio

import (
	"context"
	"time"
)

// wait is Wait and WaitTimeout. Whoever has to sleep takes the turn, for one can sleep at a time; looking at what has
// completed needs none.
func (q *Queue) wait(ctx context.Context, deadline time.Time, least int, out []*Request) (n int, err error) {
	switch {
	case q.isClosing():
		return 0, ErrClosed
	case len(out) == 0:
		return 0, invalid("no room for a request")
	}
	if err := checkRange(least, len(out)); err != nil {
		return 0, err
	}
	least = max(least, 1)
	myTurn := false
	defer func() {
		if myTurn {
			q.leaveTurn()
		}
	}()
	for {
		k, done, err := q.look(ctx, deadline, least-n, out[n:])
		if n += k; done {
			return n, err
		}
		if myTurn {
			err = q.c.notifier.sleep(ctx, deadline)
		} else {
			// Having the turn, look again before sleeping: what others do next they rouse a sleeper for.
			myTurn = q.takeTurn(ctx, deadline)
		}
		if err != nil {
			return n, err
		}
	}
}

// look takes what has completed and reports whether the wait is over. What the kernel has for it comes first, then the
// reasons to end the wait, in the order of their weight.
func (q *Queue) look(ctx context.Context, deadline time.Time, least int, out []*Request) (int, bool, error) {
	if q.isClosing() {
		return 0, true, ErrClosed
	}
	n, err := q.reap(out)
	switch {
	case err != nil:
		return n, true, err
	case q.woken.CompareAndSwap(true, false):
		return n, true, ErrInterrupted
	case n >= least:
		return n, true, nil
	case !q.waitWithoutRequests && q.InFlight() == 0:
		if q.isClosing() { // since, and what was in flight is what closing has drained
			return n, true, ErrClosed
		}
		return n, true, ErrNoRequests
	case ctx.Err() != nil:
		return n, true, ctx.Err()
	case !deadline.IsZero() && !time.Now().Before(deadline):
		return n, true, ErrTimeout
	}
	return n, false, nil
}

// takeTurn makes the caller the one who sleeps. It gives up when looking again will end the wait.
func (q *Queue) takeTurn(ctx context.Context, deadline time.Time) bool {
	select {
	case q.turn <- struct{}{}: // without a timer, as there is mostly one who waits
		q.sleeping.Store(true)
		return true
	default:
	}
	var timeout <-chan time.Time
	if !deadline.IsZero() {
		timer := time.NewTimer(time.Until(deadline))
		defer timer.Stop()
		timeout = timer.C
	}
	select {
	case q.turn <- struct{}{}:
		q.sleeping.Store(true)
		return true
	case <-q.closing:
	case <-ctx.Done():
	case <-timeout:
	}
	return false
}

func (q *Queue) leaveTurn() {
	q.sleeping.Store(false)
	<-q.turn
}

// reap completes requests whose events are there, and stores them in out.
func (q *Queue) reap(out []*Request) (n int, err error) {
	q.c.reaping.Lock()
	defer q.c.reaping.Unlock()
	if q.c.isClosed() {
		return 0, ErrClosed
	}
	for n < len(out) {
		events := q.events[:min(len(out)-n, len(q.events))]
		k, err := q.c.reap(events)
		for i := range events[:k] {
			if r, ok := events[i].Data.(*Request); ok {
				r.complete(events[i].Result())
				out[n] = r
				n++
			}
			events[i] = Event{}
		}
		if k < len(events) || err != nil {
			if n > 0 && q.InFlight() == 0 {
				q.rouse() // Who waits for a request may now have none to wait for.
			}
			return n, err
		}
	}
	return n, nil
}
