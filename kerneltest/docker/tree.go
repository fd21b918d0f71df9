package main

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path"
	"path/filepath"

	"github.com/sockring/uring/kerneltest/internal/image"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

// The plans in the tree.
const (
	fullPlan  = "plan.json"  // the probe program, and the tests of all packages
	probePlan = "probe.json" // the probe program alone
)

// makeTree builds what the containers start from in o.Dir: the programs in bin, the files that the tests need in src,
// and the plans. It returns the probe program.
func makeTree(ctx context.Context, o image.Options) (probe string, err error) {
	programs, err := image.BuildPrograms(ctx, o)
	if err != nil {
		return "", err
	}
	src := filepath.Join(o.Dir, "src")
	if err := os.RemoveAll(src); err != nil {
		return "", err
	}
	plan := wire.Plan{Run: o.Run, Timeout: o.Timeout}
	for i, p := range o.Packages {
		if err := copyTestdata(filepath.Join(src, filepath.FromSlash(p.Path)), p.Dir); err != nil {
			return "", err
		}
		plan.Packages = append(plan.Packages, wire.Package{
			Path:   p.Path,
			Binary: path.Join(mounted, "bin", filepath.Base(programs.Tests[i].File)),
			Dir:    path.Join(mounted, "src", p.Path),
			Tests:  programs.Tests[i].Names,
		})
	}
	if err := writePlan(filepath.Join(o.Dir, fullPlan), plan); err != nil {
		return "", err
	}
	return programs.Probe, writePlan(filepath.Join(o.Dir, probePlan), wire.Plan{})
}

func writePlan(file string, plan wire.Plan) error {
	content, err := json.Marshal(plan)
	if err != nil {
		return err
	}
	return os.WriteFile(file, content, 0o644)
}

// copyTestdata makes a directory for the tests of a package, with the testdata that the package has in dir, if any.
func copyTestdata(to, dir string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	err := os.CopyFS(filepath.Join(to, "testdata"), os.DirFS(filepath.Join(dir, "testdata")))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
