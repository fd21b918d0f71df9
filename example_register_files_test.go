//go:build linux

package uring_test

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

// Sockets that live long are registered, and the kernel need not look their descriptors up for each request.
func ExampleRing_RegisterFiles() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	next, nextFar := connected()
	defer unix.Close(next)
	defer nextFar.Close()
	ring := newRing()
	defer ring.Close()
	send := func(text string) (int, error) {
		return perform(ring, func(sqe *uring.SQE) error {
			err := sqe.PrepSend(0, []byte(text), 0) // the table's index 0
			sqe.FixedFile()
			return err
		})
	}
	must(ring.RegisterFiles([]int{near, uring.FilesEmpty}))
	fmt.Println(send("hello"))
	n, err := ring.UpdateFiles(0, []int{next}) // a connection takes the place of one that ended
	fmt.Println("updated:", n, err)
	fmt.Println(send("and again"))
	must(ring.UnregisterFiles())
	// Output:
	// 5 <nil>
	// updated: 1 <nil>
	// 9 <nil>
}

// A server that keeps the first indexes for its listeners leaves the kernel only the others for what it accepts.
func ExampleRing_RegisterFileAllocRange() {
	listener, addr := listening()
	defer unix.Close(listener)
	ring := withFiles() // eight of them
	defer ring.Close()
	ranged := !lacking(ring.RegisterFileAllocRange(4, 4))

	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	defer unix.Close(client)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepConnect(client, &addr) })
	must(err)
	index, err := perform(ring, func(sqe *uring.SQE) error {
		if !ranged { // before kernel 6.0 the application chooses them all
			return sqe.PrepAcceptDirect(listener, nil, 0, 4)
		}
		return sqe.PrepAcceptDirect(listener, nil, 0, cring.FileIndexAlloc)
	})
	if !ranged {
		index = 4
	}
	fmt.Println(index, err)
	// Output: 4 <nil>
}
