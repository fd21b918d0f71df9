// Package aio is Linux AIO in pure Go: the system calls io_setup(2) to io_pgetevents(2), without cgo, for kernels and
// containers that have no io_uring.
//
// It has three floors. A [Context] is the raw one: IOCBs that are prepared, submitted many at a time, and whose events
// are read from the ring that the kernel maps into the process, without a system call. A [Queue] is a state machine
// over it for files: a [Request] is prepared, submitted, waited for, cancelled, and asked for its result. A [Batcher]
// sends and receives on many stream sockets with one system call, and a [Sender] is the ordered queue of one of them.
//
// # What Linux AIO is good for
//
// The kernel completes most requests inside of io_submit: everything on files that were not opened with O_DIRECT, and
// all transfers on sockets and pipes. There AIO saves system calls, it does not wait. It does wait for IOCB_CMD_POLL,
// for O_DIRECT, and for the flush operations. A transfer on a blocking socket or pipe that is not ready blocks the
// thread inside of io_submit: a Context lets that happen, a Queue refuses it.
//
// # Memory
//
// Buffers belong to the kernel from Submit until the completion is returned. The package keeps them allocated and
// pinned meanwhile, whatever the caller drops; the caller must not touch what the kernel writes nor change what it
// reads. IOCBs, vectors and pointer tables are in mapped memory, which the collector never moves. Under the race
// detector the package announces what the kernel reads and writes.
//
// # Fork
//
// A context belongs to the address space that made it. A child of fork(2) that goes on without exec(2) has no context:
// its calls give EINVAL, the ring is not mapped there, and it must neither use nor close a Context or Queue. What
// package os/exec starts is not affected.
//
// # Arguments
//
// Bad arguments are errors, nil contexts, callbacks and options among them, and a zero value is a closed one. A method
// of a nil pointer panics.
//
// On other systems than Linux everything compiles, and [NewContext] and [NewQueue] return an [UnsupportedError].
package aio
