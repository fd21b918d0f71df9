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
// # Callbacks
//
// The callback of a Go form is called once, when its operation is over, perhaps before the call that began it has
// returned. Those of one direction of a socket are called one after the other, on a goroutine that lives while there
// are some, in the order in which the operations end: that of the calls, but for what is cancelled or refused. So a
// callback that waits for another callback of its own direction waits for ever, and one that blocks holds up those of
// its own direction and nothing else; it may make any call, also plain forms and Close. No lock is held meanwhile, and
// the operation is accounted for: a callback that calls runtime.Goexit ends that goroutine and no more, and one that
// panics ends the program, as a panic on any goroutine does. A Go form without a callback begins nothing: Op.Err says
// EINVAL.
//
// A context may be of any type. Its methods are called on the goroutine of the plain form that it was given to, without
// a lock; where one panics there the operation is cancelled, waited for and forgotten before the panic goes on. A nil
// context is EINVAL.
//
// # Errors
//
// A refusal of the kernel is an *OpError around a unix.Errno, so errors.Is(err, unix.ECONNRESET) holds, and Classify
// sorts errors into the classes that the managed runtimes know. What would block, ran out of time, was cancelled or
// closed satisfies what Go programs test for: os.ErrDeadlineExceeded, context.Canceled, net.ErrClosed. Partial
// transfers return how much was transferred together with the error.
//
// Bad arguments are errors, nil contexts, callbacks and options among them, and a zero value is a closed one. A method
// of a nil pointer panics.
package socketops
