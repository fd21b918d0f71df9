package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"time"

	"github.com/sockring/uring/kerneltest/internal/wire"
)

// Accel is how QEMU executes the guest's instructions.
type Accel string

// The ways.
const (
	TCG Accel = "tcg" // by translating them: works everywhere, some ten times slower
	KVM Accel = "kvm" // by the processor
)

// Guest is a virtual machine to be.
type Guest struct {
	Kernel string // the image
	Initrd string
	Mode   wire.Mode
	Accel  Accel
	Log    string // the file that the kernel's log goes to
}

const (
	memoryMiB  = 2048
	processors = 2
)

// emulated is the processor that TCG makes. Having little, it has little to emulate: no strings that move byte by byte
// (erms), no vector state to save (xsave), and, being of no known vendor, no peculiarities.
const emulated = "qemu64,vendor=Unknownvendo,-smap,-smep"

// commandLine is that of the guest's kernel. A panic turns the power off, and on a busy host QEMU may be too late for
// the timer check of old firmware, after which the kernel would panic. The rest takes away what costs an emulator much
// and has no part in what is tested: defences, and doubts about the clock.
const commandLine = "console=ttyS0 panic=-1 no_timer_check mitigations=off no5lvl init_on_alloc=0 " +
	"hardened_usercopy=off lsm=capability audit=0 tsc=reliable clocksource=tsc"

// ErrHung occurs when a guest did not turn its power off in time, and was killed.
var ErrHung = errors.New("the guest hung")

// Run boots a guest, calls each for every message that it sends, and returns when it has turned its power off, or
// with ErrHung after limit.
func Run(ctx context.Context, g Guest, limit time.Duration, each func(wire.Message)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: killed after %v", ErrHung, limit))
	defer cancel()
	cmd := exec.CommandContext(ctx, "qemu-system-x86_64", arguments(g)...)
	var complaints tail
	cmd.Stderr = &complaints
	return wire.Follow(ctx, cmd, &complaints, each)
}

// arguments are those of QEMU: no devices but two serial ports, of which the first takes the kernel's log and the
// second is QEMU's standard output.
func arguments(g Guest) []string {
	cpu := emulated
	if g.Accel == KVM {
		cpu = "host"
	}
	return []string{
		"-accel", string(g.Accel), "-cpu", cpu, "-smp", strconv.Itoa(processors), "-m", strconv.Itoa(memoryMiB),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", g.Kernel, "-initrd", g.Initrd,
		"-append", commandLine + " " + wire.ModeVariable + "=" + string(g.Mode),
		"-chardev", "file,id=log,path=" + g.Log, "-serial", "chardev:log",
		"-chardev", "stdio,id=messages,signal=off", "-serial", "chardev:messages",
	}
}

// tail keeps the last of what is written to it.
type tail []byte

const tailMax = 4096

// String returns what is kept.
func (t *tail) String() string { return string(*t) }

func (t *tail) Write(p []byte) (int, error) {
	*t = append(*t, p...)
	if len(*t) > tailMax {
		*t = (*t)[len(*t)-tailMax:]
	}
	return len(p), nil
}

// ReadLog reads the kernel's log, as far as it came.
func (g Guest) ReadLog() (string, error) {
	content, err := os.ReadFile(g.Log)
	return string(content), err
}
