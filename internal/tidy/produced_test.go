package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// programDirs hold no package of the library.
var programDirs = []string{"examples/", "kerneltest/", "bench/", "scripts/"}

// taken are the error values that programs give to the library, not the other way round.
var taken = []string{"compat_aio.ErrStopped"}

// TestEveryErrorHasAProducer holds that each exported error value is one that something gives: a program that was
// written by the documentation waits for it.
func TestEveryErrorHasAProducer(t *testing.T) { // found 4
	files := map[string]string{}
	for path, content := range sources(t) {
		if filepath.Ext(path) == ".go" && !isTest(path) && !hasPrefix(path, programDirs) {
			files[path] = string(content)
		}
	}
	declared, without := unproduced(t, files)
	require.Contains(t, declared, "..ErrClosed", "the rule finds the library's errors")
	without = slices.DeleteFunc(without, func(name string) bool { return slices.Contains(taken, name) })
	require.Empty(t, without, "errors that nothing gives")
}

func TestProducerRule(t *testing.T) {
	const declaration = "package p\n\nvar ErrX = errors.New(\"x\")\n"
	for name, tt := range map[string]struct {
		code string
		want []string
	}{
		"returned":        {"func f() error { return ErrX }", nil},
		"wrapped":         {"func f() error { return fmt.Errorf(\"f: %w\", ErrX) }", nil},
		"part of a value": {"var all = []error{ErrX}", nil},
		"nothing":         {"", []string{"p.ErrX"}},
		"asked for":       {"func f(err error) bool { return errors.Is(err, ErrX) }", []string{"p.ErrX"}},
		"compared":        {"func f(err error) bool { return err == ErrX }", []string{"p.ErrX"}},
		"method Is":       {"func (t *T) Is(err error) bool { return err == ErrX }", nil},
		"of another":      {"func f() error { return q.ErrX }", []string{"p.ErrX"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, without := unproduced(t, map[string]string{"p/a.go": declaration, "p/b.go": "package p\n\n" + tt.code + "\n"})
			require.Equal(t, tt.want, without)
		})
	}
	_, without := unproduced(t, map[string]string{
		"p/a.go": declaration, "q/b.go": "package q\n\nfunc f() error { return p.ErrX }\n",
	})
	require.Empty(t, without)
}

// unproduced returns which exported error values the files declare, and which of them nothing uses but to compare with,
// as "directory.Name".
func unproduced(t *testing.T, files map[string]string) (declared, without []string) {
	produced := map[string]bool{} // by directory or package, and name
	for path, content := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, content, parser.SkipObjectResolution)
		require.NoError(t, err)
		dir := filepath.Dir(path)
		skip := map[*ast.Ident]bool{}
		for _, name := range errorValues(file) {
			declared = append(declared, dir+"."+name.Name)
			skip[name] = true
		}
		for _, name := range uses(file, skip) {
			pkg, _, qualified := strings.Cut(name, ".")
			if !qualified {
				produced[dir+"."+name] = true
			} else if pkg != file.Name.Name {
				produced[name] = true
			}
		}
	}
	slices.Sort(declared)
	for _, name := range declared {
		dir, errName, _ := strings.Cut(name, ".Err")
		byPackage := packageName(dir, files) + ".Err" + errName
		if !produced[name] && !produced[byPackage] {
			without = append(without, name)
		}
	}
	return declared, without
}

// packageName is the name of the package in a directory.
func packageName(dir string, files map[string]string) string {
	for path, content := range files {
		if filepath.Dir(path) == dir {
			file, err := parser.ParseFile(token.NewFileSet(), path, content, parser.PackageClauseOnly)
			if err == nil {
				return file.Name.Name
			}
		}
	}
	return ""
}

// errorValues returns the names of a file's exported error values.
func errorValues(file *ast.File) (names []*ast.Ident) {
	for _, decl := range file.Decls {
		gen, ok := decl.(*ast.GenDecl)
		if !ok || gen.Tok != token.VAR {
			continue
		}
		for _, spec := range gen.Specs {
			for _, name := range spec.(*ast.ValueSpec).Names {
				if strings.HasPrefix(name.Name, "Err") {
					names = append(names, name)
				}
			}
		}
	}
	return names
}

// uses returns the error values that a file does more with than to compare with them: "ErrX", or "pkg.ErrX" of another
// package. A method Is that compares with one makes its type that error.
func uses(file *ast.File, skip map[*ast.Ident]bool) (names []string) {
	isMethod := false
	ast.Inspect(file, func(node ast.Node) bool {
		switch node := node.(type) {
		case *ast.FuncDecl:
			isMethod = node.Recv != nil && node.Name.Name == "Is"
		case *ast.CallExpr:
			if fun, ok := node.Fun.(*ast.SelectorExpr); ok && (fun.Sel.Name == "Is" || fun.Sel.Name == "As") {
				return false
			}
		case *ast.BinaryExpr:
			return isMethod || node.Op != token.EQL && node.Op != token.NEQ
		case *ast.SelectorExpr:
			if pkg, ok := node.X.(*ast.Ident); ok && strings.HasPrefix(node.Sel.Name, "Err") {
				names = append(names, pkg.Name+"."+node.Sel.Name)
				return false
			}
		case *ast.Ident:
			if strings.HasPrefix(node.Name, "Err") && !skip[node] {
				names = append(names, node.Name)
			}
		}
		return true
	})
	return names
}
