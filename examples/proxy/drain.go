//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// run serves until a signal comes, or a front fails, and then lets the connections finish.
func (p *proxy) run(signals <-chan os.Signal) error {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	ended := make(chan error, len(p.fronts))
	for _, f := range p.fronts {
		go func() { ended <- p.accept(ctx, f) }()
	}
	var err error
	running := len(p.fronts)
	select {
	case <-signals:
	case err = <-ended:
		running--
	}
	stop()
	for range running {
		err = errors.Join(err, <-ended)
	}
	return errors.Join(err, p.finish(signals))
}

// finish waits until the connections have ended. Those that are left when the time is over, or another signal comes, it
// cuts off, and says how many these were.
func (p *proxy) finish(signals <-chan os.Signal) error {
	idle := make(chan struct{})
	go func() {
		p.conns.Wait()
		close(idle)
	}()
	if n := p.stats.open.Load(); n > 0 {
		p.say("not listening any more; connections that have to finish: %d", n)
	}
	var expired <-chan time.Time
	if p.drain > 0 {
		timer := time.NewTimer(p.drain)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-idle:
		return nil
	case <-signals:
	case <-expired:
	}
	p.abort(errDrain)
	<-idle
	if n := p.stats.aborted.Load(); n > 0 {
		return fmt.Errorf("%d connections had not finished and were reset", n)
	}
	return nil
}
