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

	"github.com/sockring/uring/kerneltest/internal/wire"
)

// Options say what an image is for.
type Options struct {
	Root     string        // the repository
	Dir      string        // where to build
	Packages []Package     // whose tests to run
	Run      string        // which of them, as go test -run takes it; empty for all
	Timeout  time.Duration // for the tests of one package

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
	if err := buildProgram(ctx, o.Root, "./kerneltest/guest", p.Guest, false, o.Built); err != nil {
		return p, err
	}
	if err := buildProgram(ctx, o.Root, "./examples/probe", p.Probe, true, o.Built); err != nil {
		return p, err
	}
	names, err := buildTests(ctx, o.Root, bin, o.Packages, o.Built)
	if err != nil {
		return p, err
	}
	for _, name := range names {
		tests := Tests{File: filepath.Join(bin, name)}
		if tests.Names, err = listTests(ctx, tests.File, o.Run); err != nil {
			return p, err
		}
		p.Tests = append(p.Tests, tests)
	}
	return p, nil
}

// Build makes the image and returns the file.
func Build(ctx context.Context, o Options) (string, error) {
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return "", fmt.Errorf("%w; scripts/install-kerneltest-deps installs it", err)
	}
	programs, err := BuildPrograms(ctx, o)
	if err != nil {
		return "", err
	}
	file := filepath.Join(o.Dir, "initramfs")
	return file, write(file, func(a *archive) {
		a.addFile("init", programs.Guest)
		a.addFile(wire.ProbePath, programs.Probe)
		a.addFile(wire.BusyboxPath, busybox) // some tests start a command
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
