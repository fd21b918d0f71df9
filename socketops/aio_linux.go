package socketops

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/compat_aio"
)

// batchMax is how many transfers one io_submit(2) makes at most.
const batchMax = 128

// aioBatch makes the transfers of many sockets by one io_submit(2). On sockets that do not block Linux AIO completes
// each of them at once, with EAGAIN where the socket is not ready after all: it saves system calls, and does not wait.
type aioBatch struct {
	ctx    *aio.Context
	flags  aio.SocketFlags
	meter  *meter
	reap   reapCall
	lost   bool    // a result did not come, and could still: no more batches are made
	fault  error   // why the last batch was not made as it should, or nil
	ops    []*op   // the batch that is being made
	lanes  []*lane // of ops, which are nobody's here once they are over; mu is held
	iocbs  []*aio.IOCB
	events []aio.Event
}

// reapPatience bounds the wait for results that are there when io_submit(2) returns: lanes are locked meanwhile.
const reapPatience = 10 * time.Second

// reapCall is GetEvents of a Context.
type reapCall func(least int, out []aio.Event, timeout time.Duration) (int, error)

// openAIO makes a reactor that moves what became ready by Linux AIO.
func openAIO(m *meter) (driver, error) {
	ctx, err := aio.NewContext(batchMax)
	if err != nil {
		return nil, err
	}
	flags, err := ctx.SocketFlags()
	if err != nil {
		return nil, errors.Join(err, ctx.Close())
	}
	r, err := newReactor(BackendAIO, m)
	if err != nil {
		return nil, errors.Join(err, ctx.Close())
	}
	r.batch = &aioBatch{
		ctx: ctx, flags: flags, meter: m, reap: ctx.GetEvents,
		iocbs: make([]*aio.IOCB, batchMax), events: make([]aio.Event, batchMax),
	}
	r.start()
	return r, nil
}

// takes reports whether an operation is one that Linux AIO does as the system call would: plain bytes of a stream.
// Where the kernel cannot be told not to wait, a socket that somebody has made blocking is served by the system call.
func (b *aioBatch) takes(o *op) bool {
	plain := o.kind == opRecv || o.kind == opSend
	return plain && o.flags == 0 && !o.peek && o.msg.stream && len(b.ops) < batchMax &&
		(b.flags.NoWait() || !blocks(o.handle.fd))
}

// add has an operation be part of the batch, whose lane stays locked until move.
func (b *aioBatch) add(o *op) {
	b.ops, b.lanes = append(b.ops, o), append(b.lanes, o.lane)
}

// move makes the transfers of the batch, and goes on with each operation as its result says. For one, and where AIO has
// failed, the system call does.
func (b *aioBatch) move() {
	if len(b.ops) == 0 {
		return
	}
	before := b.fault
	if len(b.ops) == 1 || b.lost || !b.submit() {
		for _, o := range b.ops {
			o.lane.retry(o)
		}
	}
	for _, l := range b.lanes {
		l.mu.Unlock()
	}
	clear(b.ops)
	clear(b.lanes)
	b.ops, b.lanes = b.ops[:0], b.lanes[:0]
	if before == nil && b.fault != nil { // told once, and when no lane is locked
		b.meter.degraded("io_submit failed, system calls are made instead", "error", b.fault)
	}
}

// submit makes the transfers. It reports false where none was made, and each operation is as it was.
func (b *aioBatch) submit() bool {
	iocbs := b.iocbs[:len(b.ops)]
	if b.fault = b.prepare(iocbs); b.fault != nil {
		return false
	}
	taken, err := b.ctx.Submit(iocbs...)
	b.meter.batched(taken)
	got, lost := b.reap(taken, b.events[:max(taken, 1)], reapPatience)
	for _, e := range b.events[:got] {
		o := b.ops[e.Data64]
		b.ops[e.Data64] = nil
		switch o.take(int(e.Res)) {
		case opDone:
			o.lane.over(o)
		case opAgain:
			o.lane.retry(o)
		}
	}
	for i, o := range b.ops[taken:] { // io_submit did not take them: the system call says why
		err = errors.Join(err, iocbs[taken+i].Release())
		o.lane.retry(o)
	}
	if lost != nil {
		b.lose(b.ops[:taken], lost)
	}
	b.fault = errors.Join(err, lost)
	return true
}

// lose ends the operations whose results did not come: they were made, and how far is not known, so that to make them
// again could send bytes twice, or pass over some that were received. The results may come when others are waited for,
// which is why no other batch is made.
func (b *aioBatch) lose(ops []*op, reason error) {
	b.lost = true
	for _, o := range ops {
		if o != nil {
			o.err = fmt.Errorf("the result of io_submit is lost: %w", reason)
			o.lane.over(o)
		}
	}
}

// prepare makes a request of each operation, or of none.
func (b *aioBatch) prepare(iocbs []*aio.IOCB) error {
	if n, err := b.ctx.IOCBs(iocbs); err != nil || n < len(iocbs) {
		return errors.Join(err, release(iocbs[:n]), unix.EAGAIN)
	}
	for i, o := range b.ops {
		if err := b.fill(iocbs[i], o); err != nil {
			return errors.Join(err, release(iocbs))
		}
		iocbs[i].SetData64(uint64(i))
		o.lane.event = false
	}
	return nil
}

func (b *aioBatch) fill(cb *aio.IOCB, o *op) error {
	if o.kind == opRecv {
		return errors.Join(cb.PrepPread(o.handle.fd, o.msg.rest(), 0), cb.SetRWFlags(b.flags.Recv))
	}
	return errors.Join(cb.PrepPwrite(o.handle.fd, o.msg.rest(), 0), cb.SetRWFlags(b.flags.Send))
}

func release(iocbs []*aio.IOCB) error {
	var errs []error
	for _, cb := range iocbs {
		errs = append(errs, cb.Release())
	}
	return errors.Join(errs...)
}
