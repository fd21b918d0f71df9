package image

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"time"

	"github.com/sockring/uring/kerneltest/internal/arch"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

// Options say what an image is for.
type Options struct {
	Root     string        // the repository
	Dir      string        // where to build
	Arch     arch.Arch     // for which processor
	Packages []Package     // whose tests to run
	Run      string        // which of them, as go test -run takes it; empty for all
	Timeout  time.Duration // for the tests of one package

	// Modules are the directories of the kernels' modules, by what uname -r says of the kernel.
	Modules map[string]string

	// Built has the programs that are in Dir already taken as they are, where the source cannot have changed since.
	Built bool
}

// Programs are what an image is made of: files that need nothing of the system that they run on.
type Programs struct {
	Guest, Probe string
	Tests        []Tests // in the order of the packages
}

// Tests are the tests of a package.
type Tests struct {
	File  string // the program
	Names string // of those that are to run, one in a line
}

// BuildPrograms builds the programs into Dir/bin.
func BuildPrograms(ctx context.Context, o Options) (Programs, error) {
	bin := filepath.Join(o.Dir, "bin")
	p := Programs{Guest: filepath.Join(bin, "guest"), Probe: filepath.Join(bin, "probe")}
	if !o.Built {
		if err := os.RemoveAll(bin); err != nil {
			return p, err
		}
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return p, err
	}
	b := builder{o.Root, o.Arch}
	if err := b.program(ctx, "./kerneltest/guest", p.Guest, false, o.Built); err != nil {
		return p, err
	}
	if err := b.program(ctx, "./examples/probe", p.Probe, true, o.Built); err != nil {
		return p, err
	}
	names, err := b.tests(ctx, bin, o.Packages, o.Built)
	if err != nil {
		return p, err
	}
	for i, name := range names {
		tests := Tests{File: filepath.Join(bin, name)}
		if tests.Names, err = listTests(o.Packages[i], o.Run); err != nil {
			return p, err
		}
		p.Tests = append(p.Tests, tests)
	}
	return p, nil
}

// Build makes the image and returns the file.
func Build(ctx context.Context, o Options) (string, error) {
	programs, err := BuildPrograms(ctx, o)
	if err != nil {
		return "", err
	}
	busybox, err := o.busybox()
	if err != nil {
		return "", err
	}
	file := filepath.Join(o.Dir, "initramfs")
	return file, write(file, func(a *archive) {
		a.addFile("init", programs.Guest)
		a.addFile(wire.ProbePath, programs.Probe)
		a.addFile(wire.BusyboxPath, busybox) // some tests start a command
		for release, dir := range o.Modules {
			a.addTree(path.Join(wire.ModulesPath, release), dir)
		}
		plan := wire.Plan{Run: o.Run, Timeout: o.Timeout}
		for i, p := range o.Packages {
			dir, binary := path.Join("/src", p.Path), path.Join("/bin", filepath.Base(programs.Tests[i].File))
			a.addDir(dir)
			a.addTree(path.Join(dir, "testdata"), filepath.Join(p.Dir, "testdata"))
			a.addFile(binary, programs.Tests[i].File)
			plan.Packages = append(plan.Packages, wire.Package{
				Path: p.Path, Binary: binary, Dir: dir, Tests: programs.Tests[i].Names, OnOnly: p.On != "",
			})
		}
		content, err := json.Marshal(plan)
		a.fail(err)
		a.add(wire.PlanPath, 0o644, content)
	})
}

// busybox returns a static one for the processor. scripts/with-arm64, by which all was built, has unpacked arm64's.
func (o Options) busybox() (string, error) {
	if o.Arch == arch.ARM64 && !o.Arch.Native() {
		return filepath.EvalSymlinks(filepath.Join(o.Root, ".cache", "arm64", "busybox"))
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return "", fmt.Errorf("%w; scripts/install-kerneltest-deps installs it", err)
	}
	return busybox, nil
}
