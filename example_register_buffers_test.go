//go:build linux

package uring_test

import (
	"fmt"

	"github.com/sockring/uring"
)

// A buffer that serves many requests is registered once, and the kernel need not look its pages up for each of them.
func ExampleRing_RegisterBuffers() {
	f, remove := tempFile("")
	defer remove()
	ring := newRing()
	defer ring.Close()
	buffer := []byte("hello")
	must(ring.RegisterBuffers([][]byte{buffer}))
	for _, at := range []int64{0, 5} {
		n, err := perform(ring, func(sqe *uring.SQE) error {
			return sqe.PrepWriteFixed(int(f.Fd()), buffer, at, 0)
		})
		fmt.Println(n, err)
	}
	must(ring.UnregisterBuffers())
	// Output:
	// 5 <nil>
	// 5 <nil>
}

// A server gives each session an index of the table for the time that it lasts.
func ExampleRing_UpdateBuffers() {
	f, remove := tempFile("")
	defer remove()
	ring := newRing()
	defer ring.Close()
	if lacking(ring.RegisterBuffersSparse(2)) {
		must(ring.RegisterBuffers([][]byte{nil, nil})) // before kernel 5.19
	}
	session := []byte("session")
	n, err := ring.UpdateBuffers(1, [][]byte{session})
	fmt.Println("updated:", n, err)
	n, err = perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepWriteFixed(int(f.Fd()), session, 0, 1)
	})
	fmt.Println("written:", n, err)
	n, err = ring.UpdateBuffers(1, [][]byte{nil})
	fmt.Println("updated:", n, err)
	// Output:
	// updated: 1 <nil>
	// written: 7 <nil>
	// updated: 1 <nil>
}

// Rings of several threads share one table of buffers, and what the kernel knows of their pages.
func ExampleRing_CloneBuffers() {
	f, remove := tempFile("")
	defer remove()
	first := newRing()
	defer first.Close()
	second := newRing()
	defer second.Close()
	buffers := [][]byte{[]byte("shared")}
	must(first.RegisterBuffers(buffers))
	if lacking(second.CloneBuffers(first)) {
		must(second.RegisterBuffers(buffers)) // before kernel 6.12 each ring knows the pages for itself
	}
	n, err := perform(second, func(sqe *uring.SQE) error {
		return sqe.PrepWriteFixed(int(f.Fd()), buffers[0], 0, 0)
	})
	fmt.Println(n, err)
	// Output: 6 <nil>
}
