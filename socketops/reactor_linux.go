package socketops

import (
	"errors"
	"maps"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// reactor is the driver of engines that wait for readiness. It is an epoll instance that the runtime's poller waits
// for, so that one goroutine waits for all sockets and holds no thread. Sockets are added once, edge-triggered, with
// their first wait: what became ready before is reported then.
type reactor struct {
	file *os.File // the epoll instance
	fd   int
	conn syscall.RawConn
	over chan struct{} // closed when the goroutine has ended

	look    func(epfd int, events []unix.EpollEvent, msec int) (int, error) // epoll_wait(2)
	failure atomic.Pointer[error]                                           // why nothing is waited for any more

	meter *meter
	batch *aioBatch // makes many transfers at once, or nil

	mu    sync.Mutex        // guards ports
	ports map[int32]*handle // by the name in their events; a late event finds none
	last  int32
}

// reactorEvents is how many events are taken at a time.
const reactorEvents = 128

func openSyscall(m *meter) (driver, error) {
	r, err := newReactor(m)
	if err != nil {
		return nil, err
	}
	r.start()
	return r, nil
}

func newReactor(m *meter) (*reactor, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // That has the runtime's poller wait for it.
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(fd))
	}
	r := &reactor{
		file: os.NewFile(uintptr(fd), "socketops readiness"), fd: fd,
		over: make(chan struct{}), look: unix.EpollWait, meter: m, ports: make(map[int32]*handle),
	}
	if r.conn, err = r.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, r.file.Close())
	}
	return r, nil
}

func (r *reactor) start() { go r.wait() }

// wait dispatches readiness until the reactor is closed, or cannot be asked any more.
func (r *reactor) wait() {
	defer close(r.over)
	var events [reactorEvents]unix.EpollEvent
	var n int
	var err error
	look := func(fd uintptr) bool {
		for n, err = r.look(int(fd), events[:], 0); err == unix.EINTR; {
			n, err = r.look(int(fd), events[:], 0)
		}
		return n != 0
	}
	for r.conn.Read(look) == nil {
		if err != nil {
			r.fail(os.NewSyscallError("epoll_wait", err))
			return
		}
		r.meter.wakeUps.Add(1)
		for i := range n {
			r.dispatch(&events[i])
		}
		if r.batch != nil {
			r.batch.move()
		}
	}
}

// fail ends all that waits, and what would have to from now on, with the reason.
func (r *reactor) fail(reason error) {
	backend := BackendSyscall
	if r.batch != nil {
		backend = BackendAIO
	}
	r.meter.failed(backend, reason)
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

// Readiness of either direction. What has failed or was hung up says so to the next attempt (B27).
const (
	readyAnyway  = unix.EPOLLERR | unix.EPOLLHUP
	readyReceive = unix.EPOLLIN | unix.EPOLLRDHUP | readyAnyway
	readySend    = unix.EPOLLOUT | readyAnyway
)

func (r *reactor) dispatch(e *unix.EpollEvent) {
	r.mu.Lock()
	h := r.ports[e.Fd]
	r.mu.Unlock()
	if h == nil || !h.acquire() {
		return
	}
	defer h.release()
	if e.Events&readyReceive != 0 {
		h.lanes[receiving].becameReady(r.batch)
	}
	if e.Events&readySend != 0 {
		h.lanes[sending].becameReady(r.batch)
	}
}

func (r *reactor) open(h *handle) (port, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.last++; r.last < 0 || r.ports[r.last] != nil; r.last++ { // The names come round after 2^31 sockets.
	}
	event := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     r.last,
	}
	if err := unix.EpollCtl(r.fd, unix.EPOLL_CTL_ADD, h.fd, &event); err != nil {
		return nil, err
	}
	r.ports[r.last] = h
	return &reactorPort{reactor: r, handle: h, name: r.last}, nil
}

func (r *reactor) close() error {
	err := r.file.Close()
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
	_ = unix.EpollCtl(r.fd, unix.EPOLL_CTL_DEL, p.handle.fd, nil)
}
