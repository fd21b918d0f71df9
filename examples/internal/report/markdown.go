package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// Markdown writes the tables for a page of documentation: one for each shape, with every ratio and its word.
func (r *Report) Markdown(w io.Writer) error {
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\n\n%s\n\n%s\n", r.machineLine(), r.howLine(), wordsLine)
	for _, s := range r.Sections {
		s.markdown(&b)
	}
	for _, n := range r.notes() {
		fmt.Fprintf(&b, "\n%s\n", n.Text)
	}
	_, err := w.Write(b.Bytes())
	return err
}

// markdownColumns are the figures in front of the ratios: MB/s follow from messages/s.
var markdownColumns = []column{columns[0], columns[2], columns[3]}

func (s Section) markdown(w io.Writer) {
	fmt.Fprintf(w, "\n### %s, %d x %d x %d\n\n", s.Shape.Net, s.Shape.Conns, s.Shape.Msgs, s.Shape.Size)
	titles := []string{"mode"}
	for _, c := range markdownColumns {
		titles = append(titles, c.title)
	}
	for _, c := range comparisons {
		titles = append(titles, c.what+", of "+c.base)
	}
	line := func(cells []string) { fmt.Fprintf(w, "| %s |\n", strings.Join(cells, " | ")) }
	line(titles)
	line(strings.Split(strings.Repeat("---,", len(titles)-1)+"---", ","))
	for _, row := range s.Rows {
		cells := []string{row.Mode}
		for _, c := range markdownColumns {
			cells = append(cells, inBrackets(c.cells(c.figure(row))))
		}
		for _, c := range comparisons {
			if ratio := c.of(&row); ratio != nil {
				cells = append(cells, inBrackets(c.cells(ratio)))
			} else {
				cells = append(cells, "-")
			}
		}
		line(cells)
	}
}

// inBrackets joins a median, its spread, if there is one, and a word, if there is one.
func inBrackets(cells []string) string {
	text := cells[0]
	if cells[1] != "" {
		text += " (" + strings.Replace(cells[1], "-", " to ", 1) + ")"
	}
	return strings.Join(append([]string{text}, cells[2:]...), " ")
}
