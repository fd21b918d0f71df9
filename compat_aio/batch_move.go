package aio

import (
	"errors"

	"golang.org/x/sys/unix"
)

// RWF_ flags of <linux/fs.h>.
const (
	rwfNowait   = 0x8   // EAGAIN instead of waiting; on sockets since 6.5
	rwfNosignal = 0x100 // EPIPE without SIGPIPE; since 6.18
)

// contextMover attempts the transfers of many sockets by one io_submit(2).
type contextMover struct {
	ctx     *Context
	flags   [directions]uint32 // RWF_ flags that this kernel takes for sockets
	iocbs   []*IOCB            // scratch
	events  []Event            // scratch
	scratch [][]byte
}

func newContextMover(slots int, opts ...Option) (*contextMover, error) {
	ctx, err := NewContext(slots, opts...)
	if err != nil {
		return nil, err
	}
	m := &contextMover{
		ctx:   ctx,
		iocbs: make([]*IOCB, slots), events: make([]Event, slots), scratch: make([][]byte, 0, vectorsMax),
	}
	if err := m.probe(); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

// probe finds out what the kernel can be told about transfers on sockets, by trying.
func (m *contextMover) probe() error {
	fds, err := probePair()
	if err != nil {
		return err
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	for _, flag := range []uint32{rwfNowait, rwfNosignal} {
		ok, err := m.takes(fds[0], flag)
		if err != nil {
			return err
		}
		if ok {
			m.flags[sending] |= flag
		}
	}
	m.flags[receiving] = m.flags[sending] & rwfNowait
	return nil
}

// takes reports whether a byte can be sent on a socket with an RWF_ flag.
func (m *contextMover) takes(fd int, flag uint32) (bool, error) {
	cb, err := m.ctx.IOCB()
	if err != nil {
		return false, err
	}
	if err := errors.Join(cb.PrepPwrite(fd, []byte{0}, 0), cb.SetRWFlags(flag)); err != nil {
		return false, errors.Join(err, cb.Release())
	}
	switch n, err := m.ctx.Submit(cb); {
	case n == 0 && (errors.Is(err, unix.EOPNOTSUPP) || errors.Is(err, unix.EINVAL)): // EINVAL: before 4.13
		return false, cb.Release()
	case n == 0:
		return false, errors.Join(err, cb.Release())
	}
	if _, err := m.ctx.GetEvents(1, m.events[:1], -1); err != nil {
		return false, err
	}
	return m.events[0].Res == 1, nil
}

func (m *contextMover) slots() int { return len(m.iocbs) }

func (m *contextMover) close() error { return m.ctx.Close() }

// move hands the window to the kernel. Where it refuses a transfer, that one has the errno for its result and the next
// are handed in behind it.
func (m *contextMover) move(window []*task) (int, error) {
	prepared, err := m.prepare(window)
	call := m.howToSubmit(window)
	for done := 0; done < prepared; {
		n, refusal := m.ctx.submitBy(call, m.iocbs[done:prepared])
		if err := m.collect(window, n); err != nil {
			return done, errors.Join(err, m.release(m.iocbs[done+n:prepared]))
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
	if m.flags[receiving]&rwfNowait == 0 || len(window) > briefTransfersMax || bytes > briefBytesMax {
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
	got, err := m.ctx.GetEvents(n, m.events[:n], -1)
	deliver(window, m.events[:got])
	return err
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
