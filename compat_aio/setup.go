package aio

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"sync"
	"time"

	"github.com/sockring/uring/internal/unix"
)

// requestsMax is the most that a context can be made for. The kernel's own limit, without fs.aio-max-nr, is higher.
const requestsMax = 1 << 20

// setup makes a context, or says why there is none.
func setup(requests int) (uintptr, error) {
	if requests < 1 || requests > requestsMax {
		return 0, outOfRange("a context for %d requests, not 1 to %d", requests, requestsMax)
	}
	ctx, errno := ioSetup(requests)
	switch errno {
	case 0:
		return ctx, nil
	case unix.EAGAIN:
		return 0, exhausted(requests)
	case unix.EPERM, unix.ENOSYS:
		return 0, refused(errno)
	case unix.ENOMEM:
		return 0, fmt.Errorf("%w: %w", ErrNoMemory, os.NewSyscallError("io_setup", errno))
	case unix.EINVAL:
		return 0, fmt.Errorf("%w: %w", ErrOutOfRange, os.NewSyscallError("io_setup", errno))
	}
	return 0, os.NewSyscallError("io_setup", errno)
}

// exhausted is the error of a context that fs.aio-max-nr does not allow.
func exhausted(requests int) error {
	missing := "fs.aio-max-nr is exhausted"
	if l, err := readLimits(); err == nil {
		missing = fmt.Sprintf("fs.aio-nr is %d of fs.aio-max-nr %d, too many for %d more",
			l.InUse, l.Max, requests)
	}
	return &UnsupportedError{
		Name: "io_setup", Missing: missing, Provider: "a higher fs.aio-max-nr",
		Err: fmt.Errorf("%w: %w", ErrInsufficientEvents, os.NewSyscallError("io_setup", unix.EAGAIN)),
	}
}

// refused is the error of a process that may not use AIO, or of a kernel that has none.
func refused(errno unix.Errno) error {
	e := &UnsupportedError{Name: "io_setup", Err: os.NewSyscallError("io_setup", errno)}
	_, sysctl := os.Stat(sysctlMax)
	switch {
	case runtime.GOOS != "linux":
		e.Missing, e.Provider, e.Err = runtime.GOOS+" has no Linux AIO", "Linux", nil
	case errno == unix.EPERM, seccompMode() > 0 && sysctl == nil:
		e.Missing, e.Provider = "a seccomp filter or security module refuses it", "a profile that allows io_setup"
	case errors.Is(sysctl, fs.ErrNotExist):
		e.Missing, e.Provider = "a kernel without AIO", "CONFIG_AIO=y"
	default:
		e.Missing, e.Provider = "a sandbox without AIO", "io_setup"
	}
	return e
}

// seccompMode is the mode of this process: 0 off, 1 strict, 2 filter, or -1 where the kernel does not tell.
func seccompMode() int {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return -1
	}
	for line := range bytes.Lines(status) {
		if value, ok := bytes.CutPrefix(line, []byte("Seccomp:")); ok {
			if mode, err := strconv.Atoi(string(bytes.TrimSpace(value))); err == nil {
				return mode
			}
		}
	}
	return -1
}

// trials finds out, once for each operation that is newer than AIO, whether the kernel has it.
var trials = map[opcode]func() error{
	opPoll:   sync.OnceValue(func() error { return try(opPoll) }),
	opFsync:  sync.OnceValue(func() error { return try(opFsync) }),
	opFdsync: sync.OnceValue(func() error { return try(opFdsync) }),
}

// supports returns EINVAL where the kernel does not have the operation. Another error says nothing.
func supports(op opcode) error { return trials[op]() }

// trialPatience is how long a trial may take that completes at once.
const trialPatience = time.Second

// try submits an operation that any kernel accepts that has it.
func try(op opcode) error {
	c, err := NewContext(1)
	if err != nil {
		return err
	}
	file, err := os.CreateTemp("", "aio")
	if err != nil {
		return errors.Join(err, c.abandon())
	}
	defer file.Close()
	defer os.Remove(file.Name())
	trial := Request{op: op, file: FileOf(file)}
	if op == opPoll {
		trial.file, trial.events = FD(c.notifier.fd), unix.POLLOUT // which eventfds always are ready for
	}
	cb, err := c.IOCB()
	if err != nil {
		return errors.Join(err, c.abandon())
	}
	if err = trial.fill(cb); err == nil {
		_, err = c.Submit(cb)
	}
	if err != nil {
		return errors.Join(err, c.abandon())
	}
	_, err = c.GetEvents(1, make([]Event, 1), trialPatience)
	return errors.Join(err, c.abandon())
}

// The sysctls of AIO. They are there when the kernel has AIO and /proc is mounted.
const (
	sysctlMax = "/proc/sys/fs/aio-max-nr"
	sysctlNow = "/proc/sys/fs/aio-nr"
)

// Limits is what the system allows, for all processes together.
type Limits struct {
	Max   int // fs.aio-max-nr: for how many requests contexts may exist
	InUse int // fs.aio-nr: for how many they do
}

// Free returns for how many requests more contexts can be made.
func (l Limits) Free() int { return max(0, l.Max-l.InUse) }

// GetLimits reads fs.aio-max-nr and fs.aio-nr. Where the kernel has no AIO the error is an *UnsupportedError. Where
// /proc is not mounted it wraps fs.ErrNotExist, and making a Context tells whether there is AIO.
func GetLimits() (Limits, error) {
	limits, err := readLimits()
	if !errors.Is(err, fs.ErrNotExist) {
		return limits, err
	}
	// Either there is no AIO or no /proc. A context for one request tells.
	ctx, setupErr := setup(1)
	if setupErr != nil {
		return Limits{}, setupErr
	}
	_ = ioDestroy(ctx) // cannot fail for a context that was just made
	return Limits{}, err
}

func readLimits() (limits Limits, err error) {
	if limits.Max, err = readSysctl(sysctlMax); err != nil {
		return Limits{}, err
	}
	if limits.InUse, err = readSysctl(sysctlNow); err != nil {
		return Limits{}, err
	}
	return limits, nil
}

func readSysctl(path string) (int, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(string(bytes.TrimSpace(text)))
}
