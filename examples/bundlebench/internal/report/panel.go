package report

import (
	"math"
	"regexp"
	"strings"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/sockring/uring/examples/bundlebench/internal/stats"
)

// A panel is one chart of the picture: a place for each shape, a mark in it for each contender. All axes
// are logarithmic: half and double are as far from even.
type panel struct {
	title  string
	hint   string // how to read it
	figure func(Row) *stats.Figure
	base   float64 // where bars begin, 0 for dots
	except string  // the contender that has no marks, since it is the base
	format func(float64) string
}

var panels = []panel{
	{
		"Messages/s as a multiple of writev's", "up: more than writev; down: fewer",
		func(r Row) *stats.Figure { return r.OfWritev }, 1, writev, multiple,
	},
	{
		"CPU time a message as a multiple of writev's", "down: cheaper than writev; up: dearer",
		func(r Row) *stats.Figure { return r.CPUOfWritev }, 1, writev, multiple,
	},
	{
		"Messages/s", "higher is better",
		func(r Row) *stats.Figure { return r.MsgsPerS }, 0, "", func(v float64) string { return short(count(v)) },
	},
	{
		"System calls a message", "lower is better",
		func(r Row) *stats.Figure { return r.SyscallsPerMsg }, 0, "", func(v float64) string { return short(digits3(v)) },
	},
}

func multiple(v float64) string {
	return short(digits3(v)) + "x"
}

var trailingZeros = regexp.MustCompile(`\.?0+([kMG]?)$`)

// short drops the zeros that end a decimal fraction.
func short(number string) string {
	if !strings.Contains(number, ".") {
		return number
	}
	return trailingZeros.ReplaceAllString(number, "$1")
}

// plot draws the panel, or returns nil if no contender has a figure for it.
func (p panel) plot(r *Report) *plot.Plot {
	contenders := r.Config.Contenders()
	chart := plot.New()
	chart.BackgroundColor = nil
	drawn := 0
	least, greatest := math.Inf(1), math.Inf(-1)
	var all []plot.Plotter
	for i, mode := range contenders {
		m := &marks{
			paint: paintOf(r, mode), base: p.base, figures: make([]*stats.Figure, len(r.Sections)),
			at: (float64(i)+0.5)/float64(len(contenders))*0.76 - 0.38, width: 0.7 / float64(len(contenders)),
		}
		for j, s := range r.Sections {
			if row := s.row(mode); row != nil && mode != p.except && positive(p.figure(*row)) {
				m.figures[j] = p.figure(*row)
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
	ticks := ticksFor(least, greatest, p.base > 0)
	for _, t := range ticks {
		chart.Add(rule(t, len(r.Sections), t == p.base))
	}
	chart.Add(all...)
	p.axes(chart, r, ticks)
	return chart
}

// positive reports whether a figure can be shown on a logarithmic axis.
func positive(f *stats.Figure) bool {
	return f != nil && f.Min > 0
}

func (p panel) axes(chart *plot.Plot, r *Report, ticks []float64) {
	chart.X.LineStyle.Width, chart.Y.LineStyle.Width = 0, 0
	chart.X.Tick.LineStyle.Width, chart.Y.Tick.LineStyle.Width = 0, 0
	chart.X.Tick.Label = textStyle(9, paintInk, false)
	chart.X.Tick.Label.YAlign = text.YTop
	chart.X.Tick.Label.XAlign = text.XCenter
	chart.Y.Tick.Label = textStyle(9, paintMuted, false)
	chart.Y.Tick.Label.YAlign = text.YCenter
	chart.Y.Tick.Label.XAlign = text.XRight
	chart.X.Min, chart.X.Max = -0.5, float64(len(r.Sections))-0.5
	chart.Y.Min, chart.Y.Max = ticks[0], ticks[len(ticks)-1]
	chart.Y.Scale = plot.LogScale{}
	chart.X.Padding, chart.Y.Padding = vg.Points(4), 0

	var x, y plot.ConstantTicks
	for i, s := range r.Sections {
		x = append(x, plot.Tick{Value: float64(i), Label: shapeLabel(s)})
	}
	for _, t := range ticks {
		y = append(y, plot.Tick{Value: t, Label: p.format(t)})
	}
	chart.X.Tick.Marker, chart.Y.Tick.Marker = x, y
}

// rule is a horizontal line across all shapes, a strong one where bars begin.
func rule(at float64, shapes int, strong bool) plot.Plotter {
	line, err := plotter.NewLine(plotter.XYs{{X: -0.5, Y: at}, {X: float64(shapes) - 0.5, Y: at}})
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
