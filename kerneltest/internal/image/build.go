package image

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
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
// packages. With built it takes those that are there as they are.
func buildTests(ctx context.Context, root, dir string, packages []Package, built bool) ([]string, error) {
	var names []string
	for _, p := range packages {
		name := strings.ReplaceAll(p.Path, "/", "_") + ".test" // several packages may end in the same word
		names = append(names, name)
		file := filepath.Join(dir, name)
		if built && exists(file) {
			continue
		}
		args := append([]string{"test", "-c", "-o", file}, static...)
		if _, err := goTool(ctx, root, []string{"CGO_ENABLED=1"}, append(args, p.Path)...); err != nil {
			return nil, err
		}
	}
	return names, nil
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}
