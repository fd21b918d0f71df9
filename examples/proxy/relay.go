//go:build linux

package main

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// Why a relay ends, besides an error of a socket.
var (
	errOver  = errors.New("both streams have ended")
	errIdle  = errors.New("nothing was passed on for as long as -idle says")
	errDrain = errors.New("the proxy ends")
)

// relay passes the bytes of a client on to a target, and back. It owns both sockets, which are used by their
// descriptors too: they are closed when both flows have ended, and not to end these.
type relay struct {
	p           *proxy
	there, back *flow

	ctx    context.Context // of whatever waits
	cancel context.CancelCauseFunc
	left   atomic.Int32                // flows that still copy
	fault  atomic.Pointer[brokenError] // what went wrong first
	moved  atomic.Int64                // when bytes were passed on last, in nanoseconds since start
	start  time.Time
}

// flow is one direction of a relay.
type flow struct {
	*relay
	from, to *socketops.Socket
	side     string        // what from is called
	reverse  *flow         // the other direction
	count    *atomic.Int64 // bytes passed on
	failed   atomic.Bool   // to takes no more
	ended    atomic.Bool   // the end of the stream is passed on, or about to be
}

// brokenError is the end of a connection that was none.
type brokenError struct {
	socket *socketops.Socket
	err    error
}

func (e *brokenError) Error() string { return e.err.Error() }
func (e *brokenError) Unwrap() error { return e.err }

func newRelay(p *proxy, client, target *socketops.Socket) *relay {
	r := &relay{p: p, start: time.Now()}
	r.ctx, r.cancel = context.WithCancelCause(p.ctx)
	r.there = &flow{relay: r, from: client, to: target, side: "client", count: &p.stats.toTarget}
	r.back = &flow{relay: r, from: target, to: client, side: "target", count: &p.stats.toClient}
	r.there.reverse, r.back.reverse = r.back, r.there
	r.left.Store(2)
	return r
}

// run returns when both directions have ended and the sockets are closed.
func (r *relay) run() {
	if r.p.idle > 0 {
		defer r.watchIdle().Stop()
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.back.run()
	}()
	r.there.run()
	<-done
	if r.there.ended.Load() && r.back.ended.Load() && r.fault.Load() == nil {
		r.there.from.Close()
		r.there.to.Close()
		return
	}
	r.report()
	reset(r.there.from)
	reset(r.there.to)
}

// report counts why the relay has ended before its streams.
func (r *relay) report() {
	fault := r.fault.Load()
	switch {
	case context.Cause(r.p.ctx) != nil:
		r.p.stats.aborted.Add(1)
	case fault != nil && fault.socket == r.there.from:
		r.p.stats.failed(r.there.side, fault.err)
	case fault != nil:
		r.p.stats.failed(r.back.side, fault.err)
	case context.Cause(r.ctx) == errIdle:
		r.p.stats.failed("idle", unix.ETIMEDOUT)
	}
}

// watchIdle ends the relay when nothing has moved for the time that is allowed.
func (r *relay) watchIdle() *time.Timer {
	var timer *time.Timer
	armed := make(chan struct{})
	timer = time.AfterFunc(r.p.idle, func() {
		<-armed
		left := r.p.idle - (time.Since(r.start) - time.Duration(r.moved.Load()))
		if left <= 0 {
			r.cancel(errIdle)
			return
		}
		timer.Reset(left)
	})
	close(armed)
	return timer
}

// breaks notes that a socket has failed. The first failure counts: others follow from it.
func (r *relay) breaks(s *socketops.Socket, err error) *brokenError {
	b := &brokenError{s, err}
	r.fault.CompareAndSwap(nil, b)
	return b
}

// passed counts bytes that have left.
func (f *flow) passed(n int) {
	f.count.Add(int64(n))
	f.moved.Store(int64(time.Since(f.start)))
}

// run copies until the stream ends, passes the end on, and, while the other direction goes on, watches for a reset.
func (f *flow) run() {
	err := f.copy()
	if err == nil && f.wasReset() {
		err = f.breaks(f.from, unix.ECONNRESET)
	}
	if err == nil {
		f.ended.Store(true)
		if shut := f.to.Shutdown(socketops.ShutWrite); shut != nil {
			err = f.breaks(f.to, shut)
		}
	}
	var broken *brokenError
	switch {
	case err == nil:
	case errors.As(err, &broken) && broken.socket == f.to:
		f.leave()
	default:
		f.cancel(err)
	}
	if f.left.Add(-1) == 0 {
		f.cancel(errOver)
	} else if err == nil {
		f.watch()
	}
}

// leave gives the direction up because nobody takes its bytes. What has arrived the other way may be all that its peer
// had to say, such as why it does not want more, so that direction goes on to its end.
func (f *flow) leave() {
	f.failed.Store(true)
	if !isTCP(f.from) {
		_ = f.from.Shutdown(socketops.ShutRead) // Whoever sends learns that nobody reads. TCP cannot say that.
	}
}

// wasReset reports whether the end of the stream was a reset that a send to the same socket has learned of, which
// leaves just the end to receives. A socket of TCP has no peer then. It has none either once both ends have been
// passed on, but where the direction to it has ended no send was left to learn anything.
func (f *flow) wasReset() bool {
	if !isTCP(f.from) {
		return false
	}
	return f.reverse.failed.Load() || !f.from.Connected() && !f.reverse.ended.Load()
}

// watch waits for a reset of a peer that has ended its stream, which no receive would tell of.
func (f *flow) watch() {
	failed, err := f.from.Poll(f.ctx, socketops.PollError, -1)
	if err != nil || !failed {
		return // The relay is over, or a unix socket was closed: a send to it will say so.
	}
	if err := f.from.SocketError(); err != nil {
		f.cancel(f.breaks(f.from, err))
	} // Otherwise it was urgent data, or a send has learned of the error.
}

// copy passes bytes on until the stream ends.
func (f *flow) copy() error {
	if f.p.copy != copyBuffer {
		err := f.splice()
		if f.p.copy == copySplice || !errors.As(err, new(*noSpliceError)) {
			return err
		}
	}
	return f.buffers()
}

// ending is what a wait of the flow returns: that the relay ends, or that the socket it was on has failed.
func (f *flow) ending(s *socketops.Socket, err error) error {
	if f.ctx.Err() != nil && (errors.Is(err, socketops.ErrCanceled) || errors.Is(err, socketops.ErrTimeout)) {
		return context.Cause(f.ctx)
	}
	return f.breaks(s, err)
}
