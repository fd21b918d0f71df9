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
	batchRow   = regexp.MustCompile(`(?m)^\| ([CI]\d+) \| .* \| (.*) \|$`)
	batchRange = regexp.MustCompile(`([CI])(\d+)(?: to [CI](\d+))?`)
	citedTest  = regexp.MustCompile("`(Test[A-Za-z0-9]+)`")
)

// TestEveryBatchRowHasATest holds that docs/aio.md lists every row and invariant of batches, each with tests
// whose comments name it, or with the reason why it has none.
func TestEveryBatchRowHasATest(t *testing.T) {
	testutil.InSource(t)
	text, err := os.ReadFile("../docs/aio.md")
	require.NoError(t, err)
	named := rowsNamedByTests(t)
	var documented []string
	for _, row := range batchRow.FindAllStringSubmatch(string(text), -1) {
		id, cited := row[1], row[2]
		documented = append(documented, id)
		if reason, none := strings.CutPrefix(cited, "none: "); none {
			require.Greater(t, len(reason), 20, id)
			continue
		}
		tests := citedTest.FindAllStringSubmatch(cited, -1)
		require.NotEmpty(t, tests, id)
		for _, test := range tests {
			require.True(t, named[test[1]][id], "%s does not name %s", test[1], id)
		}
	}
	var want []string
	for i := 1; i <= 35; i++ {
		want = append(want, fmt.Sprintf("C%02d", i))
	}
	for i := 1; i <= 7; i++ {
		want = append(want, fmt.Sprintf("I%d", i))
	}
	require.Equal(t, want, documented)
}

// rowsNamedByTests returns, for each test function, the rows that its comment names, as "C19 to C24" or one by one.
func rowsNamedByTests(t *testing.T) map[string]map[string]bool {
	t.Helper()
	named := map[string]map[string]bool{}
	for _, f := range testutil.ParseFiles(t, "*_test.go") {
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || !strings.HasPrefix(fn.Name.Name, "Test") {
				continue
			}
			rows := map[string]bool{}
			for _, m := range batchRange.FindAllStringSubmatch(fn.Doc.Text(), -1) {
				from, _ := strconv.Atoi(m[2])
				to := from
				if m[3] != "" {
					to, _ = strconv.Atoi(m[3])
				}
				for i := from; i <= to; i++ {
					rows[fmt.Sprintf("%s%0*d", m[1], len(m[2]), i)] = true
				}
			}
			named[fn.Name.Name] = rows
		}
	}
	return named
}
