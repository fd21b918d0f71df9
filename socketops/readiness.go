//go:build linux

package socketops

import (
	"context"
	"errors"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// pollSet is what Poll and Select wait for.
type pollSet struct {
	sockets []*Socket
	handles []*handle     // of the sockets, kept open until release
	fds     []unix.PollFd // one for each descriptor: the kernel takes no more than there can be open
	at      map[int32]int // where a descriptor is in fds
}

// add keeps a socket's descriptor open, and has events waited for.
func (p *pollSet) add(s *Socket, events int16) error {
	h, err := s.acquire()
	if err != nil {
		return err
	}
	p.sockets, p.handles = append(p.sockets, s), append(p.handles, h)
	if p.at == nil {
		p.at = make(map[int32]int)
	}
	fd := int32(h.fd)
	i, ok := p.at[fd]
	if !ok {
		i = len(p.fds)
		p.fds, p.at[fd] = append(p.fds, unix.PollFd{Fd: fd}), i
	}
	p.fds[i].Events |= events
	return nil
}

// ready reports whether the i-th socket has any of the events.
func (p *pollSet) ready(i int, events int16) bool {
	return p.fds[p.at[int32(p.handles[i].fd)]].Revents&events != 0
}

// release gives the descriptors back.
func (p *pollSet) release() {
	for _, h := range p.handles {
		h.release()
	}
}

// look notes which events are there, and returns of how many descriptors.
func (p *pollSet) look() (int, error) {
	for {
		n, err := unix.Ppoll(p.fds, &unix.Timespec{}, nil)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		}
		for i := range p.fds {
			if p.fds[i].Revents&unix.POLLNVAL != 0 {
				return 0, unix.EBADF // Somebody else has closed the descriptor.
			}
		}
		return n, nil
	}
}

// wait looks for events until there are any, d has passed (never if negative), ctx ends, or a socket loses its
// descriptor.
func (p *pollSet) wait(ctx context.Context, d time.Duration) error {
	start := time.Now()
	if err := ended(ctx); err != nil {
		return err
	}
	if n, err := p.look(); n > 0 || err != nil || d == 0 {
		return err
	}
	r, err := newReadiness(p.fds)
	if err != nil {
		return err
	}
	defer r.close()
	if d > 0 {
		if err := r.file.SetReadDeadline(start.Add(d)); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, r.wake)()
	defer r.unwatch(p.handles)
	r.watch(p.handles)
	err = r.wait(p.look)
	switch {
	case r.replaced.Load():
		return p.lost()
	case ctx.Err() != nil:
		return ended(ctx)
	case errors.Is(err, os.ErrDeadlineExceeded):
		_, err = p.look()
	}
	return err
}

// lost is why a socket has lost its descriptor.
func (p *pollSet) lost() error {
	for _, s := range p.sockets {
		if s.closing.Load() {
			return ErrClosed
		}
	}
	return errCanceled
}

// readiness is a wait for events of sockets: an epoll instance that the runtime's poller waits for, so that no thread
// is held. What ends the wait early sets a deadline that has passed.
type readiness struct {
	file     *os.File
	replaced atomic.Bool // a socket has lost its descriptor
}

func newReadiness(fds []unix.PollFd) (*readiness, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	for _, f := range fds { // The events of poll(2) have the same numbers.
		event := unix.EpollEvent{Events: uint32(f.Events)}
		if err := unix.EpollCtl(fd, unix.EPOLL_CTL_ADD, int(f.Fd), &event); err != nil {
			unix.Close(fd)
			return nil, os.NewSyscallError("epoll_ctl", err)
		}
	}
	if err := unix.SetNonblock(fd, true); err != nil { // That has the runtime's poller wait for it.
		unix.Close(fd)
		return nil, os.NewSyscallError("fcntl", err)
	}
	return &readiness{file: os.NewFile(uintptr(fd), "socketops poll")}, nil
}

// wait calls look, and again whenever events may have come, until it finds some or fails.
func (r *readiness) wait(look func() (int, error)) error {
	conn, err := r.file.SyscallConn()
	if err != nil {
		return err
	}
	waited := conn.Read(func(uintptr) bool {
		var n int
		n, err = look()
		return n > 0 || err != nil
	})
	if err == nil {
		err = waited
	}
	return err
}

// wake ends the wait. A wait that is over does not mind.
func (r *readiness) wake() { _ = r.file.SetReadDeadline(time.Unix(1, 0)) }

func (r *readiness) close() { _ = r.file.Close() } // which has nothing to lose

// watch has the wait end when one of the handles is being closed.
func (r *readiness) watch(handles []*handle) {
	for _, h := range handles {
		h.watchMu.Lock()
		if h.watchers == nil {
			h.watchers = make(map[*readiness]struct{})
		}
		h.watchers[r] = struct{}{}
		h.watchMu.Unlock()
		if h.refs.Load()&handleClosed != 0 { // and perhaps has woken its watchers before
			r.lose()
		}
	}
}

func (r *readiness) unwatch(handles []*handle) {
	for _, h := range handles {
		h.watchMu.Lock()
		delete(h.watchers, r)
		h.watchMu.Unlock()
	}
}

func (r *readiness) lose() {
	r.replaced.Store(true)
	r.wake()
}

// wakeWatchers ends the waits for the handle's events.
func (h *handle) wakeWatchers() {
	h.watchMu.Lock()
	defer h.watchMu.Unlock()
	for r := range h.watchers {
		r.lose()
	}
}
