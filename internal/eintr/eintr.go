// Package eintr bounds how often a system call is made again that a signal is said to have ended.
//
// A call that does not wait is never ended by a signal, and one that waits only now and then. A call that ends so time
// after time is one that somebody else answers: a tracer, a seccomp filter, a sandbox. Its caller would hold the
// processor, and the lock of a queue, for ever.
package eintr

// max is how often in a row a call is made again.
const max = 100

// Tries counts the calls in a row that a signal has ended. The zero Tries is for a call that was not made yet.
type Tries int

// Again notes that a signal is said to have ended the call, and reports whether to make it again. Otherwise EINTR is an
// error as any other.
func (t *Tries) Again() bool {
	*t++
	return *t <= max
}
