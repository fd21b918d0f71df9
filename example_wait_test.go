//go:build linux

package uring_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// A batch fills the queue and is submitted as a whole: SQE would submit by itself where the queue is full.
func ExampleRing_SQSpace() {
	ring, err := uring.New(8)
	must(err)
	defer ring.Close()
	for ring.SQSpace() > 0 {
		must(entry(ring).PrepNop())
	}
	n, err := ring.Submit()
	fmt.Println(n, err, ring.SQSpace())
	// Output: 8 <nil> 8
}

// Reap fills an array of the caller's; what does not fit comes with the next call.
func ExampleRing_Reap() {
	ring := newRing()
	defer ring.Close()
	for i := range uint64(6) {
		sqe := entry(ring)
		must(sqe.PrepNop())
		sqe.SetData64(i)
	}
	_, err := ring.SubmitAndWait(context.Background(), 6)
	must(err)
	var cqes [4]uring.CQE
	for ring.Ready() > 0 {
		n, err := ring.Reap(cqes[:])
		must(err)
		for _, c := range cqes[:n] {
			fmt.Print(c.Data64, " ")
		}
		fmt.Println("ready:", ring.Ready())
	}
	// Output:
	// 0 1 2 3 ready: 2
	// 4 5 ready: 0
}

// An event loop that has something else to do from time to time bounds its waits.
func ExampleRing_SubmitAndWaitTimeout() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	must(entry(ring).PrepRecv(int(far.Fd()), make([]byte, 10), 0))
	_, err := ring.SubmitAndWaitTimeout(context.Background(), 1, time.Millisecond)
	fmt.Println("nothing came:", errors.Is(err, os.ErrDeadlineExceeded), ring.Ready())

	must(unix.Send(near, []byte("hello"), 0)) // the receive is still there
	_, err = ring.SubmitAndWaitTimeout(context.Background(), 1, time.Minute)
	fmt.Println(ring.Ready(), err)
	// Output:
	// nothing came: true 0
	// 1 <nil>
}

// A server gathers completions for a short while, so that it is woken once for many, and late for none.
func ExampleRing_SubmitAndWaitMinTimeout() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	must(entry(ring).PrepRecv(int(far.Fd()), make([]byte, 10), 0))
	must(unix.Send(near, []byte("hello"), 0))
	_, err := ring.SubmitAndWaitMinTimeout(context.Background(), 4, time.Millisecond, time.Minute)
	if lacking(err) {
		_, err = ring.SubmitAndWait(context.Background(), 1) // before kernel 6.12: woken for each
	}
	fmt.Println(ring.Ready(), err)
	// Output: 1 <nil>
}
