package vm

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sockring/uring/kerneltest/internal/arch"
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
	Arch   arch.Arch
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

// board is what differs between the machines of one processor and another.
type board struct {
	// emulated is the processor that TCG makes, and how. Having little, it has little to emulate.
	emulated  string
	emulation []string

	console string   // what the guest calls the first serial port, which takes the kernel's log
	devices []string // arguments for the machine and its second serial port, which is the chardev messages

	// commandLine is that of the guest's kernel, beside what all have. It takes away what costs an emulator much and has
	// no part in what is tested.
	commandLine string
}

var boards = map[arch.Arch]board{
	// No strings that move byte by byte (erms), no vector state to save (xsave), and, being of no known vendor, no
	// peculiarities. On a busy host QEMU may be too late for the timer check of old firmware, after which the kernel would
	// panic, and there is no doubt about the clock.
	arch.AMD64: {
		emulated: "qemu64,vendor=Unknownvendo,-smap,-smep",
		console:  "ttyS0", devices: []string{"-serial", "chardev:messages"},
		commandLine: "no_timer_check no5lvl tsc=reliable clocksource=tsc",
	},
	// A processor as servers have it, with atomic instructions (LSE), but from before pointers were signed, which takes an
	// emulator long. The machine has one serial port of its own kind and gets another of the PC's.
	arch.ARM64: {
		emulated: "neoverse-n1",
		// The guest's clock counts its instructions, at 4 ns each, and does not wait where nobody has anything to do: a
		// machine that is busy with other work makes the guest no slower by its own clock, which many tests look at.
		emulation: []string{"-icount", "shift=2,sleep=off"},
		console:   "ttyAMA0", devices: []string{"-machine", "virt", "-device", "pci-serial,chardev=messages"},
		commandLine: "kpti=off rodata=off",
	},
}

// commandLine is what all guests' kernels are told. A panic turns the power off. The rest are defences, which cost an
// emulator much and have no part in what is tested.
const commandLine = "panic=-1 mitigations=off init_on_alloc=0 hardened_usercopy=off lsm=capability audit=0"

// ErrHung occurs when a guest did not turn its power off in time, and was killed.
var ErrHung = errors.New("the guest hung")

// Run boots a guest, calls each for every message that it sends, and returns when it has turned its power off, or
// with ErrHung after limit.
func Run(ctx context.Context, g Guest, limit time.Duration, each func(wire.Message)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w: killed after %v", ErrHung, limit))
	defer cancel()
	cmd := exec.CommandContext(ctx, g.Arch.QEMU(), arguments(g)...)
	var complaints tail
	cmd.Stderr = &complaints
	return wire.Follow(ctx, cmd, &complaints, each)
}

// arguments are those of QEMU: no devices but two serial ports, of which the first takes the kernel's log and the
// second is QEMU's standard output.
func arguments(g Guest) []string {
	b := boards[g.Arch]
	cpu, more := b.emulated, slices.Concat(b.devices, b.emulation)
	if g.Accel == KVM {
		cpu, more = "host", b.devices
	}
	return append([]string{
		"-accel", string(g.Accel), "-cpu", cpu, "-smp", strconv.Itoa(processors), "-m", strconv.Itoa(memoryMiB),
		"-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
		"-kernel", g.Kernel, "-initrd", g.Initrd,
		"-append", strings.Join([]string{
			"console=" + b.console, commandLine, b.commandLine, wire.ModeVariable + "=" + string(g.Mode),
		}, " "),
		"-chardev", "file,id=log,path=" + g.Log, "-serial", "chardev:log",
		"-chardev", "stdio,id=messages,signal=off",
	}, more...)
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
