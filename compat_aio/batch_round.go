package aio

import (
	"context"
	"io"
	"os"
	"time"

	"golang.org/x/sys/unix"
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
	defer clear(now)
	for i := 0; i < len(now); {
		last := min(len(now), i+b.mover.slots())
		n, err := b.move(now[i:last])
		i += n
		if err != nil || i < last {
			b.todo = append(b.todo, now[i:]...)
			b.noteStarved(n == 0 && err == nil)
			if err != nil || b.starved > 0 {
				return err
			}
			return nil
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

// move attempts one window of transfers and ends those that have a result.
func (b *Batcher) move(window []*task) (int, error) {
	for _, t := range window {
		if t.sender != nil {
			t.sender.load()
		}
	}
	b.stats.Submits++
	n, err := b.mover.move(window)
	b.stats.Transfers += uint64(n)
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

// finish decides what follows an attempt of an Op.
func (b *Batcher) finish(t *task) {
	if t.res > 0 {
		t.advance(int(t.res))
	}
	switch errno := t.errno(); {
	case errno == unix.EINTR:
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
