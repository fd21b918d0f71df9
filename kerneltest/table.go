package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/sockring/uring/kerneltest/internal/image"
	"github.com/sockring/uring/kerneltest/internal/result"
)

// outputLines is how much of a failure's output is shown; -json has all of it.
const outputLines = 40

// table shows the failures and then a row for each run, and reports whether all are green.
func table(out io.Writer, runs []result.Run, packages []image.Package, elapsed time.Duration) (green bool) {
	green = true
	for _, r := range runs {
		for _, f := range r.Failures {
			green = false
			fmt.Fprintf(out, "\n%s %s: %s\n%s", r.Line, r.Mode, f, shorten(f.Output))
		}
	}
	fmt.Fprintln(out)
	for _, p := range packages {
		switch {
		case p.Host != "":
			fmt.Fprintf(out, "on the host only: %s: %s\n", p.Path, p.Host)
		case p.On != "":
			fmt.Fprintf(out, "in mode on only: %s: %s\n", p.Path, p.On)
		}
	}
	rows := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(rows, "kernel\tmode\tpassed\tfailed\tskipped\ttime\tverdict\trelease")
	for _, r := range runs {
		if r.Absent != "" && len(r.Failures) == 0 {
			fmt.Fprintf(rows, "%s\t%s\t-\t-\t-\t%.0fs\t%s\t%s\n", r.Line, r.Mode, r.Seconds, verdict(r), r.Release)
			continue
		}
		fmt.Fprintf(rows, "%s\t%s\t%d\t%d\t%d\t%.0fs\t%s\t%s\n",
			r.Line, r.Mode, r.Passed, r.FailedTests(), r.Skipped, r.Seconds, verdict(r), r.Release)
	}
	rows.Flush()
	word := "green"
	if !green {
		word = "RED"
	}
	fmt.Fprintf(out, "%s after %s\n", word, elapsed.Round(time.Second))
	return green
}

// verdict is the outcome of a run in a word or two.
func verdict(r result.Run) string {
	switch {
	case len(r.Failures) == 1:
		text := strings.TrimPrefix(r.Failures[0].String(), "github.com/sockring/")
		if len(text) > verdictMax {
			text = text[:verdictMax] + " ..."
		}
		return "RED: " + text
	case len(r.Failures) > 1:
		return fmt.Sprintf("RED: %d failures", len(r.Failures))
	case r.Absent != "":
		return "absent: " + r.Absent
	}
	return "green"
}

// verdictMax is how many bytes of a failure fit into the table.
const verdictMax = 80

// shorten returns the first lines of an output, indented.
func shorten(output string) string {
	lines := strings.SplitAfter(strings.TrimRight(output, "\n"), "\n")
	if output == "" {
		return ""
	}
	if len(lines) > outputLines {
		lines = append(lines[:outputLines], fmt.Sprintf("... %d lines more\n", len(lines)-outputLines))
	}
	return "    " + strings.TrimSuffix(strings.Join(lines, "    "), "\n") + "\n"
}
