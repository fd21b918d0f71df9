//go:build linux

package uring_test

import (
	"errors"
	"fmt"
	"log"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// eventfd returns an eventfd that does not block.
func eventfd() int {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	must(err)
	return fd
}

// signalled reports whether an eventfd was signalled since the last time.
func signalled(fd int) bool {
	var count [8]byte
	_, err := unix.Read(fd, count[:])
	if errors.Is(err, unix.EAGAIN) {
		return false
	}
	must(err)
	return true
}

// awaitSignal waits as the event loop does that has the eventfd among its descriptors.
func awaitSignal(fd int) {
	end := time.Now().Add(time.Minute)
	for time.Now().Before(end) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
		if n == 1 {
			return
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			log.Fatal(err)
		}
	}
	log.Fatal("no signal")
}

// An event loop of another library learns from an eventfd that the ring has completions.
func ExampleRing_RegisterEventfd() {
	ring := newRing()
	defer ring.Close()
	fd := eventfd()
	defer unix.Close(fd)
	must(ring.RegisterEventfd(fd))
	complete := func() {
		must(entry(ring).PrepNop())
		_, err := ring.Submit()
		must(err)
		fmt.Println("completions:", len(wait(ring, 1)), "signalled:", signalled(fd))
	}
	complete()
	must(ring.SetEventfdEnabled(false)) // while the loop looks at the ring anyway
	complete()
	must(ring.SetEventfdEnabled(true))
	complete()
	must(ring.UnregisterEventfd())
	complete()
	// Output:
	// completions: 1 signalled: true
	// completions: 1 signalled: false
	// completions: 1 signalled: true
	// completions: 1 signalled: false
}

// A loop that reaps after each submission needs signals only for what did not complete within it.
func ExampleRing_RegisterEventfdAsync() {
	ring := newRing()
	defer ring.Close()
	fd := eventfd()
	defer unix.Close(fd)
	must(ring.RegisterEventfdAsync(fd))
	_, err := perform(ring, (*uring.SQE).PrepNop)
	fmt.Println(err, "signalled:", signalled(fd))

	sqe := entry(ring)
	must(sqe.PrepNop())
	sqe.Async() // by a worker thread
	_, err = ring.Submit()
	must(err)
	awaitSignal(fd)
	fmt.Println("completions:", len(wait(ring, 1)), "signalled:", signalled(fd))
	// Output:
	// <nil> signalled: false
	// completions: 1 signalled: true
}
