//go:build linux && cgo

package cring_test

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/cprep"
	"github.com/sockring/uring/internal/testutil"
)

// goConstants evaluates the constants of consts*.go.
func goConstants(t *testing.T) map[string]int64 {
	t.Helper()
	testutil.InSource(t)
	files, err := filepath.Glob("consts*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	fset := token.NewFileSet()
	parsed := make([]*ast.File, 0, len(files))
	for _, name := range files {
		f, err := parser.ParseFile(fset, name, nil, 0)
		require.NoError(t, err)
		parsed = append(parsed, f)
	}
	pkg, err := new(types.Config).Check("cring", fset, parsed, nil)
	require.NoError(t, err)
	values := map[string]int64{}
	for _, name := range pkg.Scope().Names() {
		c, ok := pkg.Scope().Lookup(name).(*types.Const)
		require.True(t, ok, "%s is not a constant", name)
		v, exact := constant.Int64Val(c.Val())
		if u, ok := constant.Uint64Val(c.Val()); !exact && ok {
			v = int64(u)
		}
		values[name] = v
	}
	return values
}

func TestConstantsEqualC(t *testing.T) {
	want := cprep.Constants()
	for name, value := range goConstants(t) {
		if countNames[name] != "" {
			continue
		}
		require.Contains(t, constantNames, name, "constant without a name in C")
		require.Contains(t, want, constantNames[name], "constant that package cprep does not list")
		require.Equal(t, want[constantNames[name]], value, name)
	}
}

func TestCountsAreThoseOfTheNewestHeaders(t *testing.T) {
	values, c := goConstants(t), cprep.Constants()
	for name, cname := range countNames {
		if cprep.Version() >= 215 {
			require.Equal(t, c[cname], values[name], name)
		}
		require.LessOrEqual(t, c[cname], values[name], name)
	}
}

// headerConstant matches what <linux/io_uring.h> defines, as a macro or in an enum.
var headerConstant = regexp.MustCompile(
	`(?m)^(?:#define\s+|\s+)((?:IORING|IOSQE|IOU|IO_URING|SOCKET_URING_OP|IO_WQ|SPLICE_F)_[A-Z0-9_]+)\b`)

func TestEveryConstantOfTheHeadersIsKnown(t *testing.T) {
	testutil.InSource(t)
	dir, err := cprep.IncludeDir()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "liburing", "io_uring.h"))
	require.NoError(t, err)
	known := map[string]bool{}
	for _, cname := range constantNames {
		known[cname] = true
	}
	for _, cname := range countNames {
		known[cname] = true
	}
	for _, cname := range headerOps(t) { // TestOpcodesEqualC
		known[cname] = true
	}
	known["IORING_OP_LAST"] = true
	found := headerConstant.FindAllStringSubmatch(string(text), -1)
	require.Greater(t, len(found), 150)
	for _, m := range found {
		require.True(t, known[m[1]] || leftOutConstants[m[1]] != "", "no Go mirror of %s", m[1])
	}
}

// headerOps returns the enum of opcodes of <linux/io_uring.h>, which has them in order.
func headerOps(t *testing.T) []string {
	t.Helper()
	testutil.InSource(t)
	dir, err := cprep.IncludeDir()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "liburing", "io_uring.h"))
	require.NoError(t, err)
	enum := regexp.MustCompile(`(?s)enum io_uring_op \{(.*?)IORING_OP_LAST`).FindSubmatch(text)
	require.NotNil(t, enum)
	var names []string
	for _, m := range regexp.MustCompile(`(?m)^\s+(IORING_OP_\w+),`).FindAllSubmatch(enum[1], -1) {
		names = append(names, string(m[1]))
	}
	require.Greater(t, len(names), 48)
	return names
}

func TestOpcodesEqualC(t *testing.T) {
	names := headerOps(t)
	for code, name := range names {
		op, known := cring.LookupOp(uint8(code))
		require.True(t, known, "no Go mirror of %s", name)
		require.Equal(t, name, op.Name)
	}
	if cprep.Version() >= 215 {
		require.Len(t, names, cring.OpLast)
	}
	_, known := cring.LookupOp(cring.OpLast)
	require.False(t, known)
}

func TestLayoutsEqualC(t *testing.T) {
	c := cprep.Layout()
	for _, m := range mirrors {
		t.Run(m.c, func(t *testing.T) {
			typ := reflect.TypeOf(m.mirror)
			require.Contains(t, c, m.c)
			if typ == reflect.TypeFor[cring.Probe]() { // C's ends in a flexible array
				require.EqualValues(t, c[m.c], typ.Size()-reflect.TypeFor[[256]cring.ProbeOp]().Size())
			} else {
				require.EqualValues(t, c[m.c], typ.Size())
			}
			for i := range typ.NumField() {
				f := typ.Field(i)
				if !f.IsExported() {
					continue
				}
				cname, ok := m.fields[f.Name]
				require.True(t, ok, "field %s has no name in C", f.Name)
				if cname == reserved || cprep.Version() == 208 && m.c == "io_uring_clone_buffers" {
					continue
				}
				require.Contains(t, c, m.c+"."+cname)
				require.EqualValues(t, c[m.c+"."+cname], f.Offset, f.Name)
			}
		})
	}
}

// TestEveryMirrorIsCompared finds the structs of types*.go, so that none is forgotten.
func TestEveryMirrorIsCompared(t *testing.T) {
	testutil.InSource(t)
	compared := map[string]bool{}
	for _, m := range mirrors {
		compared[reflect.TypeOf(m.mirror).Name()] = true
	}
	files, err := filepath.Glob("types*.go")
	require.NoError(t, err)
	require.NotEmpty(t, files)
	for _, name := range files {
		f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
		require.NoError(t, err)
		ast.Inspect(f, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				require.True(t, compared[spec.Name.Name], "%s is not compared with C", spec.Name.Name)
			}
			return true
		})
	}
}
