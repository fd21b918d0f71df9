package aio

import (
	"context"
	"time"
)

// watch has the poller report when a socket becomes ready, from its first wait on.
func (b *Batcher) watch(s *Socket) error {
	if s.watched {
		return nil
	}
	if b.ready == nil {
		ready, err := newReadiness()
		if err != nil {
			return err
		}
		b.publishReadiness(ready)
	}
	if err := b.ready.add(s.fd, s.name); err != nil {
		return err
	}
	s.watched = true
	return nil
}

// sleep waits until a socket that somebody waits for is ready, ctx ends, the deadline (if any) has passed or the
// Batcher is being closed. Which of them it was the caller finds out.
func (b *Batcher) sleep(ctx context.Context, deadline time.Time) error {
	if b.ready == nil {
		ready, err := newReadiness()
		if err != nil {
			return err
		}
		b.publishReadiness(ready)
	}
	if err := b.ready.arm(deadline); err != nil {
		return err
	}
	// From here on whoever wants to end the wait can.
	if b.closing.Load() {
		return nil
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, b.ready.wake)
		defer stop()
	}
	err := b.ready.wait()
	b.takeReady()
	return err
}

// lookAtSockets is sleep without waiting.
func (b *Batcher) lookAtSockets() error {
	if b.waiting == 0 {
		return nil
	}
	err := b.ready.look()
	b.takeReady()
	return err
}

// takeReady has the transfers whose sockets became ready attempted again.
func (b *Batcher) takeReady() {
	for _, e := range b.ready.found() {
		s := b.named[e.name()]
		if s == nil {
			continue
		}
		if e.canSend() {
			b.becameReady(s, sending)
		}
		if e.canReceive() {
			b.becameReady(s, receiving)
		}
	}
}

// publishReadiness makes the poller known to Close, which may come from anywhere.
func (b *Batcher) publishReadiness(r *readiness) {
	b.ready = r
	b.waker.Store(r)
}

// wake ends a wait, or the next.
func (b *Batcher) wake() {
	if r := b.waker.Load(); r != nil {
		r.wake()
	}
}

// readinessClose closes the poller, which nobody waits in.
func (b *Batcher) readinessClose() {
	if b.ready != nil {
		b.ready.close()
	}
}
