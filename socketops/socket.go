//go:build linux

package socketops

import (
	"errors"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Socket is a socket of an Engine. All of its methods are safe for concurrent use.
//
// A Socket that is not closed is closed when nobody knows it any more; WithLogger tells of that.
//
// Its descriptor is in non-blocking mode on every engine: waiting is the engine's, and the same call has the same
// result everywhere (N24). Code that uses the descriptor by itself sees that.
type Socket struct {
	*tally
	engine *Engine
	number uint64 // among the engine's
	family Family
	typ    Type
	proto  Protocol
	kernel Protocol // proto as the kernel has it

	replacing sync.Mutex // held while current changes, and while Close stops what is current
	closing   atomic.Bool
	closed    chan struct{} // closed when Close has done its work
	fault     error         // of Close

	nonBlocking  atomic.Bool // what SetBlocking has said (A37)
	readTimeout  atomic.Int64
	writeTimeout atomic.Int64
	fastOpen     atomic.Bool  // what SetFastOpen has said
	packetInfo   atomic.Int32 // whether the kernel was told to say how packets come, changes under mu

	mu    sync.Mutex // guards state
	state state
}

// tally has what went through a socket. It is no part of the Socket, so that the Engine can have it without keeping who
// forgets the socket from that: until the socket is closed for being forgotten, its figures are the Engine's.
type tally struct {
	current atomic.Pointer[handle] // changes only by replace

	figures sync.Mutex  // guards past and leaving; taken before the lanes' mu
	past    SocketStats // of handles that were replaced
	leaving *handle     // one that is being replaced, or nil
}

// state is what the library remembers of a socket because the kernel cannot be asked, or not any more.
type state struct {
	everConnect  bool
	disconnected bool // by Disconnect
	failed       bool // to connect
	shut         ShutdownHow
	listening    bool
	boundPath    string // to be unlinked
	keepPath     bool   // it is not, as SetUnlinkOnClose has said
	options      options
}

// Socket wraps socket(2): it makes a socket of a family, type and protocol that the managed runtimes know (N01); others
// are EAFNOSUPPORT, EPROTOTYPE and EPROTONOSUPPORT. Sockets of AF_INET6 that are not raw take IPv6 only, whatever the
// system's default (N03): see SetDualMode. The descriptor is closed on exec.
func (e *Engine) Socket(f Family, t Type, p Protocol) (*Socket, error) {
	kernel, err := knownProtocol(f, t, p)
	if err != nil {
		return nil, opError("socket", err)
	}
	s, err := e.RawSocket(f, t, kernel)
	if err != nil {
		return nil, err
	}
	s.proto = p
	return s, nil
}

// RawSocket is Socket for whatever the kernel knows: no table is asked, and IPV6_V6ONLY is left alone for raw sockets
// only.
func (e *Engine) RawSocket(f Family, t Type, p Protocol) (*Socket, error) {
	fd, err := openSocket(f, t, p)
	if err != nil {
		return nil, err
	}
	return e.wrap(fd, f, t, p)
}

// openSocket makes a descriptor for a Socket.
func openSocket(f Family, t Type, p Protocol) (int, error) {
	fd, err := unix.Socket(int(f), int(t)|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, int(p))
	if err != nil {
		return -1, opError("socket", err)
	}
	if f == unix.AF_INET6 && t != unix.SOCK_RAW {
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1); err != nil {
			unix.Close(fd)
			return -1, opError("setsockopt", err)
		}
	}
	return fd, nil
}

// wrap makes a Socket of a descriptor, which it closes where it fails.
func (e *Engine) wrap(fd int, f Family, t Type, p Protocol) (*Socket, error) {
	s := &Socket{tally: new(tally), engine: e, family: f, typ: t, proto: p, kernel: p, closed: make(chan struct{})}
	s.current.Store(newHandle(fd))
	if err := e.adopt(s); err != nil {
		unix.Close(fd)
		return nil, opError("socket", err)
	}
	return s, nil
}

// SocketPair wraps socketpair(2): two unix sockets that are connected to each other.
func (e *Engine) SocketPair(t Type) (a, b *Socket, err error) {
	fds, err := unix.Socketpair(unix.AF_UNIX, int(t)|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, opError("socketpair", err)
	}
	if a, err = e.wrap(fds[0], unix.AF_UNIX, t, 0); err != nil {
		unix.Close(fds[1])
		return nil, nil, err
	}
	if b, err = e.wrap(fds[1], unix.AF_UNIX, t, 0); err != nil {
		return nil, nil, errors.Join(err, a.Close())
	}
	a.setConnected()
	b.setConnected()
	return a, b, nil
}

// FromFD makes a Socket of a descriptor, which is the Socket's from then on, and is put into non-blocking mode. On
// error it stays the caller's: ENOTSOCK where it is no socket (A87).
func (e *Engine) FromFD(fd int) (*Socket, error) {
	var facts [4]int
	for i, name := range []int{unix.SO_DOMAIN, unix.SO_TYPE, unix.SO_PROTOCOL, unix.SO_ACCEPTCONN} {
		v, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, name)
		if err != nil {
			return nil, opError("getsockopt", err)
		}
		facts[i] = v
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, opError("fcntl", err)
	}
	s := &Socket{
		tally: new(tally), engine: e, closed: make(chan struct{}),
		family: Family(facts[0]), typ: Type(facts[1]), proto: Protocol(facts[2]), kernel: Protocol(facts[2]),
	}
	s.current.Store(newHandle(fd))
	s.state.listening = facts[3] != 0
	if _, err := unix.Getpeername(fd); err == nil {
		s.setConnected()
	}
	if err := e.adopt(s); err != nil {
		return nil, opError("socket", err)
	}
	return s, nil
}

// Engine returns the engine that the socket belongs to.
func (s *Socket) Engine() *Engine { return s.engine }

// Family returns the socket's address family.
func (s *Socket) Family() Family { return s.family }

// Type returns the socket's type.
func (s *Socket) Type() Type { return s.typ }

// Protocol returns the socket's protocol.
func (s *Socket) Protocol() Protocol { return s.proto }

func (s *Socket) isStream() bool { return s.typ == unix.SOCK_STREAM }

func (s *Socket) setConnected() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.everConnect, s.state.failed = true, false
	s.current.Load().link.Store(linkMade)
}

// acquire returns the socket's descriptor, kept open until release.
func (s *Socket) acquire() (*handle, error) {
	for {
		h := s.current.Load()
		if h.acquire() {
			return h, nil
		}
		if s.closing.Load() {
			return nil, ErrClosed
		}
	}
}

// control makes a call that does not wait, with the descriptor kept open.
func (s *Socket) control(op string, call func(fd int) error) error {
	h, err := s.acquire()
	if err != nil {
		return opError(op, err)
	}
	defer h.release()
	for {
		if err = call(h.fd); err != unix.EINTR {
			h.failed(op, err)
			return opError(op, err)
		}
	}
}

// SetBlocking says whether the plain forms wait. Where they do not, they are as their Try forms: a send returns how
// much left, and what cannot be done at once is ErrWouldBlock (A37, N11). The descriptor's own mode does not change.
func (s *Socket) SetBlocking(on bool) error {
	if s.closing.Load() {
		return opError("set blocking", ErrClosed)
	}
	s.nonBlocking.Store(!on)
	return nil
}

// Blocking returns what SetBlocking has said, at first true.
func (s *Socket) Blocking() bool { return !s.nonBlocking.Load() }

// Close ends the socket. Whatever waits on it ends with ErrClosed, and Close returns when the kernel is done with the
// memory of all transfers and the descriptor is closed. Where transfers were cut off on a TCP connection that was not
// shut down for sending, the peer gets a reset (N51): a quiet end is Shutdown, and then Close. That ends the connection
// of any stream for other processes that have the descriptor, too (N50). A lingering close waits as long as SetLinger
// has said. Closing again returns what the first Close did.
func (s *Socket) Close() error {
	if s.closing.Swap(true) {
		<-s.closed
		return s.fault
	}
	s.replacing.Lock()
	h := s.current.Load()
	cut := h.stop(ErrClosed)
	s.replacing.Unlock()
	s.mu.Lock()
	path := s.state.takePath()
	s.mu.Unlock()
	h.aborts = cut && s.aborts()
	s.fault = h.end(path)
	runtime.SetFinalizer(s, nil)
	s.engine.forget(s)
	close(s.closed)
	return s.fault
}

// forgotten closes a socket that nobody knows any more, and that has nothing under way: operations know theirs (B33).
func (s *Socket) forgotten() {
	s.engine.meter.degraded("socket was not closed", "family", int(s.family), "type", int(s.typ))
	go func() { _ = s.Close() }() // which can linger, and nobody is there to be told
}

// aborts reports whether a close that cuts off transfers is to end the connection for whoever shares the descriptor,
// and with a reset. Listening sockets are left to those others.
func (s *Socket) aborts() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.isStream() && !s.state.listening && s.state.shut&ShutWrite == 0
}

// SetUnlinkOnClose says whether the path that Bind has given a unix socket is removed by Close, or a Disconnect for
// reuse, as it is at first (N53).
func (s *Socket) SetUnlinkOnClose(on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closing.Load() {
		return opError("set unlink on close", ErrClosed)
	}
	s.state.keepPath = !on
	return nil
}

// takePath returns the path that is to be removed with the descriptor, or "". mu is held.
func (st *state) takePath() (path string) {
	path, st.boundPath = st.boundPath, ""
	if st.keepPath {
		return ""
	}
	return path
}

// SetDeadline sets when receives and sends, those that wait now and those to come, end with ErrTimeout. The zero time
// means never. Data that came in time is not lost: see Recv.
func (s *Socket) SetDeadline(t time.Time) error {
	return errors.Join(s.setDeadline(t, receiving), s.setDeadline(t, sending))
}

// SetReadDeadline is SetDeadline for receives and accepts.
func (s *Socket) SetReadDeadline(t time.Time) error { return s.setDeadline(t, receiving) }

// SetWriteDeadline is SetDeadline for sends and connects.
func (s *Socket) SetWriteDeadline(t time.Time) error { return s.setDeadline(t, sending) }

func (s *Socket) setDeadline(t time.Time, d direction) error {
	for {
		h, err := s.acquire()
		if err != nil {
			return opError("set deadline", err)
		}
		set := h.lanes[d].setDeadline(t)
		h.release()
		if set {
			return nil
		}
	}
}
