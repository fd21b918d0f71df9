package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

// disabledPath is the sysctl that refuses io_uring.
const disabledPath = "/proc/sys/kernel/io_uring_disabled"

// setMode sets the mode, and returns what the environment of the tests needs to have for it, or why this kernel
// has no such mode.
func setMode(mode wire.Mode) (env []string, absent string, err error) {
	switch mode {
	case wire.On:
		return nil, "", nil
	case wire.Off:
		err := os.WriteFile(disabledPath, []byte("2"), 0)
		if errors.Is(err, fs.ErrNotExist) {
			return nil, "no kernel.io_uring_disabled", nil
		}
		return nil, "", err
	case wire.EPERM:
		return []string{testutil.RefuseVariable + "=io_uring=EPERM"}, "", nil
	case wire.ENOSYS:
		return []string{testutil.RefuseVariable + "=io_uring=ENOSYS,aio=ENOSYS"}, "", nil
	case wire.Memlock:
		return limitMemlock()
	}
	return nil, "", fmt.Errorf("no mode is called %q", mode)
}

// memlockLimit is the RLIMIT_MEMLOCK that distributions give to users.
const memlockLimit = 8 << 20

// limitMemlock leaves the tests the locked memory of a user, and takes the capability from them that excepts from the
// limit. Where a ring can be had without any locked memory, the kernel does not count rings.
func limitMemlock() (env []string, absent string, err error) {
	limit := unix.Rlimit{Cur: memlockLimit, Max: memlockLimit}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		return nil, "", os.NewSyscallError("setrlimit", err)
	}
	// Dropped from the bounding set of one thread, a capability is lost to what that thread executes. All children
	// come from this goroutine, so that it keeps its thread.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_IPC_LOCK, 0, 0, 0); err != nil {
		return nil, "", os.NewSyscallError("prctl", err)
	}
	counted, err := countsRings()
	if err != nil || counted {
		return nil, "", err
	}
	return nil, "the kernel does not count rings towards RLIMIT_MEMLOCK", nil
}

// ringArgument makes the guest's program try for a ring without locked memory, and exit with ringRefused where that is
// refused.
const (
	ringArgument = "-try-ring"
	ringRefused  = 3
)

// countsRings finds out whether a process that this one executes is refused a ring where it may lock no memory.
func countsRings() (bool, error) {
	err := exec.Command("/proc/self/exe", ringArgument).Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) && exit.ExitCode() == ringRefused {
		return true, nil
	}
	return false, err
}

// tryRing returns the exit status of the program that ringArgument makes of this one.
func tryRing() int {
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{}); err != nil {
		fmt.Fprintln(os.Stderr, "guest: setrlimit:", err)
		return 1
	}
	fd, err := rawring.Create(8, &cring.Params{})
	switch {
	case err == nil:
		unix.Close(fd)
		return 0
	case errors.Is(err, unix.ENOMEM):
		return ringRefused
	}
	fmt.Fprintln(os.Stderr, "guest: io_uring_setup:", err)
	return 1
}
