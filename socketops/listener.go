//go:build linux

package socketops

import (
	"context"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Listener returns the listening socket as a net.Listener, which is closed with it. Its address stays when it is
// closed. Accept returns what Conn makes of a connection, and goes on after what concerns one connection only, see
// AcceptAgain; what can go away after a pause, such as that there are no descriptors, is Temporary, so that servers as
// those of net/http make that pause.
func (s *Socket) Listener() net.Listener {
	s.asNet.Store(true)
	l := listener{s: s}
	if at := s.localNow(); settled(at) {
		l.addr = at
	}
	if s.family == unix.AF_UNIX {
		return &unixListener{l}
	}
	return &l
}

// listener is a Socket as a net.Listener.
type listener struct {
	s    *Socket
	addr net.Addr // as it was at first, or nil where that was too early
}

func (l *listener) Accept() (net.Conn, error) {
	for {
		c, _, err := l.s.Accept(context.Background())
		if err == nil {
			return c.newConn(l.s), nil
		}
		switch again, pause := AcceptAgain(err); {
		case !again:
			return nil, l.error("accept", err)
		case pause:
			return nil, &net.OpError{Op: "accept", Net: l.s.network(), Addr: l.Addr(), Err: &passingError{netCause(err)}}
		}
	}
}

// passingError is the error of an Accept that can succeed after a pause.
type passingError struct{ error }

func (e *passingError) Unwrap() error   { return e.error }
func (e *passingError) Timeout() bool   { return false }
func (e *passingError) Temporary() bool { return true }

func (l *listener) Close() error { return l.error("close", l.s.closeAsNet()) }

func (l *listener) Addr() net.Addr {
	if l.addr != nil {
		return l.addr
	}
	return l.s.localNow()
}

// SetDeadline has an error that is none of an operation, as that of *net.TCPListener.
func (l *listener) SetDeadline(t time.Time) error { return netCause(l.s.SetReadDeadline(t)) }

func (l *listener) error(op string, err error) error {
	if err == nil {
		return nil
	}
	return l.s.netError(op, nil, l.Addr(), err)
}

// unixListener is a listener whose socket can have a path.
type unixListener struct{ listener }

// SetUnlinkOnClose is that of *net.UnixListener.
func (l *unixListener) SetUnlinkOnClose(unlink bool) { _ = l.s.SetUnlinkOnClose(unlink) }

// AcceptAgain says what a server does when an Accept has failed with err. Where again is false, the listening socket
// is closed or good for nothing, or the wait was ended. Otherwise the next Accept can succeed: at once where the error
// was of the one connection that would have been accepted, which is gone with that, and after a pause where it can be
// the same for a while: there are no descriptors or memory, or a rule of the system forbids it.
//
// Of the list in accept(2), EOPNOTSUPP counts as the end: on Linux it says that the socket is of a kind that accepts
// nothing, and of no connection.
func AcceptAgain(err error) (again, pause bool) {
	errno, ok := errnoOf(err)
	if !ok {
		return false, false
	}
	switch errno {
	case unix.ECONNABORTED, unix.ECONNRESET, unix.EPROTO, unix.ENOPROTOOPT, unix.ETIMEDOUT, unix.ENETDOWN,
		unix.ENETUNREACH, unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET:
		return true, false
	case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EPERM, unix.EACCES:
		return true, true
	}
	return false, false
}
