package report

import (
	"fmt"
	"io"
	"slices"

	"github.com/sockring/uring/examples/internal/chart"
	"github.com/sockring/uring/examples/internal/load"
	"github.com/sockring/uring/examples/internal/stats"
)

// SVG draws the report: one picture that is its own style sheet for light and dark surroundings.
func (r *Report) SVG(w io.Writer) error { return r.picture().Write(w) }

// picture lays the report out: a place for each shape, a series for each contender.
func (r *Report) picture() *chart.Picture {
	pic := &chart.Picture{
		Title: "Send bundles over io_uring against writev",
		Lines: []string{
			r.machineLine(), r.how("median, with a line from the least to the greatest") + "; conns x msgs x bytes",
		},
	}
	for _, mode := range r.Config.Contenders() {
		pic.Series = append(pic.Series, chart.Series{Name: mode, Colour: r.colour(mode)})
	}
	for _, s := range r.Sections {
		pic.Places = append(pic.Places, shapeLabel(s))
	}
	for _, p := range panels {
		pic.Panels = append(pic.Panels, p.chart(r))
	}
	return pic
}

// chart finds the panel's figures in the report.
func (p panel) chart(r *Report) chart.Panel {
	out := chart.Panel{Title: p.title, Hint: p.hint, Base: p.base, Format: p.format}
	for _, mode := range r.Config.Contenders() {
		figures := make([]*stats.Figure, len(r.Sections))
		for i, s := range r.Sections {
			if row := s.row(mode); row != nil && mode != p.except {
				figures[i] = p.figure(*row)
			}
		}
		out.Figures = append(out.Figures, figures)
	}
	return out
}

// colour is that of a contender: a mode keeps its own whichever others run beside it.
func (r *Report) colour(contender string) int {
	names := load.Names()
	for _, p := range r.Config.Peers {
		names = append(names, p.Name)
	}
	return max(slices.Index(names, contender), 0)
}

func shapeLabel(s Section) string {
	return fmt.Sprintf("%dx%dx%d\n%s", s.Shape.Conns, s.Shape.Msgs, s.Shape.Size, s.Shape.Net)
}
