package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// paper is what a report is written on.
type paper struct {
	w       io.Writer
	width   int
	colours bool
}

// SGR parameters of ECMA-48.
const (
	plain  = ""
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p paper) colour(sgr, text string) string {
	if !p.colours || sgr == plain || text == "" {
		return text
	}
	return "\x1b[" + sgr + "m" + text + "\x1b[0m"
}

func (p paper) line(parts ...string) {
	fmt.Fprintln(p.w, strings.TrimRight(strings.Join(parts, ""), " "))
}

// cell pads text to width, before any colour.
func cell(text string, width int) string {
	return text + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(text)))
}

// wrap breaks text between words into lines of at most width. A longer word has a line of its own.
func wrap(text string, width int) []string {
	var lines []string
	line := ""
	for _, word := range strings.Fields(text) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > width:
			lines = append(lines, line)
			line = word
		default:
			line += " " + word
		}
	}
	return append(lines, line)
}

// hang writes text from column indent on, after first, which is that wide without its colours.
func (p paper) hang(first string, indent int, sgr, text string) {
	for i, line := range wrap(text, p.width-indent) {
		if i > 0 {
			first = strings.Repeat(" ", indent)
		}
		p.line(first, p.colour(sgr, line))
	}
}
