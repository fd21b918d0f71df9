package main

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/sockring/uring/internal/testevent"
)

// test names a test or subtest; the test of a package's own events is empty.
type test struct{ pkg, name string }

// report collects the events of one go test.
type report struct {
	out     io.Writer
	output  map[test][]string // of the tests that have not ended
	counts  map[string]int    // of tests and subtests, by the action that ended them
	skipped map[string][]string
}

func newReport(out io.Writer) *report {
	return &report{out: out, output: map[test][]string{}, counts: map[string]int{}, skipped: map[string][]string{}}
}

// read consumes the events of go test. A line that is no event is shown as it is.
func (r *report) read(events io.Reader) error {
	return testevent.Read(events, r.add, func(line string) { fmt.Fprint(r.out, line) })
}

func (r *report) add(e testevent.Event) {
	t := test{e.Package, e.Test}
	switch e.Action {
	case "build-output":
		fmt.Fprint(r.out, e.Output)
	case "output":
		r.addOutput(t, e.Output)
	case "pass", "fail", "skip":
		if t.name == "" {
			r.endPackage(t.pkg)
		} else {
			r.endTest(t, e.Action)
		}
	}
}

// addOutput keeps a test's output until the test has ended, and shows a package's at once.
func (r *report) addOutput(t test, output string) {
	switch {
	case testevent.Framing(output):
	case t.name != "":
		r.output[t] = append(r.output[t], output)
	case output != "PASS\n" && output != "FAIL\n":
		fmt.Fprint(r.out, output)
	}
}

func (r *report) endTest(t test, action string) {
	r.counts[action]++
	switch action {
	case "fail":
		r.show(t)
	case "skip":
		reason := testevent.SkipReason(r.output[t])
		r.skipped[reason] = append(r.skipped[reason], path.Base(t.pkg)+"."+t.name)
	}
	delete(r.output, t)
}

// endPackage shows the output of tests that the package's process took down with it.
func (r *report) endPackage(pkg string) {
	for t := range r.output {
		if t.pkg == pkg {
			r.endTest(t, "fail")
		}
	}
}

func (r *report) show(t test) {
	fmt.Fprintf(r.out, "%s.%s:\n%s", t.pkg, t.name, strings.Join(r.output[t], ""))
}

// summarize shows the counts, and the skips by their reason.
func (r *report) summarize(elapsed time.Duration) {
	fmt.Fprintf(r.out, "%d passed, %d failed, %d skipped in %s (tests and subtests)\n",
		r.counts["pass"], r.counts["fail"], r.counts["skip"], elapsed.Round(100*time.Millisecond))
	for _, reason := range slices.Sorted(maps.Keys(r.skipped)) {
		fmt.Fprintf(r.out, "skipped: %s: %s\n", strings.Join(r.skipped[reason], ", "), reason)
	}
}
