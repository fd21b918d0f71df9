package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/sockring/uring/kerneltest/internal/arch"
)

// HostMark opens a comment line in a test file of a package whose tests need what a guest does not have, as the Go
// tool or the source tree, and are not about the kernel. The rest of the line says why.
const HostMark = "//kerneltest:host "

// OnMark opens one in a package whose tests go to guests in which nothing is refused, and to no others, as there they
// would find what another package's find there. The rest of the line says so.
const OnMark = "//kerneltest:on "

// Package is a package with tests.
type Package struct {
	Path string // as Go imports it
	Dir  string // of its source
	Host string // why its tests stay on the host, or "" where they go to the guests
	On   string // why they go to guests in mode on alone, or ""

	files []string // with tests
}

// Packages lists those packages with tests that the patterns match, as go list understands them, seen from root.
func Packages(ctx context.Context, root string, a arch.Arch, patterns []string) ([]Package, error) {
	args := []string{"list", tags, "-json=ImportPath,Dir,TestGoFiles,XTestGoFiles"}
	listed, err := builder{root, a}.goTool(ctx, nil, append(args, patterns...)...)
	if err != nil {
		return nil, err
	}
	var packages []Package
	for decoder := json.NewDecoder(bytes.NewReader(listed)); ; {
		var p struct {
			ImportPath, Dir           string
			TestGoFiles, XTestGoFiles []string
		}
		if err := decoder.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		files := append(p.TestGoFiles, p.XTestGoFiles...)
		if len(files) == 0 {
			continue
		}
		host, err := mark(HostMark, p.Dir, files)
		if err != nil {
			return nil, err
		}
		on, err := mark(OnMark, p.Dir, files)
		if err != nil {
			return nil, err
		}
		packages = append(packages, Package{Path: p.ImportPath, Dir: p.Dir, Host: host, On: on, files: files})
	}
	if len(packages) == 0 {
		return nil, errors.New("no package with tests matches " + strings.Join(patterns, " "))
	}
	return packages, nil
}

// mark returns what follows a mark in any of the files.
func mark(mark, dir string, files []string) (string, error) {
	for _, name := range files {
		content, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return "", err
		}
		for line := range strings.Lines(string(content)) {
			if why, ok := strings.CutPrefix(line, mark); ok {
				return strings.TrimSpace(why), nil
			}
		}
	}
	return "", nil
}
