//go:build linux

package socketops

// Disconnect shuts the connection down in both directions (A86). A socket that never was connected gives ENOTCONN, and
// stays as it is.
//
// Without reuse the socket is good for nothing more: connecting it is EISCONN. With reuse it gets a new descriptor of
// the same family, type and protocol, with the options that were set, the deadlines and time-outs, and can be connected
// again in any way. What it was bound to is lost; the path of a unix socket is removed. What waited on the old
// descriptor ends with ErrCanceled (B38), Poll and Select too, and Disconnect returns when that is closed. Where no new
// descriptor is to be had, the error says why, and the socket is as without reuse.
func (s *Socket) Disconnect(reuse bool) error {
	s.mu.Lock()
	ever := s.state.everConnect
	s.mu.Unlock()
	if !ever {
		// The kernel remembers a shutdown of a TCP socket that it answers with ENOTCONN, and a later connection is
		// shut down from the start.
		if _, err := s.PeerAddr(); err != nil {
			return err
		}
	}
	if reuse {
		s.current.Load().cancelAll(errCanceled) // before the shutdown ends them with what they did not wait for
	}
	if err := s.Shutdown(ShutBoth); err != nil {
		return err
	}
	s.mu.Lock()
	s.state.disconnected = true
	s.mu.Unlock()
	if !reuse {
		return nil
	}
	return s.replace()
}
