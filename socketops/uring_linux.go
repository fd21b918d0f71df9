//go:build cgo

package socketops

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// ringDriver is the driver of io_uring. One goroutine, locked to its thread, owns a Ring: it submits what others hand
// to it and ends what the kernel has completed. All that was handed over since its last look leaves by one system call.
//
// The ring has what nobody waits for, the Go forms, and all sends that leave together with those. Plain forms are
// parked on every engine: the runtime's poller wakes a goroutine sooner than a thread that has to be woken first.
type ringDriver struct {
	event int           // an eventfd that ends the wait of the goroutine
	over  chan struct{} // closed when the goroutine has ended
	meter *meter

	mu       sync.Mutex // guards what follows
	starts   []*op
	cancels  []uint64    // tickets
	retired  []*ringPort // of closed sockets, that have Senders
	sleeping bool        // the goroutine waits, or is about to, and was not woken
	closing  bool
	failure  error    // why nothing is done any more
	seen     ringSeen // when the goroutine last looked for work

	tickets atomic.Uint64 // the last that was given out

	// What follows is the goroutine's.
	ring        *uring.Ring
	told        ringTotals
	spare       []*op
	inFlight    map[uint64]*op // by their tickets
	senders     int            // that exist
	idle        []*ringPort    // that have a Sender and nothing to send, perhaps
	landed      []landing      // what Senders have told, and nobody has looked at
	landedSpare []landing
	woken       [8]byte
}

// ringSeen is what others than the goroutine of a ringDriver may know of its ring.
type ringSeen struct {
	stats    uring.Stats
	senders  int
	inFlight int
}

// User data that are no tickets: of the eventfd's read, and of cancellations, which have that of the operation, too.
const (
	wakeUp    = 0
	canceling = 1 << 63
)

func openURing(m *meter) (driver, error) {
	caps, err := uring.Probe()
	if engine, refusals := caps.Engine(); engine != uring.EngineURing && engine != uring.EngineURingBundle {
		for _, r := range refusals {
			if r.Engine == uring.EngineURing {
				return nil, errors.Join(append(r.Reasons, err)...)
			}
		}
	}
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC) // which blocks: the read of it is to wait
	if err != nil {
		return nil, fmt.Errorf("eventfd2: %w", err)
	}
	d := &ringDriver{event: event, over: make(chan struct{}), meter: m, inFlight: make(map[uint64]*op)}
	ready := make(chan error)
	go d.own(ready)
	if err := <-ready; err != nil {
		return nil, errors.Join(err, unix.Close(event))
	}
	return d, nil
}

// own makes the ring, says how that went, and serves until the driver is closed.
func (d *ringDriver) own(ready chan<- error) {
	defer close(d.over)
	err := d.setUp()
	if err == nil {
		if err = d.listen(); err != nil {
			err = errors.Join(err, d.ring.Close())
		}
	}
	ready <- err
	if err != nil {
		return
	}
	d.fail(d.serve())
}

// serve submits and completes until the driver is closed, or the ring fails.
func (d *ringDriver) serve() error {
	for {
		if err := errors.Join(d.takeWork(), d.land()); err != nil {
			return err
		}
		wait, over := d.sleep()
		if over {
			return nil
		}
		d.entering()
		var err error
		if wait {
			_, err = d.ring.SubmitAndWait(context.Background(), 1)
		} else {
			_, err = d.ring.Submit()
		}
		d.entered()
		if err != nil && !errors.Is(err, unix.EBUSY) && !errors.Is(err, unix.EAGAIN) {
			return err
		}
		d.mu.Lock()
		d.sleeping = false
		d.mu.Unlock()
		for cqe := range d.ring.Completions() {
			if err := d.completed(cqe); err != nil {
				return err
			}
		}
		if err := d.land(); err != nil {
			return err
		}
		d.meter.completions.Store(d.ring.Stats().Completed)
	}
}

// sleep reports whether there is nothing to do but to wait, and whether the driver is over.
func (d *ringDriver) sleep() (wait, over bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = ringSeen{d.ring.Stats(), d.senders, len(d.inFlight)}
	d.sleeping = len(d.starts) == 0 && len(d.cancels) == 0 && len(d.retired) == 0
	return d.sleeping, d.sleeping && d.closing && len(d.inFlight) == 0
}

// wake has the goroutine look for work. mu is held.
func (d *ringDriver) wake() {
	if !d.sleeping {
		return
	}
	d.sleeping = false
	one := [8]byte{1} // in the order of bytes of every machine that there is a kernel for: any number but 0 will do
	_, _ = unix.Write(d.event, one[:])
	d.meter.wakeUps.Add(1)
}

// takeWork queues what was handed over.
func (d *ringDriver) takeWork() error {
	d.mu.Lock()
	starts := d.starts
	d.starts, d.spare = d.spare[:0], starts
	cancels, retired := d.cancels, d.retired
	d.cancels, d.retired = nil, nil
	d.mu.Unlock()
	defer clear(starts)
	for _, o := range starts { // all of them first: what follows may fail, and then each has to be ended
		d.inFlight[o.ticket] = o
	}
	for _, o := range starts {
		o.lane.mu.Lock()
		err := d.arm(o)
		o.lane.mu.Unlock()
		if err != nil {
			return err
		}
	}
	for _, ticket := range cancels {
		if err := d.stop(ticket); err != nil {
			return err
		}
	}
	for _, p := range retired {
		if err := p.stopTrain(); err != nil {
			return err
		}
	}
	return nil
}

// listen has the eventfd end the next wait.
func (d *ringDriver) listen() error {
	s, err := d.ring.SQE()
	if err != nil {
		return err
	}
	s.SetData64(wakeUp)
	return s.PrepRead(d.event, d.woken[:], 0)
}

// arm queues the request for an operation, or for a train of them. mu of its lane is held.
func (d *ringDriver) arm(o *op) error {
	if d.board(o) {
		return nil
	}
	s, err := d.ring.SQE()
	if err != nil {
		return err
	}
	if err := o.prepare(s); err != nil {
		return err
	}
	s.SetData64(o.ticket)
	o.request = uint64(s.ID())
	return nil
}

// stop queues a cancellation.
func (d *ringDriver) stop(ticket uint64) error {
	o := d.inFlight[ticket]
	if o == nil {
		return nil // It was over before.
	}
	if o.riding > 0 {
		return o.lane.handle.port.(*ringPort).stopTrain()
	}
	s, err := d.ring.SQE()
	if err != nil {
		return err
	}
	s.SetData64(canceling | ticket)
	return s.PrepCancel(uring.OpID(o.request), 0)
}

// stopped takes the result of a cancellation. One that found nothing to cancel is made again: a request whose socket
// has become ready neither waits nor runs until the kernel comes to it, and can find itself waiting once more, for the
// rest of its bytes or because the socket is not ready after all. One that is over is not in flight by then.
func (d *ringDriver) stopped(ticket uint64, res int) error {
	if res != -int(unix.ENOENT) {
		return nil
	}
	return d.stop(ticket)
}

// completed ends an operation, or goes on with it.
func (d *ringDriver) completed(cqe uring.CQE) error {
	switch {
	case cqe.Data64 == wakeUp:
		return d.listen()
	case cqe.Data64&canceling != 0:
		return d.stopped(cqe.Data64&^canceling, int(cqe.Res))
	}
	o := d.inFlight[cqe.Data64]
	l := o.lane
	l.mu.Lock()
	defer l.mu.Unlock()
	switch v := o.completed(int(cqe.Res)); {
	case v == opDone || o.reason != nil:
		delete(d.inFlight, o.ticket)
		l.over(o)
		return nil
	case v == opWait:
		o.polling = true
	case v == opAgain && o.slow():
		delete(d.inFlight, o.ticket)
		l.work(o)
		return nil
	}
	return d.arm(o)
}

// fail ends the driver: with the ring, and all operations with the reason.
func (d *ringDriver) fail(reason error) {
	if reason == nil {
		reason = ErrClosed
	} else {
		d.meter.failed(BackendURing, reason)
	}
	d.mu.Lock()
	d.failure = reason
	starts := d.starts
	d.starts = nil
	d.mu.Unlock()
	err := d.ring.Close() // after it the kernel uses no memory of operations, or it is kept
	for _, o := range starts {
		d.inFlight[o.ticket] = o
	}
	err = errors.Join(err, d.land()) // what Senders had
	for _, ticket := range slices.Sorted(maps.Keys(d.inFlight)) {
		o := d.inFlight[ticket]
		o.lane.mu.Lock()
		o.err = errors.Join(reason, err)
		o.lane.over(o)
		o.lane.mu.Unlock()
	}
}

func (d *ringDriver) open(h *handle) (port, error) { return &ringPort{driver: d, handle: h}, nil }

func (d *ringDriver) close() error {
	d.mu.Lock()
	d.closing = true
	d.wake()
	d.mu.Unlock()
	<-d.over
	return unix.Close(d.event)
}

// ringPort is a socket as a ringDriver knows it.
type ringPort struct {
	driver    *ringDriver
	handle    *handle
	train     train       // of sends
	hasSender atomic.Bool // train has one, as others than the goroutine of the driver see it
}

func (p *ringPort) start(o *op) bool {
	d := p.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure != nil {
		o.err = d.failure
		return true
	}
	o.ticket = d.tickets.Add(1)
	d.starts = append(d.starts, o)
	d.wake()
	return false
}

func (p *ringPort) cancel(o *op) bool {
	d := p.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.failure != nil {
		return false // it is being ended
	}
	d.cancels = append(d.cancels, o.ticket)
	d.wake()
	return false
}

// close has the driver forget the socket. portMu of the handle is held.
func (p *ringPort) close() {
	if !p.hasSender.Load() {
		return
	}
	d := p.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	d.retired = append(d.retired, p)
	d.wake()
}
