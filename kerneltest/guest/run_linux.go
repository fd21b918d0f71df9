package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

const (
	// grace is how much longer than its -test.timeout a package may take before it is killed.
	grace = 15 * time.Second
	// straggle is how long a package's output is waited for after its process has ended: what the tests left
	// running may hold it open.
	straggle = 5 * time.Second
	// probeLimit bounds the probe program, which takes a second.
	probeLimit = time.Minute
)

// environment is what tests find besides what the mode adds.
// KERNELTEST tells them that the machine is theirs to break. The collector runs seldom, since it takes a tenth of an
// emulated processor's time, and other runs of the tests are about it. Of a property test's random runs -test.short
// takes a fifth, so that three are left on each kernel in each mode.
var environment = []string{
	"PATH=/bin", "HOME=/tmp", "TMPDIR=/tmp", "GOTRACEBACK=all", "KERNELTEST=1", "GOGC=400", "GOMEMLIMIT=1GiB",
	testutil.ChecksVariable + "=15", testutil.EnginesVariable + "=" + testutil.BestEngine,
}

// refuseArgument makes the guest's program another one, to which it refuses what testutil.RefuseVariable says. Test
// binaries do that by themselves.
const refuseArgument = "-refuse"

// runRefused becomes the program, under the filters that the environment asks for, and returns only where that fails.
func runRefused(program string, args []string) int {
	err := testutil.RefuseAsTold()
	if err == nil {
		err = unix.Exec(program, append([]string{program}, args...), os.Environ())
	}
	fmt.Fprintf(os.Stderr, "guest: %s: %v\n", program, err)
	return 1
}

// probe tells the host what the kernel can do in this mode.
func probe(out *port, program string, env []string) {
	ctx, cancel := context.WithTimeout(context.Background(), probeLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "/proc/self/exe", refuseArgument, program, "-json")
	cmd.Env = append(environment, env...)
	answer, err := cmd.Output()
	if err != nil {
		out.send(wire.Message{Kind: wire.Fault, Data: "probe: " + err.Error()})
		return
	}
	out.send(wire.Message{Kind: wire.Probe, Data: string(answer)})
}

// runPackage runs the tests of one package. That they fail is no error.
func runPackage(out *port, plan wire.Plan, pkg wire.Package, env []string) error {
	out.send(wire.Message{Kind: wire.List, Package: pkg.Path, Data: pkg.Tests})
	out.send(wire.Message{Kind: wire.Start, Package: pkg.Path})

	args := []string{"-test.v=test2json", "-test.short", "-test.timeout=" + plan.Timeout.String()}
	if plan.Run != "" {
		args = append(args, "-test.run="+plan.Run)
	}
	ctx, cancel := context.WithTimeout(context.Background(), plan.Timeout+grace)
	defer cancel()
	printed := &output{port: out, pkg: pkg.Path}
	cmd := command(ctx, pkg, env, args...)
	cmd.Stdout, cmd.Stderr, cmd.WaitDelay = printed, printed, straggle
	start := time.Now()
	err := cmd.Run()
	printed.flush()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		out.send(wire.Message{Kind: wire.Fault, Package: pkg.Path, Data: err.Error()})
	}
	status := -1
	if cmd.ProcessState != nil {
		status = cmd.ProcessState.ExitCode()
	}
	out.send(wire.Message{
		Kind: wire.Exit, Package: pkg.Path, Exit: status, Seconds: time.Since(start).Seconds(),
	})
	return nil
}

// command is the test binary of a package, to run as go test would run it.
func command(ctx context.Context, pkg wire.Package, env []string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, pkg.Binary, args...)
	cmd.Dir = pkg.Dir
	cmd.Env = append(append([]string{"PWD=" + pkg.Dir}, environment...), env...)
	return cmd
}
