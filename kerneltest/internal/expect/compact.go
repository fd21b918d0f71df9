package expect

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/sockring/uring/kerneltest/internal/result"
)

// Of returns the list of a run's skips, in as few lines as go without standing for any test that ran.
func Of(r result.Run) List {
	var list List
	for _, p := range r.Packages {
		root := &node{}
		for test := range p.Tests {
			root.at(test).state = ran
		}
		for _, s := range r.Skips {
			if s.Package == p.Path {
				root.at(s.Test).state = s.Feature()
			}
		}
		root.sum()
		root.list("", short(p.Path), &list)
	}
	return list
}

// The states of a test that was not skipped. A test that was is in the state of the feature that it lacked.
const (
	none = ""
	ran  = "\x00ran"
)

// node is a word of the names of tests, below which are the words that follow.
type node struct {
	next    map[string]*node
	state   string // of the test whose name ends here
	all     string // the state that all tests from here on have in common, or ran where they have none
	skipped int    // how many tests were skipped from here on
}

// word matches what a name is cut into: a capital letter and what follows, or a subtest.
var word = regexp.MustCompile(`/[^/]*|[A-Z][^A-Z/]*|[^A-Z/]+`)

// at returns the node of a test.
func (n *node) at(test string) *node {
	for _, w := range word.FindAllString(test, -1) {
		if n.next == nil {
			n.next = map[string]*node{}
		}
		if n.next[w] == nil {
			n.next[w] = &node{}
		}
		n = n.next[w]
	}
	return n
}

// sum fills all and skipped. A test that ran for its subtests only has no part in it.
func (n *node) sum() {
	n.all = n.state
	if n.state == ran && n.hasSubtests() {
		n.all = none
	}
	if n.state != none && n.state != ran {
		n.skipped = 1
	}
	for _, below := range n.next {
		below.sum()
		n.skipped += below.skipped
		switch n.all {
		case none:
			n.all = below.all
		case below.all:
		default:
			n.all = ran
		}
	}
}

func (n *node) hasSubtests() bool {
	for w := range n.next {
		if strings.HasPrefix(w, "/") {
			return true
		}
	}
	return false
}

// list adds the lines for the tests that were skipped.
func (n *node) list(prefix, pkg string, list *List) {
	if n.skipped > 1 && n.all != ran {
		*list = append(*list, entry{n.all, pkg, prefix + "*"})
		return
	}
	if n.state != none && n.state != ran {
		*list = append(*list, entry{n.state, pkg, prefix})
	}
	for _, w := range slices.Sorted(maps.Keys(n.next)) {
		n.next[w].list(prefix+w, pkg, list)
	}
}
