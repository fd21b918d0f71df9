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
	"strconv"
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

// buildProgram builds a program of this workspace into file, without C where it needs none.
func buildProgram(ctx context.Context, root, pkg, file string, cgo bool) error {
	args, env := []string{"build", "-o", file}, []string{"CGO_ENABLED=0"}
	if cgo {
		args, env = append(args, static...), []string{"CGO_ENABLED=1"}
	}
	_, err := goTool(ctx, root, env, append(args, pkg)...)
	return err
}

// buildTests builds the test binaries of the packages into dir and returns their names, in the order of the
// packages.
func buildTests(ctx context.Context, root, dir string, packages []Package) ([]string, error) {
	names, errs := make([]string, len(packages)), make([]error, len(packages))
	slots := make(chan struct{}, runtime.NumCPU()) // a linker takes a processor each
	var built sync.WaitGroup
	for i, p := range packages {
		// Several packages may end in the same word, so a number keeps them apart.
		names[i] = strconv.Itoa(i) + "-" + filepath.Base(p.Path) + ".test"
		built.Add(1)
		slots <- struct{}{}
		go func() {
			defer built.Done()
			args := append([]string{"test", "-c", "-o", filepath.Join(dir, names[i])}, static...)
			_, errs[i] = goTool(ctx, root, []string{"CGO_ENABLED=1"}, append(args, p.Path)...)
			<-slots
		}()
	}
	built.Wait()
	return names, errors.Join(errs...)
}
