package main

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	aio "github.com/sockring/uring/compat_aio"
)

const (
	aioFlow  = 16 << 10
	aioChunk = 1024
)

// driveAIO drives a Queue, a Batcher with Senders, and a Context.
func driveAIO(r *run) {
	driveQueue(r, "Queue")
	driveQueue(r, "Queue by io_getevents", aio.WithSyscallReap())
	driveContext(r)
	driveBatcher(r)
}

// queueWork is the work of a Queue.
type queueWork struct {
	*run
	queue *aio.Queue
}

func driveQueue(r *run, name string, opts ...aio.Option) {
	w := &queueWork{run: r}
	if !r.made(name, func() (err error) {
		w.queue, err = aio.NewQueue(8, opts...)
		return err
	}) {
		return
	}
	w.files(name)
	w.polls(name)
	if n := w.queue.InFlight(); n != 0 && !r.endless {
		r.broken("%s: %d requests are in flight at the end", name, n)
	}
	r.bounded(name+".Close", func() { r.told(name+".Close", w.queue.Close()) })
}

// made makes something by which the work is done, and reports whether it could.
func (r *run) made(name string, create func() error) bool {
	for range 3 {
		if !r.told("New"+name, create()) {
			return true
		}
	}
	r.report.Refuse = true
	r.report.Whole = false
	return false
}

// do submits a request and waits for its result, which it returns.
func (w *queueWork) do(ctx context.Context, request *aio.Request) (int, error) {
	if request.State() == aio.StatePrepared {
		if _, err := w.queue.Submit(request); err != nil {
			return 0, err
		}
	}
	var out [4]*aio.Request
	for request.State() == aio.StateSubmitted {
		if _, err := w.queue.Wait(ctx, 1, out[:]); err != nil {
			return 0, err
		}
	}
	return request.Result()
}

// files writes a flow to a file and reads it again.
func (w *queueWork) files(name string) {
	f := w.newFlow(name, aioFlow)
	file := fixture.file(nil)
	defer file.Close()
	transfer := func(what string, prepare func(r *aio.Request) error, moved func(n int)) bool {
		request := new(aio.Request)
		return w.until(what, func(ctx context.Context) error {
			if request.State() != aio.StateSubmitted {
				if err := prepare(request); err != nil {
					return err
				}
			}
			n, err := w.do(ctx, request)
			if err == nil {
				moved(n)
			}
			return err
		})
	}
	for f.sent < f.size {
		p := f.next(aioChunk)
		if !transfer(name+": write", func(r *aio.Request) error {
			return r.PrepareWritev(aio.FileOf(file), int64(f.sent), scatter(p), nil)
		}, func(n int) { f.sent += n }) {
			break
		}
	}
	transfer(name+": fsync", func(r *aio.Request) error { return r.PrepareFdsync(aio.FileOf(file), nil) }, func(int) {})
	b := make([]byte, aioChunk)
	for f.got < f.sent {
		if !transfer(name+": read", func(r *aio.Request) error {
			return r.PrepareRead(aio.FileOf(file), int64(f.got), b, nil)
		}, func(n int) { f.arrived(b[:n]) }) {
			break
		}
	}
}

// polls has polls wait, end, and be cancelled, and nothing happen meanwhile.
func (w *queueWork) polls(name string) {
	a, b := fixture.pair()
	defer unix.Close(b)
	defer unix.Close(a)
	request := new(aio.Request)
	if err := request.PreparePoll(aio.FD(b), unix.POLLIN, nil); w.told(name+": poll", err) {
		return
	}
	w.idle(name+" that waits", func() {
		ctx, cancel := context.WithTimeout(context.Background(), idleTime)
		defer cancel()
		_, err := w.do(ctx, request)
		w.told(name+": poll", err)
		<-ctx.Done()
	})
	if request.State() == aio.StatePrepared {
		w.until(name+": poll", func(context.Context) error {
			_, err := w.queue.Submit(request)
			return err
		})
	}
	if request.State() != aio.StateSubmitted {
		return
	}
	if err := request.Cancel(); !w.told(name+": cancel", err) {
		w.until(name+": wait", func(ctx context.Context) error {
			_, err := w.do(ctx, request)
			if errors.Is(err, aio.ErrCanceled) {
				return nil
			}
			return err
		})
	}
}

// driveContext drives the waits of a Context.
func driveContext(r *run) {
	var c *aio.Context
	if !r.made("Context", func() (err error) {
		c, err = aio.NewContext(4, aio.WithSyscallReap())
		return err
	}) {
		return
	}
	r.begin()
	var events [4]aio.Event
	for _, wait := range []contextWait{
		{"GetEvents", func(context.Context) (int, error) { return c.GetEvents(1, events[:], waitMax) }},
		{"PGetEvents", func(context.Context) (int, error) { return c.PGetEvents(1, events[:], waitMax, unix.SIGUSR1) }},
		{"Await", func(ctx context.Context) (int, error) { return c.Await(ctx, 1, events[:]) }},
	} {
		if !r.pollBy(c, wait, events[:]) {
			break
		}
	}
	begun := time.Now()
	err := c.Close()
	if errors.Is(err, unix.EBUSY) && r.endless {
		r.report.Leaked = true // No wait has worked, so the event is still there.
		return
	}
	r.told("Context.Close", err)
	if took := time.Since(begun); took > closeMax {
		r.broken("Context.Close took %v", took)
	}
}

// contextWait is a way to wait for events.
type contextWait struct {
	name string
	wait func(ctx context.Context) (int, error)
}

// pollBy waits for the event of a poll, which comes once the first wait has ended without it.
func (r *run) pollBy(c *aio.Context, w contextWait, events []aio.Event) bool {
	a, b := fixture.pair()
	defer unix.Close(b)
	defer unix.Close(a)
	var cb *aio.IOCB
	if !r.until("Context.Submit", func(context.Context) (err error) {
		if cb == nil {
			if cb, err = c.IOCB(); err != nil {
				return err
			}
			if err := errors.Join(cb.PrepPoll(b, unix.POLLIN), cb.Notify()); err != nil {
				return err
			}
		}
		_, err = c.Submit(cb)
		return err
	}) {
		if cb != nil {
			r.told("IOCB.Release", cb.Release())
		}
		return true
	}
	waits := 0
	return r.until(w.name, func(ctx context.Context) error {
		if waits++; waits == 2 {
			if _, err := unix.Write(a, []byte{1}); err != nil {
				return err
			}
		}
		n, err := w.wait(ctx)
		if n == 0 {
			return err
		}
		if res, err := events[0].Result(); n > 1 || err != nil || res&unix.POLLIN == 0 || waits < 2 {
			r.broken("%s: %d events, the first %v with %v, at wait %d", w.name, n, res, err, waits)
		}
		return nil
	})
}

// driveBatcher drives a Batcher, with AIO and with system calls.
func driveBatcher(r *run) {
	for name, opts := range map[string][]aio.BatchOption{"Batcher": nil, "Batcher by system calls": {aio.WithSyscalls()}} {
		var b *aio.Batcher
		if !r.made(name, func() (err error) {
			b, err = aio.NewBatcher(8, opts...)
			return err
		}) {
			continue
		}
		r.begin()
		batcherWork{r, b, name}.work()
		r.bounded(name+".Close", func() { r.told(name+".Close", b.Close()) })
	}
}

// batcherWork is the work of a Batcher.
type batcherWork struct {
	*run
	batcher *aio.Batcher
	name    string
}

func (w batcherWork) work() {
	a, b := fixture.pair()
	defer unix.Close(b)
	defer unix.Close(a)
	var from, to *aio.Socket
	if !w.until(w.name+".Socket", func(context.Context) (err error) {
		if from == nil {
			if from, err = w.batcher.Socket(a); err != nil {
				return err
			}
		}
		to, err = w.batcher.Socket(b)
		return err
	}) {
		return
	}
	w.transfer(from, to, b)
	w.queue(from, b)
	w.told("Socket.Close", from.Close())
	w.told("Socket.Close", to.Close())
}

// transfer has a flow go by Send and Recv.
func (w batcherWork) transfer(from, to *aio.Socket, fd int) {
	f := w.newFlow(w.name, aioFlow)
	var results []aio.Result
	buf := make([]byte, aioChunk)
	for f.got < f.size {
		if f.sent < f.size && f.sent-f.got < aioChunk && !w.until(w.name+".Send", func(ctx context.Context) (err error) {
			results, err = w.batcher.Send(ctx, []aio.Op{{Socket: from, Bufs: scatter(f.next(aioChunk))}}, results[:0])
			for _, result := range results {
				f.sent += result.N
				err = errors.Join(err, result.Err)
			}
			return err
		}) {
			break
		}
		if !w.until(w.name+".Recv", func(ctx context.Context) (err error) {
			results, err = w.batcher.Recv(ctx, []aio.Op{{Socket: to, Bufs: [][]byte{buf}}}, results[:0])
			for _, result := range results {
				f.arrived(buf[:result.N])
				err = errors.Join(err, result.Err)
			}
			return err
		}) {
			break
		}
	}
	f.settle(fd)
}

// queue has a flow go by a Sender.
func (w batcherWork) queue(from *aio.Socket, fd int) {
	f := w.newFlow("Sender of a "+w.name, aioFlow)
	var s *aio.Sender
	if !w.until("NewSender", func(context.Context) (err error) {
		s, err = from.NewSender(aio.WithLimit(3*aioChunk), aio.WithBatch(2*aioChunk))
		return err
	}) {
		return
	}
	peer := f.readBy(fd)
	drive := senderWork{run: w.run, flow: f, sender: s, chunk: aioChunk}
	drive.work()
	w.told("Sender.Close", s.Close())
	drive.close()
	peer(int(s.Sent()))
}
