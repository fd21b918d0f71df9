package aio

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"
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
