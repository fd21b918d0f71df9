package aio

import (
	"errors"
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// readiness says which sockets became ready. It is an epoll instance that the runtime's poller waits for, so that many
// sockets are waited for without holding a thread. Sockets are added once, edge-triggered: one that gave EAGAIN is
// reported when that changes, and when it changed before it was added.
type readiness struct {
	file *os.File
	fd   int
	conn syscall.RawConn
	poll func(fd uintptr) bool // pollOnce, made once

	events [128]unix.EpollEvent
	n      int // of events that the last look or wait has found
	err    error
}

// readyEvent is what became of one socket.
type readyEvent struct{ unix.EpollEvent }

// name returns what the socket was added as.
func (e readyEvent) name() int { return int(e.Fd) }

// What is not ready, but has failed or was hung up, says so to the next attempt.
const readyAnyway = unix.EPOLLERR | unix.EPOLLHUP

func (e readyEvent) canSend() bool { return e.Events&(unix.EPOLLOUT|readyAnyway) != 0 }

func (e readyEvent) canReceive() bool {
	return e.Events&(unix.EPOLLIN|unix.EPOLLRDHUP|readyAnyway) != 0
}

func newReadiness() (*readiness, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil { // That has the runtime's poller wait for it.
		return nil, errors.Join(os.NewSyscallError("fcntl", err), unix.Close(fd))
	}
	r := &readiness{file: os.NewFile(uintptr(fd), "aio readiness"), fd: fd}
	r.poll = r.pollOnce
	if r.conn, err = r.file.SyscallConn(); err != nil {
		return nil, errors.Join(err, r.file.Close())
	}
	return r, nil
}

// add has the socket reported from now on, as name.
func (r *readiness) add(fd, name int) error {
	event := unix.EpollEvent{
		Events: unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET,
		Fd:     int32(name),
	}
	return os.NewSyscallError("epoll_ctl", unix.EpollCtl(r.fd, unix.EPOLL_CTL_ADD, fd, &event))
}

// remove ends the reports. A socket that was closed has ended them itself.
func (r *readiness) remove(fd int) {
	_ = unix.EpollCtl(r.fd, unix.EPOLL_CTL_DEL, fd, nil)
}

// arm sets when the next wait ends; the zero time means never. A wake after it is not lost.
func (r *readiness) arm(deadline time.Time) error { return r.file.SetReadDeadline(deadline) }

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// wake ends the wait that was armed for. It does nothing once the poller is closed.
func (r *readiness) wake() { _ = r.file.SetReadDeadline(longAgo) }

// wait waits until sockets became ready, or the time or a wake has ended it, with nothing found then.
func (r *readiness) wait() error {
	r.n, r.err = 0, nil
	if err := r.conn.Read(r.poll); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		return err
	}
	return r.err
}

// look is wait without waiting.
func (r *readiness) look() error {
	r.n, r.err = 0, nil
	r.pollOnce(uintptr(r.fd))
	return r.err
}

// pollOnce asks the kernel what is ready, and reports whether there is anything to tell.
func (r *readiness) pollOnce(fd uintptr) bool {
	for {
		n, err := unix.EpollWait(int(fd), r.events[:], 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		r.n, r.err = max(n, 0), os.NewSyscallError("epoll_wait", err)
		return n != 0
	}
}

// found iterates over what the last wait or look has found.
func (r *readiness) found() func(yield func(int, readyEvent) bool) {
	return func(yield func(int, readyEvent) bool) {
		for i := range r.events[:r.n] {
			if !yield(i, readyEvent{r.events[i]}) {
				return
			}
		}
	}
}

func (r *readiness) close() { _ = r.file.Close() }
