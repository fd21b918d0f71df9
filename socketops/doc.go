// Package socketops is a complete socket platform layer for Linux: every operation that a managed runtime asks of its
// sockets, with the same results on io_uring, on Linux AIO and on plain system calls.
//
// A Socket is made by an Engine. Each transfer comes in three forms: Try never waits and gives ErrWouldBlock, the plain
// form waits until its context ends or a deadline passes, and the Go form returns at once and calls back when the
// transfer is over. All three share two queues, one for each direction: transfers of a direction leave in the order in
// which they were asked for, and none delays the other direction.
//
// A transfer first makes the plain non-blocking system call, since most complete at once. Of what would block, a Go
// form goes to the engine, and a plain form's goroutine waits in the runtime's poller. Close wakes whoever waits, and
// returns when the kernel is done with all memory that it was given.
//
// # Errors
//
// A refusal of the kernel is an *OpError around a unix.Errno, so errors.Is(err, unix.ECONNRESET) holds, and Classify
// sorts errors into the classes that the managed runtimes know. What would block, ran out of time, was cancelled or
// closed satisfies what Go programs test for: os.ErrDeadlineExceeded, context.Canceled, net.ErrClosed. Partial
// transfers return how much was transferred together with the error.
package socketops
