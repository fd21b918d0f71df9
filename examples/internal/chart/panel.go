package chart

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/sockring/uring/examples/internal/stats"
)

// Panel is one chart of a picture: in each place a mark for each series. All axes are logarithmic: half and double are
// as far from even.
type Panel struct {
	Title  string
	Hint   string               // how to read it
	Base   float64              // where bars begin, 0 for dots
	Format func(float64) string // of the numbers on the axis

	// Figures is what each series of the picture has in each place: nil, or a figure that is not positive, for nothing.
	Figures [][]*stats.Figure
}

// plot draws the panel, or returns nil if no series has a figure for it.
func (p Panel) plot(pic *Picture) *plot.Plot {
	chart := plot.New()
	chart.BackgroundColor = nil
	drawn := 0
	least, greatest := math.Inf(1), math.Inf(-1)
	var all []plot.Plotter
	for i, series := range pic.Series {
		m := &marks{
			paint: paintSeries + series.Colour%(len(paints)-paintSeries), base: p.Base,
			figures: make([]*stats.Figure, len(pic.Places)),
			at:      (float64(i)+0.5)/float64(len(pic.Series))*0.76 - 0.38, width: 0.7 / float64(len(pic.Series)),
		}
		for j, f := range p.Figures[i] {
			if positive(f) {
				m.figures[j] = f
				drawn++
			}
		}
		_, _, ymin, ymax := m.DataRange()
		least, greatest = min(least, ymin), max(greatest, ymax)
		all = append(all, m)
	}
	if drawn == 0 {
		return nil
	}
	ticks := ticksFor(least, greatest, p.Base > 0)
	for _, t := range ticks {
		chart.Add(rule(t, len(pic.Places), t == p.Base))
	}
	chart.Add(all...)
	p.axes(chart, pic, ticks)
	return chart
}

// positive reports whether a figure can be shown on a logarithmic axis.
func positive(f *stats.Figure) bool {
	return f != nil && f.Min > 0
}

func (p Panel) axes(chart *plot.Plot, pic *Picture, ticks []float64) {
	chart.X.LineStyle.Width, chart.Y.LineStyle.Width = 0, 0
	chart.X.Tick.LineStyle.Width, chart.Y.Tick.LineStyle.Width = 0, 0
	chart.X.Tick.Label = textStyle(9, paintInk, false)
	chart.X.Tick.Label.YAlign = text.YTop
	chart.X.Tick.Label.XAlign = text.XCenter
	chart.Y.Tick.Label = textStyle(9, paintMuted, false)
	chart.Y.Tick.Label.YAlign = text.YCenter
	chart.Y.Tick.Label.XAlign = text.XRight
	chart.X.Min, chart.X.Max = -0.5, float64(len(pic.Places))-0.5
	chart.Y.Min, chart.Y.Max = ticks[0], ticks[len(ticks)-1]
	chart.Y.Scale = plot.LogScale{}
	chart.X.Padding, chart.Y.Padding = vg.Points(4), 0

	var x, y plot.ConstantTicks
	for i, place := range pic.Places {
		x = append(x, plot.Tick{Value: float64(i), Label: place})
	}
	for _, t := range ticks {
		y = append(y, plot.Tick{Value: t, Label: p.Format(t)})
	}
	chart.X.Tick.Marker, chart.Y.Tick.Marker = x, y
}

// rule is a horizontal line across all places, a strong one where bars begin.
func rule(at float64, places int, strong bool) plot.Plotter {
	line, err := plotter.NewLine(plotter.XYs{{X: -0.5, Y: at}, {X: float64(places) - 0.5, Y: at}})
	if err != nil {
		panic(err) // it refuses no points and NaN only
	}
	line.Color, line.Width = colorOf(paintGrid), vg.Points(0.8)
	if strong {
		line.Color, line.Width = colorOf(paintMuted), vg.Points(1.2)
	}
	return line
}

// ticksFor chooses ticks that enclose the range: powers of two for ratios, of ten for the rest, more of
// them where the range is short.
func ticksFor(least, greatest float64, ratios bool) []float64 {
	steps := []float64{1}
	switch span := greatest / least; {
	case ratios && span < 3:
		steps = []float64{1, 1.25, 1.5}
	case !ratios && span < 50:
		steps = []float64{1, 2, 5}
	}
	factor := 10.0
	if ratios {
		factor = 2
	}
	var ticks []float64
	for e := math.Floor(math.Log(least)/math.Log(factor)) - 1; len(ticks) == 0 || ticks[len(ticks)-1] < greatest; e++ {
		for _, s := range steps {
			t := math.Pow(factor, e) * s
			if len(ticks) > 0 && ticks[len(ticks)-1] >= greatest {
				break
			}
			if t <= least {
				ticks = ticks[:0]
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}
