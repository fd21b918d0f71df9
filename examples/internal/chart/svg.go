package chart

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
	"gonum.org/v1/plot/vg/vgsvg"
)

// Measures of the picture, in points.
const (
	headHeight  = 88
	panelHeight = 244
	titleHeight = 50 // from the labels below one chart to the next chart
	placeWidth  = 96
	widthMin    = 760
	margin      = 16
)

// Picture is panels below each other under a head, all with the same places and series.
type Picture struct {
	Title  string
	Lines  [2]string // what stands below the title
	Series []Series  // in the order of the legend
	Places []string  // labels below the charts
	Panels []Panel   // those that have figures are drawn
}

// Series is what has a mark in each place.
type Series struct {
	Name   string
	Colour int // which of the colours, counted from 0
}

// Write writes the picture as a document that is its own style sheet for light and dark surroundings.
func (pic *Picture) Write(w io.Writer) error {
	picture, err := pic.Element()
	if err != nil {
		return err
	}
	_, err = io.WriteString(w, `<?xml version="1.0" encoding="UTF-8"?>`+"\n"+picture)
	return err
}

// Element returns the picture as an svg element, for a page.
func (pic *Picture) Element() (string, error) {
	var drawn []Panel
	var charts [][]*plot.Plot
	for _, p := range pic.Panels {
		if chart := p.plot(pic); chart != nil {
			drawn, charts = append(drawn, p), append(charts, []*plot.Plot{chart})
		}
	}
	width := vg.Points(max(widthMin, float64(placeWidth*len(pic.Places)+2*margin+60)))
	height := vg.Points(float64(headHeight + panelHeight*len(charts) + margin))
	canvas := vgsvg.New(width, height)
	page := draw.New(canvas)
	page.SetColor(colorOf(paintCard))
	page.Fill(page.Rectangle.Path())
	pic.head(page)
	if len(charts) > 0 {
		body := draw.Crop(page, margin, -margin, margin, -headHeight)
		tiles := draw.Tiles{Cols: 1, Rows: len(charts), PadTop: titleHeight, PadY: titleHeight}
		for i, row := range plot.Align(charts, tiles, body) {
			charts[i][0].Draw(row[0])
			drawn[i].heading(page, row[0].Max.Y)
		}
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	return dress(b.String(), width, height), nil
}

// heading draws the panel's title above a chart that ends at top.
func (p Panel) heading(page draw.Canvas, top vg.Length) {
	at := vg.Point{X: page.Min.X + margin, Y: top + vg.Points(20)}
	page.FillText(textStyle(11, paintInk, true), at, p.Title)
	at.Y -= vg.Points(12)
	page.FillText(textStyle(9, paintMuted, false), at, p.Hint)
}

// head draws what stands above the charts: title, lines and legend.
func (pic *Picture) head(page draw.Canvas) {
	left, top := page.Min.X+margin, page.Max.Y-margin
	line := func(size float64, paint int, bold bool, down float64, txt string) {
		style := textStyle(size, paint, bold)
		style.YAlign = text.YTop
		page.FillText(style, vg.Point{X: left, Y: top - vg.Points(down)}, txt)
	}
	line(15, paintInk, true, 0, pic.Title)
	line(9, paintMuted, false, 21, pic.Lines[0])
	line(9, paintMuted, false, 33, pic.Lines[1])

	x, y := left, top-vg.Points(64)
	style := textStyle(10, paintInk, false)
	for _, series := range pic.Series {
		const box = 9
		page.FillPolygon(colorOf(paintSeries+series.Colour%(len(paints)-paintSeries)), []vg.Point{
			{X: x, Y: y}, {X: x + box, Y: y}, {X: x + box, Y: y + box}, {X: x, Y: y + box},
		})
		page.FillText(style, vg.Point{X: x + box + 5, Y: y + 0.5}, series.Name)
		// A browser may have another font than the one that widths are taken from.
		x += box + 5 + 1.2*style.Width(series.Name) + 14
	}
}

func textStyle(size float64, paint int, bold bool) text.Style {
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(size)}
	if bold {
		f.Weight = xfont.WeightBold
	}
	return text.Style{Color: colorOf(paint), Font: f, Handler: plot.DefaultTextHandler}
}

// dress makes the plotting library's document fit for any page: classes for colours, a style sheet, a
// size that follows the page, and fonts that are there.
func dress(svg string, width, height vg.Length) string {
	_, body, _ := strings.Cut(svg, "<svg")
	_, body, _ = strings.Cut(body, ">")
	body = strings.ReplaceAll(restyle(body), "font-family:Liberation Sans",
		"font-family:Liberation Sans,Arial,Helvetica,sans-serif")
	return fmt.Sprintf(`<svg class="chart" xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %g %g" width="%g" height="%g" `+
		`role="img" aria-label="Charts of the figures in the table">`+"\n<style>\n%s</style>%s",
		width.Points(), height.Points(), width.Points(), height.Points(), styleSheet(), body)
}
