package aio

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/sockring/uring/internal/unix"
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
	defer b.abandon(ErrWouldBlock) // for a callback that panics
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
	if ctx == nil {
		return out[:0], errNilContext
	}
	if err := b.enter(); err != nil {
		return out[:0], err
	}
	defer b.leave()
	out = b.begin(dir, ops, out, false)
	defer b.abandon(ErrWouldBlock)
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

// size is how many bytes there are, or -1 where they are more than an int counts.
func size(bufs [][]byte) (n int) {
	for _, p := range bufs {
		if n += len(p); n < 0 {
			return -1
		}
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
		return invalid("buffers of more bytes than an int can count")
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

// ErrStopped is the error of a Source's or Sink's Next that ends it in order: Done gets nil.
var ErrStopped = errors.New("aio: stopped")

// Source is a socket with bytes to send, as DriveSends wants it.
type Source interface {
	// Socket returns the socket to send on.
	Socket() *Socket

	// Next returns what is to be sent, which must not change until the call that follows: the same bytes again as far
	// as Advance has not counted them. ErrStopped ends the Source in order, any other error with that error.
	Next() (bufs [][]byte, err error)

	// Advance says that n bytes have left, perhaps less than Next has returned.
	Advance(n int)

	// Done says that the Source has ended, and why, or nil where it was stopped. Nothing is called after it.
	Done(err error)

	// WaitWritable says that the socket is full. Drive the Source again when it has room.
	WaitWritable()
}

// Sink is a socket to receive from, as DriveRecvs wants it.
type Sink interface {
	// Socket returns the socket to receive from.
	Socket() *Socket

	// Next returns where to receive, some room at least, which the kernel may write until the call that follows.
	// ErrStopped ends the Sink in order, any other error with that error.
	Next() (bufs [][]byte, err error)

	// Advance says that n bytes were received, at least 1, into the buffers of Next.
	Advance(n int)

	// Done says that the Sink has ended, and why: io.EOF at the end of the stream, or nil where it was stopped. Nothing
	// is called after it.
	Done(err error)

	// WaitReadable says that nothing has arrived. Drive the Sink again when something has.
	WaitReadable()
}

// DriveSends asks every Source for its bytes, sends them all together without waiting, and tells each how that went:
// Done where Next or the socket gave an error, otherwise Advance where anything has left, and WaitWritable where the
// socket took less than everything. What has failed does not concern the others. The methods are called from within
// DriveSends, in the order of the queue; a Source must not call the Batcher, but may write to Senders.
//
// The error is for what concerns no single socket, as that of TrySend. With it each Source that has something to send
// gets Done.
func (b *Batcher) DriveSends(queue []Source) error {
	return drive(b, sending, queue, Source.WaitWritable)
}

// DriveRecvs receives for every Sink as DriveSends sends.
func (b *Batcher) DriveRecvs(queue []Sink) error {
	return drive(b, receiving, queue, Sink.WaitReadable)
}

// driven is what Source and Sink have in common.
type driven interface {
	Socket() *Socket
	Next() ([][]byte, error)
	Advance(n int)
	Done(err error)
}

func drive[D driven](b *Batcher, dir direction, queue []D, wait func(D)) error {
	if slices.ContainsFunc(queue, func(d D) bool { return any(d) == nil }) {
		return invalid("a nil Source or Sink")
	}
	if err := b.enter(); err != nil {
		return err
	}
	defer b.leave()
	defer b.calledBack(b.callBack())
	defer func() {
		clear(b.driven)
		clear(b.drivenResults)
	}()
	b.driven = b.driven[:0]
	for i, d := range queue {
		bufs, err := d.Next()
		switch {
		case errors.Is(err, ErrStopped):
			d.Done(nil)
		case err != nil:
			d.Done(err)
		default:
			b.driven = append(b.driven, Op{Socket: d.Socket(), Bufs: bufs, Token: uint64(i)})
		}
	}
	b.drivenResults = slices.Grow(b.drivenResults[:0], len(b.driven))[:len(b.driven)]
	defer tellAll(b, 0, dir, queue, wait) // also where a Sender's release panics: bytes have left all the same
	_, err := b.attempt(dir, b.driven, b.drivenResults)
	return err
}

// tellAll tells each Source or Sink, from the first-th transfer on, how its transfer went. Where one of them panics,
// the others are told all the same.
func tellAll[D driven](b *Batcher, first int, dir direction, queue []D, wait func(D)) {
	next := first
	defer func() {
		if next < len(b.drivenResults) {
			tellAll(b, next, dir, queue, wait)
		}
	}()
	for next < len(b.drivenResults) {
		r, empty := b.drivenResults[next], len(b.driven[next].Bufs) == 0
		next++
		tell(queue[r.Token], r, dir == receiving && r.N == 0 && !empty, wait)
	}
}

// tell tells one Source or Sink how its transfer went.
func tell[D driven](d D, r Result, end bool, wait func(D)) {
	if r.N > 0 || r.Err == nil && !end {
		d.Advance(r.N)
	}
	switch {
	case r.Err == nil && end:
		d.Done(io.EOF)
	case r.Err == nil:
	case errors.Is(r.Err, ErrWouldBlock):
		wait(d)
	default:
		d.Done(r.Err)
	}
}
