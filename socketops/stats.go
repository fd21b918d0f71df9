//go:build linux

package socketops

import (
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// DirectionStats counts the transfers of one direction: receives and accepts, or sends and connects.
//
// Each operation counts once, when it is over, and has one outcome: what is left of Operations without WouldBlock,
// Canceled, TimedOut and Errors has succeeded. What was refused before it came to its turn does not count: bad
// arguments, and calls on a closed socket.
type DirectionStats struct {
	// Bytes is what the calls return: payload that the kernel has taken or given, at once and not when the operation
	// is over. What was only peeked at, or is from the queue of errors, does not count.
	Bytes uint64

	Operations uint64 // that are over, of every form
	Inline     uint64 // of them, over by their caller's own system calls, well or with an error: nothing waited
	WouldBlock uint64 // of them, with ErrWouldBlock or ErrInProgress
	Canceled   uint64 // of them, ended by a context, Op.Cancel, Close or Disconnect
	TimedOut   uint64 // of them, ended by a deadline or time-out of the socket
	Errors     uint64 // of them, with any other error

	// Short is how many operations, whatever their outcome, transferred a part and had to go on, or ended with that:
	// sends that a full socket took only a part of, and receives with WaitAll.
	Short uint64

	Queued    int // operations that wait now, the one that the engine has included
	QueuedMax int // the most that ever waited at once, in the queue of one socket
}

// SocketStats counts what a Socket has transferred. A Disconnect for reuse does not reset it.
type SocketStats struct {
	Received, Sent DirectionStats
}

// EngineStats counts what an Engine has done. What the backend does not do is 0.
type EngineStats struct {
	Received, Sent DirectionStats // of all sockets, the closed ones too; QueuedMax is the greatest of theirs

	SocketsOpen  int
	SocketsTotal uint64 // that were ever made or accepted

	Submits     uint64 // system calls that handed requests to io_uring
	Requests    uint64 // handed to io_uring, those included by which the engine cancels and is woken
	Completions uint64 // reaped from io_uring, of the same

	// WakeUps is how often the engine's goroutine was woken: under io_uring by work that was handed to it while it
	// slept, each time by a system call; elsewhere by sockets that became ready.
	WakeUps uint64

	Bundles         uint64 // runs of queued sends that left together, by few requests
	BundleMessages  uint64 // sends in them
	Batches         uint64 // calls of io_submit(2)
	BatchOperations uint64 // in batches
}

// Stats returns what the socket has transferred until now. Each direction is consistent in itself; the two are looked
// at one after the other. After Close it returns the last figures.
func (s *Socket) Stats() SocketStats {
	if s.tally == nil {
		return SocketStats{}
	}
	return s.tally.stats()
}

func (t *tally) stats() SocketStats {
	t.figures.Lock()
	defer t.figures.Unlock()
	sum := t.past
	if t.leaving != nil {
		sum.add(t.leaving.stats())
	}
	sum.add(t.current.Load().stats())
	return sum
}

// Stats returns what the Engine has done until now, also after Close. Each figure is exact for the moment in which it
// was looked at, but they are looked at one after the other while transfers go on: sums and differences of several can
// be off by what happened in between. It takes some 150 ns for each open socket, and keeps none from its transfers for
// longer than it takes to copy its figures.
func (e *Engine) Stats() EngineStats {
	e.folding.Lock()
	defer e.folding.Unlock()
	e.mu.Lock()
	sum := EngineStats{SocketsOpen: len(e.sockets), SocketsTotal: e.total}
	all := e.past
	open := make([]*tally, 0, len(e.sockets))
	for _, m := range e.sockets {
		open = append(open, m.tally)
	}
	e.mu.Unlock()
	for _, t := range open {
		all.add(t.stats())
	}
	sum.Received, sum.Sent = all.Received, all.Sent
	if e.meter != nil { // as the zero Engine has none
		e.meter.read(&sum)
	}
	return sum
}

// forget removes a socket that is closed, and keeps its figures. No snapshot comes in between, which would miss them.
func (e *Engine) forget(s *Socket) {
	e.folding.Lock()
	defer e.folding.Unlock()
	last := s.Stats()
	e.mu.Lock()
	defer e.mu.Unlock()
	e.past.add(last)
	if delete(e.sockets, s.number); len(e.sockets) == 0 {
		e.none.Broadcast()
	}
}

// leave has the figures of a handle that is being replaced stay the socket's.
func (s *Socket) leave(old, h *handle) {
	s.figures.Lock()
	defer s.figures.Unlock()
	s.exchange(old, h)
	s.leaving = old
}

// left keeps the figures of the handle that was replaced, on which nothing is under way any more.
func (s *Socket) left() {
	s.figures.Lock()
	defer s.figures.Unlock()
	s.past.add(s.leaving.stats())
	s.leaving = nil
}

// stats returns what went through a handle.
func (h *handle) stats() SocketStats {
	return SocketStats{h.lanes[receiving].snapshot(), h.lanes[sending].snapshot()}
}

func (l *lane) snapshot() DirectionStats {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.stats
}

func (s *SocketStats) add(more SocketStats) {
	s.Received.add(more.Received)
	s.Sent.add(more.Sent)
}

func (s *DirectionStats) add(more DirectionStats) {
	s.Bytes += more.Bytes
	s.Operations += more.Operations
	s.Inline += more.Inline
	s.WouldBlock += more.WouldBlock
	s.Canceled += more.Canceled
	s.TimedOut += more.TimedOut
	s.Errors += more.Errors
	s.Short += more.Short
	s.Queued += more.Queued
	s.QueuedMax = max(s.QueuedMax, more.QueuedMax)
}

// queued counts an operation that has to wait. The lane's mu is held, here and below.
func (s *DirectionStats) queued() {
	s.Queued++
	s.QueuedMax = max(s.QueuedMax, s.Queued)
}

// tried counts a Try form that made its system calls itself, by the bytes that they transferred and the last result;
// short says that there was one before the last.
func (s *DirectionStats) tried(bytes, res int, short bool) {
	s.Operations++
	s.Bytes += uint64(bytes)
	if short {
		s.Short++
	}
	switch {
	case res >= 0 || bytes > 0:
		s.Inline++
	case res == -int(unix.EAGAIN):
		s.WouldBlock++
	default:
		s.Inline++
		s.Errors++
	}
}

// over counts an operation that is settled.
func (s *DirectionStats) over(o *op) {
	s.Operations++
	if o.short || o.n > 0 && !o.succeeded {
		s.Short++
	}
	waited := o.lane != nil
	switch {
	case o.err == nil:
	case o.err == ErrWouldBlock, o.err == ErrInProgress:
		s.WouldBlock++
		return
	case o.err == ErrTimeout:
		s.TimedOut++
		return
	case o.err == ErrClosed, errors.Is(o.err, ErrCanceled):
		s.Canceled++
		return
	default:
		s.Errors++
	}
	if !waited {
		s.Inline++
	}
}

// flagsNotTaken are those of receives that take nothing from what the peer has sent.
const flagsNotTaken = int(Peek | ErrQueue)

// moved counts the bytes of a system call or request of the operation.
func (o *op) moved(n int) {
	switch {
	case o.kind == opAccept:
	case o.kind.direction() == receiving && o.flags&flagsNotTaken != 0:
	default:
		l := &o.handle.lanes[o.kind.direction()]
		l.stats.Bytes += uint64(n)
		l.unhold(o, n)
	}
}

// meter is where a driver counts what it does, and says what goes wrong.
type meter struct {
	log *slog.Logger // or nil

	submits, requests, completions atomic.Uint64
	wakeUps                        atomic.Uint64
	bundles, bundleMessages        atomic.Uint64
	batches, batchOperations       atomic.Uint64
}

// submitted counts system calls that handed requests to io_uring, and those requests.
func (m *meter) submitted(calls, requests uint64) {
	m.submits.Add(calls)
	m.requests.Add(requests)
}

// bundled counts sends that leave together.
func (m *meter) bundled(messages int) {
	m.bundles.Add(1)
	m.bundleMessages.Add(uint64(messages))
}

// batched counts an io_submit(2) by the operations that it took.
func (m *meter) batched(operations int) {
	m.batches.Add(1)
	m.batchOperations.Add(uint64(operations))
}

func (m *meter) read(s *EngineStats) {
	s.Submits, s.Requests, s.Completions = m.submits.Load(), m.requests.Load(), m.completions.Load()
	s.WakeUps = m.wakeUps.Load()
	s.Bundles, s.BundleMessages = m.bundles.Load(), m.bundleMessages.Load()
	s.Batches, s.BatchOperations = m.batches.Load(), m.batchOperations.Load()
}

// chosen tells which backend serves.
func (m *meter) chosen(b Backend) {
	if m.log != nil {
		m.log.Info("socketops: backend serves", "backend", string(b))
	}
}

// refused tells why a backend does not serve. One that was asked for by its name has New fail, which says the same.
func (m *meter) refused(r Refusal, forced bool) {
	switch {
	case m.log == nil:
	case forced:
		m.log.Debug("socketops: backend refused", "backend", string(r.Backend), "error", r.Err)
	default:
		m.log.Warn("socketops: backend refused", "backend", string(r.Backend), "error", r.Err)
	}
}

// degraded tells what works less well than it should.
func (m *meter) degraded(what string, args ...any) {
	if m.log != nil {
		m.log.Warn("socketops: "+what, args...)
	}
}

// errLeft is why an engine ends whose goroutine is gone.
var errLeft error = errors.New("the handler of the log has ended the engine's goroutine")

// failed tells that the backend has stopped working. No lock is held.
func (m *meter) failed(b Backend, err error) {
	if m.log != nil {
		m.log.Error("socketops: backend failed", "backend", string(b), "error", err)
	}
}

// EngineStatus says which backend serves, and why no better one does.
type EngineStatus struct {
	Backend  Backend
	Refusals []Refusal
}

// Status returns the status of the process's Engine, which it makes the first time.
func Status() (EngineStatus, error) {
	e, err := Default()
	if err != nil {
		return EngineStatus{}, err
	}
	return e.Status(), nil
}

// Status returns the Engine's status.
func (e *Engine) Status() EngineStatus { return EngineStatus{e.backend, e.refusals} }

// String returns a line for the backend that serves, and for each that does not one for each cause.
func (s EngineStatus) String() string {
	var b strings.Builder
	b.WriteString("backend " + string(s.Backend) + " serves\n")
	for _, r := range s.Refusals {
		b.WriteString("backend " + r.String() + "\n")
	}
	return b.String()
}
