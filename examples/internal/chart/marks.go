package chart

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sockring/uring/examples/internal/stats"
)

// marks draws the figures of a series, one for each place: a bar from the base line to the median, or a dot on it, and
// a whisker from the least to the greatest value.
type marks struct {
	paint   int
	figures []*stats.Figure // by place; nil where there is none
	at      float64         // where in a place, which is one wide, the mark's middle is
	width   float64         // of a bar, in the same unit
	base    float64         // where bars begin; 0 draws dots
}

// Plot implements plot.Plotter.
func (m *marks) Plot(c draw.Canvas, p *plot.Plot) {
	trX, trY := p.Transforms(&c)
	whisker := draw.LineStyle{Color: colorOf(paintInk), Width: vg.Points(0.7)}
	for i, f := range m.figures {
		if f == nil {
			continue
		}
		x, y := trX(float64(i)+m.at), trY(f.Median)
		if m.base > 0 {
			half := (trX(m.width) - trX(0)) / 2
			base := trY(m.base)
			c.FillPolygon(colorOf(m.paint), []vg.Point{
				{X: x - half, Y: base}, {X: x - half, Y: y}, {X: x + half, Y: y}, {X: x + half, Y: base},
			})
		}
		if f.Max > f.Min {
			c.StrokeLine2(whisker, x, trY(f.Min), x, trY(f.Max))
		}
		if m.base == 0 {
			c.DrawGlyph(draw.GlyphStyle{
				Color: colorOf(m.paint), Radius: vg.Points(3.2), Shape: draw.CircleGlyph{},
			}, vg.Point{X: x, Y: y})
		}
	}
}

// DataRange implements plot.DataRanger.
func (m *marks) DataRange() (xmin, xmax, ymin, ymax float64) {
	ymin, ymax = math.Inf(1), math.Inf(-1)
	if m.base > 0 {
		ymin, ymax = m.base, m.base
	}
	for _, f := range m.figures {
		if f != nil {
			ymin, ymax = min(ymin, f.Min), max(ymax, f.Max)
		}
	}
	return -0.5, float64(len(m.figures)) - 0.5, ymin, ymax
}
