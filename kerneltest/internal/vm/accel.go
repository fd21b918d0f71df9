package vm

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/sockring/uring/kerneltest/internal/wire"
)

// trialLimit is how long a trial under KVM may take to reach the guest program, which takes two seconds where KVM
// works. Some machines have a KVM that never enters the guest's kernel.
const trialLimit = 15 * time.Second

// trial is the outcome of a trial, and what it holds for.
type trial struct {
	Boot string // of the host, by its kernel's boot id
	QEMU string // the version
	KVM  bool
}

// Choose returns KVM where a trial with this guest shows that it works, and TCG elsewhere, as for another processor
// than this machine's. The outcome is kept in dir until the host boots again or gets another QEMU.
func Choose(ctx context.Context, dir string, g Guest) (Accel, error) {
	if !g.Arch.Native() {
		return TCG, nil
	}
	version, err := exec.CommandContext(ctx, g.Arch.QEMU(), "--version").Output()
	if err != nil {
		return "", err
	}
	boot, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	now := trial{Boot: strings.TrimSpace(string(boot)), QEMU: strings.TrimSpace(string(version))}
	file := filepath.Join(dir, "kvm.json")
	if content, err := os.ReadFile(file); err == nil {
		var then trial
		if json.Unmarshal(content, &then) == nil && then.Boot == now.Boot && then.QEMU == now.QEMU {
			return accelOf(then.KVM), nil
		}
	}
	now.KVM = worksWithKVM(ctx, g)
	if ctx.Err() != nil {
		return "", ctx.Err()
	}
	content, err := json.Marshal(now)
	if err != nil {
		return "", err
	}
	return accelOf(now.KVM), os.WriteFile(file, content, 0o644)
}

func accelOf(kvm bool) Accel {
	if kvm {
		return KVM
	}
	return TCG
}

// worksWithKVM reports whether a guest under KVM says hello in time.
func worksWithKVM(ctx context.Context, g Guest) bool {
	device, err := os.OpenFile("/dev/kvm", os.O_RDWR, 0)
	if err != nil {
		return false
	}
	device.Close()
	g.Accel = KVM
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	works := false
	_ = Run(ctx, g, trialLimit, func(m wire.Message) {
		if m.Kind == wire.Hello {
			works = true
			stop() // which ends the guest; the rest of its work is of no interest
		}
	})
	return works
}
