package tidy

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"unicode/utf8"
)

// lineMax is the length of the longest line in characters, of which a tab is one.
const lineMax = 120

// openEnd is a note that something is not done. One that names its issue, as in "(#12)", is allowed.
// The words are taken apart here so that this file passes its own test.
var (
	openEnd = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)
	issue   = regexp.MustCompile(`#\d+`)
)

// checkText holds the rules for every text file.
func checkText(path string, content []byte) []problem {
	var problems []problem
	if len(content) > 0 && !bytes.HasSuffix(content, []byte("\n")) {
		last := bytes.Count(content, []byte("\n")) + 1
		problems = append(problems, problem{last, "no newline at the end of the file"})
	}
	for i, line := range strings.Split(string(content), "\n") {
		add := func(format string, args ...any) {
			problems = append(problems, problem{i + 1, fmt.Sprintf(format, args...)})
		}
		if n := utf8.RuneCountInString(line); n > lineMax && !mayBeLong(path, line) {
			add("%d characters, more than %d", n, lineMax)
		}
		if strings.TrimRight(line, " \t\r") != line {
			add("white space at the end of the line")
		}
		if openEnd.MatchString(line) && !issue.MatchString(line) {
			add("a note of unfinished work without an issue number")
		}
	}
	return problems
}

// mayBeLong reports whether a line cannot be broken: rows of tables and addresses in Markdown.
func mayBeLong(path, line string) bool {
	return strings.HasSuffix(path, ".md") && (strings.HasPrefix(line, "|") || strings.Contains(line, "://"))
}

// link is a Markdown link or picture; the first group is where it points.
var link = regexp.MustCompile(`\]\(([^)#\s]+)[^)]*\)`)

// checkLinks holds that links within the repository point to a file.
func checkLinks(path string, content []byte) []problem {
	var problems []problem
	for i, line := range strings.Split(string(content), "\n") {
		for _, match := range link.FindAllStringSubmatch(line, -1) {
			target := match[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(path), target)); err != nil {
				problems = append(problems, problem{i + 1, "link to nowhere: " + target})
			}
		}
	}
	return problems
}
