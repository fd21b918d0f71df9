package aio

import (
	"context"
	"os"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/sockring/uring/internal/eintr"
	"github.com/sockring/uring/internal/unix"
)

// Event is the completion of one request.
type Event struct {
	ID     ID
	Res    int64 // bytes, the events of a poll, or a negative errno
	Data   any   // what SetData has set
	Data64 uint64

	op       opcode
	canceled bool
}

// Result returns Res as Go has it: how many bytes were transferred, or what is ready after a poll, and the error, an
// *os.SyscallError around a unix.Errno. A poll that was cancelled has ErrCanceled.
func (e *Event) Result() (int, error) {
	switch {
	case e.Res < 0:
		return 0, os.NewSyscallError(e.op.String(), unix.Errno(-e.Res))
	case e.Res == 0 && e.canceled:
		return 0, ErrCanceled
	}
	return int(e.Res), nil
}

// Reap reads events that are there to out and returns how many. It never waits; with the mapped ring it makes no
// system call.
func (c *Context) Reap(out []Event) (int, error) {
	if err := c.startReaping(); err != nil {
		return 0, err
	}
	defer c.reaping.Unlock()
	return c.reap(out)
}

// GetEvents wraps io_getevents(2): it reads events to out until there are at least min, and returns how many there
// are. It makes the system call only when it has to wait, which holds a thread; see Await for one that does not.
// A negative timeout waits for ever, 0 not at all. The time is monotonic, and signals do not shorten it.
//
// Events read so far are returned with every error: ErrTimeout, or ErrNoRequests when nothing is in flight that could
// make up min. min must not be negative nor more than len(out): ErrOutOfRange.
func (c *Context) GetEvents(min int, out []Event, timeout time.Duration) (int, error) {
	return c.getEvents(min, out, timeout, nil)
}

// PGetEvents is GetEvents by io_pgetevents(2) (4.18): while the call waits, the signals do not reach its thread.
// A signal that is blocked there reaches another thread of the process, or waits.
func (c *Context) PGetEvents(min int, out []Event, timeout time.Duration, blocked ...unix.Signal) (int, error) {
	for _, s := range blocked {
		if s < 1 || s > 64 {
			return 0, outOfRange("signal %d, not 1 to 64", s)
		}
	}
	if blocked == nil {
		blocked = []unix.Signal{}
	}
	return c.getEvents(min, out, timeout, blocked)
}

// Await reads events to out until there are at least min, as GetEvents does, but waits in the runtime's poller and so
// holds no thread. It waits for the completions of IOCBs that Notify was called for, and until ctx ends, whose error it
// then returns, with the events read so far.
func (c *Context) Await(ctx context.Context, min int, out []Event) (n int, err error) {
	if ctx == nil {
		return 0, errNilContext
	}
	if err := c.startReaping(); err != nil {
		return 0, err
	}
	defer c.reaping.Unlock()
	if err := checkRange(min, len(out)); err != nil {
		return 0, err
	}
	for {
		k, err := c.reap(out[n:])
		if n += k; err != nil || n >= min {
			return n, err
		}
		if err := ctx.Err(); err != nil {
			return n, err
		}
		if c.Stats().InFlight == 0 {
			return n, ErrNoRequests
		}
		if err := c.notifier.sleep(ctx, time.Time{}); err != nil {
			return n, err
		}
	}
}

// startReaping makes the caller the one who reads events.
func (c *Context) startReaping() error {
	if !c.reaping.TryLock() {
		return ErrBusy
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ended() {
		c.reaping.Unlock()
		return ErrClosed
	}
	return nil
}

// checkRange refuses what the kernel would take for something else.
func checkRange(min, room int) error {
	if min < 0 || min > room {
		return outOfRange("%d events with room for %d", min, room)
	}
	return nil
}

// reap reads events that are there. reaping is held.
func (c *Context) reap(out []Event) (n int, err error) {
	for n < len(out) {
		raw := c.wait.events[:min(len(out)-n, eventsAtOnce)]
		k, err := c.read(raw)
		if k == 0 {
			return n, err
		}
		n += c.finish(raw[:k], out[n:])
	}
	return n, nil
}

// read reads events that are there from the ring, or by system call where there is none that is known.
func (c *Context) read(raw []rawEvent) (int, error) {
	if c.ring.mapped() {
		return c.ring.read(raw), nil
	}
	for tries := eintr.Tries(0); ; {
		n, errno := ioGetevents(c.id, 0, len(raw), c.wait, 0, false)
		if errno != unix.EINTR || !tries.Again() {
			return max(n, 0), errnoError("io_getevents", errno)
		}
	}
}

// waitRound bounds one wait in the kernel, which nothing can end: requests that the wait counted on may turn out to be
// refused by another goroutine's io_submit.
const waitRound = time.Second

// briefWait is how long a wait keeps its processor at first. With many requests in flight the next event mostly comes
// within it. Longer waits tell the runtime, which then wakes other threads to use the processor: that was some four
// futex(2) calls for each wait.
const briefWait = 50 * time.Microsecond

// getEvents is GetEvents, or PGetEvents where blocked is not nil.
func (c *Context) getEvents(least int, out []Event, timeout time.Duration, blocked []unix.Signal) (n int, err error) {
	if err := c.startReaping(); err != nil {
		return 0, err
	}
	defer c.reaping.Unlock()
	if err := checkRange(least, len(out)); err != nil {
		return 0, err
	}
	c.wait.block(blocked)
	brief, interrupted := blocked == nil, 0
	for start := time.Now(); ; brief = false {
		k, err := c.reap(out[n:])
		if n += k; err != nil || n >= least {
			return n, err
		}
		left := waitRound
		if timeout >= 0 {
			if left = timeout - time.Since(start); left <= 0 {
				return n, ErrTimeout
			}
		}
		if c.Stats().InFlight == 0 {
			return n, ErrNoRequests
		}
		raw := c.wait.events[:min(len(out)-n, eventsAtOnce)]
		var errno unix.Errno
		if want := min(least-n, len(raw)); brief {
			k, errno = ioGeteventsBriefly(c.id, want, len(raw), c.wait, min(left, briefWait))
		} else {
			k, errno = ioGetevents(c.id, want, len(raw), c.wait, min(left, waitRound), blocked != nil)
		}
		switch errno {
		case 0:
			interrupted = 0
		case unix.EINTR:
			if interrupted++; interrupted > interruptedMax {
				time.Sleep(time.Millisecond) // A storm of signals does not keep the processor.
			}
		default:
			return n, errnoError(waitCall(blocked), errno)
		}
		n += c.finish(raw[:max(k, 0)], out[n:])
	}
}

func waitCall(blocked []unix.Signal) string {
	if blocked != nil {
		return "io_pgetevents"
	}
	return "io_getevents"
}

// finish ends the requests of events, writes what belongs to one to out, and returns how many did.
func (c *Context) finish(raw []rawEvent, out []Event) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range raw {
		cb := c.find(ID(raw[i].data))
		if cb == nil {
			c.stale++
			continue
		}
		cb.announce()
		out[n] = Event{
			ID: cb.ID(), Res: raw[i].res, Data: cb.data, Data64: cb.data64,
			op: cb.op, canceled: cb.canceled,
		}
		n++
		cb.clear()
		c.free = append(c.free, cb.index)
	}
	c.inFlight -= n
	return n
}

// errnoError is the error of a call, or nil.
func errnoError(call string, errno unix.Errno) error {
	if errno == 0 {
		return nil
	}
	return os.NewSyscallError(call, errno)
}

// ring is the completion ring that the kernel maps at the context's address:
//
//	+--------+---------+---------+-----+-----------+
//	| header | event 0 | event 1 | ... | event nr-1|     head == tail: nothing to read
//	+--------+---------+---------+-----+-----------+
//
// Ownership: the kernel writes the events from head to tail, and tail. Whoever reads events writes head: this package,
// or the kernel in io_getevents, which does so under a lock of its own that user space has no part in. So the two must
// never read at the same time, for which Context.reaping stands.
type ring struct {
	header *ringHeader
	events []rawEvent
}

// openRing finds the ring of a context. The result has no events where the kernel, or what plays its part, does not
// promise the layout that is known here; then events come by system call.
func openRing(ctx uintptr) ring {
	if !mapped(ctx) {
		return ring{}
	}
	// SAFETY: the address was found to be mapped, and stays so until io_destroy. It is no Go memory, which is why the
	// number is read as a pointer instead of being converted to one.
	h := *(**ringHeader)(unsafe.Pointer(&ctx))
	if !h.known() {
		return ring{}
	}
	keepFromChildren(ctx, uintptr(h.headerLength)+uintptr(h.nr)*unsafe.Sizeof(rawEvent{}))
	// SAFETY: a ring that is known has nr events behind its header.
	events := unsafe.Slice((*rawEvent)(unsafe.Add(unsafe.Pointer(h), h.headerLength)), h.nr)
	return ring{header: h, events: events}
}

// known reports whether the header promises the layout of this package.
func (h *ringHeader) known() bool {
	return h.magic == ringMagic && h.compat == ringCompat && h.incompat == 0 &&
		uintptr(h.headerLength) == unsafe.Sizeof(*h) && h.nr > 0
}

// mapped reports whether events can be read without a system call.
func (r ring) mapped() bool { return r.header != nil }

// read copies events that are there to out and gives their room back. The caller is the only reader.
func (r ring) read(out []rawEvent) int {
	// The load of tail comes before those of the events, which the kernel wrote before tail; the store of head comes
	// after them, so that the kernel does not write where they are still read.
	head, tail := atomic.LoadUint32(&r.header.head), atomic.LoadUint32(&r.header.tail)
	size := uint32(len(r.events))
	head, tail = head%size, tail%size
	n := 0
	for ; head != tail && n < len(out); n++ {
		out[n] = r.events[head]
		if head++; head == size {
			head = 0
		}
	}
	if n > 0 {
		atomic.StoreUint32(&r.header.head, head)
	}
	return n
}

// contains reports whether the ring has held the event of that user data, whether or not it was read since. One that
// the kernel is still writing, which is in the slot at the tail, is not there yet.
func (r ring) contains(data uint64) bool {
	for i := range r.events {
		if atomic.LoadUint64(&r.events[i].data) == data {
			return uint32(i) != atomic.LoadUint32(&r.header.tail)%uint32(len(r.events))
		}
	}
	return false
}
