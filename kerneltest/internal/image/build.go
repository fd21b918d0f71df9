package image

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
)

// static has the Go and C of a program linked so that it needs no library: without these tags Go would ask the C
// library for host and user names, which opens libraries at run time all the same.
var static = []string{"-tags=netgo,osusergo", `-ldflags=-s -w -linkmode external -extldflags "-static"`}

// goTool runs the go command in dir and returns its standard output.
func goTool(ctx context.Context, dir string, env []string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, append(os.Environ(), env...), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return out, nil
}

// buildProgram builds a program of this workspace into file, without C where it needs none. With built it takes a
// file that is there as it is.
func buildProgram(ctx context.Context, root, pkg, file string, cgo, built bool) error {
	if built && exists(file) {
		return nil
	}
	args, env := []string{"build", "-o", file}, []string{"CGO_ENABLED=0"}
	if cgo {
		args, env = append(args, static...), []string{"CGO_ENABLED=1"}
	}
	_, err := goTool(ctx, root, env, append(args, pkg)...)
	return err
}

// buildTests builds the test binaries of the packages into dir and returns their names, in the order of the
// packages. With there it takes those that are there as they are.
func buildTests(ctx context.Context, root, dir string, packages []Package, there bool) ([]string, error) {
	names, errs := make([]string, len(packages)), make([]error, len(packages))
	slots := make(chan struct{}, runtime.NumCPU()) // a linker takes a processor each
	var built sync.WaitGroup
	for i, p := range packages {
		names[i] = strings.ReplaceAll(p.Path, "/", "_") + ".test" // several packages may end in the same word
		file := filepath.Join(dir, names[i])
		if there && exists(file) {
			continue
		}
		built.Add(1)
		slots <- struct{}{}
		go func() {
			defer built.Done()
			args := append([]string{"test", "-c", "-o", file}, static...)
			_, errs[i] = goTool(ctx, root, []string{"CGO_ENABLED=1"}, append(args, p.Path)...)
			<-slots
		}()
	}
	built.Wait()
	return names, errors.Join(errs...)
}

// listTests names the tests, examples and fuzz tests that a test binary has and -test.run=run takes, one in a line.
// It runs the binary: here, since in each guest that takes long.
func listTests(ctx context.Context, binary, run string) (string, error) {
	pattern, _, _ := strings.Cut(run, "/") // which may go on to subtests, which a list does not have
	if pattern == "" {
		pattern = "."
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, binary, "-test.list="+pattern)
	cmd.Dir, cmd.Stderr = filepath.Dir(binary), &stderr
	listed, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("listing the tests of %s: %w\n%s", filepath.Base(binary), err, stderr.Bytes())
	}
	var names strings.Builder
	for name := range strings.Lines(string(listed)) {
		if !strings.HasPrefix(name, "Benchmark") {
			names.WriteString(name)
		}
	}
	return names.String(), nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
