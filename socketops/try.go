//go:build linux

package socketops

import "golang.org/x/sys/unix"

// try returns the lane of a direction, locked, where a transfer can be tried without overtaking those that wait.
func (s *Socket) try(d direction) (*lane, error) {
	for {
		l := &s.current.Load().lanes[d]
		l.mu.Lock()
		switch {
		case l.stopped == nil && l.first == nil:
			l.event = false
			return l, nil
		case l.stopped == errReplaced:
			l.mu.Unlock()
			continue
		}
		err := l.stopped
		l.mu.Unlock()
		if err == nil {
			err = ErrWouldBlock
		}
		return nil, err
	}
}

// tried is what a Try form returns for the result of its system call.
func tried(call string, n int) (int, error) {
	switch {
	case n >= 0:
		return n, nil
	case n == -int(unix.EAGAIN):
		return 0, errWouldBlock[call]
	}
	return 0, &OpError{Op: call, Err: unix.Errno(-n)}
}

// errWouldBlock are the errors of Try forms that have to wait, which are too many to make each anew.
var errWouldBlock = map[string]error{
	"recv": &OpError{"recv", ErrWouldBlock},
	"send": &OpError{"send", ErrWouldBlock},
}
