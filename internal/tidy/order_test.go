package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// Where the page of decisions has the list of what orders memory.
const (
	orderPage = "docs/decisions.md"
	orderPart = "\n## Memory order\n"
)

// orderedName is a function in backquotes, as package.Type.Function.
var orderedName = regexp.MustCompile("`((?:uring|aio|rawring|probe)\\.\\w+(?:\\.\\w+)?)`")

// atomicFunctions begin the names of those of sync/atomic that take an address. They are for memory of the kernel; Go's
// own has the types of the package, so that one is not taken for the other.
var atomicFunctions = []string{"Load", "Store", "Add", "Swap", "CompareAndSwap", "And", "Or"}

// The fields that point at what the kernel writes at any time, and at what user space writes for it.
var (
	kernelWrites = []string{"SQHead", "SQFlags", "SQDropped", "CQTail", "CQOverflow", "sqHead", "cqTail"}
	kernelReads  = []string{"SQTail", "CQHead", "CQFlags", "sqTail", "cqHead"}
)

// TestMemoryOrderIsListed holds that the page names each function that orders memory which is shared with the kernel,
// and no other, and that such memory is not read or written without order.
func TestMemoryOrderIsListed(t *testing.T) {
	files := sources(t)
	atomics := map[string]bool{}
	for path, content := range files {
		if filepath.Ext(path) != ".go" || isTest(path) {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, content, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			found := order(f)
			if found.atomic {
				atomics[file.Name.Name+"."+functionName(f)] = true
			}
			for _, pos := range found.plain {
				t.Errorf("%s: what is shared with the kernel is read or written without sync/atomic", set.Position(pos))
			}
		}
	}
	named := map[string]bool{}
	_, list, found := strings.Cut(string(files[orderPage]), orderPart)
	require.True(t, found, orderPage)
	for _, found := range orderedName.FindAllStringSubmatch(list, -1) {
		named[found[1]] = true
	}
	require.Equal(t, atomics, named, "the functions that %s names", orderPage)
}

// ordering is what a function does to memory of the kernel.
type ordering struct {
	atomic bool        // orders it
	plain  []token.Pos // should, and does not
}

func order(f *ast.FuncDecl) (found ordering) {
	ast.Inspect(f, func(node ast.Node) bool {
		switch n := node.(type) {
		case *ast.CallExpr:
			found.atomic = found.atomic || isAtomic(n)
		case *ast.StarExpr:
			if field, ok := n.X.(*ast.SelectorExpr); ok && slices.Contains(kernelWrites, field.Sel.Name) {
				found.plain = append(found.plain, n.Pos())
			}
		case *ast.AssignStmt:
			for _, left := range n.Lhs {
				if star, ok := left.(*ast.StarExpr); ok && pointsTo(star, kernelReads) {
					found.plain = append(found.plain, star.Pos())
				}
			}
		case *ast.IncDecStmt:
			if star, ok := n.X.(*ast.StarExpr); ok && pointsTo(star, kernelReads) {
				found.plain = append(found.plain, star.Pos())
			}
		}
		return true
	})
	return found
}

func pointsTo(star *ast.StarExpr, fields []string) bool {
	field, ok := star.X.(*ast.SelectorExpr)
	return ok && slices.Contains(fields, field.Sel.Name)
}

// isAtomic reports whether a call is one of a function of sync/atomic.
func isAtomic(call *ast.CallExpr) bool {
	function, ok := call.Fun.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	pkg, ok := function.X.(*ast.Ident)
	return ok && pkg.Name == "atomic" && hasPrefix(function.Sel.Name, atomicFunctions)
}

// functionName is the name of a function, or of a method behind that of its type.
func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	kind := f.Recv.List[0].Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	if of, ok := kind.(*ast.IndexExpr); ok { // a type with a parameter
		kind = of.X
	}
	return kind.(*ast.Ident).Name + "." + f.Name.Name
}

// TestMemoryOrderIsSeen holds that the rule sees what it is about.
func TestMemoryOrderIsSeen(t *testing.T) {
	tests := map[string]ordering{
		"atomic.StoreUint32(r.c.SQTail, *r.c.SQETail)": {atomic: true},
		"n := *r.c.CQHead":   {},
		"r.closed.Store(1)":  {},
		"n := *r.c.CQTail":   {plain: make([]token.Pos, 1)},
		"*r.c.CQHead = head": {plain: make([]token.Pos, 1)},
		"*r.sqTail++":        {plain: make([]token.Pos, 1)},
	}
	for body, want := range tests {
		source := "package p\nfunc (r *Ring) f() {\n" + strings.TrimSpace(body) + "\n}\n"
		file, err := parser.ParseFile(token.NewFileSet(), "p.go", source, 0)
		require.NoError(t, err)
		f := file.Decls[0].(*ast.FuncDecl)
		found := order(f)
		require.Equal(t, want.atomic, found.atomic, body)
		require.Len(t, found.plain, len(want.plain), body)
		require.Equal(t, "Ring.f", functionName(f))
	}
}
