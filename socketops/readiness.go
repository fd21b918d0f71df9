//go:build linux

package socketops

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/eintr"
	"github.com/sockring/uring/internal/epoll"
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
	for tries := eintr.Tries(0); ; {
		n, err := unix.Ppoll(p.fds, &unix.Timespec{}, nil)
		switch {
		case err == unix.EINTR && tries.Again():
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
	if ctx == nil {
		return unix.EINVAL
	}
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
	defer r.poller.Close()
	if d > 0 {
		if err := r.poller.Arm(start.Add(d)); err != nil {
			return err
		}
	}
	defer context.AfterFunc(ctx, r.poller.Wake)()
	defer r.unwatch(p.handles)
	r.watch(p.handles)
	err = r.wait(p.look)
	switch {
	case r.replaced.Load():
		return p.lost()
	case ctx.Err() != nil:
		return ended(ctx)
	}
	return err
}

// lost is why a socket has lost its descriptor.
func (p *pollSet) lost() error {
	for _, s := range p.sockets {
		if s.isClosed() {
			return ErrClosed
		}
	}
	return errCanceled
}

// readiness is a wait for events of sockets.
type readiness struct {
	poller   *epoll.Poller
	replaced atomic.Bool // a socket has lost its descriptor
}

func newReadiness(fds []unix.PollFd) (*readiness, error) {
	poller, err := epoll.New("socketops poll")
	if err != nil {
		return nil, err
	}
	for _, f := range fds {
		if err := poller.AddPoll(int(f.Fd), f.Events); err != nil {
			return nil, errors.Join(err, poller.Close())
		}
	}
	return &readiness{poller: poller}, nil
}

// wait calls look whenever events may have come, until it finds some or fails, or the wait is ended.
func (r *readiness) wait(look func() (int, error)) error {
	for {
		if err := r.poller.Wait(); err != nil {
			return err
		}
		if n, err := look(); n > 0 || err != nil || !r.poller.Any() {
			return err
		}
	}
}

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
	r.poller.Wake()
}

// wakeWatchers ends the waits for the handle's events.
func (h *handle) wakeWatchers() {
	h.watchMu.Lock()
	defer h.watchMu.Unlock()
	for r := range h.watchers {
		r.lose()
	}
}
