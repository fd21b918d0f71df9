//go:build linux

package load

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/examples/internal/proto"
)

// sockets are the job's connections as bare file descriptors, in blocking mode.
type sockets []int

// connect opens the job's connections and sends each one's preamble.
func connect(job proto.Job) (sockets, error) {
	family, sockaddr, err := address(job)
	if err != nil {
		return nil, err
	}
	s := make(sockets, 0, job.Conns)
	for i := range job.Conns {
		fd, err := unix.Socket(family, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			s.close()
			return nil, fmt.Errorf("connection %d: %w", i, os.NewSyscallError("socket", err))
		}
		s = append(s, fd)
		if err := open(fd, i, job, sockaddr); err != nil {
			s.close()
			return nil, fmt.Errorf("connection %d: %w", i, err)
		}
	}
	return s, nil
}

func address(job proto.Job) (family int, sockaddr unix.Sockaddr, err error) {
	if job.Net == proto.Unix {
		return unix.AF_UNIX, &unix.SockaddrUnix{Name: job.Addr}, nil
	}
	ap, err := netip.ParseAddrPort(job.Addr)
	switch {
	case err != nil:
		return 0, nil, fmt.Errorf("address %q: %w", job.Addr, err)
	case ap.Addr().Is4():
		return unix.AF_INET, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}, nil
	}
	return unix.AF_INET6, &unix.SockaddrInet6{Port: int(ap.Port()), Addr: ap.Addr().As16()}, nil
}

func open(fd, index int, job proto.Job, sockaddr unix.Sockaddr) error {
	if job.SendBuf > 0 {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, job.SendBuf); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	if err := unix.Connect(fd, sockaddr); err != nil {
		return os.NewSyscallError("connect", err)
	}
	if job.Net == proto.TCP {
		// As package net does by itself.
		if err := unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1); err != nil {
			return os.NewSyscallError("setsockopt", err)
		}
	}
	preamble := proto.Preamble(index)
	n, err := unix.Write(fd, preamble)
	if err != nil {
		return os.NewSyscallError("write", err)
	}
	if n != len(preamble) {
		return fmt.Errorf("preamble: %d of %d bytes written", n, len(preamble))
	}
	return nil
}

func (s sockets) close() {
	for _, fd := range s {
		unix.Close(fd)
	}
}

// arenaAndSockets makes what most modes start with.
func arenaAndSockets(job proto.Job) (*arena, sockets, error) {
	a, err := newArena(job)
	if err != nil {
		return nil, nil, err
	}
	fds, err := connect(job)
	if err != nil {
		a.close()
		return nil, nil, err
	}
	return a, fds, nil
}
