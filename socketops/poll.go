//go:build linux

package socketops

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// PollMode is what Poll waits for.
type PollMode int

// The modes of Poll.
const (
	PollRead  PollMode = iota // data, the end of the stream, a connection to accept, or that the socket is hung up
	PollWrite                 // room to send, or a connection that is made
	PollError                 // an error, or urgent data
)

// pollEvents are what a mode asks the kernel for, and what of its answer counts (A75). Errors and hang-ups come
// unasked.
var pollEvents = map[PollMode]struct{ ask, count int16 }{
	PollRead:  {unix.POLLIN, unix.POLLIN | unix.POLLHUP},
	PollWrite: {unix.POLLOUT, unix.POLLOUT},
	PollError: {unix.POLLPRI, unix.POLLERR | unix.POLLPRI},
}

// Poll waits until the socket is ready, d has passed, or ctx ends, and reports whether it is ready as mode asks. A
// negative d is forever, and 0 is no wait at all. Whatever the mode, an error or hang-up of the socket ends the wait.
// Poll takes its turn before all that waits to transfer (B36), so a transfer can have to wait all the same. Close ends
// it with ErrClosed, and Disconnect for reuse with ErrCanceled.
func (s *Socket) Poll(ctx context.Context, mode PollMode, d time.Duration) (bool, error) {
	events, ok := pollEvents[mode]
	if !ok {
		return false, s.invalid("poll", unix.EINVAL)
	}
	var p pollSet
	defer p.release()
	if err := p.add(s, events.ask); err != nil {
		return false, opError("poll", err)
	}
	if err := p.wait(ctx, d); err != nil {
		return false, opError("poll", err)
	}
	return p.ready(0, events.count), nil
}

// SelectResult are the sockets that are ready, in the order in which they were given.
type SelectResult struct{ Read, Write, Error []*Socket }

// Select is Poll of many sockets: r for PollRead, w for PollWrite and x for PollError. It returns when any of them is
// ready or hung up, with all that are ready then, and nothing when d has passed. A socket can be in several lists, and
// in one more than once; the lists are not changed. A nil socket is EINVAL, and one that is closed, before or
// meanwhile, ErrClosed. No socket at all is a pause, and EINVAL where d is forever.
func (e *Engine) Select(ctx context.Context, r, w, x []*Socket, d time.Duration) (SelectResult, error) {
	lists := [...]struct {
		name    string
		mode    PollMode
		sockets []*Socket
	}{{"read", PollRead, r}, {"write", PollWrite, w}, {"error", PollError, x}}
	var p pollSet
	defer p.release()
	for _, l := range lists {
		for i, s := range l.sockets {
			err := error(unix.EINVAL)
			if s != nil {
				err = p.add(s, pollEvents[l.mode].ask)
			}
			if err != nil {
				return SelectResult{}, opError("select", fmt.Errorf("%s list, socket %d: %w", l.name, i, err))
			}
		}
	}
	if len(p.sockets) == 0 && d < 0 {
		return SelectResult{}, opError("select", unix.EINVAL)
	}
	if err := p.wait(ctx, d); err != nil {
		return SelectResult{}, opError("select", err)
	}
	var ready [len(lists)][]*Socket
	at := 0
	for i, l := range lists {
		for _, s := range l.sockets {
			if p.ready(at, pollEvents[l.mode].count) {
				ready[i] = append(ready[i], s)
			}
			at++
		}
	}
	return SelectResult{ready[0], ready[1], ready[2]}, nil
}
