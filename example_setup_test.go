//go:build linux

package uring_test

import (
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// Multishot requests make many completions for one submission: their ring needs a queue to match.
func ExampleWithCQEntries() {
	ring, err := uring.New(8, uring.WithCQEntries(1000))
	must(err)
	defer ring.Close()
	fmt.Println(ring.Entries())
	// Output: 8 1024
}

// A size that comes from a configuration is cut to what the kernel allows, instead of being refused.
func ExampleWithClamp() {
	_, err := uring.New(100_000)
	fmt.Println(errors.Is(err, unix.EINVAL))
	ring, err := uring.New(100_000, uring.WithClamp())
	must(err)
	defer ring.Close()
	fmt.Println(ring.Entries())
	// Output:
	// true
	// 32768 65536
}

// A thread of the kernel's own takes submissions, so that a busy ring needs no system call for them.
func ExampleWithSQPoll() {
	ring, err := uring.New(8, uring.WithSQPoll(time.Millisecond, -1))
	if lacking(err) {
		ring = newRing() // before kernel 5.11 without CAP_SYS_NICE
	}
	defer ring.Close()
	result, err := perform(ring, (*uring.SQE).PrepNop)
	fmt.Println(result, err)
	// Output: 0 <nil>
}

// Rings that share their worker threads keep within one limit of them.
func ExampleWithAttachWQ() {
	first := newRing()
	defer first.Close()
	second, err := uring.New(8, uring.WithAttachWQ(first.Fd()))
	must(err)
	defer second.Close()
	fmt.Println(second.Flags()&uring.SetupAttachWQ != 0)
	// Output: true
}

// What a program cannot do without it asks for by WithFlags; everything else New gives up where the kernel refuses.
func ExampleWithFlags() {
	want := uring.SetupSingleIssuer | uring.SetupDeferTaskrun
	ring, err := uring.New(8, uring.WithFlags(want))
	refused := errors.Is(err, unix.EINVAL) // before kernel 6.1
	if refused {
		ring = newRing()
	} else {
		must(err)
	}
	defer ring.Close()
	fmt.Println("granted or refused:", refused || ring.Flags()&want == want)
	// Output: granted or refused: true
}

// A ring whose descriptor another event loop polls posts its completions by itself, and does not wait to be entered.
func ExampleWithoutFlags() {
	ring, err := uring.New(8, uring.WithoutFlags(uring.SetupDeferTaskrun))
	must(err)
	defer ring.Close()
	fmt.Println(ring.Flags()&uring.SetupDeferTaskrun == 0)
	// Output: true
}

// A thread has 16 indexes for the rings that it enters: a ring that is entered seldom can leave them to others.
func ExampleWithPlainFd() {
	ring, err := uring.New(8, uring.WithPlainFd())
	must(err)
	defer ring.Close()
	fmt.Println(ring.FdRegistered())
	// Output: false
}

// A ring that has become busy gets an index after all, and gives it up again.
func ExampleRing_RegisterRingFd() {
	ring, err := uring.New(8, uring.WithPlainFd())
	must(err)
	defer ring.Close()
	registered := !lacking(ring.RegisterRingFd()) // before kernel 5.18 it works as well without
	fmt.Println(ring.FdRegistered() == registered)
	result, err := perform(ring, (*uring.SQE).PrepNop)
	fmt.Println(result, err)
	if registered {
		must(ring.UnregisterRingFd())
	}
	fmt.Println(ring.FdRegistered())
	// Output:
	// true
	// 0 <nil>
	// false
}

// Close cancels what is in flight; a program that has to end in time says how long the kernel may take over that.
func ExampleWithCloseTimeout() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring, err := uring.New(8, uring.WithCloseTimeout(time.Second))
	must(err)
	must(entry(ring).PrepRecv(near, make([]byte, 1), 0))
	_, err = ring.Submit()
	must(err)
	fmt.Println(ring.Close())
	for c := range ring.Completions() {
		fmt.Println(c.Err())
	}
	// Output:
	// <nil>
	// recv: operation canceled
}
