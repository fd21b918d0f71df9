package aio

import (
	"context"
	"time"

	"github.com/sockring/uring/internal/epoll"
)

// poller returns what reports when sockets become ready. It is made when the first socket has to wait.
func (b *Batcher) poller() (*epoll.Poller, error) {
	if b.ready != nil {
		return b.ready, nil
	}
	ready, err := epoll.New("aio readiness")
	if err != nil {
		return nil, err
	}
	b.ready = ready
	b.waker.Store(ready)
	return ready, nil
}

// watch has the poller report when a socket becomes ready, from its first wait on.
func (b *Batcher) watch(s *Socket) error {
	if s.watched {
		return nil
	}
	ready, err := b.poller()
	if err != nil {
		return err
	}
	if err := ready.Add(s.fd, int32(s.name)); err != nil {
		return err
	}
	s.watched = true
	return nil
}

// sleep waits until a socket that somebody waits for is ready, ctx ends, the deadline (if any) has passed or the
// Batcher is being closed. Which of them it was the caller finds out.
func (b *Batcher) sleep(ctx context.Context, deadline time.Time) error {
	ready, err := b.poller()
	if err != nil {
		return err
	}
	if err := ready.Arm(deadline); err != nil {
		return err
	}
	// From here on whoever wants to end the wait can.
	if b.closing.Load() {
		return nil
	}
	if ctx.Done() != nil {
		stop := context.AfterFunc(ctx, ready.Wake)
		defer stop()
	}
	err = ready.Wait()
	b.takeReady()
	return err
}

// lookAtSockets is sleep without waiting.
func (b *Batcher) lookAtSockets() error {
	if b.waiting == 0 {
		return nil
	}
	err := b.ready.Look()
	b.takeReady()
	return err
}

// takeReady has the transfers whose sockets became ready attempted again.
func (b *Batcher) takeReady() {
	for e := range b.ready.Found() {
		s := b.named[e.Name()]
		if s == nil {
			continue
		}
		if e.CanSend() {
			b.becameReady(s, sending)
		}
		if e.CanReceive() {
			b.becameReady(s, receiving)
		}
	}
}

// wake ends a wait, or the next.
func (b *Batcher) wake() {
	if r := b.waker.Load(); r != nil {
		r.Wake()
	}
}
