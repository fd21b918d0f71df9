//go:build linux

package uring_test

import (
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

// A server's socket comes to be without a system call of its own. Kernels that lack an operation say EINVAL.
func ExampleSQE_PrepListen() {
	ring := newRing()
	defer ring.Close()
	fd, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepSocket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0, 0)
	})
	must(err)
	addr := loopback()
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepBind(fd, &addr) })
	if errors.Is(err, unix.EINVAL) { // before 6.11
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	fmt.Println("bind:", err)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepListen(fd, 16) })
	if errors.Is(err, unix.EINVAL) { // before 6.11
		err = unix.Listen(fd, 16)
	}
	fmt.Println("listen:", err)

	var name uring.Sockaddr
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepCmdGetsockname(fd, &name, false) })
	if err != nil { // before 6.19
		_, err = unix.Getsockname(fd)
	} else {
		ap, ok := name.AddrPort()
		if !ok || !ap.Addr().IsLoopback() {
			fmt.Println("bound to", name)
		}
	}
	fmt.Println("getsockname:", err)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepClose(fd) })
	fmt.Println("close:", err)
	// Output:
	// bind: <nil>
	// listen: <nil>
	// getsockname: <nil>
	// close: <nil>
}

func ExampleSQE_PrepAccept() {
	listener, addr := listening()
	defer unix.Close(listener)
	ring := newRing()
	defer ring.Close()
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	defer unix.Close(client)

	var from uring.Sockaddr // the kernel's until the accept has completed
	must(entry(ring).PrepAccept(listener, &from, unix.SOCK_CLOEXEC))
	must(entry(ring).PrepConnect(client, &addr))
	for _, c := range wait(ring, 2) {
		must(c.Err())
		if c.Res > 0 {
			defer unix.Close(int(c.Res))
		}
	}
	ap, _ := from.AddrPort()
	fmt.Println("connection from", ap.Addr())
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepShutdown(client, unix.SHUT_WR) })
	fmt.Println("shutdown:", err)
	// Output:
	// connection from 127.0.0.1
	// shutdown: <nil>
}

// One request accepts every connection.
func ExampleSQE_PrepMultishotAccept() {
	listener, addr := listening()
	defer unix.Close(listener)
	ring := newRing()
	defer ring.Close()
	accept := entry(ring)
	must(accept.PrepMultishotAccept(listener, unix.SOCK_CLOEXEC))
	accept.SetData("accepted")
	for range 3 {
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		must(err)
		defer unix.Close(client)
		must(entry(ring).PrepConnect(client, &addr))
		for _, c := range wait(ring, 2) {
			must(c.Err())
			if c.Data != nil {
				fmt.Println(c.Data, c.More())
				must(unix.Close(int(c.Res)))
			}
		}
	}
	// Output:
	// accepted true
	// accepted true
	// accepted true
}

func ExampleSQE_PrepCmdSock() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	on := binary.NativeEndian.AppendUint32(nil, 1)
	_, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepCmdSock(cring.SocketOpSetsockopt, near, unix.SOL_SOCKET, unix.SO_KEEPALIVE, on)
	})
	if err != nil { // before 6.7
		err = unix.SetsockoptInt(near, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	}
	fmt.Println("set:", err)
	value, err := unix.GetsockoptInt(near, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	fmt.Println("is:", value, err)
	// Output:
	// set: <nil>
	// is: 1 <nil>
}
