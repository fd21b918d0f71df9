package aio

import (
	"context"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// ErrWouldBlock is the result of a transfer that was tried and found its socket not ready to do all of it. It is
// unix.EAGAIN.
var ErrWouldBlock error = &sentinelError{"aio: socket is not ready", []error{unix.EAGAIN}}

// Op is one transfer of a batch.
type Op struct {
	Socket *Socket
	Bufs   [][]byte // what to send, or where to receive; the Batcher's during the call
	Token  uint64   // comes back in the Result
}

// Result is how one transfer of a batch ended.
type Result struct {
	Token uint64
	N     int   // bytes transferred, whether or not there is an error
	Err   error // nil where the transfer is complete; a kernel result is an *os.SyscallError around a unix.Errno
}

// TrySend sends what the sockets take now, without waiting: with results that have the indexes of ops, in out's memory
// where that is enough. A transfer that did not send everything has an Err, ErrWouldBlock where its socket was full;
// those behind it on the same socket have the same Err and were not attempted.
//
// The error of TrySend itself is for what concerns no single socket: ErrBusy, ErrClosed, or AIO being refused. With it
// come the results so far; transfers that were not attempted have it too.
func (b *Batcher) TrySend(ops []Op, out []Result) ([]Result, error) {
	return b.try(sending, ops, out)
}

// TryRecv receives what is there now, without waiting, as TrySend sends. A transfer is complete when it has received
// anything: N is up to what its buffers hold, and N 0 without an Err is the end of the stream. Buffers without any
// room are ErrInvalid. At most 1024 buffers are filled.
func (b *Batcher) TryRecv(ops []Op, out []Result) ([]Result, error) {
	return b.try(receiving, ops, out)
}

// Send sends everything, and waits for room in the sockets until ctx ends. Results and errors are those of TrySend;
// where ctx ends the transfers that are not complete have its error, which Send returns too, and N says how far they
// came. The other transfers go on when one fails.
func (b *Batcher) Send(ctx context.Context, ops []Op, out []Result) ([]Result, error) {
	return b.complete(ctx, sending, ops, out)
}

// Recv receives at least one byte, or the end of the stream, for each transfer, and waits for it until ctx ends.
// Results and errors are those of TryRecv and Send.
func (b *Batcher) Recv(ctx context.Context, ops []Op, out []Result) ([]Result, error) {
	return b.complete(ctx, receiving, ops, out)
}

func (b *Batcher) try(dir direction, ops []Op, out []Result) ([]Result, error) {
	if err := b.enter(); err != nil {
		return out[:0], err
	}
	defer b.leave()
	return b.attempt(dir, ops, out)
}

// attempt is try for who has entered.
func (b *Batcher) attempt(dir direction, ops []Op, out []Result) ([]Result, error) {
	out = b.begin(dir, ops, out, true)
	defer b.abandon(nil) // for a callback that panics
	for b.open > 0 {
		err := b.round()
		if err == nil && b.starved > 0 {
			b.abandon(ErrInsufficientResources)
		}
		if err != nil {
			b.abandon(err)
			return out, err
		}
	}
	return out, nil
}

func (b *Batcher) complete(ctx context.Context, dir direction, ops []Op, out []Result) ([]Result, error) {
	if err := b.enter(); err != nil {
		return out[:0], err
	}
	defer b.leave()
	out = b.begin(dir, ops, out, false)
	defer b.abandon(nil)
	err := b.await(ctx, time.Time{}, (*opsDone)(b))
	if err != nil {
		b.abandon(err)
	}
	return out, err
}

// opsDone waits until the transfers of the call have their results.
type opsDone Batcher

func (b *opsDone) settled() bool { return b.open == 0 }

// begin queues the transfers of a call.
func (b *Batcher) begin(dir direction, ops []Op, out []Result, trying bool) []Result {
	out = slices.Grow(out[:0], len(ops))[:len(ops)]
	b.transfers = slices.Grow(b.transfers[:0], len(ops))[:len(ops)]
	b.results, b.open, b.trying = out, len(ops), trying
	for i := range ops {
		out[i] = Result{Token: ops[i].Token}
		t := &b.transfers[i]
		*t = task{socket: ops[i].Socket, dir: dir, bufs: ops[i].Bufs, index: i}
		t.left = size(t.bufs)
		if err := b.admit(t); err != nil {
			out[i].Err = err
			t.over = true
			b.open--
			continue
		}
		lane := t.lane()
		if lane.last == nil {
			lane.last = t
			b.attemptNext(t)
		} else {
			lane.last.next, lane.last = t, t
		}
	}
	return out
}

// size is how many bytes there are.
func size(bufs [][]byte) (n int) {
	for _, p := range bufs {
		n += len(p)
	}
	return n
}

// admit says why a transfer cannot be made, as far as that shows before it is attempted.
func (b *Batcher) admit(t *task) error {
	switch s := t.socket; {
	case s == nil || s.batcher != b:
		return invalid("not a Socket of this Batcher")
	case s.closed:
		return ErrClosed
	case t.dir == sending && s.sender != nil:
		return errHasSender
	case t.left < 0:
		return invalid("buffers of more than 2^63 bytes")
	case t.dir == receiving && t.left == 0:
		return errNoRoom
	}
	return nil
}

var (
	errHasSender error = &sentinelError{"aio: a Sender has the socket to itself", []error{ErrBusy}}
	errNoRoom    error = &sentinelError{"aio: no room to receive into", []error{ErrInvalid}}
)

// abandon ends the transfers of the call that have no result yet, with err, and the Batcher forgets what the call
// named.
func (b *Batcher) abandon(err error) {
	for i := range b.transfers {
		t := &b.transfers[i]
		if t.over {
			continue
		}
		if lane := t.lane(); lane.waiting == t {
			lane.waiting = nil
			b.waiting--
		}
		t.lane().last = nil
		b.results[t.index].N, b.results[t.index].Err = t.n, err
	}
	if b.open > 0 {
		b.todo = slices.DeleteFunc(b.todo, func(t *task) bool { return t.sender == nil })
		b.open = 0
	}
	clear(b.transfers)
	b.transfers, b.results = b.transfers[:0], nil
}

// done gives a transfer its result. Those behind it on its socket get the same error, or their turn.
func (b *Batcher) done(t *task, err error) {
	for {
		if t.over {
			panic(fmt.Sprintf("aio: transfer %d of a batch has ended twice", t.index))
		}
		b.results[t.index].N, b.results[t.index].Err = t.n, err
		t.over = true
		b.open--
		next, lane := t.next, t.lane()
		switch {
		case next == nil:
			lane.last = nil
			return
		case err == nil:
			b.attemptNext(next)
			return
		}
		t = next
	}
}

// attemptNext gives a transfer its turn. Where there is nothing to do for it that is over at once.
func (b *Batcher) attemptNext(t *task) {
	if t.left == 0 {
		b.done(t, nil)
		return
	}
	b.todo = append(b.todo, t)
}
