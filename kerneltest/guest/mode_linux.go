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
	case wire.EPERM, wire.ENOSYS:
		errno := map[wire.Mode]string{wire.EPERM: "EPERM", wire.ENOSYS: "ENOSYS"}[mode]
		return []string{testutil.RefuseVariable + "=io_uring=" + errno}, "", nil
	case wire.Memlock:
		return limitMemlock()
	}
	return nil, "", fmt.Errorf("no mode is called %q", mode)
}

// memlockLimit is what the tests get of locked memory in bytes: enough for the largest ring, and little enough to be
// noticed where something goes on being counted.
const memlockLimit = 4 << 20

// limitMemlock leaves the tests little locked memory and takes the capability from them that excepts from the limit.
// Where a ring can be had with no more than a page, the kernel does not count rings.
func limitMemlock() (env []string, absent string, err error) {
	page := uint64(os.Getpagesize())
	if err := setMemlock(page, memlockLimit); err != nil {
		return nil, "", err
	}
	// Dropped from the bounding set of one thread, a capability is lost to what that thread executes. All children
	// come from this goroutine, so that it keeps its thread.
	runtime.LockOSThread()
	if err := unix.Prctl(unix.PR_CAPBSET_DROP, unix.CAP_IPC_LOCK, 0, 0, 0); err != nil {
		return nil, "", os.NewSyscallError("prctl", err)
	}
	counted, err := countsRings()
	if err != nil {
		return nil, "", err
	}
	if !counted {
		return nil, "the kernel does not count rings towards RLIMIT_MEMLOCK", nil
	}
	return nil, "", setMemlock(memlockLimit, memlockLimit)
}

func setMemlock(soft, hard uint64) error {
	return os.NewSyscallError("setrlimit", unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: soft, Max: hard}))
}

// ringArgument makes the guest's program try for a ring, and exit with ringRefused where the limit refuses it.
const (
	ringArgument = "-try-ring"
	ringRefused  = 3
)

// countsRings finds out whether a process that this one executes is refused a ring.
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
