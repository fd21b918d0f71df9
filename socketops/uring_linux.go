//go:build cgo

package socketops

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// Sizes of the submission queue, in entries: where memory is short the driver is content with fewer.
const (
	ringEntries    = 1024
	ringEntriesMin = 8
)

// memlockPatience is how long a driver waits for locked memory before it makes a smaller ring.
const memlockPatience = time.Second

// setUp makes the ring. Its size is for long, and so it is not decided by what is short for a moment.
func (d *ringDriver) setUp() (err error) {
	entries, patience := uint32(ringEntries), memlockPatience
	for pause := time.Millisecond; ; {
		if d.ring, err = uring.New(entries); !errors.Is(err, unix.ENOMEM) {
			return err
		}
		switch {
		case patience > 0 && fitsMemlock(entries):
			time.Sleep(pause)
			patience -= pause
			pause *= 2
		case entries > ringEntriesMin:
			entries /= 2
			d.meter.degraded("smaller submission queue", "entries", entries, "error", err)
		default:
			return err
		}
	}
}

// fitsMemlock reports whether RLIMIT_MEMLOCK allows for a ring of so many entries. Kernels that count rings towards it
// go on counting a closed one until a worker has taken it apart, so that there may be room in a moment.
func fitsMemlock(entries uint32) bool {
	var limit unix.Rlimit
	err := unix.Getrlimit(unix.RLIMIT_MEMLOCK, &limit)
	return err == nil && limit.Cur != unix.RLIM_INFINITY && limit.Cur >= ringBytes(entries)
}

// ringBytes returns how much memory a ring of so many entries takes, at most: an SQE, an index and two CQEs for each.
func ringBytes(entries uint32) uint64 { return uint64(entries)*(64+4+2*16) + uint64(os.Getpagesize()) }

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
	refusals    refusals // of io_uring_enter
	kept        error    // why the kernel does not give back what a closed socket has had, or nil
	keptTold    bool     // the log knows it
	edges       *reactor // has the operations whose polls tell what no attempt can, from the first of them on, or nil
}

// refusals is how long io_uring_enter(2) has refused to take anything.
type refusals struct {
	since time.Time
	pause time.Duration
}

// passing reports whether an error is the kernel's for the moment: it lacks memory, or room for completions.
func passing(err error) bool {
	for _, errno := range []unix.Errno{unix.EAGAIN, unix.EBUSY, unix.ENOMEM, unix.ENOBUFS, unix.EINTR} {
		if errors.Is(err, errno) {
			return true
		}
	}
	return errors.Is(err, uring.ErrSQFull)
}

// bear waits a moment after a refusal, and returns it where it is for good.
func (r *refusals) bear(err error) error {
	switch {
	case err == nil:
		*r = refusals{}
		return nil
	case !passing(err):
		return err
	case r.since.IsZero():
		r.since = time.Now()
	case time.Since(r.since) > refusalPatience:
		return err
	}
	r.pause = longer(r.pause)
	time.Sleep(r.pause)
	return nil
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
	reason := errLeft
	defer func() { d.fail(reason) }()
	reason = d.serve()
}

// serve submits and completes until the driver is closed, or the ring fails.
func (d *ringDriver) serve() error {
	for {
		err := d.takeWork()
		d.land()
		if err != nil {
			return err
		}
		wait, over := d.sleep()
		if over {
			return nil
		}
		d.entering()
		if wait {
			_, err = d.ring.SubmitAndWait(context.Background(), 1)
		} else {
			_, err = d.ring.Submit()
		}
		d.entered()
		if err := d.refusals.bear(err); err != nil {
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
		d.land()
		d.tellKept()
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
		p.stopTrain()
	}
	return nil
}

// later has what the queue had no room for done in the next turn.
func (d *ringDriver) later(starts []*op, cancels ...uint64) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.starts, d.cancels = append(d.starts, starts...), append(d.cancels, cancels...)
}

// keep notes what the kernel did not give back of one socket. It stays as it is until the ring is closed, and the ring
// and all others go on.
func (d *ringDriver) keep(err error) {
	if err != nil && d.kept == nil {
		d.kept = err
	}
}

// tellKept tells the log, once, when no lock is held.
func (d *ringDriver) tellKept() {
	if d.kept != nil && !d.keptTold {
		d.keptTold = true
		d.meter.degraded("resources of a closed socket are kept until the engine closes", "error", d.kept)
	}
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

// arm queues the request for an operation, or for a train of them. One that there can be no request for ends with the
// reason. mu of its lane is held.
func (d *ringDriver) arm(o *op) error {
	if d.board(o) {
		return nil
	}
	s, err := d.ring.SQE()
	switch {
	case passing(err):
		d.later([]*op{o})
		return nil
	case err != nil:
		return err
	}
	if err := o.prepare(s); err != nil {
		delete(d.inFlight, o.ticket)
		o.err = err
		o.lane.over(o)
		return nil
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
		o.lane.handle.port.(*ringPort).stopTrain()
		return nil
	}
	s, err := d.ring.SQE()
	switch {
	case passing(err):
		d.later(nil, ticket)
		return nil
	case err != nil:
		return err
	}
	s.SetData64(canceling | ticket)
	if o.missed > missedAtOnce {
		o.missed = 0
		return s.PrepTimeout(pauseMin, 0, 0)
	}
	return s.PrepCancel(uring.OpID(o.request), 0)
}

// missedAtOnce is how often a cancellation that found nothing is made again at once. From then on there are pauses in
// between: no number of answers of that kind keeps the processor.
const missedAtOnce = 8

// stopped takes the result of a cancellation. One that found nothing to cancel is made again: a request whose socket
// has become ready neither waits nor runs until the kernel comes to it, and can find itself waiting once more, for the
// rest of its bytes or because the socket is not ready after all. One that is over is not in flight by then.
func (d *ringDriver) stopped(ticket uint64, res int) error {
	o := d.inFlight[ticket]
	switch {
	case o == nil:
		return nil
	case res == -int(unix.ENOENT):
		o.missed++
	case res == -int(unix.ETIME): // The pause is over.
	default:
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
	if o == nil {
		return nil
	}
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
	case v == opEdge:
		delete(d.inFlight, o.ticket)
		d.awaitEdge(o)
		return nil
	}
	return d.arm(o)
}

// awaitEdge gives an operation to a reactor, which attempts it when an event comes, and not for as long as one lasts.
// mu of its lane is held.
func (d *ringDriver) awaitEdge(o *op) {
	p := o.lane.handle.port.(*ringPort)
	if err := p.openEdge(); err != nil {
		o.err = err
		o.lane.over(o)
		return
	}
	o.ticket = 0
	if p.edge.start(o) {
		o.lane.over(o)
	}
}

// openEdge makes the socket known to the reactor, which it makes the first time.
func (p *ringPort) openEdge() (err error) {
	d := p.driver
	if p.edge != nil {
		return nil
	}
	if d.edges == nil {
		r, err := newReactor(BackendURing, d.meter)
		if err != nil {
			return err
		}
		r.start()
		d.edges = r
	}
	p.edge, err = d.edges.open(p.handle)
	return err
}

// fail ends the driver: with the ring, and all operations with the reason.
func (d *ringDriver) fail(reason error) {
	if reason == nil {
		d.end(ErrClosed)
		return
	}
	defer d.end(reason) // whatever the log's handler does
	d.meter.failed(BackendURing, reason)
}

func (d *ringDriver) end(reason error) {
	d.mu.Lock()
	d.failure = reason
	starts := d.starts
	d.starts = nil
	d.mu.Unlock()
	err := d.ring.Close() // after it the kernel uses no memory of operations, or it is kept
	for _, o := range starts {
		d.inFlight[o.ticket] = o
	}
	if d.edges != nil {
		d.edges.end(reason)
	}
	d.land() // what Senders had
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
	err := unix.Close(d.event)
	if d.edges != nil {
		err = errors.Join(err, d.edges.close())
	}
	return err
}

// ringPort is a socket as a ringDriver knows it.
type ringPort struct {
	driver    *ringDriver
	handle    *handle
	train     train       // of sends
	edge      port        // of the driver's reactor, or nil; the goroutine's of the driver, and close's after it
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
	if o.ticket == 0 {
		return true // The kernel knows nothing of it, see awaitEdge.
	}
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
	if p.edge != nil {
		p.edge.close()
	}
	if !p.hasSender.Load() {
		return
	}
	d := p.driver
	d.mu.Lock()
	defer d.mu.Unlock()
	d.retired = append(d.retired, p)
	d.wake()
}

// ringTotals is what a ringDriver has told its meter. It is the goroutine's.
type ringTotals struct {
	requests uint64
	enters   uint64 // that were made when the last entry of the loop was over
	told     bool   // of the entry that is being made
}

// entering counts what the next kernel entry submits. It comes before the entry, which may wait for long. Where the
// queue was full, entries were made to have room in it.
func (d *ringDriver) entering() {
	s := d.ring.Stats()
	entries, _ := d.ring.Entries()
	queued := entries - d.ring.SQSpace()
	calls := s.Enters - d.told.enters
	if d.told.told = queued > 0; d.told.told {
		calls++
	}
	requests := s.Submitted + uint64(queued)
	d.meter.submitted(calls, requests-d.told.requests)
	d.told.requests = requests
}

// entered notes how many entries there were until now, and counts what Senders have queued by themselves.
func (d *ringDriver) entered() {
	s := d.ring.Stats()
	d.told.enters = s.Enters
	if s.Submitted > d.told.requests {
		calls := uint64(1)
		if d.told.told {
			calls = 0
		}
		d.meter.submitted(calls, s.Submitted-d.told.requests)
		d.told.requests = s.Submitted
	}
}
