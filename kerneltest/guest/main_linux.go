package main

import (
	"encoding/json"
	"fmt"
	"os"
	"runtime/debug"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/kerneltest/internal/wire"
)

func main() {
	if len(os.Args) == 2 && os.Args[1] == ringArgument {
		os.Exit(tryRing())
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
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return os.NewSyscallError("uname", err)
	}
	out.send(wire.Message{Kind: wire.Hello, Data: unix.ByteSliceToString(name.Release[:])})

	content, err := os.ReadFile(wire.PlanPath)
	if err != nil {
		return err
	}
	var plan wire.Plan
	if err := json.Unmarshal(content, &plan); err != nil {
		return fmt.Errorf("%s: %w", wire.PlanPath, err)
	}
	if err := prepare(); err != nil {
		return err
	}
	env, absent, err := setMode(wire.Mode(os.Getenv(wire.ModeVariable)))
	if err != nil {
		return err
	}
	if absent != "" {
		out.send(wire.Message{Kind: wire.Absent, Data: absent})
		return nil
	}
	probe(out, env)
	for _, pkg := range plan.Packages {
		if err := runPackage(out, plan, pkg, env); err != nil {
			return err
		}
	}
	return nil
}
