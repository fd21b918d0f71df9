package report

import (
	_ "embed" // for the page
	"fmt"
	"html/template"
	"io"
	"strconv"
	"time"

	"github.com/sockring/uring/examples/internal/bench"
)

//go:embed page.html
var pageSource string

var page = template.Must(template.New("page").Parse(pageSource))

// The data of the page.
type (
	pageData struct {
		How, Words, When, Command string
		Picture                   template.HTML
		Notes                     []note
		Comparisons               []pageComparison
		Columns                   []string
		Sections                  []pageSection
		Facts                     []pageFact
	}
	pageComparison struct {
		Title string
		Modes []string
		Lines []pageLine
	}
	pageLine struct {
		Shape string
		Cells []pageRatio
	}
	pageRatio struct{ Ratio, Spread, Word, Class string }

	pageSection struct {
		Title string
		Rows  []pageRow
	}
	pageRow struct {
		Mode  string
		Cells []pageCell
	}
	pageCell struct{ Median, Spread string }
	pageFact struct{ Name, Value string }
)

// HTML writes the report as one page that refers to nothing outside itself.
func (r *Report) HTML(w io.Writer) error {
	picture, err := r.picture().Element()
	if err != nil {
		return err
	}
	data := pageData{
		How: r.howLine(), Words: wordsLine, When: r.Facts.When.UTC().Format("2 January 2006, 15:04 UTC"), Command: r.Command,
		Picture: template.HTML(picture), // our own drawing, in which the plotting library escapes all text
		Notes:   r.notes(), Facts: r.pageFacts(),
	}
	for _, c := range comparisons {
		if modes := r.modes(c); len(modes) > 0 {
			data.Comparisons = append(data.Comparisons, r.pageComparison(c, modes))
		}
	}
	for _, c := range columns {
		data.Columns = append(data.Columns, c.title)
	}
	for _, s := range r.Sections {
		data.Sections = append(data.Sections, s.page())
	}
	return page.Execute(w, data)
}

func (r *Report) pageComparison(c comparison, modes []string) pageComparison {
	p := pageComparison{Title: fmt.Sprintf("%s as a multiple of %s's", c.what, c.base), Modes: modes}
	for _, s := range r.Sections {
		line := pageLine{Shape: s.Shape.String()}
		for _, mode := range modes {
			cell := pageRatio{Ratio: "-"}
			if ratio := c.of(s.row(mode)); ratio != nil {
				cells := c.cells(ratio)
				cell = pageRatio{cells[0], cells[1], cells[2], class(cells[2])}
			}
			line.Cells = append(line.Cells, cell)
		}
		p.Lines = append(p.Lines, line)
	}
	return p
}

// class colours a word.
func class(word string) string {
	switch word {
	case faster, cheaper:
		return "good"
	case slower, dearer:
		return "bad"
	}
	return ""
}

func (s Section) page() pageSection {
	p := pageSection{Title: describe(s.Shape)}
	for _, row := range s.Rows {
		r := pageRow{Mode: row.Mode}
		for _, c := range columns {
			cells := c.cells(c.figure(row))
			r.Cells = append(r.Cells, pageCell{cells[0], cells[1]})
		}
		p.Rows = append(p.Rows, r)
	}
	return p
}

func (r *Report) pageFacts() []pageFact {
	f := r.Facts
	facts := []pageFact{{"Kernel", "Linux " + f.Kernel}}
	if f.Liburing != "" {
		facts = append(facts, pageFact{"liburing", f.Liburing})
	}
	facts = append(facts, pageFact{"Go", f.Go + " " + f.Arch}, pageFact{"CPUs", strconv.Itoa(f.CPUs)})
	if f.CPUModel != "" {
		facts = append(facts, pageFact{"CPU", f.CPUModel})
	}
	if f.EmptyCall > 0 {
		facts = append(facts, pageFact{"Empty cgo call", f.EmptyCall.Round(time.Nanosecond).String()})
	}
	if c := r.Config; c.SenderCPU != bench.AnyCPU {
		facts = append(facts, pageFact{"Pinned", fmt.Sprintf("sender to CPU %d, sink to CPU %d", c.SenderCPU, c.SinkCPU)})
	}
	return facts
}
