//go:build linux && cgo

package uring_test

import (
	"fmt"
	"log"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/ctest"
)

// mustC ends an example where C code answers a negative errno.
func mustC(ret int) {
	if ret < 0 {
		log.Fatal(unix.Errno(-ret))
	}
}

// Go code takes part in a ring that C code set up, as an application half in C wants it.
func ExampleAdopt() {
	runtime.LockOSThread() // the kernel may bind the ring to the thread that sets it up
	defer runtime.UnlockOSThread()
	c, ret := ctest.New(8, 0) // io_uring_queue_init(3)
	mustC(ret)
	defer c.Free() // the ring stays C's
	ring, err := uring.Adopt(c.Pointer())
	must(err)
	defer ring.Close()

	mustC(c.Nop(7)) // queued by C with user data 7
	sqe := entry(ring)
	must(sqe.PrepNop())
	sqe.SetData("from Go")
	for _, c := range wait(ring, 2) {
		if c.Foreign {
			fmt.Println("from C:", c.ID)
		} else {
			fmt.Println(c.Data)
		}
	}
	// Output:
	// from C: 7
	// from Go
}

// A ring of Go's may serve C code too, such as a library that takes a struct io_uring.
func ExampleRing_C() {
	ring := newRing()
	defer ring.Close()
	library := ctest.Wrap(ring.C())
	mustC(library.Nop(7))
	for _, c := range wait(ring, 1) {
		fmt.Println(c.Foreign, c.ID)
	}
	// Output: true 7
}

// C code submits what Go's Senders have queued, and hands over the completions of Go's that it reaps.
func ExampleRing_Reaped() {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	c, ret := ctest.New(8, 0)
	mustC(ret)
	defer c.Free()
	ring, err := uring.Adopt(c.Pointer())
	must(err)
	defer ring.Close()
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	sender, err := ring.NewSender(near)
	must(err)

	_, err = sender.Write([]byte("hello"))
	must(err)
	must(ring.ArmSenders())
	mustC(c.Submit())
	userData, res, ret := c.Wait() // io_uring_wait_cqe(3) and io_uring_cqe_seen(3)
	mustC(ret)
	if userData>>63 == 1 {
		must(ring.Reaped(userData, int32(res), 0))
	}
	fmt.Println("sent:", sender.Sent(), "in flight:", ring.Stats().InFlight)
	// Output: sent: 5 in flight: 0
}
