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

	"github.com/sockring/uring/kerneltest/internal/arch"
)

// static has the Go and C of a program linked so that it needs no library: without these tags Go would ask the C
// library for host and user names, which opens libraries at run time all the same.
var static = []string{tags, `-ldflags=-s -w -linkmode external -extldflags "-static"`}

const tags = "-tags=netgo,osusergo"

// builder runs the go command for a processor.
type builder struct {
	root string // the repository
	arch arch.Arch
}

// command is a program with its arguments, to run in the environment to build for the processor.
func (b builder) command(ctx context.Context, args ...string) *exec.Cmd {
	if b.arch == arch.ARM64 && !b.arch.Native() {
		args = append([]string{filepath.Join(b.root, "scripts", "with-arm64")}, args...)
	}
	return exec.CommandContext(ctx, args[0], args[1:]...)
}

// goTool runs the go command in the repository and returns its standard output.
func (b builder) goTool(ctx context.Context, env []string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := b.command(ctx, append([]string{"go"}, args...)...)
	cmd.Dir, cmd.Env, cmd.Stderr = b.root, append(os.Environ(), env...), &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go %s: %w\n%s%s", strings.Join(args, " "), err, out, stderr.Bytes())
	}
	return out, nil
}

// program builds a program of this workspace into file, without C where it needs none. With built it takes a
// file that is there as it is.
func (b builder) program(ctx context.Context, pkg, file string, cgo, built bool) error {
	if built && exists(file) {
		return nil
	}
	args, env := []string{"build", "-o", file}, []string{"CGO_ENABLED=0"}
	if cgo {
		args, env = append(args, static...), []string{"CGO_ENABLED=1"}
	}
	_, err := b.goTool(ctx, env, append(args, pkg)...)
	return err
}

// tests builds the test binaries of the packages into dir and returns their names, in the order of the
// packages. With there it takes those that are there as they are.
func (b builder) tests(ctx context.Context, dir string, packages []Package, there bool) ([]string, error) {
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
			_, errs[i] = b.goTool(ctx, []string{"CGO_ENABLED=1"}, append(args, p.Path)...)
			<-slots
		}()
	}
	built.Wait()
	return names, errors.Join(errs...)
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
