//go:build linux

package sink

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// backlog is how many connections may wait to be accepted; the kernel cuts it to net.core.somaxconn.
const backlog = 4096

// listen opens the listener of a run and returns its address.
func (s *server) listen(spec Spec) (string, error) {
	if s.listener >= 0 {
		return "", errors.New("the run before is not closed")
	}
	family, sockaddr := unix.AF_INET, unix.Sockaddr(&unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	switch spec.Net {
	case "tcp":
	case "unix":
		family, sockaddr = unix.AF_UNIX, &unix.SockaddrUnix{Name: spec.Path}
	default:
		return "", fmt.Errorf("network %q", spec.Net)
	}
	fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	addr, err := s.listenOn(fd, spec, sockaddr)
	if err != nil {
		unix.Close(fd)
		return "", err
	}
	s.spec, s.listener = spec, fd
	return addr, nil
}

func (s *server) listenOn(fd int, spec Spec, sockaddr unix.Sockaddr) (string, error) {
	if spec.RecvBuf > 0 {
		// Accepted sockets inherit it, and TCP fixes its window scale by it.
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, spec.RecvBuf); err != nil {
			return "", os.NewSyscallError("setsockopt", err)
		}
	}
	if err := unix.Bind(fd, sockaddr); err != nil {
		return "", os.NewSyscallError("bind", err)
	}
	if err := unix.Listen(fd, backlog); err != nil {
		return "", os.NewSyscallError("listen", err)
	}
	if err := s.watch(fd, unix.EPOLLIN, tagListener); err != nil {
		return "", err
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	if in4, ok := name.(*unix.SockaddrInet4); ok {
		return net.JoinHostPort("127.0.0.1", strconv.Itoa(in4.Port)), nil
	}
	return spec.Path, nil
}

// accept takes every connection that waits.
func (s *server) accept() error {
	for s.listener >= 0 {
		fd, _, err := unix.Accept4(s.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		again, wait := socketops.AcceptAgain(err)
		switch {
		case errors.Is(err, unix.EAGAIN):
			return nil
		case errors.Is(err, unix.EINTR), again && !wait:
			continue
		case err != nil:
			return os.NewSyscallError("accept4", err)
		}
		c := newConn(fd, s.spec)
		s.conns = append(s.conns, c)
		s.open++
		// Edge-triggered: one wake-up for all that arrived, and no second look at an empty socket.
		if err := s.watch(fd, unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLET, int32(len(s.conns)-1)); err != nil {
			return err
		}
	}
	return nil
}

func (s *server) shutListener() {
	if s.listener < 0 {
		return
	}
	unix.Close(s.listener)
	s.listener = -1
	if s.spec.Net == "unix" {
		unix.Unlink(s.spec.Path)
	}
}
