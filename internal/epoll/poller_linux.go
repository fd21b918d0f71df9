package epoll

import (
	"errors"
	"iter"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/eintr"
)

// most is how many events are taken at a time.
const most = 128

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// Poller is an epoll instance. One goroutine at a time may wait or look and read what was found; all else may be
// called from anywhere.
type Poller struct {
	file   *os.File
	fd     int
	conn   syscall.RawConn
	poll   func(fd uintptr) bool // ask, made once so that waiting does not allocate
	closed atomic.Bool

	events [most]unix.EpollEvent
	n      int // of events that the last Wait or Look has found
	err    error
}

// New makes an epoll instance. The name is what errors of package os call it.
func New(name string) (*Poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // That has the runtime's poller wait for it.
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(fd))
	}
	p := &Poller{file: os.NewFile(uintptr(fd), name), fd: fd}
	p.poll = p.ask
	if p.conn, err = p.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, p.file.Close())
	}
	return p, nil
}

// Add has both directions of a descriptor reported as name from now on, edge-triggered: one that gave EAGAIN is
// reported when that changes, and when it has changed before Add.
func (p *Poller) Add(fd int, name int32) error {
	return p.add(fd, unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET, Fd: name})
}

// AddPoll has events of poll(2) reported for as long as the descriptor has them.
func (p *Poller) AddPoll(fd int, events int16) error { // whose numbers are those of epoll_ctl(2)
	return p.add(fd, unix.EpollEvent{Events: uint32(events)})
}

func (p *Poller) add(fd int, event unix.EpollEvent) error {
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(p.fd, unix.EPOLL_CTL_ADD, fd, &event))
}

// Remove ends the reports. A descriptor whose file was closed has ended them itself.
func (p *Poller) Remove(fd int) { _ = unix.EpollCtl(p.fd, unix.EPOLL_CTL_DEL, fd, nil) }

// Arm sets when the next Wait ends; the zero time means never. A Wake after it is not lost.
func (p *Poller) Arm(deadline time.Time) error { return p.file.SetReadDeadline(deadline) }

// Wake ends the Wait that was armed for, or the next. It does nothing once the Poller is closed.
func (p *Poller) Wake() { _ = p.file.SetReadDeadline(longAgo) }

// Wait waits for events. It finds none when the time that Arm has set or Wake has ended it. Once the Poller is closed
// the error is os.ErrClosed.
func (p *Poller) Wait() error {
	p.n, p.err = 0, nil
	switch err := p.conn.Read(p.poll); {
	case err == nil:
		return p.err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil
	case p.closed.Load():
		return os.ErrClosed
	default:
		return err
	}
}

// Look is Wait without waiting.
func (p *Poller) Look() error {
	p.n, p.err = 0, nil
	p.ask(uintptr(p.fd))
	return p.err
}

// ask asks the kernel for events, and reports whether there is anything to tell.
func (p *Poller) ask(fd uintptr) bool {
	for tries := eintr.Tries(0); ; {
		n, err := unix.EpollWait(int(fd), p.events[:], 0)
		if err == unix.EINTR && tries.Again() {
			continue
		}
		p.n, p.err = max(n, 0), os.NewSyscallError("epoll_wait", err)
		return n != 0
	}
}

// Any reports whether the last Wait or Look has found something.
func (p *Poller) Any() bool { return p.n > 0 }

// Found iterates over what the last Wait or Look has found.
func (p *Poller) Found() iter.Seq[Event] {
	return func(yield func(Event) bool) {
		for _, e := range p.events[:p.n] {
			if !yield(Event{e}) {
				return
			}
		}
	}
}

// Close ends a Wait, and gives the descriptor back.
func (p *Poller) Close() error {
	p.closed.Store(true)
	return p.file.Close()
}

// Event is what became of one descriptor.
type Event struct{ e unix.EpollEvent }

// Name returns what the descriptor was added as.
func (e Event) Name() int32 { return e.e.Fd }

// failed are the events of a descriptor that has failed or was hung up: the next attempt in either direction says so.
const failed = unix.EPOLLERR | unix.EPOLLHUP

// CanSend reports whether an attempt to send has something to tell.
func (e Event) CanSend() bool { return e.e.Events&(unix.EPOLLOUT|failed) != 0 }

// CanReceive reports whether an attempt to receive has something to tell.
func (e Event) CanReceive() bool { return e.e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|failed) != 0 }
