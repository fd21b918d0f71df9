//go:build linux

package socketops

import "errors"

// errReplaced is why a lane admits nothing whose socket got another descriptor: the socket has lanes that do.
var errReplaced = errors.New("descriptor replaced")

// replace gives the socket another descriptor, as if it were new but for its options and deadlines, and closes the old
// one, on which all that waits ends with errCanceled. The error can be about options that the new one did not take; it
// has the others.
func (s *Socket) replace() error {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	if s.closing.Load() {
		return opError("socket", ErrClosed)
	}
	fd, err := openSocket(s.family, s.typ, s.kernel)
	if err != nil {
		return err
	}
	old := s.current.Load()
	s.leave(old, newHandle(fd))
	old.stop(errCanceled)
	path := s.renewState()
	err = errors.Join(s.replay(fd), old.end(path)) // fd stays open: Close waits for replacing.
	s.left()
	return err
}

// renewState forgets what was true of the old descriptor, and returns the path that it was bound to, or "".
func (s *Socket) renewState() (path string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path = s.state.takePath()
	s.state.everConnect, s.state.disconnected, s.state.failed = false, false, false
	s.state.listening, s.state.shut = false, 0
	return path
}

// exchange makes h the socket's handle. Whoever finds a lane of the old one stopped looks for the socket's handle once
// more, so that is another by then; and no deadline is set in between. replacing is held; the locks of the lanes are
// taken in the order of the directions.
func (s *Socket) exchange(old, h *handle) {
	for d := range old.lanes {
		l := &old.lanes[d]
		l.mu.Lock()
		defer l.mu.Unlock()
		h.lanes[d].setDeadline(l.deadline.at)
	}
	s.current.Store(h)
	for d := range old.lanes {
		l := &old.lanes[d]
		if l.stopped == nil {
			l.stopped = errReplaced
		}
		if l.deadline.timer != nil {
			l.deadline.timer.Stop()
		}
	}
}
