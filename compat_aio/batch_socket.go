package aio

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// Socket is a stream socket as a Batcher knows it. It does not own the descriptor.
type Socket struct {
	batcher *Batcher
	fd      int
	name    int  // in Batcher.named
	watched bool // the poller has it
	closed  bool
	sender  *Sender // which has the sending direction to itself
	lanes   [directions]lane
}

// direction is what a transfer does.
type direction uint8

const (
	sending direction = iota
	receiving
	directions
)

// lane is what one direction of a socket has to do: at most one transfer that is ready, attempted or waiting, and
// behind it those of the same batch.
type lane struct {
	last    *task
	waiting *task
}

// Socket makes the stream socket fd known to the Batcher. Others are refused with EPROTOTYPE, since batches do not keep
// the boundaries of messages. A blocking socket is refused with ErrInvalid where the kernel cannot be told not to wait
// on it (RWF_NOWAIT on sockets, 6.5): set O_NONBLOCK, and leave it set. Of each descriptor there is one Socket at a
// time, or the error is unix.EEXIST: close it before the descriptor.
func (b *Batcher) Socket(fd int) (*Socket, error) {
	nested, err := b.borrow()
	if err != nil {
		return nil, err
	}
	defer b.giveBack(nested)
	if _, known := b.sockets[fd]; known {
		return nil, fmt.Errorf("aio: descriptor %d has a Socket: %w", fd, unix.EEXIST)
	}
	if err := streamOnly(fd); err != nil {
		return nil, err
	}
	if b.refuseBlocking {
		if err := nonBlocking(fd); err != nil {
			return nil, err
		}
	}
	s := &Socket{batcher: b, fd: fd}
	b.name(s)
	b.sockets[fd] = s
	return s, nil
}

// name gives a socket the name by which the poller reports it.
func (b *Batcher) name(s *Socket) {
	last := len(b.unnamed) - 1
	if last < 0 {
		s.name = len(b.named)
		b.named = append(b.named, s)
		return
	}
	s.name = b.unnamed[last]
	b.unnamed = b.unnamed[:last]
	b.named[s.name] = s
}

// FD returns the descriptor.
func (s *Socket) FD() int { return s.fd }

// Close has the Batcher forget the socket, which stays open. It comes before the descriptor is closed. A Sender on it
// has to be closed before: ErrBusy. Closing again does nothing.
func (s *Socket) Close() error {
	nested, err := s.batcher.borrow()
	if err != nil {
		if s.batcher.closing.Load() {
			return nil // The Batcher closes its Sockets.
		}
		return err
	}
	defer s.batcher.giveBack(nested)
	switch {
	case s.closed:
		return nil
	case s.sender != nil:
		return fmt.Errorf("%w: the socket has a Sender", ErrBusy)
	case s.busy():
		return fmt.Errorf("%w: a transfer on the socket is not over", ErrBusy)
	}
	s.forget()
	return nil
}

// busy reports whether the call that a callback came from has the socket in its batch.
func (s *Socket) busy() bool { return s.lanes[sending].last != nil || s.lanes[receiving].last != nil }

// forget takes the socket out of the Batcher.
func (s *Socket) forget() {
	s.closed = true
	if s.watched {
		s.batcher.ready.Remove(s.fd)
	}
	b := s.batcher
	b.named[s.name] = nil
	b.unnamed = append(b.unnamed, s.name)
	delete(b.sockets, s.fd)
}

// streamOnly refuses what is no stream socket.
func streamOnly(fd int) error {
	typ, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_TYPE)
	if err != nil {
		return os.NewSyscallError("getsockopt", err)
	}
	if typ != unix.SOCK_STREAM {
		return os.NewSyscallError("socket type", unix.EPROTOTYPE)
	}
	return nil
}

// nonBlocking refuses a socket that a transfer could block on.
func nonBlocking(fd int) error {
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if err != nil {
		return os.NewSyscallError("fcntl", err)
	}
	if flags&unix.O_NONBLOCK == 0 {
		return invalid("socket %d is blocking, and this kernel has no RWF_NOWAIT for it", fd)
	}
	return nil
}
