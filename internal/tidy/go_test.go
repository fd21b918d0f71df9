package tidy

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/build"
	"go/parser"
	"go/token"
	"io"
	"path/filepath"
	"slices"
	"strings"
)

const (
	functionLinesMax     = 70
	testFunctionLinesMax = 100
)

// cgoDirs are where C may be imported: the shim, the C that its tests compare it and share rings with, and the peer in
// C that the benchmark compares with.
var cgoDirs = []string{"cring/", "internal/cprep/", "internal/ctest/", "examples/bundlebench/"}

// runtimeImports are the modules that the library may need at run time. The examples, the tools and the adapter to
// Prometheus, modules of their own, may need others, and so may what only tests import.
var (
	runtimeImports = []string{"github.com/sockring/uring", "golang.org/x/sys/"}
	otherNeedsDirs = []string{
		"examples/", "scripts/tools/", "bench/", "kerneltest/", "internal/sendertest/", "socketops/prometheus/",
	}
)

// checkGo holds the rules for Go files.
func checkGo(path string, content []byte) []problem {
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		return []problem{{1, err.Error()}}
	}
	line := func(pos token.Pos) int { return files.Position(pos).Line }

	problems := checkImports(path, file, line)
	problems = append(problems, checkPortable(path, content, file, line)...)
	problems = append(problems, checkFunctionLength(path, file, line)...)
	return append(problems, checkUnsafe(path, file, line)...)
}

func checkImports(path string, file *ast.File, line func(token.Pos) int) []problem {
	var problems []problem
	for _, spec := range file.Imports {
		name := strings.Trim(spec.Path.Value, `"`)
		first, _, _ := strings.Cut(name, "/")
		outside := strings.Contains(first, ".") && !hasPrefix(name, runtimeImports)
		switch {
		case name == "C" && !hasPrefix(path, cgoDirs):
			text := "C is imported outside of " + strings.Join(cgoDirs, " and ")
			problems = append(problems, problem{line(spec.Pos()), text})
		case outside && !isTest(path) && !hasPrefix(path, otherNeedsDirs):
			problems = append(problems, problem{line(spec.Pos()), "the library may not depend on " + name})
		}
	}
	return problems
}

// checkPortable holds that what other systems build as well takes the names of the system from internal/unix:
// golang.org/x/sys/unix has none on Windows. The kernel matrix runs on Linux alone.
func checkPortable(path string, content []byte, file *ast.File, line func(token.Pos) int) []problem {
	if hasPrefix(path, []string{"kerneltest/", "scripts/tools/"}) {
		return nil
	}
	other := build.Default
	other.GOOS, other.GOARCH, other.CgoEnabled = "windows", "amd64", false
	other.OpenFile = func(string) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(content)), nil }
	if built, err := other.MatchFile(filepath.Split(path)); err != nil || !built {
		return nil
	}
	var problems []problem
	for _, spec := range file.Imports {
		if spec.Path.Value == `"golang.org/x/sys/unix"` {
			text := "golang.org/x/sys/unix in a file that every system builds: use internal/unix"
			problems = append(problems, problem{line(spec.Pos()), text})
		}
	}
	return problems
}

// hasPrefix reports whether s starts with any of the prefixes.
func hasPrefix(s string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(s, prefix) })
}

func checkFunctionLength(path string, file *ast.File, line func(token.Pos) int) []problem {
	linesMax := functionLinesMax
	if isTest(path) {
		linesMax = testFunctionLinesMax
	}
	var problems []problem
	for _, decl := range file.Decls {
		if f, ok := decl.(*ast.FuncDecl); ok {
			if n := line(f.End()) - line(f.Pos()) + 1; n > linesMax {
				text := fmt.Sprintf("%s has %d lines, more than %d", f.Name.Name, n, linesMax)
				problems = append(problems, problem{line(f.Pos()), text})
			}
		}
	}
	return problems
}

// safety opens the argument why a use of package unsafe is sound.
const safety = "SAFETY:"

// safetyReach is how many lines above a declaration's use of unsafe its argument may end.
const safetyReach = 6

// checkUnsafe holds that what makes a pointer or memory out of something else is argued for: above it in
// the same function or in the function's comment, at most safetyReach lines above it elsewhere. In a test file
// one argument for all that follows will do. Each function is reported once.
func checkUnsafe(path string, file *ast.File, line func(token.Pos) int) []problem {
	var arguments []int // lines
	for _, group := range file.Comments {
		if strings.Contains(group.Text(), safety) {
			arguments = append(arguments, line(group.End()))
		}
	}
	var problems []problem
	for _, decl := range file.Decls {
		reported := false
		ast.Inspect(decl, func(node ast.Node) bool {
			name := unsafeUse(node)
			if name == "" || reported {
				return !reported
			}
			use := line(node.Pos())
			from := use - safetyReach
			if f, ok := decl.(*ast.FuncDecl); isTest(path) {
				from = 1
			} else if ok && f.Doc != nil {
				from = line(f.Doc.Pos())
			} else if ok {
				from = line(f.Pos())
			}
			if !slices.ContainsFunc(arguments, func(at int) bool { return from <= at && at <= use }) {
				text := "unsafe." + name + " without a " + safety + " comment above it"
				problems = append(problems, problem{use, text})
				reported = true
			}
			return true
		})
	}
	return problems
}

// unsafeMakers are the functions of package unsafe that make pointers or memory.
var unsafeMakers = []string{"Pointer", "Add", "Slice", "String"}

// unsafeUse returns which of unsafeMakers node calls, or "".
func unsafeUse(node ast.Node) string {
	call, ok := node.(*ast.CallExpr)
	if !ok {
		return ""
	}
	fun, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return ""
	}
	pkg, ok := fun.X.(*ast.Ident)
	if !ok || pkg.Name != "unsafe" || !slices.Contains(unsafeMakers, fun.Sel.Name) {
		return ""
	}
	return fun.Sel.Name
}

func isTest(path string) bool { return strings.HasSuffix(path, "_test.go") }
