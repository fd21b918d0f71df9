//go:build linux

package socketops

import (
	"errors"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/eintr"
)

// Socket is a socket of an Engine. All of its methods are safe for concurrent use. The zero Socket is a closed one.
//
// A Socket that is not closed is closed when nobody knows it any more; WithLogger tells of that.
//
// Its descriptor is in non-blocking mode on every engine: waiting is the engine's, and the same call has the same
// result everywhere (N24). Code that uses the descriptor by itself sees that. Where another owner of the open file
// description makes it blocking no call of a Socket blocks for that: transfers are asked not to wait, one by one, and
// accepts, connects and sendfile restore the mode.
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
	asNet     atomic.Bool   // it was made a connection or listener of package net
	closed    chan struct{} // closed when Close has done its work
	fault     error         // of Close

	nonBlocking  atomic.Bool // what SetBlocking has said (A37)
	readTimeout  atomic.Int64
	writeTimeout atomic.Int64
	sendLimit    atomic.Int64
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
	peer         Addr // as accept and connect have told it, of the last connection
	disconnected bool // by Disconnect
	failed       bool // to connect
	shut         ShutdownHow
	listening    bool
	bound        *boundPath // to be unlinked
	keepPath     bool       // it is not, as SetUnlinkOnClose has said
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
	a.setConnected(UnixAddr(""))
	b.setConnected(UnixAddr(""))
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
	if peer, err := getname(fd, unix.SYS_GETPEERNAME); err == nil {
		s.setConnected(s.engine.told(peer))
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

// noHandle is that of the zero Socket.
var noHandle = func() *handle {
	h := newHandle(-1)
	h.stop(ErrClosed)
	h.shut()
	return h
}()

// handle is the socket's current one.
func (s *Socket) handle() *handle {
	if s.tally == nil {
		return noHandle
	}
	return s.current.Load()
}

// isClosed reports whether Close has begun, or the Socket is the zero one.
func (s *Socket) isClosed() bool { return s.tally == nil || s.closing.Load() }

func (s *Socket) isStream() bool { return s.typ == unix.SOCK_STREAM }

// setConnected notes that the socket is connected, and keeps the peer's address.
func (s *Socket) setConnected(peer Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.everConnect, s.state.failed, s.state.peer = true, false, peer
	s.handle().link.Store(linkMade)
}

// acquire returns the socket's descriptor, kept open until release.
func (s *Socket) acquire() (*handle, error) {
	for {
		h := s.handle()
		if h.acquire() {
			return h, nil
		}
		if s.isClosed() {
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
	for tries := eintr.Tries(0); ; {
		if err = call(h.fd); err != unix.EINTR || !tries.Again() {
			h.failed(op, err)
			return opError(op, err)
		}
	}
}

// SetBlocking says whether the plain forms wait. Where they do not, they are as their Try forms: a send returns how
// much left, and what cannot be done at once is ErrWouldBlock (A37, N11). The descriptor's own mode does not change.
func (s *Socket) SetBlocking(on bool) error {
	if s.isClosed() {
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
//
// What Conn, PacketConn and Listener return closes the socket as package net does: nothing is reset.
func (s *Socket) Close() error {
	if s.tally == nil {
		return opError("close", ErrClosed)
	}
	if s.closing.Swap(true) {
		<-s.closed
		return s.fault
	}
	s.end(true)
	return s.fault
}

// end is what the first Close does. What cuts off transfers resets the connection only where resets is set.
func (s *Socket) end(resets bool) {
	s.replacing.Lock()
	h := s.handle()
	cut := h.stop(ErrClosed)
	s.replacing.Unlock()
	s.mu.Lock()
	path := s.state.takePath()
	s.mu.Unlock()
	h.aborts = cut && resets && s.aborts()
	s.fault = h.end(path)
	runtime.SetFinalizer(s, nil)
	s.engine.forget(s)
	close(s.closed)
}

// closeLeft is Close of a socket that is left when its Engine ends: what is of package net ends as there.
func (s *Socket) closeLeft() error {
	if !s.asNet.Load() {
		return s.Close()
	}
	if err := s.closeAsNet(); err != ErrClosed {
		return err
	}
	return s.Close() // which waits for the end that has begun
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
	if s.isClosed() {
		return opError("set unlink on close", ErrClosed)
	}
	s.state.keepPath = !on
	return nil
}

// takePath returns the path that is to be removed with the descriptor, or nil. mu is held.
func (st *state) takePath() (path *boundPath) {
	path, st.bound = st.bound, nil
	if st.keepPath {
		return nil
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

// protocols are those that the managed runtimes know, by family; of all others only 0 is known (N01).
var protocols = map[Family][]Protocol{
	unix.AF_INET: {0, unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_IGMP, unix.IPPROTO_RAW},
	unix.AF_INET6: {
		0, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_IGMP,
		unix.IPPROTO_RAW, unix.IPPROTO_DSTOPTS, unix.IPPROTO_NONE, unix.IPPROTO_ROUTING, unix.IPPROTO_FRAGMENT,
	},
	unix.AF_CAN: {0, unix.CAN_RAW},
}

// knownProtocol returns the protocol as the kernel knows it, or the errno that the table of N01 has for what is not in
// it.
func knownProtocol(f Family, t Type, p Protocol) (Protocol, error) {
	switch f {
	case unix.AF_UNSPEC, unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_PACKET, unix.AF_CAN:
	default:
		return 0, unix.EAFNOSUPPORT
	}
	switch t {
	case unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_RDM, unix.SOCK_SEQPACKET:
	default:
		return 0, unix.EPROTOTYPE
	}
	switch {
	case f == unix.AF_PACKET && p >= 0 && p <= 0xffff:
		return p<<8&0xff00 | p>>8, nil // in network order
	case f == unix.AF_INET6 && p == unix.IPPROTO_ICMP:
		return unix.IPPROTO_ICMPV6, nil
	case p == 0, slices.Contains(protocols[f], p):
		return p, nil
	}
	return 0, unix.EPROTONOSUPPORT
}

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
	h := s.handle()
	if disconnected || h.link.Load() == linkLost {
		return false
	}
	peer, err := s.PeerAddr()
	if err != nil {
		return false
	}
	if h.link.Load() == linkNone {
		s.setConnected(peer)
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
	s.handle().failed(op, err)
	return s.invalid(op, err)
}

// invalid is the error of arguments, which a closed socket does not look at (N55).
func (s *Socket) invalid(op string, err error) error {
	if s.isClosed() {
		err = ErrClosed
	}
	return opError(op, err)
}

// errReplaced is why a lane admits nothing whose socket got another descriptor: the socket has lanes that do.
var errReplaced = errors.New("descriptor replaced")

// replace gives the socket another descriptor, as if it were new but for its options and deadlines, and closes the old
// one, on which all that waits ends with errCanceled. The error can be about options that the new one did not take; it
// has the others.
func (s *Socket) replace() error {
	s.replacing.Lock()
	defer s.replacing.Unlock()
	if s.isClosed() {
		return opError("socket", ErrClosed)
	}
	fd, err := openSocket(s.family, s.typ, s.kernel)
	if err != nil {
		return err
	}
	old := s.handle()
	s.leave(old, newHandle(fd))
	old.stop(errCanceled)
	path := s.renewState()
	err = errors.Join(s.replay(fd), old.end(path)) // fd stays open: Close waits for replacing.
	s.left()
	return err
}

// renewState forgets what was true of the old descriptor, and returns the path that it was bound to, or nil.
func (s *Socket) renewState() (path *boundPath) {
	s.mu.Lock()
	defer s.mu.Unlock()
	path = s.state.takePath()
	s.state.everConnect, s.state.disconnected, s.state.failed = false, false, false
	s.state.listening, s.state.shut, s.state.peer = false, 0, Addr{}
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
		l.tellRoom()
		if l.deadline.timer != nil {
			l.deadline.timer.Stop()
		}
	}
}
