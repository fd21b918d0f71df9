package expect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sockring/uring/kerneltest/internal/result"
)

// entry is a line of a file.
type entry struct{ feature, pkg, pattern string }

// matches reports whether the entry is about a test.
func (e entry) matches(pkg, test string) bool {
	if e.pkg != pkg {
		return false
	}
	if prefix, ok := strings.CutSuffix(e.pattern, "*"); ok {
		return strings.HasPrefix(test, prefix)
	}
	return e.pattern == test
}

// List is the content of a file.
type List []entry

const header = "# Expected skips, by what is missing, as -update wrote them; see docs/testing.md.\n"

// Parse reads a file.
func Parse(text string) (List, error) {
	var list List
	feature := ""
	for i, line := range strings.Split(text, "\n") {
		switch {
		case line == "" || strings.HasPrefix(line, "#"):
		case strings.HasPrefix(line, "[") && strings.HasSuffix(line, "]"):
			feature = line[1 : len(line)-1]
		default:
			pkg, pattern, ok := strings.Cut(line, " ")
			if !ok || feature == "" {
				return nil, fmt.Errorf("line %d: %q is no package and test below a [feature]", i+1, line)
			}
			list = append(list, entry{feature, pkg, pattern})
		}
	}
	return list, nil
}

// String is the file of the list.
func (l List) String() string {
	sorted := slices.Clone(l)
	slices.SortFunc(sorted, func(a, b entry) int {
		return strings.Compare(a.feature+"\n"+a.pkg+"\n"+a.pattern, b.feature+"\n"+b.pkg+"\n"+b.pattern)
	})
	var text strings.Builder
	text.WriteString(header)
	for i, e := range sorted {
		if i == 0 || sorted[i-1].feature != e.feature {
			fmt.Fprintf(&text, "\n[%s]\n", e.feature)
		}
		fmt.Fprintf(&text, "%s %s\n", e.pkg, e.pattern)
	}
	return text.String()
}

// module is what the names of all packages begin with, which a file leaves out.
const module = "github.com/sockring/"

func short(path string) string { return strings.TrimPrefix(path, module) }

// Update returns the list with the skips of a run in the place of what it has of the run's packages. What it has of
// others stays.
func (l List) Update(r result.Run) List {
	kept := slices.DeleteFunc(slices.Clone(l), func(e entry) bool {
		return slices.ContainsFunc(r.Packages, func(p result.Package) bool { return short(p.Path) == e.pkg })
	})
	return append(kept, Of(r)...)
}

// Compare returns how the skips of a run differ from the list, as failures. An entry about tests that the run did not
// have, as it was told to run others, is no difference.
func (l List) Compare(r result.Run) []result.Failure {
	var differences []result.Failure
	used := make([]bool, len(l))
	for _, s := range r.Skips {
		at := slices.IndexFunc(l, func(e entry) bool {
			return e.feature == s.Feature() && e.matches(short(s.Package), s.Test)
		})
		if at < 0 {
			differences = append(differences, result.Failure{
				Package: s.Package, Test: s.Test, What: "was skipped, and that is not expected: " + s.Reason,
			})
			continue
		}
		for i, e := range l { // overlapping entries are all used
			used[i] = used[i] || e.feature == s.Feature() && e.matches(short(s.Package), s.Test)
		}
	}
	for i, e := range l {
		if !used[i] && had(r, e) {
			differences = append(differences, result.Failure{
				Package: module + e.pkg, Test: e.pattern, What: "was expected to be skipped for " + e.feature + ", and was not",
			})
		}
	}
	return differences
}

// had reports whether the run has a result of the tests that the entry is about, or of the tests that they are part of.
func had(r result.Run, e entry) bool {
	name := strings.TrimSuffix(e.pattern, "*")
	top, _, _ := strings.Cut(name, "/")
	for _, p := range r.Packages {
		if short(p.Path) != e.pkg {
			continue
		}
		if _, ok := p.Tests[top]; ok {
			return true
		}
		for test := range p.Tests {
			if e.matches(e.pkg, test) {
				return true
			}
		}
	}
	return false
}
