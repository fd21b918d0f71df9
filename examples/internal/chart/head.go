package chart

import (
	"strings"

	"gonum.org/v1/plot/text"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// fallback is how much wider text may be than we measure it: a browser may have another font.
const fallback = 1.1

// lineWidth is the room for a line of text.
const lineWidth = pictureWidth - 2*margin

// head is what stands above the charts: title, lines and legend, broken to the width of the picture.
type head struct {
	texts  []headText
	keys   []headKey
	height vg.Length
}

// headText is a line of text, down from the top.
type headText struct {
	style text.Style
	text  string
	down  vg.Length
}

// headKey is the mark and the name of a series.
type headKey struct {
	series  Series
	x, down vg.Length
}

func (pic *Picture) head() *head {
	h := &head{height: margin}
	h.add(textStyle(15, paintInk, true), 20, pic.Title)
	for _, line := range pic.Lines {
		h.add(textStyle(textSize, paintMuted, false), lineHeight, line)
	}
	h.height += 6
	const gap = 12
	x := vg.Length(0)
	style := textStyle(textSize, paintInk, false)
	for _, s := range pic.Series {
		width := keyWidth + fallback*style.Width(s.Name)
		if x > 0 && x+width > lineWidth {
			x, h.height = 0, h.height+lineHeight
		}
		h.keys = append(h.keys, headKey{s, x, h.height})
		x += width + gap
	}
	h.height += lineHeight
	return h
}

// add breaks a text between words.
func (h *head) add(style text.Style, down vg.Length, txt string) {
	style.YAlign = text.YTop
	line := ""
	flush := func() {
		h.texts = append(h.texts, headText{style, line, h.height})
		h.height += down
	}
	for word := range strings.FieldsSeq(txt) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && fallback*style.Width(longer) > lineWidth {
			flush()
			longer = word
		}
		line = longer
	}
	flush()
}

// Measures of a key: its box, and where the name begins.
const (
	keyBox   = 10
	keyWidth = keyBox + 5
)

func (h *head) draw(page draw.Canvas) {
	left, top := page.Min.X+margin, page.Max.Y
	for _, t := range h.texts {
		page.FillText(t.style, vg.Point{X: left, Y: top - t.down}, t.text)
	}
	style := textStyle(textSize, paintInk, false)
	for _, k := range h.keys {
		x, y := left+k.x, top-k.down-keyBox
		page.FillPolygon(colorOf(paintSeries+k.series.Colour%(len(paints)-paintSeries)), []vg.Point{
			{X: x, Y: y}, {X: x + keyBox, Y: y}, {X: x + keyBox, Y: y + keyBox}, {X: x, Y: y + keyBox},
		})
		page.FillText(style, vg.Point{X: x + keyWidth, Y: y + 1}, k.series.Name)
	}
}
