//go:build linux

package socketops

// Connected reports whether the socket has a peer, as far as the kernel knows: a connection that is not made yet, that
// failed or was reset has none, and one that the peer has shut down has. It is advice (A88): the answer can be out of
// date when it comes, and only a transfer tells whether the connection works. What TryFinishConnect has to say is not
// taken from it.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	disconnected := s.state.disconnected
	s.mu.Unlock()
	if disconnected {
		return false
	}
	_, err := s.PeerAddr()
	if err == nil {
		s.setConnected()
	}
	return err == nil
}
