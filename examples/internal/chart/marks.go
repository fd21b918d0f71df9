package chart

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"

	"github.com/sockring/uring/examples/internal/stats"
)

// Measures of marks, in points.
const (
	dotRadius  = 3.5
	endHalfBar = 2.5 // of an end of a whisker on a bar
	endHalfDot = 4.5 // of one with a dot, which hides what is shorter
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
			m.whisker(c, x, trY(f.Min), trY(f.Max))
		}
		if m.base == 0 {
			c.DrawGlyph(draw.GlyphStyle{
				Color: colorOf(m.paint), Radius: vg.Points(dotRadius), Shape: draw.CircleGlyph{},
			}, vg.Point{X: x, Y: y})
		}
	}
}

// whisker draws a line with an end across it at each end. A lighter one below it sets it off from any bar.
func (m *marks) whisker(c draw.Canvas, x, low, high vg.Length) {
	end := vg.Points(endHalfBar)
	if m.base == 0 {
		end = endHalfDot
	}
	for _, style := range []draw.LineStyle{
		{Color: colorOf(paintCard), Width: vg.Points(3)},
		{Color: colorOf(paintInk), Width: vg.Points(1.2)},
	} {
		c.StrokeLine2(style, x, low, x, high)
		for _, y := range []vg.Length{low, high} {
			c.StrokeLine2(style, x-end, y, x+end, y)
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
