//go:build linux

package uring_test

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

func ExampleSQE_PrepNop() {
	ring := newRing()
	defer ring.Close()
	sqe := entry(ring)
	must(sqe.PrepNop())
	sqe.SetData("nothing")
	sqe.SetData64(42)
	for _, c := range wait(ring, 1) {
		fmt.Println(c.Data, c.Data64, c.Res)
	}
	// Output: nothing 42 0
}

// A send and the receive linked to it go out together; the receive starts when the send has succeeded.
func ExampleSQE_Link() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()

	send := entry(ring)
	must(send.PrepSend(near, []byte("ping"), 0))
	send.Link() // adds MSG_WAITALL
	p := make([]byte, 10)
	must(entry(ring).PrepRecv(int(far.Fd()), p, 0))
	for _, c := range wait(ring, 2) {
		fmt.Println(c.Res, c.Err())
	}
	fmt.Printf("%s\n", p[:4])
	// Output:
	// 4 <nil>
	// 4 <nil>
	// ping
}

// A hard link and a drain keep an order whatever becomes of the operations before.
func ExampleSQE_HardLink() {
	ring := newRing()
	defer ring.Close()
	fails := entry(ring)
	must(fails.PrepRead(-1, make([]byte, 1), 0))
	fails.HardLink()
	fails.SetData("fails")

	follows := entry(ring)
	must(follows.PrepNop())
	follows.SetData("follows")

	me, err := ring.RegisterPersonality()
	must(err)
	last := entry(ring)
	must(last.PrepNop())
	last.Drain()
	last.Async() // by a worker thread
	last.SetPersonality(me)
	last.SetData("last")
	for _, c := range wait(ring, 3) {
		fmt.Println(c.Data, errors.Is(c.Err(), unix.EBADF))
	}
	// Output:
	// fails true
	// follows false
	// last false
}

func ExampleSQE_SetFlags() {
	ring := newRing()
	defer ring.Close()
	sqe := entry(ring)
	must(sqe.PrepNop())
	fmt.Println(sqe.SetFlags(uring.SQEAsync | uring.SQEIODrain))
	fmt.Println(sqe.SetFlags(1 << 7))
	fmt.Println(len(wait(ring, 1)))
	// Output:
	// <nil>
	// uring: SetFlags: 1<<7: invalid argument
	// 1
}

func ExampleSQE_PrepCancel() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	recv := entry(ring)
	must(recv.PrepRecv(near, make([]byte, 1), 0))
	id := recv.ID()
	_, err := ring.Submit()
	must(err)

	must(entry(ring).PrepCancel(id, 0))
	for _, c := range wait(ring, 2) {
		if c.ID == id {
			fmt.Println("the receive:", c.Err())
		} else {
			fmt.Println("the cancellation:", c.Err())
		}
	}
	// Unordered output:
	// the receive: recv: operation canceled
	// the cancellation: <nil>
}

// Everything that waits on a descriptor has to end before the descriptor is closed.
func ExampleSQE_PrepCancelFd() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	for range 3 {
		must(entry(ring).PrepRecv(near, make([]byte, 1), 0))
	}
	_, err := ring.Submit()
	must(err)
	sqe := entry(ring)
	must(sqe.PrepCancelFd(near, cring.AsyncCancelAll))
	sqe.SetData("cancelled:")
	canceled := 0
	for _, c := range wait(ring, 4) {
		if c.Data != nil {
			fmt.Println(c.Data, c.Res)
		} else if errors.Is(c.Err(), unix.ECANCELED) {
			canceled++
		}
	}
	fmt.Println("ended:", canceled)
	// Output:
	// cancelled: 3
	// ended: 3
}

// C code on an adopted ring names its requests by user data of its own.
func ExampleSQE_PrepCancel64() {
	ring := newRing()
	defer ring.Close()
	_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepCancel64(42, 0) })
	fmt.Println(errors.Is(err, unix.ENOENT))
	// Output: true
}

func ExampleSQE_PrepTimeout() {
	ring := newRing()
	defer ring.Close()
	_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepTimeout(time.Millisecond, 0, 0) })
	fmt.Println(errors.Is(err, unix.ETIME))
	// Output: true
}

func ExampleSQE_PrepTimeoutUpdate() {
	ring := newRing()
	defer ring.Close()
	timeout := entry(ring)
	must(timeout.PrepTimeout(time.Hour, 0, 0))
	id := timeout.ID()
	_, err := ring.Submit()
	must(err)
	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepTimeoutUpdate(2*time.Hour, id, 0) })
	fmt.Println("updated:", n, err)

	must(entry(ring).PrepTimeoutRemove(id, 0))
	for _, c := range wait(ring, 2) {
		if c.ID == id {
			fmt.Println("removed:", errors.Is(c.Err(), unix.ECANCELED))
		}
	}
	// Output:
	// updated: 0 <nil>
	// removed: true
}

// A linked timeout bounds the operation before it.
func ExampleSQE_PrepLinkTimeout() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	recv := entry(ring)
	must(recv.PrepRecv(near, make([]byte, 1), 0))
	recv.Link()
	recv.SetData("receive")
	timeout := entry(ring)
	must(timeout.PrepLinkTimeout(time.Millisecond, 0))
	timeout.SetData("timeout")
	for _, c := range wait(ring, 2) {
		fmt.Println(c.Data, errors.Is(c.Err(), unix.ECANCELED), errors.Is(c.Err(), unix.ETIME))
	}
	// Unordered output:
	// receive true false
	// timeout false true
}
