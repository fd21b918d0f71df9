package testutil

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"
)

// notCalled are methods that package fmt, errors or encoding/json call, and not the application.
var notCalled = map[string]bool{
	"String": true, "Error": true, "Is": true, "Unwrap": true, "Feature": true, "SinceKernel": true, "MarshalJSON": true,
}

// RequireExamples fails the test for every exported function and method of the package in the current directory that
// none of its examples calls, and returns how many there are. Examples are in files with "example" in their names.
func RequireExamples(t testing.TB) (entryPoints int) {
	t.Helper()
	called := map[string]bool{}
	for _, example := range ParseFiles(t, "*example*_test.go") {
		ast.Inspect(example, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
					called[sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	for name, f := range ParseFiles(t, "*.go") {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !entryPoint(fn) {
				continue
			}
			entryPoints++
			if !called[fn.Name.Name] {
				t.Errorf("%s: no example calls %s", name, fn.Name.Name)
			}
		}
	}
	return entryPoints
}

// ParseFiles parses the Go files whose names match, with their comments.
func ParseFiles(t testing.TB, pattern string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]*ast.File{}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		files[name] = f
	}
	return files
}

// entryPoint reports whether an application can call the function.
func entryPoint(fn *ast.FuncDecl) bool {
	if !fn.Name.IsExported() || notCalled[fn.Name.Name] {
		return false
	}
	if fn.Recv == nil {
		return true
	}
	typ := fn.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	id, ok := typ.(*ast.Ident)
	return ok && id.IsExported()
}
