package tidy

import (
	"fmt"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	statementsPage = "docs/liburing.md"
	statementsMax  = 38
)

var (
	statementRow = regexp.MustCompile(`(?m)^\| (E\d\d) \| .+ \| ([^|]+) \|$`)
	statementID  = regexp.MustCompile(`\bE\d\d\b`)
)

// TestStatementsOfPrepSend holds that the page has each statement of io_uring_prep_send(3) once, in order, with tests
// that exist and name it or a reason why there is none, and that it names every test that names a statement.
func TestStatementsOfPrepSend(t *testing.T) {
	tests := testComments(t)
	held := map[string][]string{}
	for i, row := range statementRow.FindAllStringSubmatch(readRoot(t, statementsPage), -1) {
		id := row[1]
		require.Equal(t, fmt.Sprintf("E%02d", i+1), id, "statements are numbered in order")
		held[id] = nil
		for _, name := range namedTest.FindAllStringSubmatch(row[2], -1) {
			require.Contains(t, tests, name[1], id)
			require.Contains(t, statementID.FindAllString(tests[name[1]], -1), id, "%s does not name it", name[1])
			held[id] = append(held[id], name[1])
		}
		if len(held[id]) == 0 {
			require.Regexp(t, "^no test: .+", row[2], "%s has neither a test nor a reason", id)
		}
	}
	require.Len(t, held, statementsMax)
	for name, comments := range tests {
		for _, id := range statementID.FindAllString(comments, -1) {
			require.Contains(t, held[id], name, "%s of %s", id, statementsPage)
		}
	}
}
