// Package tidy holds the rules of this repository that a program can check, as a test.
package tidy

//kerneltest:host the rules are about the source tree

import (
	"bytes"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// root is the repository, as seen from this directory.
const root = "../.."

// skippedDirs are not written by us or not by hand.
var skippedDirs = []string{".git", ".bin", ".cache", "testdata"}

// reportDir is where scripts/demo writes. A package may be called that elsewhere.
var reportDir = filepath.Join(root, "report")

// skippedExtensions are of files that programs write: only their authors care how long the lines are.
var skippedExtensions = []string{".html", ".json", ".sum", ".svg", ".tsv"}

// problem is one broken rule.
type problem struct {
	line int
	text string
}

func TestTidy(t *testing.T) {
	files := sources(t)
	require.Contains(t, files, "go.mod", "the walk has to start at the root")
	for _, path := range slices.Sorted(maps.Keys(files)) {
		for _, p := range check(path, files[path]) {
			t.Errorf("%s:%d: %s", path, p.line, p.text)
		}
	}
}

// check holds all rules against one file.
func check(path string, content []byte) []problem {
	problems := checkText(path, content)
	switch filepath.Ext(path) {
	case ".go":
		problems = append(problems, checkGo(path, content)...)
	case ".md":
		problems = append(problems, checkLinks(path, content)...)
	}
	return problems
}

// TestReadmeProgram holds that the program of the README is the one that is built and tested.
func TestReadmeProgram(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	require.NoError(t, err)
	program, err := os.ReadFile(filepath.Join(root, "examples/quickstart/main.go"))
	require.NoError(t, err)
	_, block, _ := strings.Cut(string(readme), "```go\n")
	block, _, _ = strings.Cut(block, "```\n")
	require.True(t, strings.HasPrefix(block, "package main"))
	require.Equal(t, string(program[bytes.Index(program, []byte("package main")):]), block)
}

// sources returns every file to check, by its path from the root.
func sources(t *testing.T) map[string][]byte {
	files := map[string][]byte{}
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (slices.Contains(skippedDirs, entry.Name()) || path == reportDir):
			return filepath.SkipDir
		case !entry.Type().IsRegular() || slices.Contains(skippedExtensions, filepath.Ext(path)):
			return nil
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		if bytes.IndexByte(content, 0) >= 0 {
			return nil // Not text.
		}
		name, err := filepath.Rel(root, path)
		files[filepath.ToSlash(name)] = content
		return err
	})
	require.NoError(t, err)
	return files
}
