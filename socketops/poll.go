//go:build linux

package socketops

import (
	"context"
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
