//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sockring/uring/socketops"
)

// proxy is a set of listening sockets and the connections that have come in by them.
type proxy struct {
	*options
	engine *socketops.Engine
	fronts []*front
	pipes  pipePool
	stats  stats
	tell   func(line string) // what happens, or nil

	conns sync.WaitGroup // the connections that are served
	ctx   context.Context
	abort context.CancelCauseFunc // ends ctx, and with it all connections
}

// front is a listening socket and where its connections go.
type front struct {
	socket *socketops.Socket
	at, to endpoint
}

// newProxy listens, but accepts nothing yet.
func newProxy(o *options) (*proxy, error) {
	var opts []socketops.EngineOption
	if o.engine != "" {
		opts = append(opts, socketops.WithBackend(o.engine))
	}
	engine, err := socketops.New(opts...)
	if err != nil {
		return nil, err
	}
	p := &proxy{options: o, engine: engine, pipes: pipePool{size: o.buffer}}
	p.ctx, p.abort = context.WithCancelCause(context.Background())
	p.stats.begin()
	for i, at := range o.listen {
		f, err := p.listenAt(at)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("-listen %v: %w", at, err), p.close())
		}
		f.to = o.to[i]
		p.fronts = append(p.fronts, f)
	}
	return p, nil
}

// say tells what happens.
func (p *proxy) say(format string, args ...any) {
	if p.tell != nil {
		p.tell(fmt.Sprintf(format, args...))
	}
}

// close frees everything. No connection is served any more.
func (p *proxy) close() error {
	p.abort(nil)
	return errors.Join(p.engine.Close(), p.pipes.close())
}
