package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/sockring/uring/examples/internal/stats"
)

// evenBand is how far from 1 a median ratio may be and still count as even.
const evenBand = 0.02

// A comparison holds all modes against one of them, in one respect.
type comparison struct {
	title  string
	base   string // the mode that the others are held against
	figure func(Row) *stats.Figure
	more   string // what a ratio above 1 means
	less   string // what a ratio below 1 means
}

// What a ratio can mean.
const (
	faster  = "faster"
	slower  = "slower"
	cheaper = "cheaper"
	dearer  = "dearer"
	even    = "even"
)

var comparisons = []comparison{
	{"Messages/s of those of writev", writev, func(r Row) *stats.Figure { return r.OfWritev }, faster, slower},
	{"CPU a message of that of writev", writev, func(r Row) *stats.Figure { return r.CPUOfWritev }, dearer, cheaper},
	{"Messages/s of those of limit", limit, func(r Row) *stats.Figure { return r.OfLimit }, faster, slower},
	{"CPU a message of that of limit", limit, func(r Row) *stats.Figure { return r.CPUOfLimit }, dearer, cheaper},
}

// verdict is how a mode did against the base.
func (c comparison) verdict(ratio float64) string {
	switch {
	case ratio >= 1+evenBand:
		return c.more
	case ratio <= 1-evenBand:
		return c.less
	}
	return even
}

// modes lists what a comparison is about: the contenders that have a figure in it, without the base.
func (r *Report) modes(c comparison) []string {
	return slices.DeleteFunc(r.Config.Contenders(), func(mode string) bool {
		return mode == c.base || !slices.ContainsFunc(r.Sections, func(s Section) bool {
			row := s.row(mode)
			return row != nil && c.figure(*row) != nil
		})
	})
}

// summary writes each comparison with a line for each shape, losses as plainly as wins.
func (r *Report) summary(w io.Writer) {
	for _, c := range comparisons {
		modes := r.modes(c)
		if len(modes) == 0 {
			continue
		}
		fmt.Fprintf(w, "\n%s\n", c.title)
		g := grid{left: map[int]bool{0: true}}
		head := []string{""}
		for i, mode := range modes {
			head = append(head, mode, "")
			g.left[2*i+2] = true
		}
		g.add(head...)
		for _, s := range r.Sections {
			cells := []string{s.Shape.String()}
			for _, mode := range modes {
				cells = append(cells, c.cells(s.row(mode))...)
			}
			g.add(cells...)
		}
		g.write(w)
	}
}

func (c comparison) cells(row *Row) []string {
	if row == nil || c.figure(*row) == nil {
		return []string{"-", ""}
	}
	median := c.figure(*row).Median
	return []string{ratio(median), c.verdict(median)}
}

func (s Section) row(mode string) *Row {
	i := slices.IndexFunc(s.Rows, func(r Row) bool { return r.Mode == mode })
	if i < 0 {
		return nil
	}
	return &s.Rows[i]
}

// othersMax is how much of the CPUs others may use before the report warns of it.
const othersMax = 0.05

// A note says what the figures do not: what is missing and why.
type note struct {
	Text    string
	Warning bool
}

func (r *Report) notes() []note {
	var notes []note
	out := r.Outcome
	if out.Interrupted {
		notes = append(notes, note{Text: fmt.Sprintf(
			"Interrupted after %d full rounds of %d: the figures are of what was measured.",
			out.RoundsDone, r.Config.Rounds)})
	}
	if out.OthersCPU > othersMax {
		notes = append(notes, note{Warning: true, Text: fmt.Sprintf(
			"BUSY: others used %.0f%% of the CPUs during the run. Repeat it on an idle machine.", 100*out.OthersCPU)})
	}
	for _, u := range out.Unsupported {
		notes = append(notes, note{Text: fmt.Sprintf("%s cannot run here: %s", u.Mode, u.Reason)})
	}
	for _, f := range out.Failures {
		text := fmt.Sprintf("FAILED: %s at %s in round %d: %v", f.Turn.Mode, f.Turn.Shape, f.Turn.Round+1, f.Err)
		notes = append(notes, note{Text: text, Warning: true})
	}
	return notes
}
