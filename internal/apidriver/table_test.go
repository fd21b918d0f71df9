//go:build linux

package apidriver

//kerneltest:host it builds a program out of the source tree

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/golist"
)

const module = "github.com/sockring/uring"

// driven are the packages that programs import. Package cring is not among them: it is liburing as it is, where a bad
// pointer is the caller's fault; nor is conformance, which takes a test.
var driven = []string{module, module + "/compat_aio", module + "/socketops", module + "/socketops/socketvar"}

// api is what the driven packages export, as go/types and go/doc see it.
type api struct {
	functions []string          // by package and name
	types     []string          // likewise
	params    map[string]string // of functions and methods, the names of their parameters
	docs      map[string]string // of functions, methods, types and packages
}

// exports reads the driven packages.
func exports(t *testing.T) (api, golist.Packages) {
	t.Helper()
	packages, err := golist.Load("", driven...)
	require.NoError(t, err)
	imports := packages.Importer(token.NewFileSet())
	found := api{params: map[string]string{}, docs: map[string]string{}}
	for _, path := range driven {
		p, err := imports.Import(path)
		require.NoError(t, err)
		found.add(p)
		found.addDocs(t, packages[path])
	}
	return found, packages
}

// add takes the exported functions and types of a package, with their methods.
func (a *api) add(p *types.Package) {
	for _, name := range p.Scope().Names() {
		object := p.Scope().Lookup(name)
		qualified := p.Name() + "." + name
		if !object.Exported() {
			continue
		}
		switch object := object.(type) {
		case *types.Func:
			a.functions = append(a.functions, qualified)
			a.params[qualified] = parameterNames(object)
		case *types.TypeName:
			a.types = append(a.types, qualified)
			methods := types.NewMethodSet(types.NewPointer(object.Type()))
			for i := range methods.Len() {
				if m, ok := methods.At(i).Obj().(*types.Func); ok && m.Exported() {
					a.params[qualified+"."+m.Name()] = parameterNames(m)
				}
			}
		}
	}
}

func parameterNames(f *types.Func) string {
	var names []string
	for v := range f.Signature().Params().Variables() {
		names = append(names, v.Name())
	}
	return strings.Join(names, " ")
}

// addDocs takes the comments of what the package declares.
func (a *api) addDocs(t *testing.T, p golist.Package) {
	t.Helper()
	for _, name := range slices.Concat(p.GoFiles, p.CgoFiles) {
		file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.ParseComments)
		require.NoError(t, err)
		a.docs[p.Name] += file.Doc.Text()
		for _, decl := range file.Decls {
			switch decl := decl.(type) {
			case *ast.FuncDecl:
				name := p.Name + "."
				if decl.Recv != nil {
					name += receiverName(decl.Recv.List[0].Type) + "."
				}
				a.docs[name+decl.Name.Name] = decl.Doc.Text()
			case *ast.GenDecl:
				for _, spec := range decl.Specs {
					if typ, ok := spec.(*ast.TypeSpec); ok {
						a.docs[p.Name+"."+typ.Name.Name] = decl.Doc.Text() + typ.Doc.Text()
					}
				}
			}
		}
	}
}

func receiverName(typ ast.Expr) string {
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

// table is the file of command driven that has the functions and types of the API.
func (a *api) table(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	fmt.Fprintf(&b, "package main\n\nimport (\n\t\"reflect\"\n\n")
	for _, path := range driven {
		fmt.Fprintf(&b, "\t%q\n", path)
	}
	fmt.Fprintf(&b, ")\n\nfunc init() {\n")
	for _, name := range a.functions {
		fmt.Fprintf(&b, "\tfunctions[%q] = %s\n", name, name)
	}
	for _, name := range a.types {
		fmt.Fprintf(&b, "\ttypes[%q] = reflect.TypeFor[%s]()\n", name, name)
	}
	for name, params := range a.params {
		fmt.Fprintf(&b, "\tparameters[%q] = %q\n", name, params)
	}
	fmt.Fprintf(&b, "}\n")
	formatted, err := format.Source(b.Bytes())
	require.NoError(t, err)
	return formatted
}

// build builds command driven with the table and returns its path.
func build(t *testing.T, table []byte) string {
	t.Helper()
	dir := t.TempDir()
	file := filepath.Join(dir, "table.go")
	require.NoError(t, os.WriteFile(file, table, 0o600))
	place, err := filepath.Abs("driven/table.go")
	require.NoError(t, err)
	overlay, err := json.Marshal(map[string]map[string]string{"Replace": {place: file}})
	require.NoError(t, err)
	overlayFile := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(overlayFile, overlay, 0o600))
	program := filepath.Join(dir, "driven")
	out, err := exec.Command("go", "build", "-overlay", overlayFile, "-o", program, "./driven").CombinedOutput()
	require.NoError(t, err, string(out))
	return program
}
