//go:build linux

package uring_test

import (
	"context"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// One request sends every message that lies in the ring of provided buffers.
func ExampleRing_SendBundle() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 64)
	must(err)
	for id := range uint16(4) {
		p, err := buffers.Buffer(id)
		must(err)
		n := copy(p, fmt.Sprintf("message %d;", id))
		must(buffers.Add(id, n))
	}
	buffers.Publish()
	n, err := ring.SendBundle(context.Background(), fd, buffers, 0)
	must(err)
	p := make([]byte, 100)
	m, _ := far.Read(p)
	fmt.Println(n, string(p[:m]))
	// Output: 40 message 0;message 1;message 2;message 3;
}

func ExampleRing_Send() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	n, err := ring.Send(context.Background(), fd, []byte("hello"), 0)
	fmt.Println(n, err)
	// Output: 5 <nil>
}

func ExampleRing_SendTo() {
	from, to, addr := datagrams()
	defer unix.Close(from)
	defer unix.Close(to)
	ring := newRing()
	defer ring.Close()
	_, err := ring.SendTo(context.Background(), from, []byte("datagram"), 0, &addr)
	must(err)
	p := make([]byte, 100)
	n, _, err := unix.Recvfrom(to, p, 0)
	fmt.Println(string(p[:n]), err)
	// Output: datagram <nil>
}

// SendZC returns when the kernel has let go of the memory. On loopback it copies after all, and says so.
func ExampleRing_SendZC() {
	listener, addr := listening()
	defer unix.Close(listener)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	defer unix.Close(fd)
	ring := newRing()
	defer ring.Close()
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepConnect(fd, &addr) })
	must(err)
	n, copied, err := ring.SendZC(context.Background(), fd, make([]byte, 10_000), unix.MSG_WAITALL)
	fmt.Println(n, copied, err)
	// Output: 10000 true <nil>
}
