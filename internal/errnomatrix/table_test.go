// Package errnomatrix holds what kernels answer to bad input and to its like: testdata/errno-matrix.tsv has a line for
// each input and a column for each kernel that was asked. The tests replay every line on the running kernel, by system
// calls alone, so that they run without cgo, and as a static binary in a virtual machine.
//
// The suite "bad" is io_uring's, "aio" that of Linux AIO. A fault is a number of docs/faults.md. An answer is "ok(N)"
// with what the system call or the request returned, or its errno as "-EINVAL". Where a request has several
// completions, all follow in brackets; one that is not over within seconds is "pending"; some inputs have words of
// their own. The note gives the reason where an answer depends on more than the kernel.
//
// The column 5.10 is that of 5.10.162 and later, which carry the io_uring of 5.15.
//
//	go test ./internal/errnomatrix -errnomatrix.record=FILE
//
// writes what this kernel answered to FILE, in the form of the table, with one column.
package errnomatrix

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const tableFile = "testdata/errno-matrix.tsv"

// release is a kernel's.
type release struct{ major, minor int }

func (r release) before(s release) bool {
	return r.major < s.major || r.major == s.major && r.minor < s.minor
}

// unbranched is the first series that the table has one column for, whatever the minor number.
var unbranched = release{7, 0}

// table is errno-matrix.tsv.
type table struct {
	releases []release // of the columns, ascending
	lines    []line
}

// line is one input and what the kernels answered to it.
type line struct {
	suite, fault, input string

	answers []string // one for each column
	note    string
}

// How many columns come before and after those of the kernels.
const (
	columnsBefore = 3
	columnsAfter  = 1
)

func readTable(t testing.TB) table {
	t.Helper()
	content, err := os.ReadFile(tableFile)
	require.NoError(t, err)
	var tab table
	for i, text := range strings.Split(strings.TrimSuffix(string(content), "\n"), "\n") {
		fields := strings.Split(text, "\t")
		if i == 0 {
			require.Equal(t, []string{"suite", "fault", "input"}, fields[:columnsBefore])
			require.Equal(t, "note", fields[len(fields)-1])
			tab.releases = releasesOf(t, fields[columnsBefore:len(fields)-columnsAfter])
			continue
		}
		require.Len(t, fields, columnsBefore+len(tab.releases)+columnsAfter, "line %d", i+1)
		require.NotContains(t, fields, "", "line %d: where there is no fault or note it is -", i+1)
		l := line{
			suite: fields[0], fault: fields[1], input: fields[2],
			answers: fields[columnsBefore : len(fields)-columnsAfter],
			note:    fields[len(fields)-1],
		}
		require.NotContains(t, l.answers, "-", "line %d: every kernel was asked", i+1)
		tab.lines = append(tab.lines, l)
	}
	return tab
}

func releasesOf(t testing.TB, names []string) []release {
	t.Helper()
	var releases []release
	for _, name := range names {
		var r release
		_, err := fmt.Sscanf(name, "%d.%d", &r.major, &r.minor)
		require.NoError(t, err)
		releases = append(releases, r)
	}
	require.True(t, slices.IsSortedFunc(releases, func(a, b release) int {
		return cmp.Or(cmp.Compare(a.major, b.major), cmp.Compare(a.minor, b.minor))
	}), "%v", releases)
	return releases
}

// columns returns the columns that hold for a kernel: its own, or where there is none the two that it is between. The
// last column is for everything from 7.0 on.
func (tab *table) columns(kernel release) []int {
	last := len(tab.releases) - 1
	if !kernel.before(unbranched) {
		return []int{last}
	}
	after := slices.IndexFunc(tab.releases, func(r release) bool { return !r.before(kernel) })
	if after == 0 || tab.releases[after] == kernel {
		return []int{after}
	}
	return []int{after - 1, after}
}

// accepted returns the answers to a line's input that are right in the given columns.
func (l *line) accepted(columns []int) []string {
	var answers []string
	for _, c := range columns {
		if !slices.Contains(answers, l.answers[c]) {
			answers = append(answers, l.answers[c])
		}
	}
	return answers
}

func TestColumnsOfAKernel(t *testing.T) {
	tab := readTable(t)
	require.Equal(t, []release{{5, 10}, {6, 1}, {6, 12}, {6, 18}, {7, 3}}, tab.releases)
	for _, test := range []struct {
		kernel  release
		columns []int
	}{
		{release{5, 4}, []int{0}},
		{release{5, 10}, []int{0}},
		{release{5, 15}, []int{0, 1}},
		{release{6, 1}, []int{1}},
		{release{6, 6}, []int{1, 2}},
		{release{6, 12}, []int{2}},
		{release{6, 17}, []int{2, 3}},
		{release{6, 18}, []int{3}},
		{release{6, 19}, []int{3, 4}},
		{release{7, 0}, []int{4}},
		{release{7, 3}, []int{4}},
		{release{8, 1}, []int{4}},
	} {
		require.Equal(t, test.columns, tab.columns(test.kernel), "%v", test.kernel)
	}
}

func TestAcceptedAnswers(t *testing.T) {
	l := line{answers: []string{"-EINVAL", "-EINVAL", "ok(0)"}}
	require.Equal(t, []string{"-EINVAL"}, l.accepted([]int{0}))
	require.Equal(t, []string{"-EINVAL"}, l.accepted([]int{0, 1}))
	require.Equal(t, []string{"-EINVAL", "ok(0)"}, l.accepted([]int{1, 2}))
}
