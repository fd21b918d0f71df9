//go:build linux

package uring_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// One request sends every message that lies in the ring of provided buffers.
func ExampleRing_SendBundle() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring, err := uring.New(8)
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 64)
	if err != nil {
		log.Fatal(err)
	}
	for id := range uint16(4) {
		p, err := buffers.Buffer(id)
		if err != nil {
			log.Fatal(err)
		}
		n := copy(p, fmt.Sprintf("message %d;", id))
		if err := buffers.Add(id, n); err != nil {
			log.Fatal(err)
		}
	}
	buffers.Publish()
	n, err := ring.SendBundle(context.Background(), fd, buffers, 0)
	if err != nil {
		log.Fatal(err)
	}
	p := make([]byte, 100)
	m, _ := far.Read(p)
	fmt.Println(n, string(p[:m]))
	// Output: 40 message 0;message 1;message 2;message 3;
}

func ExampleRing_Send() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring, err := uring.New(8)
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close()
	n, err := ring.Send(context.Background(), fd, []byte("hello"), 0)
	fmt.Println(n, err)
	// Output: 5 <nil>
}

func ExampleRing_SendTo() {
	var fds [2]int
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			log.Fatal(err)
		}
		defer unix.Close(fd)
		if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
			log.Fatal(err)
		}
		fds[i] = fd
	}
	name, err := unix.Getsockname(fds[1])
	if err != nil {
		log.Fatal(err)
	}
	port := uint16(name.(*unix.SockaddrInet4).Port)
	to, err := uring.SockaddrInet(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	if err != nil {
		log.Fatal(err)
	}

	ring, err := uring.New(8)
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close()
	if _, err := ring.SendTo(context.Background(), fds[0], []byte("datagram"), 0, &to); err != nil {
		log.Fatal(err)
	}
	p := make([]byte, 100)
	n, _, err := unix.Recvfrom(fds[1], p, 0)
	fmt.Println(string(p[:n]), err)
	// Output: datagram <nil>
}

// SendZC returns when the kernel has let go of the memory. On loopback it copies after all, and says so.
func ExampleRing_SendZC() {
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(l)
	if err := unix.Listen(l, 1); err != nil {
		log.Fatal(err)
	}
	name, err := unix.Getsockname(l)
	if err != nil {
		log.Fatal(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		log.Fatal(err)
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{
		Port: name.(*unix.SockaddrInet4).Port, Addr: [4]byte{127, 0, 0, 1},
	}); err != nil {
		log.Fatal(err)
	}

	ring, err := uring.New(8)
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close()
	n, copied, err := ring.SendZC(context.Background(), fd, make([]byte, 10_000), unix.MSG_WAITALL)
	fmt.Println(n, copied, err)
	// Output: 10000 true <nil>
}
