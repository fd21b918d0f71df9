package testutil

import (
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// Unshared has a command run in namespaces of its own: flags are CLONE_NEWNET, CLONE_NEWNS and so on. Whoever is not
// root is root of a user namespace there.
func Unshared(flags uintptr) func(*exec.Cmd) {
	return func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: flags}
		if os.Getuid() != 0 {
			cmd.SysProcAttr.Cloneflags |= syscall.CLONE_NEWUSER
			cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Getuid(), Size: 1}}
			cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getgid(), Size: 1}}
		}
	}
}

// ReExecUnshared is ReExec in namespaces of its own, see Unshared. The test is skipped where there may be none.
func ReExecUnshared(t testing.TB, name string, flags uintptr, env ...string) Child {
	t.Helper()
	trial := exec.Command(os.Args[0], "-test.run=^$")
	Unshared(flags)(trial)
	if err := trial.Run(); err != nil {
		Skip(t, NeedsPrivilege, "a namespace of its own: %v", err)
	}
	return ReExecAs(t, name, Unshared(flags), env...)
}
