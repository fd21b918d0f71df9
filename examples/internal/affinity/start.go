//go:build linux

package affinity

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"

	"golang.org/x/sys/unix"
)

// Start starts cmd so that all its threads run on the given CPU, or on any if cpu is negative.
//
// A child inherits the affinity of the thread that starts it, so that it holds before the child's first
// instruction: a Go program pinned this way sees one CPU and sets GOMAXPROCS by it.
func Start(cmd *exec.Cmd, cpu int) error {
	if cpu < 0 {
		return cmd.Start()
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, only unix.CPUSet
	if err := unix.SchedGetaffinity(0, &before); err != nil {
		return os.NewSyscallError("sched_getaffinity", err)
	}
	only.Set(cpu)
	if err := unix.SchedSetaffinity(0, &only); err != nil {
		return fmt.Errorf("pin to CPU %d: %w", cpu, os.NewSyscallError("sched_setaffinity", err))
	}
	startErr := cmd.Start()
	if err := unix.SchedSetaffinity(0, &before); err != nil && startErr == nil {
		return os.NewSyscallError("sched_setaffinity", err)
	}
	return startErr
}
