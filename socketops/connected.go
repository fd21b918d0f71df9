//go:build linux

package socketops

// link is what is known of a descriptor's connection.
type link = int32

const (
	linkNone link = iota // there is none, or it was made behind the library's back
	linkMade
	linkLost // an operation failed since
)

// Connected reports whether the socket has a peer, as far as is known: a connection that is not made yet, that failed
// or was reset has none, and one that the peer has shut down has. It is advice (A88): the answer can be out of date
// when it comes, and only a transfer tells whether the connection works. What TryFinishConnect has to say is not taken
// from it.
//
// After an operation that failed the answer is false, until the socket is connected anew, whatever the kernel says: the
// managed runtimes have it so (N38). Not to be able to go on at once, a full buffer of the system's, a time-out, a
// cancellation and Close are no such failures, and neither is an option that there is not.
func (s *Socket) Connected() bool {
	s.mu.Lock()
	disconnected := s.state.disconnected
	s.mu.Unlock()
	h := s.current.Load()
	if disconnected || h.link.Load() == linkLost {
		return false
	}
	if _, err := s.PeerAddr(); err != nil {
		return false
	}
	if h.link.Load() == linkNone {
		s.setConnected()
	}
	return true
}

// failed notes that an operation on the descriptor had an error, or nil.
func (h *handle) failed(op string, err error) {
	if err != nil && err != ErrWouldBlock && h.link.Load() == linkMade && severs(op, err) {
		h.link.CompareAndSwap(linkMade, linkLost)
	}
}

// severs reports whether a connection counts as lost when an operation fails so (N38).
func severs(op string, err error) bool {
	switch Classify(err) {
	case ClassWouldBlock, ClassInProgress, ClassNoBufferSpaceAvailable, ClassTimedOut, ClassOperationAborted:
		return false
	case ClassProtocolOption, ClassOperationNotSupported:
		return op != "setsockopt" && op != "getsockopt"
	}
	return true
}

// refuse is the error of an operation that fails as if the kernel had been asked for it.
func (s *Socket) refuse(op string, err error) error {
	s.current.Load().failed(op, err)
	return s.invalid(op, err)
}

// invalid is the error of arguments, which a closed socket does not look at (N55).
func (s *Socket) invalid(op string, err error) error {
	if s.closing.Load() {
		err = ErrClosed
	}
	return opError(op, err)
}
