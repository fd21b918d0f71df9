package aio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/sockring/uring/internal/eintr"
	"github.com/sockring/uring/internal/unix"
)

// task is a send or receive of one socket on its way, of an Op or of a Sender.
type task struct {
	socket *Socket
	dir    direction
	sender *Sender // whose request it is, or nil
	index  int     // of the Op
	over   bool    // it has its result
	next   *task

	bufs        [][]byte
	first, skip int // bufs[first][skip:] is what comes next
	left        int // bytes
	n           int // bytes transferred

	asked int    // bytes that the attempt is about
	res   int64  // its result: bytes, or a negative errno
	call  string // what gave the result

	tries eintr.Tries // that a signal ended, one after the other
}

// transferMax is what the kernel transfers at most in one go: MAX_RW_COUNT.
const transferMax = 0x7ffff000

func (t *task) lane() *lane { return &t.socket.lanes[t.dir] }

// pieces returns what the next attempt is about, as many buffers as the kernel takes: the buffers themselves, or what
// is left of them, in scratch.
func (t *task) pieces(scratch *[][]byte) [][]byte {
	out := (*scratch)[:0]
	if t.first == 0 && t.skip == 0 && len(t.bufs) <= vectorsMax {
		*scratch = out
		t.asked = min(t.left, transferMax)
		return t.bufs
	}
	t.asked = 0
	skip := t.skip
	for _, p := range t.bufs[t.first:] {
		if p = p[skip:]; len(p) > 0 {
			out = append(out, p)
			t.asked += len(p)
		}
		if skip = 0; len(out) == vectorsMax {
			break
		}
	}
	t.asked = min(t.asked, transferMax)
	*scratch = out
	return out
}

// advance notes that n bytes were transferred.
func (t *task) advance(n int) {
	t.n += n
	t.left -= n
	if t.left == 0 {
		return // nobody asks for pieces any more
	}
	for n > 0 {
		rest := len(t.bufs[t.first]) - t.skip
		if n < rest {
			t.skip += n
			return
		}
		n -= rest
		t.first, t.skip = t.first+1, 0
	}
}

// errno returns the errno of the attempt, or 0.
func (t *task) errno() unix.Errno {
	if t.res < 0 {
		return unix.Errno(-t.res)
	}
	return 0
}

// mover attempts transfers.
type mover interface {
	// slots is how many transfers are attempted at a time.
	slots() int

	// move attempts transfers, in order, and returns how many of them have a result now. When not all have one, the
	// error says why no socket can be served, or is nil where the kernel is out of room at the moment.
	move(window []*task) (int, error)

	close() error
}

// round attempts every transfer that is ready once, in as few submissions as there are slots for. An error concerns
// all of them; those that were not attempted stay ready.
func (b *Batcher) round() error {
	now := b.todo
	b.todo, b.doing = b.doing[:0], now
	attempted := 0
	defer func() {
		b.todo = append(b.todo, now[attempted:]...) // also where a callback panics
		clear(now)
	}()
	for attempted < len(now) {
		window := now[attempted:min(len(now), attempted+b.mover.slots())]
		n, err := b.move(window, &attempted)
		if err != nil || n < len(window) {
			b.noteStarved(n == 0 && err == nil)
			return err
		}
		b.noteStarved(false)
	}
	return nil
}

// noteStarved counts how often in a row nothing could be attempted for lack of room.
func (b *Batcher) noteStarved(starved bool) {
	if starved {
		b.starved++
	} else {
		b.starved = 0
	}
}

// move attempts one window of transfers, counts them as attempted, and ends those that have a result.
func (b *Batcher) move(window []*task, attempted *int) (int, error) {
	for _, t := range window {
		if t.sender != nil {
			t.sender.load()
		}
	}
	b.stats.Submits++
	n, err := b.mover.move(window)
	b.stats.Transfers += uint64(n)
	*attempted += n
	for _, t := range window[n:] {
		if t.sender != nil {
			t.sender.unload()
		}
	}
	b.settle(window[:n])
	return n, err
}

// settle decides what follows the attempts of transfers, each of which has a result.
func (b *Batcher) settle(window []*task) {
	next := 0
	defer func() {
		if next < len(window) { // A callback panics, and the bytes of the others have left all the same.
			b.settle(window[next:])
		}
	}()
	for next < len(window) {
		t := window[next]
		next++
		if t.sender != nil {
			t.sender.sent()
		} else {
			b.finish(t)
		}
	}
}

// interrupted reports whether a signal has ended the attempt, which is to be made again then.
func (t *task) interrupted() bool {
	if t.errno() != unix.EINTR {
		t.tries = 0
		return false
	}
	return t.tries.Again()
}

// finish decides what follows an attempt of an Op.
func (b *Batcher) finish(t *task) {
	if t.res > 0 {
		t.advance(int(t.res))
	}
	switch errno := t.errno(); {
	case t.interrupted():
		b.todo = append(b.todo, t)
	case errno == unix.EAGAIN && !b.trying:
		if err := b.waitFor(t); err != nil {
			b.done(t, err)
		}
	case errno == unix.EAGAIN:
		b.done(t, ErrWouldBlock)
	case errno != 0:
		b.done(t, os.NewSyscallError(t.call, errno))
	case t.dir == receiving || t.left == 0:
		b.done(t, nil)
	case t.res == 0:
		b.done(t, io.ErrNoProgress)
	case b.trying && t.res < int64(t.asked):
		b.done(t, ErrWouldBlock)
	default:
		b.todo = append(b.todo, t)
	}
}

// waitFor has a transfer wait until its socket is ready.
func (b *Batcher) waitFor(t *task) error {
	if err := b.watch(t.socket); err != nil {
		return err
	}
	t.lane().waiting = t
	b.waiting++
	return nil
}

// becameReady has the transfer that waits for a direction of a socket, if any, attempted again.
func (b *Batcher) becameReady(s *Socket, dir direction) {
	lane := &s.lanes[dir]
	if t := lane.waiting; t != nil {
		lane.waiting = nil
		b.waiting--
		b.todo = append(b.todo, t)
		if t.sender != nil {
			t.sender.listed = true
		}
	}
}

// settler says when a wait is over.
type settler interface{ settled() bool }

// await makes rounds until w is settled, ctx ends, the deadline (if any) has passed or the Batcher is being closed.
func (b *Batcher) await(ctx context.Context, deadline time.Time, w settler) error {
	for {
		switch err := ctx.Err(); {
		case err != nil:
			return err
		case b.closing.Load():
			return ErrClosed
		case !deadline.IsZero() && !time.Now().Before(deadline):
			return ErrTimeout
		}
		if err := b.round(); err != nil {
			return err
		}
		if w.settled() {
			return nil
		}
		if err := b.pause(ctx, deadline); err != nil {
			return err
		}
	}
}

// A kernel that is out of room is asked again after starvedPauseMin, then after twice that time, and so on.
const (
	starvedPauseMin = time.Millisecond
	starvedPauseMax = 100 * time.Millisecond
)

// pause waits until something can be attempted.
func (b *Batcher) pause(ctx context.Context, deadline time.Time) error {
	switch {
	case b.starved > 0:
		wait := min(starvedPauseMin<<min(b.starved-1, 10), starvedPauseMax)
		if until := time.Now().Add(wait); deadline.IsZero() || until.Before(deadline) {
			deadline = until
		}
		return b.sleep(ctx, deadline)
	case len(b.todo) > 0:
		return b.lookAtSockets()
	case b.waiting == 0:
		return ErrNoRequests
	}
	b.stats.Waits++
	return b.sleep(ctx, deadline)
}

// RWF_ flags of <linux/fs.h>.
const (
	rwfNowait   = 0x8   // EAGAIN instead of waiting; on sockets since 6.5
	rwfNosignal = 0x100 // EPIPE without SIGPIPE; since 6.18
)

// SocketFlags are the RWF_ flags that make a transfer on a socket one that neither waits nor raises a signal, whatever
// the mode of its descriptor: O_NONBLOCK belongs to the open file description, which other processes can have and
// change at any time. See Context.SocketFlags.
type SocketFlags struct{ Send, Recv uint32 }

// NoWait reports whether transfers with these flags do not wait on a socket that blocks. Where they could, look at the
// descriptor's mode before each submission.
func (f SocketFlags) NoWait() bool { return f.Recv&rwfNowait != 0 }

// SocketFlags finds out what the kernel can be told about transfers on sockets, by trying each flag once:
// RWF_NOWAIT (since 6.5) and RWF_NOSIGNAL (since 6.18). IOCB.SetRWFlags takes what it returns.
func (c *Context) SocketFlags() (SocketFlags, error) {
	var f SocketFlags
	fds, err := probePair()
	if err != nil {
		return f, err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	for _, flag := range []uint32{rwfNowait, rwfNosignal} {
		ok, err := c.takesOnSocket(fds[0], flag)
		if err != nil {
			return f, err
		}
		if ok {
			f.Send |= flag
		}
	}
	f.Recv = f.Send & rwfNowait
	return f, nil
}

// takesOnSocket reports whether a byte can be sent on a socket with an RWF_ flag.
func (c *Context) takesOnSocket(fd int, flag uint32) (bool, error) {
	cb, err := c.IOCB()
	if err != nil {
		return false, err
	}
	if err := errors.Join(cb.PrepPwrite(fd, []byte{0}, 0), cb.SetRWFlags(flag)); err != nil {
		return false, errors.Join(err, cb.Release())
	}
	switch n, err := c.Submit(cb); {
	case n == 0 && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)): // EINVAL: before 4.13
		return false, cb.Release()
	case n == 0:
		return false, errors.Join(err, cb.Release())
	}
	var events [1]Event
	if _, err := c.GetEvents(1, events[:], trialPatience); err != nil {
		return false, err
	}
	return events[0].Res == 1, nil
}

// contextMover attempts the transfers of many sockets by one io_submit(2).
type contextMover struct {
	ctx     *Context
	calls   *callMover // for windows with a socket that blocks, where the kernel cannot be told not to wait
	await   awaitCall
	lost    error              // why results did not come, which could still: nothing is attempted any more
	flags   [directions]uint32 // RWF_ flags that this kernel takes for sockets
	iocbs   []*IOCB            // scratch
	events  []Event            // scratch
	scratch [][]byte
}

// awaitCall is GetEvents of a Context.
type awaitCall func(least int, out []Event, timeout time.Duration) (int, error)

// collectPatience bounds the wait for results that are there when io_submit(2) returns.
const collectPatience = 10 * time.Second

func newContextMover(slots int, opts ...Option) (*contextMover, error) {
	ctx, err := NewContext(slots, opts...)
	if err != nil {
		return nil, err
	}
	m := &contextMover{
		ctx: ctx, calls: newCallMover(slots), await: ctx.GetEvents,
		iocbs: make([]*IOCB, slots), events: make([]Event, slots), scratch: make([][]byte, 0, vectorsMax),
	}
	flags, err := ctx.SocketFlags()
	if err != nil {
		return nil, errors.Join(err, m.close())
	}
	m.flags = [directions]uint32{sending: flags.Send, receiving: flags.Recv}
	return m, nil
}

// noWait reports whether the kernel can be told not to wait on sockets.
func (m *contextMover) noWait() bool { return m.flags[receiving]&rwfNowait != 0 }

// couldBlock reports whether a transfer of the window could block in io_submit(2): somebody has made its socket so.
func (m *contextMover) couldBlock(window []*task) bool {
	if m.noWait() {
		return false
	}
	for _, t := range window {
		if nonBlocking(t.socket.fd) != nil {
			return true
		}
	}
	return false
}

func (m *contextMover) slots() int { return len(m.iocbs) }

// close gives the context back, with events that could not be read.
func (m *contextMover) close() error {
	if m.lost != nil {
		return m.ctx.Close() // which keeps what the kernel could still have
	}
	return m.ctx.abandon()
}

// move hands the window to the kernel. Where it refuses a transfer, that one has the errno for its result and the next
// are handed in behind it.
func (m *contextMover) move(window []*task) (int, error) {
	if m.lost != nil {
		return 0, m.lost
	}
	if m.couldBlock(window) {
		return m.calls.move(window)
	}
	prepared, err := m.prepare(window)
	call := m.howToSubmit(window)
	for done := 0; done < prepared; {
		n, refusal := m.ctx.submitBy(call, m.iocbs[done:prepared])
		if err := m.collect(window, n); err != nil {
			m.lose(window[done:done+n], err)
			return done + n, errors.Join(m.lost, m.release(m.iocbs[done+n:prepared]))
		}
		done += n
		switch {
		case refusal == nil:
		case errors.Is(refusal, ErrInsufficientResources) && n > 0:
			// What was in the kernel's way has been collected.
		case errors.Is(refusal, ErrInsufficientResources):
			return done, m.release(m.iocbs[done:prepared])
		case errors.Is(refusal, unix.EPERM), errors.Is(refusal, unix.ENOSYS), errors.Is(refusal, ErrClosed):
			return done, errors.Join(refusal, m.release(m.iocbs[done:prepared]))
		default:
			if err := m.refuse(window[done], m.iocbs[done], refusal); err != nil {
				return done, errors.Join(err, m.release(m.iocbs[done:prepared]))
			}
			done++
		}
	}
	return prepared, err
}

// A submission of so few transfers and bytes takes some hundred microseconds at most.
const (
	briefTransfersMax = 256
	briefBytesMax     = 512 << 10
)

// howToSubmit returns the call for the transfers of a window. Where there is little to do, and RWF_NOWAIT makes sure
// that none of them waits, the runtime is not told of it: handing the processor over and back would cost more than the
// call, and wakes threads that take the processor from the peer on machines with few of them.
func (m *contextMover) howToSubmit(window []*task) submitCall {
	bytes := 0
	for _, t := range window {
		bytes += t.asked
	}
	if !m.noWait() || len(window) > briefTransfersMax || bytes > briefBytesMax {
		return ioSubmit
	}
	return ioSubmitBriefly
}

// prepare fills an IOCB for each transfer, and returns for how many.
func (m *contextMover) prepare(window []*task) (int, error) {
	n, err := m.ctx.IOCBs(m.iocbs[:len(window)])
	if err != nil {
		return 0, err
	}
	for i, t := range window[:n] {
		if err := m.fill(m.iocbs[i], t); err != nil {
			return i, errors.Join(err, m.release(m.iocbs[i:n]))
		}
		m.iocbs[i].SetData64(uint64(i))
		t.call = ""
	}
	return n, nil
}

func (m *contextMover) fill(cb *IOCB, t *task) error {
	pieces := t.pieces(&m.scratch)
	var err error
	if t.dir == sending {
		err = cb.PrepPwritev(t.socket.fd, pieces, 0)
	} else {
		err = cb.PrepPreadv(t.socket.fd, pieces, 0)
	}
	clear(m.scratch)
	if err != nil {
		return err
	}
	return cb.SetRWFlags(m.flags[t.dir])
}

// collect waits for n events. They are there: the transfers do not wait in the kernel.
func (m *contextMover) collect(window []*task, n int) error {
	got, err := m.await(n, m.events[:n], collectPatience)
	deliver(window, m.events[:got])
	return err
}

// lose ends transfers that the kernel has, and whose results did not come: how far they came is not known, so that to
// make them again could send bytes twice. Their requests keep their memory, and nothing is attempted any more.
func (m *contextMover) lose(window []*task, reason error) {
	m.lost = fmt.Errorf("aio: results of io_submit are lost: %w", reason)
	for _, t := range window {
		if t.call == "" {
			t.res, t.call = -int64(unix.EIO), "io_getevents"
		}
	}
}

// deliver gives the results of events to the transfers that they name, whatever the order they come in.
func deliver(window []*task, events []Event) {
	for i := range events {
		e := &events[i]
		t := window[e.Data64]
		t.res, t.call = e.Res, e.op.String()
	}
}

// refuse gives a transfer the errno that io_submit(2) had for it.
func (m *contextMover) refuse(t *task, cb *IOCB, refusal error) error {
	var errno unix.Errno
	if !errors.As(refusal, &errno) {
		return refusal
	}
	t.res, t.call = -int64(errno), "io_submit"
	return cb.Release()
}

func (m *contextMover) release(iocbs []*IOCB) error {
	var errs []error
	for _, cb := range iocbs {
		errs = append(errs, cb.Release())
	}
	return errors.Join(errs...)
}
