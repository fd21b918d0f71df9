//go:build linux

package role

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"github.com/sockring/uring/examples/internal/load"
	"github.com/sockring/uring/examples/internal/proto"
	"github.com/sockring/uring/examples/internal/sink"
)

// envRole names the role: "sink", or the mode of a sender.
const envRole = "BUNDLEBENCH_ROLE"

const sinkRole = "sink"

// Play plays the role that the environment names, to its end, and exits. It returns at once in a process
// that has none: the benchmark itself.
func Play() {
	name := os.Getenv(envRole)
	if name == "" {
		return
	}
	if err := play(name); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

func play(name string) error {
	if name == sinkRole {
		return sink.Serve(os.Stdin, os.Stdout)
	}
	job, err := proto.JobFromEnv(os.Getenv)
	if err != nil {
		return err
	}
	result, err := load.Run(name, job)
	if errors.Is(err, errors.ErrUnsupported) {
		result, err = proto.Result{Unsupported: err.Error()}, nil
	}
	if err != nil {
		return err
	}
	return result.Write(os.Stdout)
}

// Sink is a command that runs this program as a sink.
func Sink() (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self)
	cmd.Env = append(os.Environ(), envRole+"="+sinkRole)
	detach(cmd)
	return cmd, nil
}

// Sender is a command that runs this program as a sender of the given mode.
func Sender(ctx context.Context, mode string, job proto.Job) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = append(os.Environ(), append(job.Env(), envRole+"="+mode)...)
	detachGroup(cmd)
	return cmd, nil
}

// Peer is a command that runs an outside program as a sender: command is a line for sh.
func Peer(ctx context.Context, command string, job proto.Job) *exec.Cmd {
	cmd := exec.CommandContext(ctx, "sh", "-c", command)
	cmd.Env = append(os.Environ(), job.Env()...)
	detachGroup(cmd)
	return cmd
}

// detach gives cmd a process group of its own, so that an interrupt typed at the terminal reaches the
// benchmark alone, which then ends the others in good order.
func detach(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
}

// detachGroup detaches cmd and makes the end of its context end all that it started.
func detachGroup(cmd *exec.Cmd) {
	detach(cmd)
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = time.Second
}
