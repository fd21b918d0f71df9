//go:build linux

package main

import (
	"context"
	"time"

	"github.com/sockring/uring/socketops"
)

// serve connects a client to the target of its front, and passes bytes on between them until both have ended.
func (p *proxy) serve(f *front, client *socketops.Socket) {
	target, err := p.dial(f.to)
	if err != nil {
		if p.ctx.Err() != nil {
			p.stats.aborted.Add(1)
		} else {
			p.stats.failed("connect", err)
		}
		reset(client)
		return
	}
	for _, s := range []*socketops.Socket{client, target} {
		if isTCP(s) {
			// Whoever made the pieces has decided how large they are. It fails where the peer is gone already.
			_ = s.SetNoDelay(true)
		}
	}
	newRelay(p, client, target).run()
}

func (p *proxy) dial(to endpoint) (*socketops.Socket, error) {
	ctx, by := p.ctx, time.Time{}
	if p.connectTimeout > 0 {
		by = time.Now().Add(p.connectTimeout)
		var stop context.CancelFunc
		ctx, stop = context.WithDeadline(p.ctx, by) // for looking up the name
		defer stop()
	}
	return p.first(ctx, to, func(s *socketops.Socket, a socketops.Addr) error {
		if err := s.SetWriteDeadline(by); err != nil {
			return err
		}
		if err := s.Connect(p.ctx, a); err != nil {
			return err
		}
		return s.SetWriteDeadline(time.Time{})
	})
}
