package aio

import (
	"fmt"
	"sync"
)

// eventsAtOnce is how many events are read from the kernel at a time.
const eventsAtOnce = 64

// batchesMax is how many goroutines can be in io_submit at the same time, which blocks where files do.
const batchesMax = 4

// batchLenMax is how many IOCBs one io_submit takes.
const batchLenMax = 1024

// Context is a Linux AIO context, the raw floor of this package: IOCBs out, events in.
//
// It is safe for concurrent use, with two rules: an IOCB belongs to one goroutine until it is submitted, and only one
// goroutine reads events at a time: Reap, GetEvents, PGetEvents and Await give ErrBusy otherwise. Many goroutines may
// submit; io_submit itself takes up to four at a time.
//
// As many IOCBs exist as the Context was made for, so it never asks more of the kernel. A Context that is lost
// without Close keeps its memory, and what its requests pin, until the process ends: the kernel may be using it. The
// zero Context is a closed one.
type Context struct {
	id       uintptr // the aio_context_t
	ring     ring
	notifier *notifier
	iocbs    []IOCB
	batches  chan *batch // those that nobody is submitting with; closed when the Context is

	reaping sync.Mutex // held by who reads events; guards wait
	wait    *waitMemory

	mu       sync.Mutex // guards what follows, and the states of IOCBs; taken after reaping
	arena    arena
	free     []uint32 // indexes of IOCBs
	inFlight int
	stale    uint64
	scratch  *rawEvent // for io_cancel, which does not write it
	closed   bool
}

// batch is what one io_submit names: a table of IOCB addresses in mapped memory.
type batch struct{ table []uintptr }

// Option changes how NewContext and NewQueue set up.
type Option func(*options)

type options struct {
	syscallReap         bool
	waitWithoutRequests bool
}

// WithSyscallReap has events read by io_getevents(2) always, as where the kernel does not map a ring that is known.
func WithSyscallReap() Option { return func(o *options) { o.syscallReap = true } }

// Stats is what a Context counts.
type Stats struct {
	InFlight int    // requests in the kernel, or whose event was not read
	Held     int    // IOCBs taken and not submitted
	Stale    uint64 // events dropped because they belong to no request
}

// openContexts is every Context that was not closed: it keeps their memory, and what they pinned, even where the
// program lost them.
var openContexts = struct {
	sync.Mutex
	held map[*Context]struct{}
}{held: map[*Context]struct{}{}}

// NewContext wraps io_setup(2): it makes a context for up to max requests at a time, 1 to 1048576. It costs max of
// fs.aio-max-nr, some 300 bytes for each request, and a descriptor, all until Close. Where AIO is not to be had the
// error is an *UnsupportedError; when fs.aio-max-nr is the reason it is ErrInsufficientEvents too.
func NewContext(max int, opts ...Option) (*Context, error) {
	var o options
	for _, opt := range opts {
		if opt == nil {
			return nil, errNilOption
		}
		opt(&o)
	}
	id, err := setup(max)
	if err != nil {
		return nil, err
	}
	c := &Context{id: id}
	if err := c.allocate(max); err != nil {
		c.destroy()
		return nil, fmt.Errorf("aio: memory for %d requests: %w", max, err)
	}
	if c.notifier, err = newNotifier(); err != nil {
		c.destroy()
		return nil, fmt.Errorf("aio: a descriptor for completions: %w", err)
	}
	if !o.syscallReap {
		c.ring = openRing(id)
	}
	openContexts.Lock()
	defer openContexts.Unlock()
	openContexts.held[c] = struct{}{}
	return c, nil
}

// allocate makes the IOCBs and the memory that the kernel is given by address.
func (c *Context) allocate(n int) error {
	raws, err := alloc[rawIOCB](&c.arena, n)
	if err != nil {
		return err
	}
	vectors, err := alloc[iovec](&c.arena, n*vectorsInline)
	if err != nil {
		return err
	}
	waits, err := alloc[waitMemory](&c.arena, 1)
	if err != nil {
		return err
	}
	scratch, err := alloc[rawEvent](&c.arena, 1)
	if err != nil {
		return err
	}
	c.wait, c.scratch = &waits[0], &scratch[0]
	c.iocbs, c.free = make([]IOCB, n), make([]uint32, n)
	for i := range c.iocbs {
		cb := &c.iocbs[i]
		cb.ctx, cb.raw, cb.index = c, &raws[i], uint32(i)
		cb.vectors = vectors[i*vectorsInline : (i+1)*vectorsInline : (i+1)*vectorsInline]
		c.free[i] = uint32(n - 1 - i)
	}
	c.batches = make(chan *batch, batchesMax)
	for range batchesMax {
		table, err := alloc[uintptr](&c.arena, min(n, batchLenMax))
		if err != nil {
			return err
		}
		c.batches <- &batch{table}
	}
	return nil
}

// MaxRequests returns how many requests the Context was made for. The kernel would take more.
func (c *Context) MaxRequests() int { return len(c.iocbs) }

// Stats returns the counts of now.
func (c *Context) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	return Stats{InFlight: c.inFlight, Held: len(c.iocbs) - len(c.free) - c.inFlight, Stale: c.stale}
}

// IOCB takes a free IOCB, to be prepared and submitted or released. When all are in use the error is
// ErrInsufficientResources.
func (c *Context) IOCB() (*IOCB, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended():
		return nil, ErrClosed
	case len(c.free) == 0:
		return nil, ErrInsufficientResources
	}
	return c.take(), nil
}

// IOCBs takes as many IOCBs as fit in out and are free, and returns how many.
func (c *Context) IOCBs(out []*IOCB) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended() {
		return 0, ErrClosed
	}
	n := min(len(out), len(c.free))
	for i := range n {
		out[i] = c.take()
	}
	return n, nil
}

// take takes a free IOCB and starts its next generation. mu is held.
func (c *Context) take() *IOCB {
	last := len(c.free) - 1
	cb := &c.iocbs[c.free[last]]
	c.free = c.free[:last]
	if cb.gen++; cb.gen == 0 {
		cb.gen = 1
	}
	cb.state = iocbHeld
	return cb
}

// find returns the IOCB in flight that an event's data names, or nil. mu is held.
func (c *Context) find(id ID) *IOCB {
	index := uint64(uint32(id))
	if index >= uint64(len(c.iocbs)) {
		return nil
	}
	// The generation first: it changes with mu held, while the state of an IOCB that was taken is its taker's to write.
	if cb := &c.iocbs[index]; cb.ID() == id && cb.state == iocbInFlight {
		return cb
	}
	return nil
}

// Close wraps io_destroy(2), which takes the kernel some 30 ms: keep it off hot paths. The kernel would drop the events
// of requests in flight, and so Close gives ErrBusy while any IOCB is in use or a goroutine reads events: reap all, and
// release what was not submitted, first. Closing again does nothing.
func (c *Context) Close() error {
	if !c.reaping.TryLock() {
		return fmt.Errorf("%w: a goroutine is reading events", ErrBusy)
	}
	defer c.reaping.Unlock()
	return c.shut()
}

// shut is Close, with reaping held.
func (c *Context) shut() error {
	c.mu.Lock()
	switch used := len(c.iocbs) - len(c.free); {
	case c.ended():
		c.mu.Unlock()
		return nil
	case used > 0:
		c.mu.Unlock()
		return fmt.Errorf("%w: %d requests are not done", ErrBusy, used)
	}
	c.closed = true
	c.mu.Unlock()
	for range batchesMax {
		<-c.batches // Who came too late sees that the Context is closed, and returns it.
	}
	close(c.batches)
	c.destroy()
	openContexts.Lock()
	defer openContexts.Unlock()
	delete(openContexts.held, c)
	return nil
}

// abandon is Close of a Context that its user alone knows and has not handed on, whatever became of its requests:
// io_destroy(2) waits until the kernel is done with them, and drops their events.
func (c *Context) abandon() error {
	c.mu.Lock()
	c.free = c.free[:0]
	for i := range c.iocbs {
		c.free = append(c.free, uint32(i))
	}
	c.inFlight = 0
	c.mu.Unlock()
	err := c.Close()
	for i := range c.iocbs {
		c.iocbs[i].clear() // What it names was the kernel's until now.
	}
	return err
}

// destroy gives back all that the Context has, which nobody uses.
func (c *Context) destroy() {
	_ = ioDestroy(c.id) // fails only for a context that somebody else destroyed
	c.ring = ring{}
	if c.notifier != nil {
		c.notifier.close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.arena.free()
}

func (c *Context) isClosed() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.ended()
}

// ended is isClosed with mu held, which the zero Context is too.
func (c *Context) ended() bool { return c.closed || c.batches == nil }
