package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/sockring/uring/examples/internal/stats"
)

// A comparison holds all modes against one of them, in one respect.
type comparison struct {
	name   string // in the JSON file
	what   string // is compared
	base   string // the mode that the others are held against
	figure func(Row) *stats.Figure
	more   string // what ratios above 1 mean
	less   string // what ratios below 1 mean
}

// What ratios can mean.
const (
	faster   = "faster"
	slower   = "slower"
	cheaper  = "cheaper"
	dearer   = "dearer"
	even     = "even"
	disagree = "rounds disagree"
	tooFew   = "too few rounds"
)

const (
	rate = "messages/s"
	cost = "CPU a message"
)

var comparisons = []comparison{
	{"of_writev", rate, writev, func(r Row) *stats.Figure { return r.OfWritev }, faster, slower},
	{"cpu_of_writev", cost, writev, func(r Row) *stats.Figure { return r.CPUOfWritev }, dearer, cheaper},
	{"of_limit", rate, limit, func(r Row) *stats.Figure { return r.OfLimit }, faster, slower},
	{"cpu_of_limit", cost, limit, func(r Row) *stats.Figure { return r.CPUOfLimit }, dearer, cheaper},
}

// wordsLine says what a word about a ratio rests on.
var wordsLine = fmt.Sprintf("Ratios are taken round by round. A word stands where every round gives it, "+
	"of at least %d; within %.0f%% of 1 is even.", stats.RoundsMin, 100*stats.EvenBand)

// word is how a mode did against the base, if the rounds agree on that.
func (c comparison) word(ratio *stats.Figure) string {
	switch ratio.Side() {
	case stats.Above:
		return c.more
	case stats.Below:
		return c.less
	case stats.Even:
		return even
	case stats.TooFew:
		return tooFew
	}
	return disagree
}

// of is the ratio that a row has in the comparison: nil if there is none, as in that of the base with itself.
func (c comparison) of(row *Row) *stats.Figure {
	if row == nil || row.Mode == c.base {
		return nil
	}
	return c.figure(*row)
}

// modes lists what a comparison is about: the contenders that have a figure in it, without the base.
func (r *Report) modes(c comparison) []string {
	return slices.DeleteFunc(r.Config.Contenders(), func(mode string) bool {
		return !slices.ContainsFunc(r.Sections, func(s Section) bool { return c.of(s.row(mode)) != nil })
	})
}

// summary writes all shapes below each other, against each base, losses as plainly as wins.
func (r *Report) summary(w io.Writer) {
	fmt.Fprintf(w, "\n%s\n", wordsLine)
	for _, base := range []string{writev, limit} {
		against := slices.DeleteFunc(slices.Clone(comparisons), func(c comparison) bool { return c.base != base })
		g := grid{left: map[int]bool{0: true, 1: true}}
		head := []string{"", ""}
		for i, c := range against {
			head = append(head, "", c.what, "")
			g.left[3*i+3], g.left[3*i+4] = true, true
		}
		g.add(head...)
		for _, s := range r.Sections {
			r.against(&g, s, against)
		}
		if len(g.rows) > 1 {
			fmt.Fprintf(w, "\nAgainst %s\n", base)
			g.write(w)
		}
	}
}

// against adds the lines of a shape, which stands in the first of them.
func (r *Report) against(g *grid, s Section, comparisons []comparison) {
	shape := s.Shape.String()
	for _, mode := range r.Config.Contenders() {
		cells := []string{shape, mode}
		for _, c := range comparisons {
			if ratio := c.of(s.row(mode)); ratio != nil {
				cells = append(cells, c.cells(ratio)...)
			}
		}
		if len(cells) > 2 {
			g.add(cells...)
			shape = ""
		}
	}
}

// cells prints a ratio: its median, its least and greatest, and what they say.
func (c comparison) cells(f *stats.Figure) []string {
	return []string{ratio(f.Median), ratio(f.Min) + "-" + ratio(f.Max), c.word(f)}
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
