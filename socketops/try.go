//go:build linux

package socketops

import "golang.org/x/sys/unix"

// try returns the lane of a direction, locked, where a transfer can be tried without overtaking those that wait.
func (s *Socket) try(d direction) (*lane, error) {
	for {
		l := &s.current.Load().lanes[d]
		l.mu.Lock()
		switch {
		case l.stopped == nil && l.first == nil && !l.deadline.passed:
			l.event = false
			return l, nil
		case l.stopped == errReplaced:
			l.mu.Unlock()
			continue
		}
		err := l.stopped
		switch {
		case err != nil:
		case l.deadline.passed:
			err = ErrTimeout
		default:
			err = ErrWouldBlock
			l.stats.tried(0, -int(unix.EAGAIN), false)
		}
		l.mu.Unlock()
		return nil, err
	}
}

// The errors of Try forms that have to wait, which are too many to make each anew.
var (
	errRecvWouldBlock error = &OpError{"recv", ErrWouldBlock}
	errSendWouldBlock error = &OpError{"send", ErrWouldBlock}
)

// tried is what a Try form returns for the result of its system call.
func (h *handle) tried(kind opKind, n int) (int, error) {
	switch {
	case n >= 0:
		return n, nil
	case n != -int(unix.EAGAIN):
		h.failed(kind.String(), unix.Errno(-n))
		return 0, &OpError{Op: kind.String(), Err: unix.Errno(-n)}
	case kind == opRecv:
		return 0, errRecvWouldBlock
	}
	return 0, errSendWouldBlock
}
