package aio

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

// notCalled are methods that package fmt or errors calls, and not the application.
var notCalled = map[string]bool{
	"String": true, "Error": true, "Is": true, "Unwrap": true, "Feature": true, "SinceKernel": true,
}

func TestEveryEntryPointHasAnExample(t *testing.T) {
	testutil.InSource(t)
	called := map[string]bool{}
	for _, example := range parseAll(t, "example*_test.go") {
		ast.Inspect(example, func(n ast.Node) bool {
			if call, ok := n.(*ast.CallExpr); ok {
				if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
					called[sel.Sel.Name] = true
				}
			}
			return true
		})
	}
	entryPoints := 0
	for name, f := range parseAll(t, "*.go") {
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
	require.Greater(t, entryPoints, 50)
}

// parseAll parses the files that match.
func parseAll(t *testing.T, pattern string) map[string]*ast.File {
	t.Helper()
	names, err := filepath.Glob(pattern)
	require.NoError(t, err)
	files := map[string]*ast.File{}
	for _, name := range names {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
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
