package uring

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"time"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
	"github.com/sockring/uring/internal/unix"
)

// How something is registered, and the registrations that say what a ring may do or end what it does: restrictions, and
// cancellation by a call.

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
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.closeTimeout)
	defer cancel()
	if r.inFlight() > 0 || r.shared {
		defer r.life.kickOn(ctx, r.tid)()
	}
	return uninterrupted(ctx, func() int { return r.c.Register(code, arg, nr) })
}

// uninterrupted repeats a call that a signal ended, until ctx is done or it is hopeless.
func uninterrupted(ctx context.Context, call func() int) int {
	for tries := (attempts{}); ; {
		ret := call()
		if ret != -int(unix.EINTR) || ctx.Err() != nil || tries.interrupted() {
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

// undo takes back at Close what is registered, each nil where that is not.
type undo struct {
	eventfd, files, buffers func() error
}

// unregisterAll takes back what was registered through Go: a ring of C code lives on without it, and the end of any
// other ring would let go of files and memory only some time later. What fails is left to that end.
func (r *Ring) unregisterAll() {
	for _, unregister := range []func() error{r.undo.eventfd, r.undo.files, r.undo.buffers} {
		if unregister != nil {
			_ = unregister()
		}
	}
}

var (
	opRestrictions = registerOp{
		cring.RegisterRestrictions, "IORING_REGISTER_RESTRICTIONS",
		probe.Version{Major: 5, Minor: 10},
		everKnown,
	}

	opEnableRings = registerOp{
		cring.RegisterEnableRings, "IORING_REGISTER_ENABLE_RINGS",
		probe.Version{Major: 5, Minor: 10},
		everKnown,
	}
)

// Restriction is one thing that a restricted ring may still do. Whatever no Restriction allows is refused.
type Restriction struct{ raw cring.Restriction }

// AllowOp allows operations with this opcode, such as cring.OpSend.
func AllowOp(opcode uint8) Restriction {
	return Restriction{cring.Restriction{Opcode: cring.RestrictionSQEOp, Arg: opcode}}
}

// AllowRegister allows an operation of io_uring_register(2), such as cring.RegisterFilesUpdate.
func AllowRegister(opcode uint8) Restriction {
	return Restriction{cring.Restriction{Opcode: cring.RestrictionRegisterOp, Arg: opcode}}
}

// AllowSQEFlags allows SQEs to have these flags and no others.
func AllowSQEFlags(f SQEFlags) Restriction {
	return Restriction{cring.Restriction{Opcode: cring.RestrictionSQEFlagsAllowed, Arg: uint8(f)}}
}

// RequireSQEFlags demands these flags of every SQE, and allows them.
func RequireSQEFlags(f SQEFlags) Restriction {
	return Restriction{cring.Restriction{Opcode: cring.RestrictionSQEFlagsRequired, Arg: uint8(f)}}
}

// RegisterRestrictions limits for good what a ring that was made WithDisabled will do once EnableRings has started
// it: what is not allowed ends with unix.EACCES. It wraps io_uring_register_restrictions(3). On a ring that runs it
// is unix.EBADFD, and a second time unix.EBUSY. Since 5.10.
//
// IORING_OP_ASYNC_CANCEL is always allowed too, since Close depends on it. Say AllowRegister as well as AllowOp where
// a kind is to be limited: kernels before 7.0 take a list without the one kind for a list that allows nothing of it,
// and later ones for a list that allows all of it. Restrictions protect from mistakes of the program that holds the
// ring, and from those to whom it passes it on; they do not confine the program, which can make another ring.
func (r *Ring) RegisterRestrictions(restrictions ...Restriction) error {
	if err := r.owned(); err != nil {
		return err
	}
	if len(restrictions) == 0 {
		return fmt.Errorf("uring: register no restrictions: %w", unix.EINVAL)
	}
	list := make([]cring.Restriction, 0, len(restrictions)+1)
	var required uint8
	for _, x := range restrictions {
		list = append(list, x.raw)
		if x.raw.Opcode == cring.RestrictionSQEFlagsRequired {
			required |= x.raw.Arg
		}
	}
	list = append(list, AllowOp(cring.OpAsyncCancel).raw)
	// SAFETY: read during the call only.
	_, err := r.register(opRestrictions, "register restrictions", unsafe.Pointer(&list[0]), uint32(len(list)))
	if err == nil {
		r.restricted, r.cancelFlags = true, required&(cring.SQEFixedFile|cring.SQEAsync)
	}
	return err
}

// EnableRings starts a ring that was made WithDisabled. It wraps io_uring_enable_rings(3). On a ring that runs it is
// unix.EBADFD. Since 5.10.
func (r *Ring) EnableRings() error {
	if err := r.owned(); err != nil {
		return err
	}
	if _, err := r.register(opEnableRings, "enable rings", nil, 0); err != nil {
		return err
	}
	if !r.cfg.plainFd {
		r.registerFd()
	}
	return nil
}

var opSyncCancel = registerOp{
	cring.RegisterSyncCancel, "IORING_REGISTER_SYNC_CANCEL",
	probe.Version{Major: 6, Minor: 0},
	1,
}

// CancelMatch says which operations are to be cancelled: the first one that matches, or all of them.
type CancelMatch struct {
	userData uint64
	fd       int
	flags    uint32
}

// CancelID matches the operation that SQE.ID named.
func CancelID(id OpID) CancelMatch { return CancelMatch{userData: uint64(id), fd: -1} }

// CancelFd matches operations on the descriptor.
func CancelFd(fd int) CancelMatch { return CancelMatch{fd: fd, flags: cring.AsyncCancelFd} }

// CancelFixedFile matches operations on the registered file of that index.
func CancelFixedFile(index int) CancelMatch {
	return CancelMatch{fd: index, flags: cring.AsyncCancelFd | cring.AsyncCancelFdFixed}
}

// CancelAny matches all operations, those of C code on the same ring included.
func CancelAny() CancelMatch { return CancelMatch{fd: -1, flags: cring.AsyncCancelAny} }

// All is m for all operations that match, not for the first of them only.
func (m CancelMatch) All() CancelMatch {
	m.flags |= cring.AsyncCancelAll
	return m
}

// SyncCancel cancels operations that match, and waits until the kernel has let go of them, for at most timeout, or
// without a limit where that is negative. What was cancelled completes with unix.ECANCELED or with what it had done
// so far; that CQE is still to be reaped, and until then the operation's memory stays pinned.
//
// Where nothing matches the error is unix.ENOENT, unless all were meant. Where the time is over it is
// os.ErrDeadlineExceeded, and the operations end later. It wraps io_uring_register_sync_cancel(3). Since 6.0.
func (r *Ring) SyncCancel(m CancelMatch, timeout time.Duration) error {
	if err := r.owned(); err != nil {
		return err
	}
	if int64(m.fd) < math.MinInt32 || int64(m.fd) > math.MaxInt32 {
		return fmt.Errorf("uring: cancel: file descriptor %d: %w", m.fd, unix.EBADF)
	}
	end := time.Now().Add(timeout)
	var tries attempts
	for again := false; ; again = true {
		arg := cring.SyncCancelReg{
			Addr: m.userData, Fd: int32(m.fd), Flags: m.flags, Timeout: cring.Timespec{Sec: -1, Nsec: -1},
		}
		if timeout >= 0 {
			arg.Timeout = timespec(max(time.Until(end), 0))
		}
		ret := r.c.Register(cring.RegisterSyncCancel, unsafe.Pointer(&arg), 1) // SAFETY: read during the call only.
		errno := unix.Errno(max(-ret, 0))
		switch {
		case r.life.closing.Load():
			return r.closeOwned()
		case ret >= 0, errno == unix.ENOENT && again: // what was found before the signal has ended meanwhile
			return nil
		case errno == unix.ETIME, errno == unix.EINTR && timeout >= 0 && !time.Now().Before(end):
			return fmt.Errorf("uring: cancel: %w", errTimeout)
		case errno != unix.EINTR || tries.interrupted():
			return r.registerError(opSyncCancel, "cancel", errno)
		}
	}
}
