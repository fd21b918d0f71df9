//go:build linux

package socketops

import (
	"context"
	"errors"

	"golang.org/x/sys/unix"
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
		s.setConnected()
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
		if _, err := unix.Getpeername(fd); err == unix.ENOTCONN {
			return err
		}
		s.setConnected()
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
	c.setConnected()
	return c, s.engine.told(parseAddr(o.msg.name[:min(o.msg.nameLen, MaxAddrLen)])), nil
}
