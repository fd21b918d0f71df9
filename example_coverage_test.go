package uring

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// calledInExamples returns the names of all functions and methods that the examples call.
func calledInExamples(t *testing.T) map[string]bool {
	t.Helper()
	files, err := filepath.Glob("*example*_test.go")
	require.NoError(t, err)
	called := map[string]bool{}
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
					called[sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	return called
}

// notCalled are methods that package fmt, errors or encoding/json call, and not the application.
var notCalled = map[string]bool{
	"String": true, "Error": true, "Is": true, "Unwrap": true, "Feature": true, "SinceKernel": true, "MarshalJSON": true,
}

func TestEveryEntryPointHasAnExample(t *testing.T) {
	called := calledInExamples(t)
	files, err := filepath.Glob("*.go")
	require.NoError(t, err)
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if ok && entryPoint(fn) && !called[fn.Name.Name] {
				t.Errorf("%s: no example calls %s", name, fn.Name.Name)
			}
		}
	}
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
