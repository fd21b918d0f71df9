package chart

import (
	"fmt"
	"image/color"
	"regexp"
	"strings"
)

// A paint is a colour by its part in a chart. The plotting library draws in fixed colours only, so it is
// given a paint's number for a colour, and restyle turns that into a CSS class that a style sheet colours
// for light and for dark.
type paint struct {
	light, dark string
}

// Indices into paints: the parts of a chart, and then the colours of series.
const (
	paintCard = iota
	paintInk
	paintMuted
	paintGrid
	paintSeries // the first of the colours of series
)

var paints = []paint{
	paintCard:  {"#ffffff", "#14181f"},
	paintInk:   {"#1f2328", "#e6e9ee"},
	paintMuted: {"#59616b", "#a3acb8"},
	paintGrid:  {"#e3e6ea", "#2b323c"},

	paintSeries:     {"#7d8590", "#98a1ad"},
	paintSeries + 1: {"#c77700", "#f0a53a"},
	paintSeries + 2: {"#a13fae", "#d484df"},
	paintSeries + 3: {"#0e8a5f", "#3fcf98"},
	paintSeries + 4: {"#2563c9", "#6ea8ff"},
	paintSeries + 5: {"#0b8793", "#43c9d6"},
	paintSeries + 6: {"#1f2328", "#e6e9ee"},
	paintSeries + 7: {"#85660d", "#d1b250"},
	paintSeries + 8: {"#6b5bd2", "#a79bff"},

	paintSeries + 9:  {"#c6303e", "#ff7f87"},
	paintSeries + 10: {"#5a7d2a", "#a5cc6b"},
	paintSeries + 11: {"#b0557a", "#ef9bbb"},
}

// colorOf is the stand-in for a paint that the plotting library draws with.
func colorOf(paint int) color.Color {
	return color.RGBA{R: 1, G: 1, B: uint8(paint), A: 255}
}

var (
	styleAttribute = regexp.MustCompile(`style="([^"]*)"`)
	standIn        = regexp.MustCompile(`(fill|stroke):#0101([0-9A-Fa-f]{2});?`)
)

// restyle replaces the stand-ins of paints in an SVG document by classes: f3 fills and s3 strokes with
// paint 3.
func restyle(svg string) string {
	return styleAttribute.ReplaceAllStringFunc(svg, func(attribute string) string {
		style := styleAttribute.FindStringSubmatch(attribute)[1]
		var classes []string
		for _, m := range standIn.FindAllStringSubmatch(style, -1) {
			var n int
			fmt.Sscanf(m[2], "%x", &n)
			classes = append(classes, fmt.Sprintf("%c%d", m[1][0], n))
		}
		if len(classes) == 0 {
			return attribute
		}
		rest := strings.TrimSuffix(standIn.ReplaceAllString(style, ""), ";")
		attribute = fmt.Sprintf(`class="%s"`, strings.Join(classes, " "))
		if rest != "" {
			attribute += fmt.Sprintf(` style="%s"`, rest)
		}
		return attribute
	})
}

// styleSheet colours the classes of restyle.
func styleSheet() string {
	var light, dark strings.Builder
	for i, p := range paints {
		fmt.Fprintf(&light, ".chart .f%d{fill:%s}.chart .s%d{stroke:%s}\n", i, p.light, i, p.light)
		fmt.Fprintf(&dark, ".chart .f%d{fill:%s}.chart .s%d{stroke:%s}\n", i, p.dark, i, p.dark)
	}
	return light.String() + "@media (prefers-color-scheme: dark){\n" + dark.String() + "}\n"
}
