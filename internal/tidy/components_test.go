package tidy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/golist"
)

// componentMax is how many files of a package may call each other in a circle, so that none of them can be read before
// the others.
var componentMax = map[string]int{
	".": 12,
}

// TestFilesDoNotAllCallEachOther measures the largest circle of each of the packages. With -v it prints all of them.
func TestFilesDoNotAllCallEachOther(t *testing.T) {
	for _, pkg := range []string{".", "compat_aio", "socketops"} {
		calls := callsOf(t, pkg)
		components := componentsOf(calls)
		for _, c := range components {
			if len(c) > 1 {
				t.Logf("%s: %d of %d files call each other: %s", pkg, len(c), len(calls), strings.Join(c, " "))
			}
		}
		if most, ok := componentMax[pkg]; ok {
			require.LessOrEqual(t, len(components[0]), most, "%s: %v", pkg, components[0])
		}
	}
}

// callsOf returns, for each file of a package, the files that have the functions and methods that it uses.
func callsOf(t *testing.T, dir string) map[string]map[string]bool {
	t.Helper()
	packages, err := golist.Load(root, "./"+dir)
	require.NoError(t, err)
	pkg := packages[path.Join("github.com/sockring/uring", dir)]
	set := token.NewFileSet()
	var files []*ast.File
	for _, name := range pkg.GoFiles {
		f, err := parser.ParseFile(set, filepath.Join(pkg.Dir, name), nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, f)
	}
	conf := types.Config{Importer: packages.Importer(set)}
	info := types.Info{Uses: map[*ast.Ident]types.Object{}}
	this, err := conf.Check(pkg.ImportPath, set, files, &info)
	require.NoError(t, err)

	file := func(pos token.Pos) string { return filepath.Base(set.Position(pos).Filename) }
	calls := map[string]map[string]bool{}
	for _, name := range pkg.GoFiles {
		calls[name] = map[string]bool{}
	}
	for use, object := range info.Uses {
		f, ok := object.(*types.Func)
		if !ok || f.Pkg() != this || isInterfaceMethod(f) {
			continue
		}
		if from, to := file(use.Pos()), file(f.Pos()); from != to {
			calls[from][to] = true
		}
	}
	return calls
}

// isInterfaceMethod reports whether nobody can say from the call which function is called.
func isInterfaceMethod(f *types.Func) bool {
	receiver := f.Signature().Recv()
	return receiver != nil && types.IsInterface(receiver.Type())
}

// componentsOf returns the groups in which each file reaches each other one, the largest first; by Tarjan's algorithm.
func componentsOf(calls map[string]map[string]bool) (components [][]string) {
	index, low, onStack := map[string]int{}, map[string]int{}, map[string]bool{}
	var stack []string
	var visit func(v string)
	visit = func(v string) {
		index[v] = len(index) + 1
		low[v] = index[v]
		stack, onStack[v] = append(stack, v), true
		for w := range calls[v] {
			if index[w] == 0 {
				visit(w)
				low[v] = min(low[v], low[w])
			} else if onStack[w] {
				low[v] = min(low[v], index[w])
			}
		}
		if low[v] != index[v] {
			return
		}
		at := slices.Index(stack, v)
		component := slices.Sorted(slices.Values(stack[at:]))
		for _, w := range component {
			onStack[w] = false
		}
		stack = stack[:at]
		components = append(components, component)
	}
	for v := range calls {
		if index[v] == 0 {
			visit(v)
		}
	}
	slices.SortFunc(components, func(a, b []string) int { return len(b) - len(a) })
	return components
}

func TestComponentsOf(t *testing.T) {
	calls := map[string]map[string]bool{
		"a": {"b": true}, "b": {"c": true}, "c": {"a": true, "d": true}, "d": {"e": true}, "e": {"d": true}, "f": {"a": true},
	}
	require.Equal(t, [][]string{{"a", "b", "c"}, {"d", "e"}, {"f"}}, componentsOf(calls))
}
