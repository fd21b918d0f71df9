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
)

var (
	faultRow = regexp.MustCompile(`(?m)^\| (\d+) \| .+ \| (.+) \|$`)

	// namedTest is a test in backquotes.
	namedTest = regexp.MustCompile("`((?:Test|Fuzz|Example)\\w+)`")

	// testFunc is a test, with the faults that a comment on its line says it is for.
	testFunc = regexp.MustCompile(`(?m)^func ((?:Test|Fuzz|Example)\w*)\(.*?(?:// faults? (\d+(?:(?:,| and) \d+)*).*)?$`)

	digits = regexp.MustCompile(`\d+`)
)

// TestFaultsPage holds that the page has each fault once, in order, with tests that exist or a reason, and that it
// names the tests that say which faults they are for.
func TestFaultsPage(t *testing.T) {
	files := sources(t)
	held := faultTests(t, string(files[faultsPage]))
	tests := map[string]bool{}
	for path, content := range files {
		if !isTest(path) {
			continue
		}
		for _, found := range testFunc.FindAllStringSubmatch(string(content), -1) {
			tests[found[1]] = true
			for _, number := range digits.FindAllString(found[2], -1) {
				require.Contains(t, held[atoi(t, number)], found[1], "%s, fault %s of %s", path, number, faultsPage)
			}
		}
	}
	for fault, names := range held {
		for _, name := range names {
			require.Contains(t, tests, name, "fault %d of %s", fault, faultsPage)
		}
	}
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

// faultTests returns which tests the page names for each fault.
func faultTests(t *testing.T, page string) map[int][]string {
	held := map[int][]string{}
	for i, row := range faultRow.FindAllStringSubmatch(page, -1) {
		require.Equal(t, i+1, atoi(t, row[1]), "faults are numbered in order")
		held[i+1] = nil
		for _, name := range namedTest.FindAllStringSubmatch(row[2], -1) {
			held[i+1] = append(held[i+1], name[1])
		}
		if len(held[i+1]) == 0 {
			require.Regexp(t, "^none", row[2], "fault %d has neither a test nor a reason", i+1)
		}
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
