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

// Measures of the picture, in points. It is as wide as the screen of a telephone has pixels, where its text is as large
// as that around it; on wider ones it is enlarged, or has room beside it.
const (
	pictureWidth = 375
	margin       = 12
	textSize     = 12 // the least
	lineHeight   = 15
	chartHeight  = 196
	titleHeight  = 48 // from the labels below one chart to the next chart
)

// Measures that say how many places stand next to each other.
const (
	axisWidth = 56 // at least what the labels of any axis take
	labelGap  = 8  // between the labels of two places
	markWidth = 9  // of each series in a place, at the least
)

// Picture is panels below each other under a head, all with the same places and series.
type Picture struct {
	Title  string
	Lines  []string // what stands below the title
	Series []Series // in the order of the legend
	Places []string // labels below the charts
	Panels []Panel  // those that have figures are drawn
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
	var panels []Panel // that of each chart
	var charts [][]*plot.Plot
	for _, p := range pic.Panels {
		for _, chart := range p.plots(pic, pic.perRow()) {
			panels, charts = append(panels, p), append(charts, []*plot.Plot{chart})
		}
	}
	head := pic.head()
	height := head.height + vg.Points(float64((chartHeight+titleHeight)*len(charts)+margin))
	canvas := vgsvg.New(pictureWidth, height)
	page := draw.New(canvas)
	page.SetColor(colorOf(paintCard))
	page.Fill(page.Rectangle.Path())
	head.draw(page)
	if len(charts) > 0 {
		body := draw.Crop(page, margin, -margin, margin, -head.height)
		tiles := draw.Tiles{Cols: 1, Rows: len(charts), PadTop: titleHeight, PadY: titleHeight}
		for i, row := range plot.Align(charts, tiles, body) {
			charts[i][0].Draw(row[0])
			panels[i].heading(page, row[0].Max.Y)
		}
	}
	var b bytes.Buffer
	if _, err := canvas.WriteTo(&b); err != nil {
		return "", err
	}
	return dress(b.String(), pictureWidth, height), nil
}

// perRow is how many places stand next to each other: as many as their labels and marks have room for, and as many in
// each row.
func (pic *Picture) perRow() int {
	style := textStyle(textSize, paintInk, false)
	wide := vg.Points(float64(markWidth * len(pic.Series)))
	for _, place := range pic.Places {
		for line := range strings.SplitSeq(place, "\n") {
			wide = max(wide, style.Width(line)+labelGap)
		}
	}
	most := max(1, int((pictureWidth-2*margin-axisWidth)/wide))
	rows := (len(pic.Places) + most - 1) / most
	return (len(pic.Places) + rows - 1) / max(rows, 1)
}

// heading draws the panel's title above a chart that ends at top.
func (p Panel) heading(page draw.Canvas, top vg.Length) {
	at := vg.Point{X: page.Min.X + margin, Y: top + vg.Points(25)}
	page.FillText(textStyle(13, paintInk, true), at, p.Title)
	at.Y -= lineHeight
	page.FillText(textStyle(textSize, paintMuted, false), at, p.Hint)
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
