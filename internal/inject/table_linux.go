package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
)

// outcome is a word for what became of a combination, from the best to the worst.
func (r result) outcome() string {
	switch {
	case len(r.Broken) > 0:
		return "**broken**"
	case r.runtime:
		return "runtime ends"
	case r.injected == 0:
		return "-"
	case r.Refuse:
		return "refused"
	case r.Leaked:
		return "kept"
	case r.Failed:
		return "engine ends"
	case !r.Whole:
		return "ends"
	case len(r.Told) > 0:
		return "told"
	}
	return "hidden"
}

// table is the results in Markdown: for each driver a row for each call, a column for each error, and in it the
// outcomes of the patterns.
func table(results []result) string {
	var text strings.Builder
	for _, driver := range unique(results, func(r result) string { return r.driver }) {
		own := slices.DeleteFunc(slices.Clone(results), func(r result) bool { return r.driver != driver })
		columns := unique(own, func(r result) string { return r.fault.name })
		columns = slices.DeleteFunc(columns, func(name string) bool { return name == "" })
		if len(columns) == 0 {
			continue
		}
		fmt.Fprintf(&text, "| `%s` | %s |\n|%s\n", driver, strings.Join(columns, " | "),
			strings.Repeat(" --- |", len(columns)+1))
		var none []string
		for _, call := range unique(own, func(r result) string { return r.call }) {
			cells := make([]string, len(columns))
			for i, column := range columns {
				var outcomes []string
				for _, r := range own {
					if r.call == call && r.fault.name == column {
						outcomes = append(outcomes, r.outcome())
					}
				}
				cells[i] = cell(outcomes)
			}
			if strings.Join(cells, "") == "" {
				none = append(none, "`"+call+"`")
				continue
			}
			fmt.Fprintf(&text, "| `%s` | %s |\n", call, strings.Join(cells, " | "))
		}
		if len(none) > 0 {
			text.WriteString("\n" + wrap("Not called: "+strings.Join(none, ", ")+".") + "\n")
		}
		text.WriteString("\n")
	}
	return text.String()
}

// wrap breaks a line where it gets too long for the page.
func wrap(line string) string {
	const most = 118
	if len(line) <= most {
		return line
	}
	at := strings.LastIndexByte(line[:most], ' ')
	return line[:at] + "\n" + wrap(line[at+1:])
}

// cell puts the outcomes of the patterns together: one word where they are the same.
func cell(outcomes []string) string {
	if len(slices.Compact(slices.Clone(outcomes))) == 1 {
		return outcomes[0]
	}
	return strings.Join(outcomes, ", ")
}

func unique(results []result, name func(result) string) (names []string) {
	for _, r := range results {
		if n := name(r); !slices.Contains(names, n) {
			names = append(names, n)
		}
	}
	return names
}

// The table stands in the page between these.
const (
	pageBegin = "<!-- written by make inject -->\n\n"
	pageEnd   = "<!-- end of what make inject writes -->\n"
)

// updatePage writes the table to the page.
func updatePage(path, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	head, rest, found := strings.Cut(string(page), pageBegin)
	_, foot, closed := strings.Cut(rest, pageEnd)
	if !found || !closed {
		return fmt.Errorf("%s has no place for the table", path)
	}
	return os.WriteFile(path, []byte(head+pageBegin+text+pageEnd+foot), 0o644)
}
