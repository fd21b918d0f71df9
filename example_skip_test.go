//go:build linux

package uring_test

import (
	"fmt"

	"github.com/sockring/uring"
)

// An operation that need not be waited for can do without a completion. Its failure still tells which it was.
func ExampleRing_SkipSuccess() {
	ring := newRing()
	defer ring.Close()
	skip := func(v uint64, prep func(sqe *uring.SQE) error) {
		sqe := entry(ring)
		must(prep(sqe))
		must(ring.SkipSuccess(sqe, v))
	}
	for range 100 {
		skip(0, (*uring.SQE).PrepNop)
	}
	skip(7, func(sqe *uring.SQE) error { return sqe.PrepClose(-1) })
	for _, c := range wait(ring, 1) {
		fmt.Println(c.Data64, c.Err())
	}
	fmt.Println(ring.Stats().Silent, "operations without a completion of success")
	// Output:
	// 7 close: bad file descriptor
	// 101 operations without a completion of success
}
