package aio

import (
	"context"
	"os"
	"time"

	"golang.org/x/sys/unix"
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
	if c.closed {
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
	for {
		n, errno := ioGetevents(c.id, 0, len(raw), c.wait, 0, false)
		if errno != unix.EINTR {
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
	brief := blocked == nil
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
		if errno != 0 && errno != unix.EINTR {
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
