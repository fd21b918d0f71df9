package socketops

import (
	"context"
	"errors"
	"net"
	"os"

	"github.com/sockring/uring/internal/unix"
)

// OpError is the error of one operation on a socket.
type OpError struct {
	Op  string // what was called, such as "recvmsg"
	Err error  // a unix.Errno, or one of this package's errors
}

func (e *OpError) Error() string {
	if e.Err == nil { // of the zero OpError
		return "socketops: " + e.Op
	}
	return "socketops: " + e.Op + ": " + e.Err.Error()
}

// Unwrap returns Err.
func (e *OpError) Unwrap() error { return e.Err }

// Timeout reports whether the operation ran out of time, or would have had to wait for that.
func (e *OpError) Timeout() bool {
	var t interface{ Timeout() bool }
	return errors.As(e.Err, &t) && t.Timeout()
}

// Temporary reports whether the same operation can succeed later, as package net defines it.
func (e *OpError) Temporary() bool {
	var t interface{ Temporary() bool }
	return errors.As(e.Err, &t) && t.Temporary()
}

// opError wraps the error of an operation, or returns nil.
func opError(op string, err error) error {
	if err == nil {
		return nil
	}
	return &OpError{Op: op, Err: err}
}

// sentinelError is an error that is what other packages call it, too.
type sentinelError struct {
	text string
	is   []error
}

func (e *sentinelError) Error() string   { return e.text }
func (e *sentinelError) Unwrap() []error { return e.is }

// Timeout reports whether the error is about time, as net.Error has it.
func (e *sentinelError) Timeout() bool { return e == ErrTimeout || e == ErrWouldBlock }

// Temporary is Timeout: what would block or was late can succeed later.
func (e *sentinelError) Temporary() bool { return e.Timeout() }

var (
	// ErrWouldBlock occurs when a Try operation, or one on a socket that SetBlocking made non-blocking, would have to
	// wait. It is unix.EAGAIN.
	ErrWouldBlock error = &sentinelError{"would block", []error{unix.EAGAIN}}

	// ErrInProgress occurs when TryConnect has begun a connection that is not made yet. It is unix.EINPROGRESS.
	ErrInProgress error = &sentinelError{"connection in progress", []error{unix.EINPROGRESS}}

	// ErrClosed occurs when the socket or its engine was closed, before or during the operation. It is net.ErrClosed.
	ErrClosed error = &sentinelError{"use of closed socket", []error{net.ErrClosed}}

	// ErrTimeout occurs when a deadline or time-out of the socket has passed. It is os.ErrDeadlineExceeded.
	ErrTimeout error = &sentinelError{"time-out", []error{os.ErrDeadlineExceeded}}

	// ErrCanceled occurs when an operation was cancelled. The error wraps the cause of the context that ended, or
	// context.Canceled where Op.Cancel did it.
	ErrCanceled = errors.New("operation cancelled")

	// ErrBlockingMode occurs when IOControl is asked for FIONBIO: SetBlocking does that.
	ErrBlockingMode = errors.New("FIONBIO by IOControl: use SetBlocking")
)

// canceledError is ErrCanceled with its cause.
type canceledError struct{ cause error }

func (e *canceledError) Error() string        { return "operation cancelled: " + e.cause.Error() }
func (e *canceledError) Unwrap() error        { return e.cause }
func (e *canceledError) Is(target error) bool { return target == ErrCanceled }

// errCanceled is what Op.Cancel gives.
var errCanceled error = &canceledError{context.Canceled}

// ended returns the error of a context that has ended, or nil.
func ended(ctx context.Context) error {
	if ctx.Err() == nil {
		return nil
	}
	return &canceledError{context.Cause(ctx)}
}

// UnsupportedError says what is missing here. It is errors.ErrUnsupported, and unix.EOPNOTSUPP.
type UnsupportedError struct {
	What string // what was asked for
	Why  string // why there is no such thing

	major, minor int // the first kernel that has it, or 0
}

func (e *UnsupportedError) Error() string {
	return "socketops: " + e.What + " is not supported: " + e.Why
}

// Is reports whether target is errors.ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool { return target == errors.ErrUnsupported }

// Unwrap returns the errno by which the kernel says the same.
func (e *UnsupportedError) Unwrap() error { return unix.EOPNOTSUPP }

// Feature returns What.
func (e *UnsupportedError) Feature() string { return e.What }

// SinceKernel returns the first kernel that has the feature, or 0, 0 where the kernel's age is not the cause.
func (e *UnsupportedError) SinceKernel() (major, minor int) { return e.major, e.minor }
