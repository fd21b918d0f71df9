//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// backlog is how many connections wait to be accepted, as far as net.core.somaxconn allows.
const backlog = 1024

// After an error that can be the same at once, accepting pauses: for acceptPauseMin, then for twice that time, and so
// on.
const (
	acceptPauseMin = 5 * time.Millisecond
	acceptPauseMax = time.Second
)

func (p *proxy) listenAt(at endpoint) (*front, error) {
	s, err := p.first(p.ctx, at, listen)
	if errors.Is(err, unix.EADDRINUSE) && at.network == "unix" && p.abandoned(at) {
		if err := unix.Unlink(at.path); err != nil {
			return nil, err
		}
		s, err = p.first(p.ctx, at, listen)
	}
	if err != nil {
		return nil, err
	}
	bound, err := s.LocalAddr()
	if err != nil {
		return nil, err
	}
	if at.network == "tcp" {
		at.port = bound.AddrPort().Port()
	}
	return &front{socket: s, at: at}, nil
}

func listen(s *socketops.Socket, a socketops.Addr) error {
	if s.Family() == unix.AF_INET6 && a.AddrPort().Addr().IsUnspecified() {
		if err := s.SetDualMode(true); err != nil {
			return err
		}
	}
	if err := s.Bind(a); err != nil {
		return err
	}
	return s.Listen(backlog)
}

// abandoned reports whether a path is a socket that nobody listens on, as a server leaves it that was killed.
func (p *proxy) abandoned(at endpoint) bool {
	s, err := p.first(p.ctx, at, func(s *socketops.Socket, a socketops.Addr) error { return s.TryConnect(a) })
	if err == nil {
		s.Close()
	}
	return errors.Is(err, unix.ECONNREFUSED)
}

// accept serves the connections of a front until ctx ends, and then those that the kernel has taken until then. No
// connection waits for another: each has its goroutines.
func (p *proxy) accept(ctx context.Context, f *front) error {
	defer f.socket.Close()
	for pause := acceptPauseMin; ; {
		c, _, err := f.socket.Accept(ctx)
		again, wait := socketops.AcceptAgain(err)
		switch {
		case err == nil:
			p.admit(f, c)
			pause = acceptPauseMin
		case ctx.Err() != nil:
			p.acceptLeft(f)
			return nil
		case again:
			p.stats.failed("accept", err)
			if wait {
				sleep(ctx, pause)
				pause = min(2*pause, acceptPauseMax)
			}
		default:
			return fmt.Errorf("accepting at %v: %w", f.at, err)
		}
	}
}

// acceptLeft serves those that had connected when listening ended, and would be reset by closing the socket.
func (p *proxy) acceptLeft(f *front) {
	for range backlog { // and not those for ever that come in meanwhile
		c, _, err := f.socket.TryAccept()
		if err == nil {
			p.admit(f, c)
		} else if again, wait := socketops.AcceptAgain(err); !again || wait {
			return
		}
	}
}

func sleep(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// admit has a connection served, or refuses it.
func (p *proxy) admit(f *front, c *socketops.Socket) {
	if open := p.stats.open.Add(1); p.connsMax > 0 && open > int64(p.connsMax) {
		p.stats.open.Add(-1)
		p.stats.refused.Add(1)
		reset(c)
		return
	}
	p.stats.total.Add(1)
	p.conns.Add(1)
	go func() {
		defer p.conns.Done()
		defer p.stats.open.Add(-1)
		p.serve(f, c)
	}()
}
