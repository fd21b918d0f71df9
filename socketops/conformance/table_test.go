//go:build linux

package conformance_test

import (
	"flag"
	"fmt"
	"go/ast"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
	"github.com/sockring/uring/socketops/conformance"
)

//go:generate go test -run TestTableOfRowsIsUpToDate . -update

var update = flag.Bool("update", false, "write the table of rows instead of comparing with it")

// The table of rows is the last part of this page, from this heading on.
const (
	tableFile    = "../../docs/socketops.md"
	tableHeading = "## The rows of the platform layer\n"
)

// parts are the parts of the specification, and how many rows they have.
var parts = []struct {
	id, title string
	rows      int
}{
	{"A", "Members", 88},
	{"N", "Nested behaviours", 60},
	{"B", "Queues, blocking, time-outs and cancellation", 38},
}

func TestEveryRowIsThereOnce(t *testing.T) {
	rows := map[string][]string{}
	var sections string
	for _, row := range conformance.Rows() {
		section := row.Section()
		rows[section] = append(rows[section], row.ID)
		if !strings.HasSuffix(sections, section) {
			sections += section
		}
	}
	require.Subset(t, []string{"ANB"}, []string{sections}, "the parts are in order")
	for _, part := range parts {
		var all []string
		for i := range part.rows {
			all = append(all, fmt.Sprintf("%s%02d", part.id, i+1))
		}
		require.Equal(t, all, rows[part.id])
	}
}

func TestRowsNameWhatThereIs(t *testing.T) {
	testutil.InSource(t)
	names := exported(t, "..")
	require.Greater(t, len(names), 100)
	for _, row := range conformance.Rows() {
		for _, name := range row.Names {
			assert.True(t, names[name], "%s: no %s in package socketops", row.ID, name)
		}
		assert.NotEqual(t, row.Test == nil, row.Elsewhere == "", "%s: a test here or elsewhere", row.ID)
		assert.Equal(t, row.Unsupported != "", row.Way == conformance.Nowhere, "%s: the way of what is not there", row.ID)
		if row.Elsewhere != "" {
			pkg, test, _ := strings.Cut(row.Elsewhere, ".")
			assert.True(t, tests(t, "../../"+pkg)[test], "%s: no %s", row.ID, row.Elsewhere)
		}
		for i, cell := range cells(row) {
			assert.NotEmpty(t, strings.Trim(cell, "` "), "%s: column %d", row.ID, i)
		}
	}
}

func TestTableOfRowsIsUpToDate(t *testing.T) {
	testutil.InSource(t)
	page, err := os.ReadFile(tableFile)
	require.NoError(t, err)
	text, got, found := strings.Cut(string(page), tableHeading)
	require.True(t, found, "%s has no %q", tableFile, tableHeading)
	want := table()
	if *update {
		require.NoError(t, os.WriteFile(tableFile, []byte(text+tableHeading+want), 0o644))
		return
	}
	require.True(t, want == got, "%s is not what the rows give: go generate ./socketops/conformance", tableFile)
}

// exported returns the names that package in a directory exports, with their type where they are methods.
func exported(t testing.TB, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for file, f := range testutil.ParseFiles(t, filepath.Join(dir, "*.go")) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		for _, d := range f.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				names[functionName(d)] = d.Name.IsExported()
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					addNames(names, spec)
				}
			}
		}
	}
	return names
}

// functionName is the name of a function, or of a method behind that of its type.
func functionName(d *ast.FuncDecl) string {
	if d.Recv == nil {
		return d.Name.Name
	}
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if id, ok := typ.(*ast.Ident); ok {
		return id.Name + "." + d.Name.Name
	}
	return d.Name.Name
}

// addNames notes the names of types, constants and variables.
func addNames(names map[string]bool, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.TypeSpec:
		names[spec.Name.Name] = spec.Name.IsExported()
	case *ast.ValueSpec:
		for _, id := range spec.Names {
			names[id.Name] = id.IsExported()
		}
	}
}

// tests returns the tests of the package in a directory.
func tests(t testing.TB, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, f := range testutil.ParseFiles(t, filepath.Join(dir, "*_test.go")) {
		for _, d := range f.Decls {
			if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && strings.HasPrefix(fn.Name.Name, "Test") {
				names[fn.Name.Name] = true
			}
		}
	}
	return names
}

// ways are the ways of serving an operation, and what each backend does.
var ways = []struct {
	way                 conformance.Way
	uring, aio, syscall string
}{
	{conformance.NoKernel, "nothing", "nothing", "nothing"},
	{conformance.Call, "the call, which does not wait", "the same", "the same"},
	{conformance.Polled, "a poll request, then the call", "readiness by epoll, then the call", "the same as aio"},
	{
		conformance.Native, "a request of the ring, with those of other sockets",
		"readiness by epoll, then one io_submit for all that became ready", "readiness by epoll, then the call",
	},
	{conformance.Looked, "poll(2), and an epoll instance of its own", "the same", "the same"},
	{conformance.Rule, "the same queues", "the same queues", "the same queues"},
	{conformance.Nowhere, "not there", "not there", "not there"},
}

// table returns what follows the heading: the ways, and all rows by part.
func table() string {
	var b strings.Builder
	b.WriteString("\n" +
		"Made by `go generate ./socketops/conformance`, from the rows that the tests run by. A test is run on every\n" +
		"backend, in whose place `*` stands. What is not there is an explicit error, and the test shows that.\n\n" +
		"The ways are those of Go forms. A plain form that would block waits in the runtime's poller on every backend,\n" +
		"and makes its call then.\n\n" +
		"| way | uring | aio | syscall |\n| --- | --- | --- | --- |\n")
	for _, w := range ways {
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", w.way, w.uring, w.aio, w.syscall)
	}
	for _, part := range parts {
		fmt.Fprintf(&b, "\n### Part %s: %s\n\n", part.id, part.title)
		b.WriteString("| row | what | Go names | way | test |\n| --- | --- | --- | --- | --- |\n")
		for _, row := range conformance.Rows() {
			if row.Section() == part.id {
				fmt.Fprintf(&b, "| %s |\n", strings.Join(cells(row), " | "))
			}
		}
	}
	return b.String()
}

// cells are a row of the table.
func cells(row conformance.Row) []string {
	test := "`" + row.TestName(socketops.Backend("*")) + "`"
	if row.Unsupported != "" {
		test = row.Unsupported + "; " + test
	}
	names := "`" + strings.Join(row.Names, "`, `") + "`"
	all := []string{row.ID, row.Title, names, string(row.Way), test}
	for i, cell := range all {
		all[i] = strings.ReplaceAll(cell, "|", `\|`)
	}
	return all
}
