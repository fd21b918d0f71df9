//go:build linux

package socketops

import (
	"context"
	"time"
)

// perform makes an operation in the caller's name: it waits until it is over, and for no longer than ctx, the socket's
// deadline and the timeout (0 for none) allow. The result is in o, which is the caller's again.
func (s *Socket) perform(ctx context.Context, o *op, timeout time.Duration) {
	o.bind(ctx, timeout)
	if !s.enter(o) {
		s.begin(ctx, o, s.nonBlocking.Load())
	}
	if o.lane != nil { // It was queued.
		o.wait()
	}
}

// wait returns when a plain form is over, which is queued. It parks when its turn has come.
func (o *op) wait() {
	defer o.unwatch()
	for {
		select {
		case <-o.ready:
		default:
			o.watch()
			<-o.ready
		}
		parked, over := o.lane.called(o)
		if parked { // also where it was ended meanwhile, as it has the seat
			o.lane.park(o)
		}
		if over {
			return
		}
	}
}

// tell has the goroutine of a plain form look what has become of it. Being told twice is as being told once.
func (o *op) tell() {
	select {
	case o.ready <- struct{}{}:
	default:
	}
}

// launch makes an operation whose callback is called when it is over, and returns at once.
func (s *Socket) launch(o *op, timeout time.Duration) *Op {
	l := s.begin(context.Background(), o, s.nonBlocking.Load())
	if l != nil && timeout > 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		if o.state != opOver {
			o.timer = time.AfterFunc(timeout, func() { o.abandon(ErrTimeout) })
		}
	}
	return &Op{o}
}

// Op is an operation that a Go form has begun.
type Op struct{ op *op }

// Cancel has the operation end soon. Its callback says what came first: where it was over already that is its result,
// and otherwise ErrCanceled with the bytes that had been sent. What was received is never lost to a cancellation.
func (o *Op) Cancel() { o.op.abandon(errCanceled) }

// abandon cancels an operation, if it waits.
func (o *op) abandon(reason error) {
	if o.handle == nil {
		return // It was refused before it began.
	}
	o.handle.lanes[o.kind.direction()].cancel(o, reason)
}

// begin makes the first attempt of an operation, and queues it where it has to wait. It returns the lane then, and nil
// when the operation is over. The order of what is looked at is that of B10: closed, cancelled, and then the socket.
func (s *Socket) begin(ctx context.Context, o *op, try bool) *lane {
	for {
		h := s.current.Load()
		l := &h.lanes[o.kind.direction()]
		l.mu.Lock()
		if l.stopped == errReplaced {
			l.mu.Unlock()
			continue // by another handle, which is there
		}
		queued := s.beginIn(ctx, h, l, o, try)
		l.mu.Unlock()
		if !queued {
			return nil
		}
		return l
	}
}

// beginIn is begin in a lane, whose mu is held.
func (s *Socket) beginIn(ctx context.Context, h *handle, l *lane, o *op, try bool) (queued bool) {
	o.handle = h
	switch {
	case l.stopped != nil:
		o.err = l.stopped
	case ctx.Err() != nil:
		o.err = ended(ctx)
	case l.deadline.passed:
		o.err = ErrTimeout
	case l.first == nil && (try || !s.engine.queues(o)) && l.attempt(o):
		if o.err != nil && o.n > 0 && (try || o.once) && o.kind.direction() == sending {
			o.err, o.succeeded = nil, true // The next attempt shows the error (N10).
		}
	case try || o.once:
		o.give()
	default:
		o.socket = s
		h.acquire() // which succeeds while the lane is not stopped
		l.push(s.engine.driver, o)
		return true
	}
	o.settle()
	if l.stopped == nil {
		l.stats.over(o)
	}
	if o.callback != nil {
		l.finish(o)
	}
	return false
}

// give ends an operation that may not wait. What a send could do counts as success (N10, N11).
func (o *op) give() {
	switch {
	case o.n > 0:
		o.succeeded = true
	case o.kind == opConnect && o.began:
		o.err = ErrInProgress
	default:
		o.err = ErrWouldBlock
	}
}
