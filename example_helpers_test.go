//go:build linux

package uring_test

import (
	"context"
	"errors"
	"log"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// must ends an example that cannot go on.
func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// lacking reports whether the kernel lacks what an example asked for; any other error ends the example.
func lacking(err error) bool {
	if errors.Is(err, errors.ErrUnsupported) {
		return true
	}
	must(err)
	return false
}

// newRing returns a ring for an example.
func newRing() *uring.Ring {
	ring, err := uring.New(16)
	must(err)
	return ring
}

// entry returns the next submission entry.
func entry(ring *uring.Ring) *uring.SQE {
	sqe, err := ring.SQE()
	must(err)
	return sqe
}

// wait submits what was prepared, waits for n completions and returns them.
func wait(ring *uring.Ring, n int) []uring.CQE {
	_, err := ring.SubmitAndWait(context.Background(), n)
	must(err)
	var cqes []uring.CQE
	for c := range ring.Completions() {
		cqes = append(cqes, c)
	}
	return cqes
}

// perform runs one operation to its end and returns its result.
func perform(ring *uring.Ring, prep func(sqe *uring.SQE) error) (int, error) {
	if err := prep(entry(ring)); err != nil {
		return 0, err
	}
	c := wait(ring, 1)[0]
	return int(c.Res), c.Err()
}

// connected returns the two ends of a stream, the far end as a file to read.
func connected() (near int, far *os.File) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	return fds[0], os.NewFile(uintptr(fds[1]), "far end")
}

// datagrams returns a UDP socket, and another with its address.
func datagrams() (from, to int, addr uring.Sockaddr) {
	fds := [2]int{}
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		must(err)
		must(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		fds[i] = fd
	}
	name, err := unix.Getsockname(fds[1])
	must(err)
	port := uint16(name.(*unix.SockaddrInet4).Port)
	addr, err = uring.SockaddrInet(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
	must(err)
	return fds[0], fds[1], addr
}

// loopback is 127.0.0.1 with a port of the kernel's choice.
func loopback() uring.Sockaddr {
	addr, err := uring.SockaddrInet(netip.MustParseAddrPort("127.0.0.1:0"))
	must(err)
	return addr
}

// listening returns a socket that listens on loopback, and its address.
func listening() (fd int, addr uring.Sockaddr) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	must(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(unix.Listen(fd, 16))
	name, err := unix.Getsockname(fd)
	must(err)
	port := uint16(name.(*unix.SockaddrInet4).Port)
	addr, err = uring.SockaddrInet(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
	must(err)
	return fd, addr
}
