//go:build unix

package testutil

import (
	"errors"
	"net"
	"os"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// sockets says how to make a pair of connected sockets for each network that SocketPair takes. loopback is
// nil where socketpair(2) makes them.
var sockets = map[string]struct {
	domain, kind int
	loopback     unix.Sockaddr
}{
	"tcp4":       {unix.AF_INET, unix.SOCK_STREAM, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}},
	"tcp6":       {unix.AF_INET6, unix.SOCK_STREAM, &unix.SockaddrInet6{Addr: [16]byte(net.IPv6loopback)}},
	"udp4":       {unix.AF_INET, unix.SOCK_DGRAM, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}},
	"udp6":       {unix.AF_INET6, unix.SOCK_DGRAM, &unix.SockaddrInet6{Addr: [16]byte(net.IPv6loopback)}},
	"unix":       {unix.AF_UNIX, unix.SOCK_STREAM, nil},
	"unixgram":   {unix.AF_UNIX, unix.SOCK_DGRAM, nil},
	"unixpacket": {unix.AF_UNIX, unix.SOCK_SEQPACKET, nil},
}

// SocketPair returns two sockets connected to each other on loopback, blocking and close-on-exec. network
// is tcp4, tcp6, udp4, udp6, unix, unixgram or unixpacket, the names of package net. The test may close
// them; what it has not closed is closed when it ends. The test is skipped when network asks for IPv6 and
// the machine has none on loopback.
func SocketPair(t testing.TB, network string) (a, b int) {
	t.Helper()
	how, ok := sockets[network]
	if !ok {
		t.Fatalf("testutil: no socket pair for network %q", network)
	}
	var err error
	switch {
	case how.loopback == nil:
		a, b, err = localPair(t, how.domain, how.kind)
	case how.kind == unix.SOCK_STREAM:
		a, b, err = streamPair(t, how.domain, how.loopback)
	default:
		a, b, err = datagramPair(t, how.domain, how.loopback)
	}
	if how.domain == unix.AF_INET6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)) {
		Skip(t, NeedsIPv6, "none on loopback: %v", err)
	}
	if err != nil {
		t.Fatalf("testutil: a pair of %s sockets: %v", network, err)
	}
	return a, b
}

func localPair(t testing.TB, domain, kind int) (a, b int, err error) {
	syscall.ForkLock.RLock()
	fds, err := unix.Socketpair(domain, kind, 0)
	if err == nil {
		unix.CloseOnExec(fds[0])
		unix.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, -1, os.NewSyscallError("socketpair", err)
	}
	closeAtEnd(t, fds[0])
	closeAtEnd(t, fds[1])
	return fds[0], fds[1], nil
}

func streamPair(t testing.TB, domain int, loopback unix.Sockaddr) (a, b int, err error) {
	listener, addr, err := boundSocket(t, domain, unix.SOCK_STREAM, loopback)
	if err != nil {
		return -1, -1, err
	}
	defer unix.Close(listener)
	if err := unix.Listen(listener, 1); err != nil {
		return -1, -1, os.NewSyscallError("listen", err)
	}
	a, err = open(t, "socket", func() (int, error) { return unix.Socket(domain, unix.SOCK_STREAM, 0) })
	if err != nil {
		return -1, -1, err
	}
	if err := unix.Connect(a, addr); err != nil {
		return -1, -1, os.NewSyscallError("connect", err)
	}
	b, err = open(t, "accept", func() (int, error) {
		fd, _, err := unix.Accept(listener)
		return fd, err
	})
	return a, b, err
}

func datagramPair(t testing.TB, domain int, loopback unix.Sockaddr) (a, b int, err error) {
	a, addrA, err := boundSocket(t, domain, unix.SOCK_DGRAM, loopback)
	if err != nil {
		return -1, -1, err
	}
	b, addrB, err := boundSocket(t, domain, unix.SOCK_DGRAM, loopback)
	if err != nil {
		return -1, -1, err
	}
	if err := errors.Join(unix.Connect(a, addrB), unix.Connect(b, addrA)); err != nil {
		return -1, -1, os.NewSyscallError("connect", err)
	}
	return a, b, nil
}

// boundSocket returns a new socket on a free port of the loopback address, and the address with that port.
func boundSocket(t testing.TB, domain, kind int, loopback unix.Sockaddr) (fd int, addr unix.Sockaddr, err error) {
	fd, err = open(t, "socket", func() (int, error) { return unix.Socket(domain, kind, 0) })
	if err != nil {
		return -1, nil, err
	}
	if err := unix.Bind(fd, loopback); err != nil {
		return -1, nil, os.NewSyscallError("bind", err)
	}
	addr, err = unix.Getsockname(fd)
	return fd, addr, os.NewSyscallError("getsockname", err)
}

// open makes a descriptor by the system call of that name, marks it close-on-exec and hands it to
// closeAtEnd. syscall.ForkLock keeps other goroutines from forking in between, as package syscall asks of
// systems that cannot set the mark with the call.
func open(t testing.TB, name string, call func() (int, error)) (int, error) {
	syscall.ForkLock.RLock()
	fd, err := call()
	if err == nil {
		unix.CloseOnExec(fd)
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return -1, os.NewSyscallError(name, err)
	}
	closeAtEnd(t, fd)
	return fd, nil
}

// closeAtEnd closes fd when the test ends, unless the number has come to mean another file since: the test
// closed the socket, and somebody else got the number.
func closeAtEnd(t testing.TB, fd int) {
	var made unix.Stat_t
	if err := unix.Fstat(fd, &made); err != nil {
		t.Fatalf("testutil: fstat: %v", err)
	}
	t.Cleanup(func() {
		var now unix.Stat_t
		if unix.Fstat(fd, &now) == nil && now.Dev == made.Dev && now.Ino == made.Ino {
			unix.Close(fd)
		}
	})
}
