package uring

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/sockring/uring/internal/unix"
)

// Errors that name a state of the library rather than a result of the kernel. A kernel result is an
// *os.SyscallError around a syscall.Errno, as package os and net have it: errors.Is(err, unix.ECONNRESET) holds.
// Where both apply, the SyscallError wraps the sentinel and the sentinel wraps the errno.
var (
	// ErrClosed occurs when a Ring, BufRing or Sender is used after its Close. It is net.ErrClosed.
	ErrClosed error = &sentinelError{"uring: already closed", net.ErrClosed}

	// ErrUnsupported occurs when this kernel, this process or this build lacks what a call needs. It is
	// errors.ErrUnsupported. The error in hand usually is an *UnsupportedError that says what was missing.
	ErrUnsupported error = &sentinelError{"uring: not supported here", errors.ErrUnsupported}

	// ErrSQFull occurs when every entry of the submission queue is taken: submit, then ask again.
	ErrSQFull = errors.New("uring: submission queue full")

	// ErrNotOwner occurs when a Ring is used from another thread than the one it belongs to.
	ErrNotOwner = errors.New("uring: ring used by a thread that does not own it")

	// ErrBufferOwned occurs when a provided buffer is handed to the kernel twice, or touched while the
	// kernel owns it.
	ErrBufferOwned = errors.New("uring: buffer is owned by the kernel")

	// ErrNoBuffers occurs when an operation wanted a provided buffer and its group had none left. It is
	// unix.ENOBUFS, yet an ENOBUFS of the network is not ErrNoBuffers. Give buffers back and prepare it anew.
	ErrNoBuffers error = &sentinelError{"uring: no buffers left in group", syscall.ENOBUFS}

	// ErrNoBufferGroup occurs when an operation names a buffer group that the ring does not have. It is
	// unix.ENOENT, and unix.ENOBUFS where the kernel says that. On a ring that C code shares, or with buffers of
	// PrepProvideBuffers, nobody can tell an ENOBUFS for a missing group from an empty one: it is ErrNoBuffers.
	ErrNoBufferGroup error = &sentinelError{"uring: no such buffer group", syscall.ENOENT}
)

// What is refused before it is used, wherever it is passed.
var (
	errNilOption  error = &sentinelError{"uring: nil option", syscall.EINVAL}
	errNilContext error = &sentinelError{"uring: nil context", syscall.EINVAL}
)

// sentinelError is a comparable error value with its own text that also counts as another error.
type sentinelError struct {
	text string
	as   error
}

func (e *sentinelError) Error() string { return e.text }

func (e *sentinelError) Unwrap() error { return e.as }

// UnsupportedError says that a feature is not available here, what stands in its way and what would provide it.
// errors.Is(err, errors.ErrUnsupported) holds, and so does errors.Is with the errno that the kernel answered.
type UnsupportedError struct {
	Name     string // the feature, as a Capabilities lists it: "send_bundle", "IORING_OP_SEND_ZC"
	Missing  string // what was found missing or refusing: "seccomp filter answers EPERM"; may be empty
	Provider string // what would provide it: "kernel 6.10", "kernel.io_uring_disabled=0", "liburing 2.7"; may be empty

	// SinceMajor and SinceMinor are the first mainline kernel that has the feature, where the kernel is what
	// is missing. Both are zero where another cause (sysctl, seccomp, a resource limit, liburing, a build
	// without cgo) would withhold the feature from a kernel of any version.
	SinceMajor, SinceMinor int

	Err error // what the attempt returned, usually a syscall.Errno; nil where nothing was attempted
}

// Error says which feature is not supported, what was missing, what would provide it and the errno, as far as known.
func (e *UnsupportedError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "uring: %s is not supported", e.Name)
	if reason := e.Reason(); reason != "" {
		b.WriteString(": " + reason)
	}
	if e.Err != nil {
		b.WriteString(": " + e.Err.Error())
	}
	return b.String()
}

// Reason is the text of the error without the feature's name and the errno: what was missing, then in
// parentheses what would provide it. It is empty where neither is known.
func (e *UnsupportedError) Reason() string {
	switch {
	case e.Provider == "":
		return e.Missing
	case e.Missing == "":
		return "needs " + e.Provider
	}
	return e.Missing + " (needs " + e.Provider + ")"
}

// Feature returns the name of the missing feature.
func (e *UnsupportedError) Feature() string { return e.Name }

// SinceKernel returns the first mainline kernel that has the feature, or zeros where another cause than the
// kernel's age withholds it. A test may then check that a skip does not hide a regression.
func (e *UnsupportedError) SinceKernel() (major, minor int) { return e.SinceMajor, e.SinceMinor }

// Is reports whether target is ErrUnsupported or errors.ErrUnsupported.
func (e *UnsupportedError) Is(target error) bool {
	return target == ErrUnsupported || target == errors.ErrUnsupported
}

// Unwrap returns the error of the attempt, or nil.
func (e *UnsupportedError) Unwrap() error { return e.Err }

// opError wraps a kernel result as package os does.
func opError(op string, errno int) error {
	return os.NewSyscallError(op, unix.Errno(errno))
}
