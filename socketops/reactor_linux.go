package socketops

import (
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/sockring/uring/internal/epoll"
)

// reactor is the driver of engines that wait for readiness. One goroutine waits for all sockets and holds no thread.
// Sockets are added once, edge-triggered, with their first wait: what became ready before is reported then.
type reactor struct {
	backend Backend // which it serves
	poller  *epoll.Poller
	over    chan struct{} // closed when the goroutine has ended

	await   func() error          // of the poller
	failure atomic.Pointer[error] // why nothing is waited for any more

	meter *meter
	batch *aioBatch // makes many transfers at once, or nil

	mu    sync.Mutex        // guards ports
	ports map[int32]*handle // by the name in their events; a late event finds none
	last  int32
}

func openSyscall(m *meter) (driver, error) {
	r, err := newReactor(BackendSyscall, m)
	if err != nil {
		return nil, err
	}
	r.start()
	return r, nil
}

func newReactor(backend Backend, m *meter) (*reactor, error) {
	poller, err := epoll.New("socketops readiness")
	if err != nil {
		return nil, err
	}
	return &reactor{
		backend: backend, poller: poller, await: poller.Wait, over: make(chan struct{}),
		meter: m, ports: make(map[int32]*handle),
	}, nil
}

func (r *reactor) start() { go r.wait() }

// wait serves until the reactor is closed, or cannot be asked any more.
func (r *reactor) wait() {
	defer close(r.over)
	reason := errLeft
	defer func() {
		if reason != nil {
			r.fail(reason)
		}
	}()
	reason = r.serve()
}

// serve dispatches readiness until the reactor is closed.
func (r *reactor) serve() error {
	for {
		switch err := r.await(); {
		case errors.Is(err, os.ErrClosed):
			return nil
		case err != nil:
			return err
		}
		r.meter.wakeUps.Add(1)
		for e := range r.poller.Found() {
			r.dispatch(e)
		}
		if r.batch != nil {
			r.batch.move()
		}
	}
}

// fail ends the reactor for a reason of its own.
func (r *reactor) fail(reason error) {
	defer r.end(reason) // whatever the log's handler does
	r.meter.failed(r.backend, reason)
}

// end ends all that waits, and what would have to from now on, with the reason.
func (r *reactor) end(reason error) {
	r.failure.Store(&reason) // before the ports are looked at: what starts later sees it
	r.mu.Lock()
	handles := slices.Collect(maps.Values(r.ports))
	r.mu.Unlock()
	for _, h := range handles {
		for d := range h.lanes {
			h.lanes[d].fail(reason)
		}
	}
}

func (r *reactor) dispatch(e epoll.Event) {
	r.mu.Lock()
	h := r.ports[e.Name()]
	r.mu.Unlock()
	if h == nil || !h.acquire() {
		return
	}
	defer h.release()
	if e.CanReceive() {
		h.lanes[receiving].becameReady(r.batch)
	}
	if e.CanSend() {
		h.lanes[sending].becameReady(r.batch)
	}
}

func (r *reactor) open(h *handle) (port, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.last++; r.last < 0 || r.ports[r.last] != nil; r.last++ { // The names come round after 2^31 sockets.
	}
	if err := r.poller.Add(h.fd, r.last); err != nil {
		return nil, err
	}
	r.ports[r.last] = h
	return &reactorPort{reactor: r, handle: h, name: r.last}, nil
}

func (r *reactor) close() error {
	err := r.poller.Close()
	<-r.over
	if r.batch != nil {
		err = errors.Join(err, r.batch.ctx.Close())
	}
	return err
}

// reactorPort is a socket that a reactor watches.
type reactorPort struct {
	reactor *reactor
	handle  *handle
	name    int32
}

// start has the operation attempted when the socket becomes ready. It was attempted before: only if that changed since
// can another attempt do more now (B03).
func (p *reactorPort) start(o *op) bool {
	if failure := p.reactor.failure.Load(); failure != nil {
		o.err = *failure
		return true
	}
	if (o.lane.event || !o.tried) && o.lane.attempt(o) {
		return true
	}
	o.lane.remind(o)
	return false
}

// cancel ends the operation, of which the kernel knows nothing between attempts.
func (p *reactorPort) cancel(*op) bool { return true }

func (p *reactorPort) close() {
	r := p.reactor
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.ports, p.name)
	r.poller.Remove(p.handle.fd)
}
