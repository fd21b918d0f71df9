//go:build linux

package socketops

import (
	"context"
	"time"

	"golang.org/x/sys/unix"
)

// perform makes an operation in the caller's name: it waits until it is over, and for no longer than ctx, the socket's
// deadline and the timeout (0 for none) allow. The result is in o, which is the caller's again, also where a method of
// ctx panics or ends the goroutine. A nil ctx is EINVAL.
func (s *Socket) perform(ctx context.Context, o *op, timeout time.Duration) {
	if ctx == nil {
		o.refuse(s)
		return
	}
	o.bind(ctx, timeout)
	defer o.leave()
	if !s.enter(o) {
		s.begin(o, s.nonBlocking.Load())
	}
	if o.lane != nil { // It was queued.
		o.wait()
	}
}

// refuse ends an operation that its arguments keep from beginning. A closed socket does not look at them (N55).
func (o *op) refuse(s *Socket) {
	o.state, o.argued, o.err = opOver, true, unix.EINVAL
	if s.closing.Load() {
		o.err = ErrClosed
	}
}

// leave has nobody else know a plain form any more. One that is still queued is so because a method of its context has
// panicked, or ended the goroutine, and what the engine may have of it is waited for.
func (o *op) leave() {
	if l := o.lane; l != nil && !o.bounds.over {
		l.cancel(o, errCanceled)
		for {
			parked, over := l.called(o)
			if parked {
				l.unpark(l.handle.parking.Load(), o)
			}
			if over {
				break
			}
			<-o.ready
		}
	}
	o.unwatch()
}

// wait returns when a plain form is over, which is queued. It parks when its turn has come.
func (o *op) wait() {
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
			o.bounds.over = true
			o.unwatch()
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
	l := s.begin(o, s.nonBlocking.Load())
	if l == nil && o.refused {
		return &Op{op: o, err: opError(o.kind.String(), ErrWouldBlock)}
	}
	if l != nil && timeout > 0 {
		l.mu.Lock()
		defer l.mu.Unlock()
		if o.state != opOver {
			o.timer = time.AfterFunc(timeout, func() { o.abandon(ErrTimeout) })
		}
	}
	return &Op{op: o}
}

// Op is an operation that a Go form has begun, or has refused to. The zero Op is one that is over.
type Op struct {
	op  *op // or nil, as of the zero Op
	err error
}

// Err returns why the operation was refused by the call that was to begin it, and nil where it was begun: EINVAL where
// there is no callback, which is then the only answer, bad arguments, and ErrWouldBlock at the socket's send limit; of
// these the callback is told too.
func (o *Op) Err() error { return o.err }

// Cancel has the operation end soon. Its callback says what came first: where it was over already that is its result,
// and otherwise ErrCanceled with the bytes that had been sent. What was received is never lost to a cancellation.
func (o *Op) Cancel() {
	if o.op != nil {
		o.op.abandon(errCanceled)
	}
}

// abandon cancels an operation, if it waits.
func (o *op) abandon(reason error) { o.handle.lanes[o.kind.direction()].cancel(o, reason) }

// refuseOp is the Op of a Go form whose arguments are refused. call tells the callback, in the order of the others of
// the direction, and is nil where there is no callback.
func (s *Socket) refuseOp(d direction, err error, call func()) *Op {
	if call != nil {
		l := &s.handle().lanes[d]
		l.mu.Lock()
		defer l.mu.Unlock()
		l.finish(&op{state: opOver, callback: func(*op) { call() }})
	}
	return &Op{err: err}
}

// begin makes the first attempt of an operation, and queues it where it has to wait. It returns the lane then, and nil
// when the operation is over. The order of what is looked at is that of B10: closed, cancelled, and then the socket.
func (s *Socket) begin(o *op, try bool) *lane {
	for {
		h := s.handle()
		l := &h.lanes[o.kind.direction()]
		l.mu.Lock()
		if l.stopped == errReplaced {
			l.mu.Unlock()
			continue // by another handle, which is there
		}
		queued := s.beginIn(h, l, o, try)
		l.mu.Unlock()
		if !queued {
			return nil
		}
		return l
	}
}

// beginIn is begin in a lane, whose mu is held.
func (s *Socket) beginIn(h *handle, l *lane, o *op, try bool) (queued bool) {
	o.handle = h
	switch {
	case l.stopped != nil:
		o.err = l.stopped
	case o.bounds.ended != nil:
		o.err = o.bounds.ended
	case l.deadline.passed:
		o.err = ErrTimeout
	case l.first == nil && (try || !s.engine.queues(o)) && l.attempt(o):
		if o.err != nil && o.n > 0 && (try || o.once) && o.kind.direction() == sending {
			o.err, o.succeeded = nil, true // The next attempt shows the error (N10).
		}
	case try || o.once:
		o.give()
	case o.callback != nil && o.holds() && !l.hasRoom(s.SendLimit(), o.msg.left()):
		o.err, o.refused = ErrWouldBlock, true // nothing of it was sent: something waits before it
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

// try returns the lane of a direction, locked, where a transfer can be tried without overtaking those that wait.
func (s *Socket) try(d direction) (*lane, error) {
	for {
		l := &s.handle().lanes[d]
		l.mu.Lock()
		switch {
		case l.stopped == nil && l.first == nil && !l.deadline.passed:
			l.event = false
			return l, nil
		case l.stopped == errReplaced:
			l.mu.Unlock()
			continue
		}
		err := l.stopped
		switch {
		case err != nil:
		case l.deadline.passed:
			err = ErrTimeout
		default:
			err = ErrWouldBlock
			l.stats.tried(0, -int(unix.EAGAIN), false)
		}
		l.mu.Unlock()
		return nil, err
	}
}

// The errors of Try forms that have to wait, which are too many to make each anew.
var (
	errRecvWouldBlock error = &OpError{"recv", ErrWouldBlock}
	errSendWouldBlock error = &OpError{"send", ErrWouldBlock}
)

// tried is what a Try form returns for the result of its system call.
func (h *handle) tried(kind opKind, n int) (int, error) {
	switch {
	case n >= 0:
		return n, nil
	case n != -int(unix.EAGAIN):
		h.failed(kind.String(), unix.Errno(-n))
		return 0, &OpError{Op: kind.String(), Err: unix.Errno(-n)}
	case kind == opRecv:
		return 0, errRecvWouldBlock
	}
	return 0, errSendWouldBlock
}
