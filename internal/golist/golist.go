// Package golist reads packages as the go command builds them, for tests that look at what packages have.
package golist

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
)

// Package is what go list says of a package.
type Package struct {
	ImportPath, Export, Dir, Name string
	GoFiles, CgoFiles             []string
}

// Packages are packages by their import path.
type Packages map[string]Package

// Load builds the packages that the patterns name, as they are for the directory, and returns them with all that they
// depend on.
func Load(dir string, patterns ...string) (Packages, error) {
	const fields = "-json=ImportPath,Export,Dir,Name,GoFiles,CgoFiles"
	list := exec.Command("go", append([]string{"list", "-export", "-deps", fields}, patterns...)...)
	list.Dir = dir
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w\n%s", err, stderr.String())
	}
	packages := Packages{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p Package
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages, nil
		} else if err != nil {
			return nil, err
		}
		packages[p.ImportPath] = p
	}
}

// Importer has the packages imported as they were built.
func (p Packages) Importer(files *token.FileSet) types.Importer {
	return importer.ForCompiler(files, "gc", func(path string) (io.ReadCloser, error) { return os.Open(p[path].Export) })
}
