package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == ringArgument {
		os.Exit(tryRing())
	}
	if len(os.Args) > 2 && os.Args[1] == refuseArgument {
		os.Exit(runRefused(os.Args[2], os.Args[3:]))
	}
	if len(os.Args) == 3 && os.Args[1] == wire.ContainerArgument {
		os.Exit(inContainer(os.Args[2]))
	}
	if os.Getpid() != 1 {
		fmt.Fprintln(os.Stderr, "guest: runs as the first process of a virtual machine only")
		os.Exit(2)
	}
	// The power is turned off whatever happens: the host waits for that.
	defer unix.Reboot(unix.LINUX_REBOOT_CMD_POWER_OFF)
	defer func() {
		if crash := recover(); crash != nil {
			fmt.Fprintf(os.Stderr, "guest: %v\n%s", crash, debug.Stack())
		}
	}()
	if err := mountAll(); err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err) // into the kernel's log: there is no port yet
		return
	}
	out, err := openPort()
	if err != nil {
		fmt.Fprintln(os.Stderr, "guest:", err)
		return
	}
	defer out.drain()
	if err := work(out); err != nil {
		out.send(wire.Message{Kind: wire.Fault, Data: err.Error()})
	}
	out.send(wire.Message{Kind: wire.End})
}

// work does what the plan says.
func work(out *port) error {
	plan, err := begin(out, wire.PlanPath)
	if err != nil {
		return err
	}
	if err := prepare(); err != nil {
		return err
	}
	mode := wire.Mode(os.Getenv(wire.ModeVariable))
	plan.Packages = slices.DeleteFunc(plan.Packages, func(p wire.Package) bool { return p.OnOnly && mode != wire.On })
	env, absent, err := setMode(mode)
	if err != nil {
		return err
	}
	if absent != "" {
		out.send(wire.Message{Kind: wire.Absent, Data: absent})
		return nil
	}
	env = append(env, testutil.MachineVariable+"="+testutil.OwnMachine)
	return carryOut(plan, out, wire.ProbePath, env)
}

// begin says which kernel this is, and reads the plan.
func begin(out *port, file string) (plan wire.Plan, err error) {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return plan, os.NewSyscallError("uname", err)
	}
	out.send(wire.Message{Kind: wire.Hello, Data: unix.ByteSliceToString(name.Release[:])})

	content, err := os.ReadFile(file)
	if err != nil {
		return plan, err
	}
	if err := json.Unmarshal(content, &plan); err != nil {
		return plan, fmt.Errorf("%s: %w", file, err)
	}
	return plan, nil
}

// carryOut runs the probe program and all packages.
func carryOut(plan wire.Plan, out *port, probeProgram string, env []string) error {
	probe(out, probeProgram, env)
	for _, pkg := range plan.Packages {
		if err := runPackage(out, plan, pkg, env); err != nil {
			return err
		}
	}
	return nil
}
