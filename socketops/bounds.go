//go:build linux

package socketops

import (
	"context"
	"time"
)

// bounds are what can end a plain form before its time, apart from its socket. They are watched while it waits, and no
// sooner: most transfers never have to.
type bounds struct {
	ctx     context.Context
	timeout time.Duration // 0 for none

	watched bool
	forget  func() bool   // has ctx not be watched any more, or nil
	timer   *time.Timer   // of timeout, or of an operation before it
	reached chan struct{} // told by each that has ended the operation
}

// bind makes an operation a plain form. What that waits by is made once, as others after it have it.
func (o *op) bind(ctx context.Context, timeout time.Duration) {
	if o.ready == nil {
		o.ready, o.look = make(chan struct{}, 1), o.looks
		o.bounds.reached = make(chan struct{}, 2)
	}
	o.bounds.ctx, o.bounds.timeout = ctx, timeout
}

// watch has the bounds end an operation, which is queued. To call it again does nothing.
func (o *op) watch() {
	b := &o.bounds
	if b.watched {
		return
	}
	b.watched = true
	if b.ctx.Done() != nil {
		b.forget = context.AfterFunc(b.ctx, func() { o.reach(ended(b.ctx)) })
	}
	switch {
	case b.timeout <= 0:
	case b.timer == nil:
		b.timer = time.AfterFunc(b.timeout, func() { o.reach(ErrTimeout) })
	default:
		b.timer.Reset(b.timeout)
	}
}

// reach ends an operation at one of its bounds.
func (o *op) reach(reason error) {
	o.lane.cancel(o, reason)
	o.bounds.reached <- struct{}{}
}

// unwatch returns when no bound knows the operation any more, which is over.
func (o *op) unwatch() {
	b := &o.bounds
	if !b.watched {
		return
	}
	if b.forget != nil && !b.forget() {
		<-b.reached
	}
	if b.timeout > 0 && !b.timer.Stop() {
		<-b.reached
	}
}

// clear forgets an operation, and keeps what serves the next.
func (b *bounds) clear() { *b = bounds{timer: b.timer, reached: b.reached} }
