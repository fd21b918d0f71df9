package tidy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const (
	faultsPage = "docs/faults.md"
	faultsMax  = 115
	matrixTest = "TestErrnoMatrix"
	matrixFile = "internal/errnomatrix/testdata/errno-matrix.tsv"

	// brokenPart begins the part of the page that says how the library was broken to see its tests fail.
	brokenPart = "\n## How the tests were shown to fail\n"
)

var (
	faultRow = regexp.MustCompile(`(?m)^\| (\d+) \| .+ \| (.+) \|$`)

	// brokenRow has a fault, what was broken, the tests that failed, and how.
	brokenRow = regexp.MustCompile(`(?m)^\| (\d+) \| (.+) \| (.+) \| (.+) \|$`)

	// namedTest is a test in backquotes.
	namedTest = regexp.MustCompile("`((?:Test|Fuzz|Example)\\w+)`")

	// testFunc is a test, with the comment on its line, which says what it is for.
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\([^/\n]*(?://(.*))?$`)

	// faultsOf is where such a comment has numbers of faults.
	faultsOf = regexp.MustCompile(`faults? (\d+(?:(?:,| and) \d+)*)`)

	digits = regexp.MustCompile(`\d+`)
)

// brokenFor are the faults for which the library was broken to see their tests fail.
var brokenFor = []int{
	5, 14, 20, 27, 35, 36, 54, 57, 64, 71, 72, 74, 75, 76, 89, 90,
	97, 98, 99, 100, 101, 102, 103, 104, 105, 107, 108, 113,
}

// TestFaultsPage holds that the page has each fault once, in order, with tests that exist, and that it names the tests
// that say which faults they are for.
func TestFaultsPage(t *testing.T) {
	held := faultTests(t, readRoot(t, faultsPage))
	tests := testComments(t)
	for name, comments := range tests {
		for _, found := range faultsOf.FindAllStringSubmatch(comments, -1) {
			for _, number := range digits.FindAllString(found[1], -1) {
				require.Contains(t, held[atoi(t, number)], name, "fault %s of %s", number, faultsPage)
			}
		}
	}
	for fault, names := range held {
		for _, name := range names {
			require.Contains(t, tests, name, "fault %d of %s", fault, faultsPage)
		}
		// The matrix holds what the kernel answers, and nothing of what the library makes of it.
		require.True(t, slices.ContainsFunc(names, func(name string) bool { return name != matrixTest }),
			"fault %d of %s", fault, faultsPage)
	}
}

// testComments returns every test with the comments that stand on the lines where tests of that name begin.
func testComments(t *testing.T) map[string]string {
	tests := map[string]string{}
	for path, content := range sources(t) {
		if !isTest(path) {
			continue
		}
		for _, found := range testFunc.FindAllStringSubmatch(string(content), -1) {
			tests[found[1]] += found[2] + "\n"
		}
	}
	return tests
}

// TestFaultsPageNamesTheMatrix holds that the page says of a fault whether the matrix has input for it.
func TestFaultsPageNamesTheMatrix(t *testing.T) {
	held := faultTests(t, readRoot(t, faultsPage))
	inMatrix := map[int]bool{}
	for _, line := range strings.Split(strings.TrimSpace(readRoot(t, matrixFile)), "\n")[1:] {
		if fault := strings.Split(line, "\t")[1]; fault != "-" {
			inMatrix[atoi(t, fault)] = true
		}
	}
	for fault, names := range held {
		require.Equal(t, inMatrix[fault], slices.Contains(names, matrixTest), "fault %d", fault)
	}
}

// TestFaultsPageShowsTheTestsFail holds that the page says of each of these faults, once and in order, which of its
// tests failed.
func TestFaultsPageShowsTheTestsFail(t *testing.T) {
	page := readRoot(t, faultsPage)
	held := faultTests(t, page)
	_, part, found := strings.Cut(page, brokenPart)
	require.True(t, found)
	part, _, _ = strings.Cut(part, "\n## ")
	var faults []int
	for _, row := range brokenRow.FindAllStringSubmatch(part, -1) {
		fault := atoi(t, row[1])
		faults = append(faults, fault)
		names := namedTest.FindAllStringSubmatch(row[3], -1)
		require.NotEmpty(t, names, "fault %d: no test failed", fault)
		for _, name := range names {
			require.Contains(t, held[fault], name[1], "fault %d of %s", fault, faultsPage)
		}
	}
	require.Equal(t, brokenFor, faults)
}

// faultTests returns which tests the page names for each fault.
func faultTests(t *testing.T, page string) map[int][]string {
	page, _, _ = strings.Cut(page, brokenPart)
	held := map[int][]string{}
	for i, row := range faultRow.FindAllStringSubmatch(page, -1) {
		require.Equal(t, i+1, atoi(t, row[1]), "faults are numbered in order")
		held[i+1] = nil
		for _, name := range namedTest.FindAllStringSubmatch(row[2], -1) {
			held[i+1] = append(held[i+1], name[1])
		}
		require.NotEmpty(t, held[i+1], "fault %d has no test", i+1)
	}
	require.Len(t, held, faultsMax)
	return held
}

// readRoot returns a file, by its path from the root.
func readRoot(t *testing.T, path string) string {
	content, err := os.ReadFile(filepath.Join(root, path))
	require.NoError(t, err)
	return string(content)
}

func atoi(t *testing.T, s string) int {
	n, err := strconv.Atoi(s)
	require.NoError(t, err)
	return n
}

var (
	// foundRow is a row of what use has found: its number, its tests, its commits.
	foundRow = regexp.MustCompile(`(?m)^\| found (\d+) \| .+ \| .+ \| (.+) \| (.+) \|$`)

	// foundOf is where a test's comment has such numbers.
	foundOf = regexp.MustCompile(`found (\d+(?:(?:,| and) \d+)*)`)

	namedCommit = regexp.MustCompile("^`[0-9a-f]{7,}`$")
)

// foundByUse are the numbers of the list of what use has found.
var foundByUse = [][2]int{{1, 12}, {20, 33}, {40, 45}}

// TestFoundByUse holds that the page has each kind of fault that use has found, with tests that exist and commits, and
// that it names the tests that say which kinds they are for.
func TestFoundByUse(t *testing.T) {
	held := map[int]string{}
	for _, row := range foundRow.FindAllStringSubmatch(readRoot(t, faultsPage), -1) {
		held[atoi(t, row[1])] = row[2]
		for _, commit := range strings.Split(row[3], ", ") {
			require.Regexp(t, namedCommit, commit, "found %s", row[1])
		}
	}
	rows := 0
	for _, span := range foundByUse {
		for n := span[0]; n <= span[1]; n++ {
			require.NotEmpty(t, held[n], "found %d is not on the page", n)
			rows++
		}
	}
	require.Len(t, held, rows)

	tests := testComments(t)
	for n, names := range held {
		for _, name := range namedTest.FindAllStringSubmatch(names, -1) {
			require.Contains(t, tests, name[1], "found %d of %s", n, faultsPage)
		}
	}
	for name, comments := range tests {
		for _, found := range foundOf.FindAllStringSubmatch(comments, -1) {
			for _, number := range digits.FindAllString(found[1], -1) {
				require.Contains(t, held[atoi(t, number)], "`"+name+"`", "found %s of %s", number, faultsPage)
			}
		}
	}
}
