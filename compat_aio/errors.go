package aio

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"

	"github.com/sockring/uring/internal/unix"
)

// Errors that name a state of the package rather than a result of the kernel. A kernel result is an *os.SyscallError
// around a unix.Errno, as package os has it: errors.Is(err, unix.ENOSPC) holds. Where both apply, the sentinel counts
// as the errno too.
var (
	// ErrClosed occurs when a Context or Queue is used after its Close. It is os.ErrClosed and net.ErrClosed.
	ErrClosed error = &sentinelError{"aio: already closed", []error{os.ErrClosed, net.ErrClosed}}

	// ErrUnsupported occurs when this kernel or process lacks what a call needs. It is errors.ErrUnsupported. The
	// error in hand is an *UnsupportedError that says what was missing.
	ErrUnsupported error = &sentinelError{"aio: not supported here", []error{errors.ErrUnsupported}}

	// ErrInvalid occurs when an argument makes no sense, before anything reaches the kernel. It is unix.EINVAL.
	ErrInvalid error = &sentinelError{"aio: invalid argument", []error{unix.EINVAL}}

	// ErrOutOfRange occurs when a number is outside of what is possible: a size of 0, or more completions to wait for
	// than there is room for. It is ErrInvalid.
	ErrOutOfRange error = &sentinelError{"aio: number out of range", []error{ErrInvalid}}

	// ErrNoMemory occurs when the kernel has no memory for a context. It is unix.ENOMEM.
	ErrNoMemory error = &sentinelError{"aio: out of memory", []error{unix.ENOMEM}}

	// ErrInsufficientEvents occurs when fs.aio-max-nr does not allow a context of that size. It is unix.EAGAIN; the
	// error in hand is an *UnsupportedError with the numbers.
	ErrInsufficientEvents error = &sentinelError{"aio: fs.aio-max-nr exhausted", []error{unix.EAGAIN}}

	// ErrInsufficientResources occurs when as many requests are in flight as the Context or Queue was made for. It is
	// unix.EAGAIN: wait for completions, then go on.
	ErrInsufficientResources error = &sentinelError{"aio: too many requests in flight", []error{unix.EAGAIN}}

	// ErrBusy occurs when a Context is closed that has IOCBs in use, or read by two goroutines at once. It is
	// unix.EBUSY.
	ErrBusy error = &sentinelError{"aio: in use", []error{unix.EBUSY}}

	// ErrNotPrepared occurs when a Request or IOCB is submitted that was not prepared.
	ErrNotPrepared = errors.New("aio: request is not prepared")

	// ErrNotSubmitted occurs when a Request that is not in flight is cancelled or asked for its result.
	ErrNotSubmitted = errors.New("aio: request was not submitted")

	// ErrInProgress occurs when a Request is in flight: its result is not known yet, it cannot be prepared or
	// submitted again, or, from Cancel, it is of a kind that the kernel does not cancel.
	ErrInProgress = errors.New("aio: request is in progress")

	// ErrCompleted occurs when a Request is cancelled that has completed already.
	ErrCompleted = errors.New("aio: request has completed")

	// ErrCanceled is the result of a cancelled Request. It is unix.ECANCELED and context.Canceled.
	ErrCanceled error = &sentinelError{"aio: request was cancelled", []error{unix.ECANCELED, context.Canceled}}

	// ErrNoRequests occurs when Wait has nothing in flight to wait for.
	ErrNoRequests = errors.New("aio: no requests in flight")

	// ErrTimeout occurs when the time-out of a wait was reached. It is os.ErrDeadlineExceeded.
	ErrTimeout error = &sentinelError{"aio: timed out", []error{os.ErrDeadlineExceeded}}

	// ErrInterrupted occurs when Wakeup ended a wait.
	ErrInterrupted = errors.New("aio: woken up")
)

// sentinelError is a comparable error value with its own text that also counts as other errors.
type sentinelError struct {
	text string
	as   []error
}

func (e *sentinelError) Error() string { return e.text }

func (e *sentinelError) Unwrap() []error { return e.as }

// errNilContext is what every wait gives a nil context, before anything else is looked at.
var errNilContext = invalid("a nil context")

// errNilOption is what a constructor gives a nil option.
var errNilOption = invalid("a nil option")

// invalid is an ErrInvalid that says what is.
func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrInvalid}, args...)...)
}

// outOfRange is an ErrOutOfRange that says what is.
func outOfRange(format string, args ...any) error {
	return fmt.Errorf("%w: "+format, append([]any{ErrOutOfRange}, args...)...)
}

// UnsupportedError says that a feature is not available here, what stands in its way and what would provide it.
// errors.Is(err, errors.ErrUnsupported) holds, and so does errors.Is with the errno that the kernel answered.
type UnsupportedError struct {
	Name     string // the feature: "io_setup", "IOCB_CMD_POLL", "O_DIRECT"
	Missing  string // what was found missing or refusing: "a seccomp filter answers EPERM"
	Provider string // what would provide it: "a higher fs.aio-max-nr"; may be empty

	// SinceMajor and SinceMinor are the first mainline kernel that has the feature, where the kernel's age is what is
	// wrong, and zero otherwise.
	SinceMajor, SinceMinor int

	Err error // what the attempt returned, or nil
}

// Error says which feature is not supported, what was missing, what would provide it and the errno, as far as known.
func (e *UnsupportedError) Error() string {
	text := "aio: " + e.Name + " is not supported: " + e.Missing
	if e.Provider != "" {
		text += " (needs " + e.Provider + ")"
	}
	if e.Err != nil {
		text += ": " + e.Err.Error()
	}
	return text
}

// Feature returns the name of the missing feature.
func (e *UnsupportedError) Feature() string { return e.Name }

// SinceKernel returns the first mainline kernel that has the feature, or zeros where another cause than the kernel's
// age withholds it.
func (e *UnsupportedError) SinceKernel() (major, minor int) { return e.SinceMajor, e.SinceMinor }

// Is reports whether target is ErrUnsupported or errors.ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool {
	return target == ErrUnsupported || target == errors.ErrUnsupported
}

// Unwrap returns the error of the attempt, or nil.
func (e *UnsupportedError) Unwrap() error { return e.Err }
