package chart

import (
	"math"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"

	"github.com/sockring/uring/examples/internal/stats"
)

// Panel is one respect in which a picture shows its series: a chart, or as many below each other as it takes for all
// places. All axes are logarithmic: half and double are as far from even.
type Panel struct {
	Title  string
	Hint   string               // how to read it
	Base   float64              // where bars begin, 0 for dots
	Format func(float64) string // of the numbers on the axis

	// Figures is what each series of the picture has in each place: nil, or a figure that is not positive, for nothing.
	Figures [][]*stats.Figure
}

// plots draws the panel: a chart for each row of places, all with the same axis. There is none if no series has a
// figure.
func (p Panel) plots(pic *Picture, perRow int) []*plot.Plot {
	ticks := p.ticks()
	if ticks == nil {
		return nil
	}
	var charts []*plot.Plot
	for from := 0; from < len(pic.Places); from += perRow {
		chart := plot.New()
		chart.BackgroundColor = nil
		for _, t := range ticks {
			chart.Add(rule(t, perRow, t == p.Base))
		}
		to := min(from+perRow, len(pic.Places))
		for i, series := range pic.Series {
			chart.Add(&marks{
				paint: paintSeries + series.Colour%(len(paints)-paintSeries), base: p.Base,
				figures: positives(p.Figures[i][from:to]),
				at:      (float64(i)+0.5)/float64(len(pic.Series))*0.76 - 0.38, width: 0.7 / float64(len(pic.Series)),
			})
		}
		p.axes(chart, pic.Places[from:to], perRow, ticks)
		charts = append(charts, chart)
	}
	return charts
}

// ticks are those of a range that has all figures in it, or nil if there are none.
func (p Panel) ticks() []float64 {
	drawn, least, greatest := false, math.Inf(1), math.Inf(-1)
	for _, figures := range p.Figures {
		for _, f := range positives(figures) {
			if f != nil {
				drawn, least, greatest = true, min(least, f.Min), max(greatest, f.Max)
			}
		}
	}
	if !drawn {
		return nil
	}
	if p.Base > 0 {
		least, greatest = min(least, p.Base), max(greatest, p.Base)
	}
	return ticksFor(least, greatest, p.Base > 0)
}

// positives leaves out the figures that cannot be shown on a logarithmic axis.
func positives(figures []*stats.Figure) []*stats.Figure {
	shown := make([]*stats.Figure, len(figures))
	for i, f := range figures {
		if f != nil && f.Min > 0 {
			shown[i] = f
		}
	}
	return shown
}

func (p Panel) axes(chart *plot.Plot, places []string, perRow int, ticks []float64) {
	chart.X.LineStyle.Width, chart.Y.LineStyle.Width = 0, 0
	chart.X.Tick.LineStyle.Width, chart.Y.Tick.LineStyle.Width = 0, 0
	chart.X.Tick.Label = textStyle(textSize, paintInk, false)
	chart.X.Tick.Label.YAlign = text.YTop
	chart.X.Tick.Label.XAlign = text.XCenter
	chart.Y.Tick.Label = textStyle(textSize, paintMuted, false)
	chart.Y.Tick.Label.YAlign = text.YCenter
	chart.Y.Tick.Label.XAlign = text.XRight
	chart.X.Min, chart.X.Max = -0.5, float64(perRow)-0.5
	chart.Y.Min, chart.Y.Max = ticks[0], ticks[len(ticks)-1]
	chart.Y.Scale = plot.LogScale{}
	chart.X.Padding, chart.Y.Padding = vg.Points(4), 0

	var x, y plot.ConstantTicks
	for i, place := range places {
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

// ticksMax is how many labels an axis has room for.
const ticksMax = 9

// ticksFor chooses ticks that enclose the range: powers of two for ratios, of ten for the rest, more of
// them where the range is short, and fewer where it is long.
func ticksFor(least, greatest float64, ratios bool) []float64 {
	if least == greatest { // which is no range: an axis has two ends
		least, greatest = least/1.01, greatest*1.01
	}
	factor, steps := 10.0, []float64{1}
	if ratios {
		factor = 2
	}
	switch span := greatest / least; {
	case ratios && span < 3:
		steps = []float64{1, 1.25, 1.5}
	case !ratios && span < 50:
		steps = []float64{1, 2, 5}
	}
	for power := 1.0; ; power++ {
		if ticks := ticksOf(least, greatest, math.Pow(factor, power), steps); len(ticks) <= ticksMax {
			return ticks
		}
		steps = steps[:1]
	}
}

// ticksOf returns the powers of factor, each by every step, that enclose the range.
func ticksOf(least, greatest, factor float64, steps []float64) []float64 {
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
