//go:build linux

package uring_test

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// submitReceives starts n receives, from a registered file where fixed is set, and returns the id of the last.
func submitReceives(ring *uring.Ring, n, fd int, fixed bool) (last uring.OpID) {
	for range n {
		recv := entry(ring)
		must(recv.PrepRecv(fd, make([]byte, 1), 0))
		if fixed {
			recv.FixedFile()
		}
		last = recv.ID()
	}
	_, err := ring.Submit()
	must(err)
	return last
}

// Memory that an operation names can be used for something else once the operation was cancelled and reaped.
func ExampleRing_SyncCancel() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	id := submitReceives(ring, 1, near, false)
	ends := 1
	if lacking(ring.SyncCancel(uring.CancelID(id), time.Second)) {
		must(entry(ring).PrepCancel(id, 0)) // before kernel 6.0 by a request, which completes too
		ends++
	}
	for _, c := range wait(ring, ends) {
		if c.ID == id {
			fmt.Println(c.Err())
		}
	}
	// Output: recv: operation canceled
}

// Whatever waits on a socket has to end before its descriptor is closed.
func ExampleCancelFd() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	submitReceives(ring, 3, near, false)
	if lacking(ring.SyncCancel(uring.CancelFd(near).All(), time.Second)) {
		must(unix.Shutdown(near, unix.SHUT_RDWR)) // before kernel 6.0
	}
	fmt.Println("ended:", len(wait(ring, 3)), "in flight:", ring.Stats().InFlight)
	// Output: ended: 3 in flight: 0
}

// A registered file is named by its index, also where the program has no descriptor of it any more.
func ExampleCancelFixedFile() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	must(ring.RegisterFiles([]int{near}))
	submitReceives(ring, 2, 0, true)
	if lacking(ring.SyncCancel(uring.CancelFixedFile(0).All(), time.Second)) {
		must(unix.Shutdown(near, unix.SHUT_RDWR)) // before kernel 6.0
	}
	fmt.Println("ended:", len(wait(ring, 2)), "in flight:", ring.Stats().InFlight)
	// Output: ended: 2 in flight: 0
}

// A worker that is to begin afresh on the same ring ends everything first.
func ExampleCancelAny() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	submitReceives(ring, 2, near, false)
	if lacking(ring.SyncCancel(uring.CancelAny(), time.Second)) {
		must(unix.Shutdown(near, unix.SHUT_RDWR)) // before kernel 6.0
	}
	fmt.Println("ended:", len(wait(ring, 2)), "in flight:", ring.Stats().InFlight)
	// Output: ended: 2 in flight: 0
}
