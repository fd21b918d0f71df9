//go:build linux

package main

import (
	"context"
	"sync"
	"time"
)

// partsMax is in how many parts a flow's memory is: while some are sent another one is received into.
const partsMax = 4

// part is some of a flow's memory. It is the flow's, or the send's that it was given to until that calls back.
type part struct {
	memory []byte
	sent   func(n int, err error)
}

// parts is the memory of a flow. Sends leave it in the order in which they were queued; each gives its part back. When
// all parts are being sent nothing is received: that holds the sender back.
type parts struct {
	f    *flow
	free chan *part
	made int
	out  sync.WaitGroup // sends that have not called back
	ctx  context.Context
	fail context.CancelCauseFunc
}

// buffers passes bytes on through memory. They are sent by GoSend, for which nobody waits: the engine has those of all
// connections leave together.
func (f *flow) buffers() error {
	ps := &parts{f: f, free: make(chan *part, partsMax)}
	ps.ctx, ps.fail = context.WithCancelCause(f.ctx)
	defer ps.fail(nil)
	err := ps.receive()
	if err != nil {
		ps.fail(err)
	}
	// A send has the memory until it has called back, which a deadline that has passed makes it do.
	stop := context.AfterFunc(ps.ctx, func() { _ = f.to.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	ps.out.Wait()
	if err == nil {
		err = context.Cause(ps.ctx) // of a send that has failed since
	}
	return err
}

// receive queues what is received for sending, until the stream or ctx ends.
func (ps *parts) receive() error {
	f := ps.f
	for {
		p, err := ps.take()
		if err != nil {
			return err
		}
		n, err := f.from.Recv(ps.ctx, p.memory, 0)
		if err != nil && ps.ctx.Err() != nil {
			return context.Cause(ps.ctx)
		}
		if err != nil {
			return f.breaks(f.from, err)
		}
		if n == 0 {
			return nil
		}
		ps.out.Add(1)
		f.to.GoSend(p.memory[:n], 0, p.sent)
	}
}

// take returns a free part, once there is one.
func (ps *parts) take() (*part, error) {
	select {
	case p := <-ps.free:
		return p, nil
	default:
	}
	if ps.made < partsMax {
		ps.made++
		return ps.newPart(), nil
	}
	select {
	case p := <-ps.free:
		return p, nil
	case <-ps.ctx.Done():
		return nil, context.Cause(ps.ctx)
	}
}

func (ps *parts) newPart() *part {
	p := &part{memory: make([]byte, max(ps.f.p.buffer/partsMax, 1))}
	p.sent = func(n int, err error) {
		ps.f.passed(n)
		if err != nil {
			ps.fail(ps.f.ending(ps.f.to, err))
		}
		ps.free <- p
		ps.out.Done()
	}
	return p
}
