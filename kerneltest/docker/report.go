package main

import (
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/sockring/uring/kerneltest/internal/result"
)

// outcome is a row of the table.
type outcome struct {
	run    result.Run
	choice choice
}

func (o outcome) red() bool { return len(o.run.Failures) > 0 }

// writeFailures shows everything that is wrong with a run.
func writeFailures(w io.Writer, r result.Run) {
	for _, f := range r.Failures {
		fmt.Fprintf(w, "%s: %s\n%s", r.Mode, f, f.Output)
	}
}

// writeTable shows a row for each container, and below it what tests were skipped for.
func writeTable(w io.Writer, outcomes []outcome) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "\tcontainer\tengine\tpassed\tskipped\tfailed\ttime\twhy no better engine")
	for _, o := range outcomes {
		verdict := "ok"
		if o.red() {
			verdict = "RED"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%d\t%d\t%d\t%.0f s\t%s\n", verdict, o.run.Mode, o.choice.Engine,
			o.run.Passed, o.run.Skipped, o.run.FailedTests(), o.run.Seconds, o.choice.why())
	}
	if err := table.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w, "\nskipped for what is missing there (tests and subtests):")
	for _, o := range outcomes {
		fmt.Fprintf(w, "  %s: %s\n", o.run.Mode, skips(o.run))
	}
	return nil
}

// skips counts a run's skips by the feature that was missing, the most frequent first.
func skips(r result.Run) string {
	counts := map[string]int{}
	for _, s := range r.Skips {
		counts[s.Feature()]++
	}
	features := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(counts[b]-counts[a], strings.Compare(a, b))
	})
	var texts []string
	for _, feature := range features {
		texts = append(texts, fmt.Sprintf("%s %d", feature, counts[feature]))
	}
	return cmp.Or(strings.Join(texts, ", "), "none")
}
