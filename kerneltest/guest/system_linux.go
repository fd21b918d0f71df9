package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/kerneltest/internal/wire"
)

// mounts are the file systems that programs expect to find.
var mounts = []struct{ kind, target, options string }{
	{"proc", "/proc", ""},
	{"sysfs", "/sys", ""},
	{"devtmpfs", "/dev", ""},
	{"devpts", "/dev/pts", ""},
	{"tmpfs", "/dev/shm", ""},
	{"tmpfs", "/tmp", "mode=1777"},
	{"cgroup2", "/sys/fs/cgroup", ""},
}

func mountAll() error {
	for _, m := range mounts {
		if err := os.MkdirAll(m.target, 0o755); err != nil {
			return err
		}
		if err := unix.Mount(m.kind, m.target, m.kind, 0, m.options); err != nil {
			return fmt.Errorf("%s: %w", m.target, os.NewSyscallError("mount", err))
		}
	}
	return nil
}

// settings are sysctls that the tests, or those who read their outcome, need.
var settings = []struct{ path, value string }{
	// Everything the kernel says goes to the host, and in time: a guest that hangs is turned off earlier than the
	// kernel would complain by itself.
	{"/proc/sys/kernel/printk", "8"},
	{"/proc/sys/kernel/hung_task_timeout_secs", "30"},
	// What tests write to /dev/kmsg is not held back either.
	{"/proc/sys/kernel/printk_devkmsg", "on\n"},
}

// prepare makes the guest a machine as tests expect one.
func prepare() error {
	for _, s := range settings {
		if err := os.WriteFile(s.path, []byte(s.value), 0); err != nil {
			return err
		}
	}
	if err := loopbackUp(); err != nil {
		return err
	}
	if err := loadModules(); err != nil {
		return err
	}
	if out, err := exec.Command(wire.BusyboxPath, "--install", "-s", "/bin").CombinedOutput(); err != nil {
		return fmt.Errorf("busybox: %w: %s", err, out)
	}
	// What systemd gives to services.
	nofile := unix.Rlimit{Cur: 1024, Max: 524288}
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &nofile); err != nil {
		return os.NewSyscallError("setrlimit", err)
	}
	return nil
}

// loadModules loads the modules that the image has for this kernel.
func loadModules() error {
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		return os.NewSyscallError("uname", err)
	}
	files, err := filepath.Glob(filepath.Join(wire.ModulesPath, unix.ByteSliceToString(name.Release[:]), "*.ko"))
	if err != nil {
		return err
	}
	for _, file := range files { // sorted
		if err := loadModule(file); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	return nil
}

func loadModule(file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	return os.NewSyscallError("finit_module", unix.FinitModule(int(f.Fd()), "", 0))
}

// loopbackUp does what "ip link set lo up" does.
func loopbackUp() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	request, err := unix.NewIfreq("lo")
	if err != nil {
		return err
	}
	if err := unix.IoctlIfreq(fd, unix.SIOCGIFFLAGS, request); err != nil {
		return os.NewSyscallError("SIOCGIFFLAGS", err)
	}
	request.SetUint16(request.Uint16() | unix.IFF_UP)
	return os.NewSyscallError("SIOCSIFFLAGS", unix.IoctlIfreq(fd, unix.SIOCSIFFLAGS, request))
}
