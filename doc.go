// Package uring sends and receives on Linux sockets through io_uring: a thin Go API over liburing whose centre is
// sending from provided buffers, so that one request carries hundreds of messages and one system call serves
// hundreds of sockets.
//
// A [Ring] is one io_uring. The goroutine that made it owns it: it asks for an [SQE], fills it with one of the
// Prep methods, submits, and reads each [CQE]. A [BufRing] holds buffers that the kernel takes from by itself. A
// [Sender] is an ordered queue of bytes for one stream socket; many of them share one ring and one system call.
//
// No call into C is made per SQE, CQE or buffer: liburing sets up, registers, waits and tears down; Go fills and
// reads the shared memory.
//
// Memory that is given to the kernel stays allocated and in place until the kernel is done with it, whatever the
// program drops, cancels or closes. What a kernel, a container or a build cannot do is an error that is
// errors.ErrUnsupported and says what is missing.
//
// Bad arguments are errors before anything reaches the kernel, nil contexts and options among them, and a zero value is
// a closed one. A method of a nil pointer panics, but for those of a nil SQE, which are errors.
package uring
