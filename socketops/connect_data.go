//go:build linux

package socketops

import (
	"context"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
)

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
