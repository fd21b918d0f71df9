//go:build linux

package socketops

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"sync"
	"weak"

	"golang.org/x/sys/unix"
)

// Engine completes what would block for the Sockets that it made. One for a process is enough, see Default; several can
// be used side by side. It is safe for concurrent use. The zero Engine is a closed one.
type Engine struct {
	backend  Backend
	driver   driver
	refusals []Refusal
	meter    *meter

	keepMapped bool // addresses of IPv4 stay those of IPv6 that they are mapped to, see WithUnmap
	truncError bool // see WithTruncError

	folding sync.Mutex // held while a socket's figures become the engine's, and by Stats; taken before all others

	mu      sync.Mutex // guards what follows
	closed  bool
	sockets map[uint64]member // by when they came
	none    sync.Cond         // told when there are no sockets
	total   uint64            // of sockets
	past    SocketStats       // of those that were closed
}

// member is a socket of an Engine, which is not to keep who forgets the socket from that.
type member struct {
	socket weak.Pointer[Socket]
	tally  *tally
}

// Backend is what an engine is built on.
type Backend string

// The backends, the best first.
const (
	BackendURing   Backend = "uring"   // io_uring, kernel 6.1 and later
	BackendAIO     Backend = "aio"     // Linux AIO for batches, the runtime's poller for readiness
	BackendSyscall Backend = "syscall" // plain system calls, and the runtime's poller for readiness
)

// candidate is a backend and how it begins.
type candidate struct {
	name Backend
	open func(*meter) (driver, error)
}

// backends are the candidates in the order in which they are tried.
var backends = []candidate{
	{BackendURing, openURing},
	{BackendAIO, openAIO},
	{BackendSyscall, openSyscall},
}

// Refusal says why a backend does not serve.
type Refusal struct {
	Backend Backend
	Err     error
}

// String returns a line for each cause: what lacks the same thing is told once. Err has all of it.
func (r Refusal) String() string {
	return string(r.Backend) + ": " + strings.Join(causes(r.Err), "\n  ")
}

// causes returns the texts of an error, one for each that is at the bottom of what was joined and wrapped.
func causes(err error) (texts []string) {
	seen := make(map[string]bool)
	for _, one := range parts(err) {
		bottom := one
		for next := bottom; next != nil; next = errors.Unwrap(next) {
			bottom = next
		}
		if !seen[bottom.Error()] {
			seen[bottom.Error()] = true
			texts = append(texts, one.Error())
		}
	}
	return texts
}

// parts returns what errors.Join has joined, however often, or the error itself.
func parts(err error) []error {
	if err == nil {
		return nil
	}
	many, ok := err.(interface{ Unwrap() []error })
	if !ok || !strings.Contains(err.Error(), "\n") {
		return []error{err}
	}
	var all []error
	for _, one := range many.Unwrap() {
		all = append(all, parts(one)...)
	}
	return all
}

// driver is what a backend does for an Engine.
type driver interface {
	// open makes a socket known.
	open(h *handle) (port, error)

	// close ends the driver, which knows no socket any more.
	close() error
}

// port is a socket as its driver knows it. Its methods are called with mu of the operation's lane held.
type port interface {
	// start has an operation completed that would have to wait. It reports whether that is over already; otherwise
	// lane.over follows, exactly once, from whatever goroutine.
	start(o *op) (over bool)

	// cancel has an operation end soon that start was called for, with what was transferred until then. It reports
	// whether it is over already, and lane.over does not follow.
	cancel(o *op) (over bool)

	// close forgets the socket, which has no operation in flight.
	close()
}

// EngineOption changes how New sets up.
type EngineOption func(*engineOptions)

type engineOptions struct {
	only       Backend
	log        *slog.Logger
	keepMapped bool
	truncError bool
}

// WithBackend has the Engine use b, and nothing else.
func WithBackend(b Backend) EngineOption { return func(o *engineOptions) { o.only = b } }

// WithLogger has the Engine tell log which backend serves (Info), why each better one does not (Warn, or Debug where
// only one was asked for), what works less well than it should (Warn), and that the backend has stopped working
// (Error). Without it nothing is logged. The handler is called on the engine's goroutine: while it writes, transfers of
// all sockets wait that do not complete at once, so it must not wait for any of them.
func WithLogger(log *slog.Logger) EngineOption { return func(o *engineOptions) { o.log = log } }

// WithUnmap says how sockets of IPv6 tell addresses of IPv4 (N57): as those, which is so without it, or as the kernel
// has them, ::ffff:192.0.2.1 for 192.0.2.1. Either form can be sent and connected to. Minimum kernel and errors: none.
func WithUnmap(on bool) EngineOption { return func(o *engineOptions) { o.keepMapped = !on } }

// WithTruncError has receives fail with EMSGSIZE where a datagram or packet was longer than the buffers (N48), as they
// do on Windows: n counts what is in the buffers, and the rest is lost, as it is without. A receive that asks for
// Truncated is not concerned, as it returns the length; nor is one into an empty buffer that takes nothing.
func WithTruncError() EngineOption { return func(o *engineOptions) { o.truncError = true } }

// EngineVariable is the environment variable that has Default and New use one backend and nothing else, where
// WithBackend does not say another.
const EngineVariable = "SOCKRING_ENGINE"

// New makes an Engine on the best backend that works here, which it finds out by trying.
func New(opts ...EngineOption) (*Engine, error) {
	o := engineOptions{only: Backend(os.Getenv(EngineVariable))}
	for _, opt := range opts {
		if opt == nil {
			return nil, opError("new", unix.EINVAL)
		}
		opt(&o)
	}
	e := newEngine(&meter{log: o.log})
	e.keepMapped, e.truncError = o.keepMapped, o.truncError
	for _, b := range backends {
		if o.only != "" && o.only != b.name {
			continue
		}
		d, err := b.open(e.meter)
		if err == nil {
			e.backend, e.driver = b.name, d
			e.meter.chosen(b.name)
			return e, nil
		}
		r := Refusal{b.name, err}
		e.refusals = append(e.refusals, r)
		e.meter.refused(r, o.only != "")
	}
	if len(e.refusals) == 0 {
		return nil, fmt.Errorf("socketops: no backend %q: there are uring, aio and syscall", o.only)
	}
	var errs []error
	for _, r := range e.refusals {
		errs = append(errs, fmt.Errorf("socketops: backend %v: %w", r.Backend, r.Err))
	}
	return nil, errors.Join(errs...)
}

// newEngine makes an Engine that has no backend yet.
func newEngine(m *meter) *Engine {
	e := &Engine{meter: m, sockets: make(map[uint64]member)}
	e.none.L = &e.mu
	return e
}

// Default returns the Engine of the process, which it makes the first time.
func Default() (*Engine, error) { return defaultEngine() }

var defaultEngine = sync.OnceValues(func() (*Engine, error) { return New() })

// queues reports whether an operation that may wait is better not attempted at once: what nobody waits for leaves with
// the sends of other sockets by one system call (N58 keeps the order of each socket), and what is slow has a goroutine.
func (e *Engine) queues(o *op) bool {
	send := o.kind == opSend || o.kind == opSendMsg && o.msg.stream
	return !o.once && (o.slow() || send && e.backend == BackendURing && o.callback != nil)
}

// Backend returns what the Engine is built on.
func (e *Engine) Backend() Backend { return e.backend }

// Close closes the sockets that are left, and then ends the Engine.
func (e *Engine) Close() error {
	e.mu.Lock()
	if e.closed || e.driver == nil {
		e.mu.Unlock()
		return nil
	}
	e.closed = true
	left := make([]*Socket, 0, len(e.sockets))
	for _, m := range e.sockets {
		if s := m.socket.Value(); s != nil {
			left = append(left, s)
		}
	}
	e.mu.Unlock()
	var errs []error
	for _, s := range left {
		errs = append(errs, s.closeLeft())
	}
	e.mu.Lock()
	for len(e.sockets) > 0 { // those that nobody knows are being closed
		e.none.Wait()
	}
	e.mu.Unlock()
	return errors.Join(append(errs, e.driver.close())...)
}

// adopt makes a Socket of the Engine, or reports that that was closed.
func (e *Engine) adopt(s *Socket) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed || e.driver == nil {
		return ErrClosed
	}
	e.total++
	s.number = e.total
	e.sockets[s.number] = member{weak.Make(s), s.tally}
	runtime.SetFinalizer(s, (*Socket).forgotten)
	return nil
}
