package uring

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/probe"
)

// registerOp is one operation of io_uring_register(2), and how a kernel is asked whether it knows it.
type registerOp struct {
	code  uint32
	name  string // as Capabilities calls it
	since probe.Version
	nr    int // the count of arguments with which the kernel reads the argument, or one of the following
}

const (
	// noArgument is for operations without one: a kernel that knows them has no cause for EINVAL.
	noArgument = -1
	// everKnown is for operations that are there wherever a ring comes to need them: EINVAL is about an argument.
	everKnown = -2
)

// register makes the call, and wraps its error with what was to be done.
func (r *Ring) register(op registerOp, what string, arg unsafe.Pointer, nr uint32) (int, error) {
	ret := r.registerCall(op.code, arg, nr)
	if ret >= 0 {
		return ret, nil
	}
	return 0, r.registerError(op, what, unix.Errno(-ret))
}

// registerCall makes the call. It gives up, with EINTR, on operations that the call has to wait for after the time
// that Close has: kernels before 5.19 settle everything in flight before most of these calls, and those before 6.13
// before a table of files or buffers goes.
func (r *Ring) registerCall(code uint32, arg unsafe.Pointer, nr uint32) int {
	ctx := context.Background()
	if r.inFlight() > 0 || r.shared {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, r.cfg.closeTimeout)
		defer cancel()
		defer r.life.kickOn(ctx, r.tid)()
	}
	return uninterrupted(ctx, func() int { return r.c.Register(code, arg, nr) })
}

// uninterrupted repeats a call that a signal ended, until ctx is done.
func uninterrupted(ctx context.Context, call func() int) int {
	for {
		ret := call()
		if ret != -int(unix.EINTR) || ctx.Err() != nil {
			return ret
		}
	}
}

// registerError says what a refusal means. A version is named only where the kernel itself shows that it does not
// know the operation.
func (r *Ring) registerError(op registerOp, what string, errno unix.Errno) error {
	err := opError("io_uring_register", int(errno))
	switch errno {
	case unix.EINVAL:
		if !r.knows(op) {
			return unsupportedOp(op, err)
		}
	case unix.EINTR:
		return fmt.Errorf("uring: %s: the kernel waits for operations in flight: %w", what, errTimeout)
	case unix.EACCES, unix.EPERM, unix.ENOSYS:
		if r.restricted {
			return fmt.Errorf("uring: %s: not among the ring's restrictions: %w", what, err)
		}
		var refusal *probe.Refusal
		if e := probe.ExplainRegister(errno); errors.As(e, &refusal) {
			return verdict(op.name, op.since, e)
		}
	case unix.ENOMEM:
		return fmt.Errorf("uring: %s: no memory, or RLIMIT_MEMLOCK too small: %w", what, err)
	}
	return fmt.Errorf("uring: %s: %w", what, err)
}

func unsupportedOp(op registerOp, err error) error {
	return &UnsupportedError{
		Name: op.name, Missing: "the kernel does not know it", Provider: "kernel " + op.since.String(),
		SinceMajor: op.since.Major, SinceMinor: op.since.Minor, Err: err,
	}
}

// unreadable is a page that nobody may read.
var unreadable = sync.OnceValue(func() unsafe.Pointer {
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_NONE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	return unsafe.Pointer(unsafe.SliceData(page)) // SAFETY: never unmapped, and only its address is used.
})

// knows reports whether the kernel has an operation that it has just answered with EINVAL. Given an argument that it
// cannot read, it has no other cause for EINVAL than that it does not look at the argument at all.
func (r *Ring) knows(op registerOp) bool {
	if op.nr < 0 {
		return op.nr == everKnown
	}
	arg := unreadable()
	return arg == nil || r.registerCall(op.code, arg, uint32(op.nr)) != -int(unix.EINVAL)
}

// undo is what of the registrations is to be taken back at Close.
type undo struct {
	files, eventfd bool
}

// unregisterAll takes back what was registered through Go: a ring of C code lives on without it, and the end of any
// other ring would let go of files and memory only some time later. What fails is left to that end.
func (r *Ring) unregisterAll() {
	if r.undo.eventfd {
		_ = r.unregisterEventfd()
	}
	if r.undo.files {
		_ = r.unregisterFiles()
	}
	if r.slots.fixed.registered {
		_ = r.unregisterBuffers()
	}
}
