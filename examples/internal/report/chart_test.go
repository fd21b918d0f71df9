//go:build linux

package report_test

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	xfont "golang.org/x/image/font"
	"gonum.org/v1/plot"
	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"

	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/load"
	"github.com/sockring/uring/examples/internal/machine"
	"github.com/sockring/uring/examples/internal/report"
)

const (
	telephone = 375 // pixels that a narrow screen is wide
	around    = 17  // pixels that a page leaves free beside a picture there, on each side: GitHub's, and our own
	legible   = 10  // pixels that text is high at the least
)

// everything is a report of many shapes with long names, all modes and a peer.
func everything(shapes int) *report.Report {
	cfg := bench.Config{
		Modes: load.Names(), Peers: []bench.Peer{{Name: "a-peer-of-a-long-name"}}, Rounds: 5, Dur: time.Second,
		Warmup: time.Second, Verify: true,
	}
	out := &bench.Outcome{Samples: make(map[bench.Shape]map[string]map[int]bench.Sample)}
	for i := range shapes {
		shape := bench.Shape{Net: "tcp", Conns: 1024, Msgs: 1000 + i, Size: 65536}
		cfg.Shapes = append(cfg.Shapes, shape)
		out.Samples[shape] = make(map[string]map[int]bench.Sample)
		for j, mode := range cfg.Contenders() {
			rate, wide := float64(1+3*j), 2.0
			if j == 0 {
				wide = 1 // so that ratios to it are as wide
			}
			out.Samples[shape][mode] = rounds(1, 100*rate, 1e-6*rate, rate, rate, rate/wide, rate, rate*wide)
		}
	}
	return report.New(cfg, out, machine.Facts{
		Kernel: "6.18.44-distribution-amd64", Liburing: "2.9", Go: "go1.26.8", Arch: "amd64", CPUs: 128,
		CPUModel: "Some Processor(R) of a Very Long Name, 3.00 GHz", EmptyCall: 30,
	}, "")
}

// drawing is what the tests look at of a picture.
type drawing struct {
	width, height float64
	texts         []drawnText
	svg           string
}

type drawnText struct {
	text           string
	size           float64
	x0, y0, x1, y1 float64
}

func (d drawnText) overlaps(o drawnText) bool {
	return d.x0 < o.x1 && o.x0 < d.x1 && d.y0 < o.y1 && o.y0 < d.y1
}

var (
	viewBox  = regexp.MustCompile(`viewBox="0 0 ([\d.]+) ([\d.]+)"`)
	fontSize = regexp.MustCompile(`font-size:([\d.]+)px`)
)

// draw reads a report's picture, and how much room its texts take.
func draw(t *testing.T, r *report.Report) *drawing {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, r.SVG(&b))
	d := &drawing{svg: b.String()}
	box := viewBox.FindStringSubmatch(d.svg)
	require.NotNil(t, box)
	d.width, d.height = number(t, box[1]), number(t, box[2])
	dec := xml.NewDecoder(&b)
	for {
		token, err := dec.Token()
		if err == io.EOF {
			return d
		}
		require.NoError(t, err)
		if start, ok := token.(xml.StartElement); ok && start.Name.Local == "text" {
			text := struct {
				X     string `xml:"x,attr"`
				Y     string `xml:"y,attr"`
				Style string `xml:"style,attr"`
				Text  string `xml:",chardata"`
			}{}
			require.NoError(t, dec.DecodeElement(&text, &start))
			d.texts = append(d.texts, extent(t, text.Text, text.Style, number(t, text.X), -number(t, text.Y)))
		}
	}
}

func extent(t *testing.T, text, style string, x, y float64) drawnText {
	t.Helper()
	size := fontSize.FindStringSubmatch(style)
	require.NotNil(t, size, style)
	f := font.Font{Typeface: "Liberation", Variant: "Sans", Size: vg.Points(number(t, size[1]))}
	if regexp.MustCompile(`font-weight:bold`).MatchString(style) {
		f.Weight = xfont.WeightBold
	}
	width, _, _ := plot.DefaultTextHandler.Box(text, f)
	const ascent, descent = 0.73, 0.21 // of what is drawn; the font leaves room above and below
	points := f.Size.Points()
	return drawnText{
		text: text, size: points,
		x0: x, x1: x + width.Points(), y0: y - descent*points, y1: y + ascent*points,
	}
}

func number(t *testing.T, s string) float64 {
	t.Helper()
	v, err := strconv.ParseFloat(s, 64)
	require.NoError(t, err)
	return v
}

// TestChartIsLegibleOnATelephone holds that the text of a picture is large enough on a narrow screen, and that none
// runs out of the picture or into another.
func TestChartIsLegibleOnATelephone(t *testing.T) { // found 43
	reports := map[string]*report.Report{"fixture": fixture()}
	for _, shapes := range []int{1, 5, 13} {
		reports[fmt.Sprint("everything at ", shapes)] = everything(shapes)
	}
	for name, r := range reports {
		t.Run(name, func(t *testing.T) {
			d := draw(t, r)
			scale := (telephone - 2*around) / d.width
			require.GreaterOrEqual(t, scale, 0.9, "it is not made smaller")
			require.NotEmpty(t, d.texts)
			for i, text := range d.texts {
				require.GreaterOrEqual(t, text.size*scale, float64(legible), text.text)
				require.GreaterOrEqual(t, text.x0, 0.0, text.text)
				require.LessOrEqual(t, text.x1, d.width, text.text)
				require.GreaterOrEqual(t, text.y0, 0.0, text.text)
				require.LessOrEqual(t, text.y1, d.height, text.text)
				for _, other := range d.texts[:i] {
					require.False(t, text.overlaps(other), "%q and %q", text.text, other.text)
				}
			}
		})
	}
}

// whisker is the path of one: a line straight down or up, in the colour of text.
var whisker = regexp.MustCompile(`<path d="M([\d.]+),([\d.]+)L([\d.]+),([\d.]+)" class="s1"`)

// TestChartShowsTheSpread holds that each figure whose rounds differ has a line from the least to the greatest, of the
// length that they are apart on the axis.
func TestChartShowsTheSpread(t *testing.T) { // found 43
	d := draw(t, everything(1))
	upright := 0
	for _, m := range whisker.FindAllStringSubmatch(d.svg, -1) {
		if m[1] == m[3] {
			upright++
			require.Greater(t, number(t, m[4])-number(t, m[2]), 5.0, "half to twice the median")
		}
	}
	// Messages/s of all contenders but writev, and their ratios to it. CPU times and calls do not differ.
	require.Equal(t, 2*len(load.Names()), upright)
}
