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
}

// Build makes the image and returns the file.
func Build(ctx context.Context, o Options) (string, error) {
	bin := filepath.Join(o.Dir, "bin")
	if err := os.RemoveAll(bin); err != nil {
		return "", err
	}
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", err
	}
	guest, probe := filepath.Join(bin, "guest"), filepath.Join(bin, "probe")
	if err := buildProgram(ctx, o.Root, "./kerneltest/guest", guest, false); err != nil {
		return "", err
	}
	if err := buildProgram(ctx, o.Root, "./examples/probe", probe, true); err != nil {
		return "", err
	}
	busybox, err := exec.LookPath("busybox")
	if err != nil {
		return "", fmt.Errorf("%w; scripts/install-kerneltest-deps installs it", err)
	}
	tests, err := buildTests(ctx, o.Root, bin, o.Packages)
	if err != nil {
		return "", err
	}
	file := filepath.Join(o.Dir, "initramfs")
	return file, write(file, func(a *archive) {
		a.addFile("init", guest)
		a.addFile(wire.ProbePath, probe)
		a.addFile(wire.BusyboxPath, busybox) // some tests start a command
		plan := wire.Plan{Run: o.Run, Timeout: o.Timeout}
		for i, p := range o.Packages {
			dir, binary := path.Join("/src", p.Path), path.Join("/bin", tests[i])
			a.addDir(dir)
			a.addTree(path.Join(dir, "testdata"), filepath.Join(p.Dir, "testdata"))
			a.addFile(binary, filepath.Join(bin, tests[i]))
			plan.Packages = append(plan.Packages, wire.Package{Path: p.Path, Binary: binary, Dir: dir})
		}
		content, err := json.Marshal(plan)
		a.fail(err)
		a.add(wire.PlanPath, 0o644, content)
	})
}
