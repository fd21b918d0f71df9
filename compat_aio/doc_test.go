//go:build linux

package aio

import (
	"fmt"
	"go/ast"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

var (
	// tableRow matches a row of the table in docs/aio.md.
	tableRow = regexp.MustCompile(`(?m)^\| (D\d\d|fault \d+|case \d+) \| [^|]+ \| ([^|]+) \|$`)
	testName = regexp.MustCompile("`(Test\\w+)`")
	rowName  = regexp.MustCompile(`\b(D\d\d|fault \d+|case \d+)\b`)
)

func TestEveryRowHasATest(t *testing.T) {
	testutil.InSource(t)
	text, err := os.ReadFile("../docs/aio.md")
	require.NoError(t, err)
	named, tests := namedRows(t)
	var documented []string
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		id, cited := row[1], row[2]
		documented = append(documented, id)
		if reason, none := strings.CutPrefix(cited, "none: "); none {
			require.Greater(t, len(reason), 20, id)
			require.NotContains(t, named, id)
			continue
		}
		require.Contains(t, named, id, "no subtest names the row")
		matches := testName.FindAllStringSubmatch(cited, -1)
		require.NotEmpty(t, matches, id)
		for _, m := range matches {
			require.Contains(t, tests, m[1], id)
		}
	}
	var want []string
	for _, rows := range []struct {
		format   string
		from, to int
	}{{"D%02d", 1, 47}, {"fault %d", 97, 106}, {"case %d", 2, 8}, {"case %d", 10, 23}} {
		for i := rows.from; i <= rows.to; i++ {
			want = append(want, fmt.Sprintf(rows.format, i))
		}
	}
	require.Equal(t, want, documented)
	for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
		require.Contains(t, tests, m[1])
	}
}

// namedRows returns the rows that the names of subtests begin with or contain, and all test functions.
func namedRows(t *testing.T) (rows, tests map[string]bool) {
	t.Helper()
	rows, tests = map[string]bool{}, map[string]bool{}
	for _, f := range testutil.ParseFiles(t, "*_test.go") {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				tests[n.Name.Name] = strings.HasPrefix(n.Name.Name, "Test")
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "Run" || len(n.Args) != 2 {
					return true
				}
				if lit, ok := n.Args[0].(*ast.BasicLit); ok {
					name, err := strconv.Unquote(lit.Value)
					require.NoError(t, err)
					for _, id := range rowName.FindAllString(name, -1) {
						rows[id] = true
					}
				}
			}
			return true
		})
	}
	return rows, tests
}
