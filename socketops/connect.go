//go:build linux

package socketops

import (
	"context"
	"errors"
	"net/netip"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
)

// TryConnect wraps connect(2): it begins to connect, and returns ErrInProgress where that takes time; see
// TryFinishConnect. ErrWouldBlock is a unix socket whose queue is full: nothing has begun (N43). A socket whose connect
// failed is not to be used for another address (A01).
func (s *Socket) TryConnect(a Addr) error {
	_, err := s.connect(context.Background(), a, nil, true)
	return err
}

// Connect is TryConnect that waits until the connection is made, ctx ends or the deadline passes. A connection that is
// given up so is not cancelled in the kernel: Close the socket. After SetBlocking(false) it does not wait, and a
// connection that takes time is ErrWouldBlock (A45); TryFinishConnect says what becomes of it.
func (s *Socket) Connect(ctx context.Context, a Addr) error {
	_, err := s.connect(ctx, a, nil, s.nonBlocking.Load())
	if errors.Is(err, ErrInProgress) {
		return opError("connect", ErrWouldBlock)
	}
	return err
}

// connect sends early data with the request where the kernel takes that, and returns how much it took.
func (s *Socket) connect(ctx context.Context, a Addr, early []byte, try bool) (int, error) {
	if s.cannotConnect() {
		return 0, s.refuse("connect", unix.EISCONN)
	}
	o := newOp(opConnect, 0)
	defer o.recycle()
	if err := o.msg.to(s.reachable(a)); err != nil {
		return 0, s.invalid("connect", err)
	}
	o.early = early
	o.once = try
	s.perform(ctx, o, 0)
	switch {
	case o.succeeded:
		if peer, err := s.PeerAddr(); err == nil { // which can be another than a, such as for the unspecified one
			a = peer
		}
		s.setConnected(a)
		return o.gone, nil
	case o.err == ErrInProgress:
		return o.gone, o.fault()
	case o.err == ErrWouldBlock, o.err == unix.EISCONN, o.err == unix.EALREADY:
	case o.pause > 0 && !o.began: // Nothing has begun, as the queue of a unix socket was full (N43).
	case o.began || o.lane != nil:
		s.setFailed()
	}
	return 0, o.fault()
}

// cannotConnect reports whether the socket was disconnected (A25), or is a connected one of a kind that connects once:
// the kernel takes one more connect(2) for the end of the first.
func (s *Socket) cannotConnect() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state.disconnected || s.state.everConnect && s.typ != unix.SOCK_DGRAM && s.typ != unix.SOCK_RAW
}

// setFailed notes that the descriptor is not to be used for another address (B19).
func (s *Socket) setFailed() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.state.failed = true
}

// TryFinishConnect says what has become of a connection that TryConnect has begun: nil where it is made, ErrInProgress
// where it is not yet, or why it cannot be made, which it says once (A26). Where none was begun, or that was said
// before, it is ENOTCONN.
func (s *Socket) TryFinishConnect() error {
	return s.control("connect", func(fd int) error {
		switch res := finishConnect(fd); {
		case res == -int(unix.EINPROGRESS):
			return ErrInProgress
		case res < 0:
			s.setFailed()
			return unix.Errno(-res)
		}
		// A socket that was never asked to connect is writable and has no error, too.
		peer, err := getname(fd, unix.SYS_GETPEERNAME)
		if err == unix.ENOTCONN {
			return err
		}
		s.setConnected(s.engine.told(peer))
		return nil
	})
}

// TryAccept wraps accept4(2): it takes a connection from a listening socket's queue, with the peer's address, or gives
// ErrWouldBlock. The new socket belongs to the same engine, and has the family, type and protocol of this one (B26).
func (s *Socket) TryAccept() (*Socket, Addr, error) { return s.accept(context.Background(), true) }

// Accept is TryAccept that waits for a connection, until ctx ends or the deadline passes (N22).
func (s *Socket) Accept(ctx context.Context) (*Socket, Addr, error) {
	return s.accept(ctx, s.nonBlocking.Load())
}

// GoAccept is Accept in the background: done is called once with what Accept returns, in the order of the calls.
func (s *Socket) GoAccept(done func(c *Socket, from Addr, err error)) *Op {
	if done == nil {
		return s.refuseOp(receiving, s.invalid("accept4", unix.EINVAL), nil)
	}
	o := newOp(opAccept, 0)
	o.callback = func(o *op) { done(s.accepted(o)) }
	return s.launch(o, 0)
}

func (s *Socket) accept(ctx context.Context, try bool) (*Socket, Addr, error) {
	o := newOp(opAccept, 0)
	defer o.recycle()
	o.once = try
	s.perform(ctx, o, 0)
	return s.accepted(o)
}

// accepted makes a Socket of what an accept has brought.
func (s *Socket) accepted(o *op) (*Socket, Addr, error) {
	if !o.succeeded {
		return nil, Addr{}, o.fault()
	}
	c, err := s.engine.wrap(o.n, s.family, s.typ, s.proto)
	if err != nil {
		return nil, Addr{}, err
	}
	peer := s.engine.told(parseAddr(o.msg.name[:min(o.msg.nameLen, MaxAddrLen)]))
	c.setConnected(peer)
	return c, peer, nil
}

// reuseAfterFailedConnect is whether a descriptor that failed to connect is good for another address (A01). Linux would
// have it so; other systems do not, and what the first attempt left behind is not known.
const reuseAfterFailedConnect = false

// ConnectAny connects to the first of the addresses that can be reached, in their order, and returns the error of the
// last where none can. Each attempt after one that failed is made on a new descriptor, as Disconnect for reuse makes
// them: what the socket was bound to is lost. Addresses of IPv6 are passed over by sockets of IPv4; where there are no
// others, that is EAFNOSUPPORT, and EINVAL where there are none at all. A socket that is Exposed gets no new
// descriptor, so several addresses are an UnsupportedError. What says nothing about the address ends the attempts: the
// end of ctx, the deadline, Close, a connection that there is already or that is being made. A socket that does not
// wait leaves it at the first that takes time, as Connect does.
func (s *Socket) ConnectAny(ctx context.Context, addrs []netip.AddrPort) error {
	if len(addrs) == 0 {
		return s.invalid("connect", unix.EINVAL)
	}
	if len(addrs) > 1 && s.Exposed() {
		return s.invalid("connect", &UnsupportedError{
			What: "several addresses for an exposed socket", Why: "another descriptor would not be like this one",
		})
	}
	err := s.invalid("connect", unix.EAFNOSUPPORT)
	for _, ap := range addrs {
		a := IPAddr(ap)
		if s.family == unix.AF_INET && a.family != unix.AF_INET {
			continue
		}
		if err := s.renew(); err != nil {
			return err
		}
		if err = s.Connect(ctx, a); err == nil || final(err) {
			return err
		}
	}
	return err
}

// renew has the socket get another descriptor if its own failed to connect.
func (s *Socket) renew() error {
	s.mu.Lock()
	failed := s.state.failed
	s.mu.Unlock()
	if failed && !reuseAfterFailedConnect {
		return s.replace()
	}
	return nil
}

// final reports whether another address would fare no better.
func final(err error) bool {
	for _, target := range []error{
		ErrCanceled, ErrTimeout, ErrClosed, ErrInProgress, ErrWouldBlock, unix.EISCONN, unix.EALREADY,
	} {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// ConnectData connects as Connect does, sends all of data as Send does, and returns how many bytes had left: none where
// the connection failed. The error is an *OpError whose Op is "connect" or "send", whichever it was. On a TCP socket
// with TCP_FASTOPEN set, data goes with the connection request where the kernel and the peer know each other already
// (N32); it can then arrive twice when the request does, which the peer has to bear. Since 3.7.
func (s *Socket) ConnectData(ctx context.Context, a Addr, data []byte) (int, error) {
	n := 0
	var err error
	if len(data) > 0 && s.hasFastOpen() {
		n, err = s.connect(ctx, a, data, s.nonBlocking.Load())
	} else {
		err = s.Connect(ctx, a)
	}
	if err != nil || n == len(data) {
		return n, err
	}
	more, err := s.Send(ctx, data[n:], 0)
	return n + more, err
}

// TryConnectData begins to connect as TryConnect does, with the same errors, and returns how much of data goes with the
// connection request: none, or on a TCP socket with TCP_FASTOPEN set what ConnectData says of that. What is left is for
// the caller to send once the connection is made (A25).
func (s *Socket) TryConnectData(a Addr, data []byte) (int, error) {
	if len(data) == 0 || !s.hasFastOpen() {
		data = nil
	}
	return s.connect(context.Background(), a, data, true)
}

// hasFastOpen reports whether TCP_FASTOPEN is set, as the kernel has it: SetFastOpen is a wish.
func (s *Socket) hasFastOpen() bool {
	on := 0
	err := s.control("getsockopt", func(fd int) (err error) {
		on, err = unix.GetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN)
		return err
	})
	return err == nil && on != 0
}

// connectEarly begins the connection with data, and reports whether it did that. The kernel takes no data, and answers
// EINPROGRESS, where it has no cookie of the peer. With one it takes data before the peer has answered: whether there
// is a connection shows later.
func (o *op) connectEarly(fd int) (res int, ok bool) {
	if len(o.early) == 0 {
		return 0, false
	}
	at := addressOf(o.early)
	if race.Enabled {
		sends(at, len(o.early))
	}
	// SAFETY: the kernel reads the data and the name during the call.
	n, _, errno := unix.Syscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(at), uintptr(len(o.early)),
		unix.MSG_FASTOPEN|unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL,
		uintptr(unsafe.Pointer(&o.msg.name)), uintptr(o.msg.nameLen))
	switch errno {
	case 0:
		o.gone = int(n)
		o.moved(o.gone)
		return -int(unix.EINPROGRESS), true
	case unix.EOPNOTSUPP: // The system does not allow it (net.ipv4.tcp_fastopen).
		return 0, false
	}
	return -int(errno), true
}

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
		s.handle().cancelAll(errCanceled) // before the shutdown ends them with what they did not wait for
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
