package report

import (
	"fmt"
	"math"

	"github.com/sockring/uring/examples/internal/stats"
)

// A column is one figure of a row and how to print a value of it.
type column struct {
	title  string
	figure func(Row) *stats.Figure
	format func(float64) string
}

var columns = []column{
	{"messages/s", func(r Row) *stats.Figure { return r.MsgsPerS }, count},
	{"MB/s", func(r Row) *stats.Figure { return r.MBPerS }, digits3},
	{"CPU ns/msg", func(r Row) *stats.Figure { return r.CPUNSPerMsg }, digits3},
	{"syscalls/msg", func(r Row) *stats.Figure { return r.SyscallsPerMsg }, digits3},
	{"of writev", func(r Row) *stats.Figure { return r.OfWritev }, ratio},
	{"of limit", func(r Row) *stats.Figure { return r.OfLimit }, ratio},
}

// count prints a large number with a unit: 1.23M.
func count(v float64) string {
	switch {
	case v >= 999.5e6:
		return digits3(v/1e9) + "G"
	case v >= 999.5e3:
		return digits3(v/1e6) + "M"
	case v >= 999.5:
		return digits3(v/1e3) + "k"
	}
	return digits3(v)
}

// digits3 prints three significant digits, never as an exponent, and all digits in front of the point.
func digits3(v float64) string {
	if v == 0 {
		return "0"
	}
	decimals := 2 - int(math.Floor(math.Log10(math.Abs(v))))
	return fmt.Sprintf("%.*f", min(max(decimals, 0), 6), v)
}

func ratio(v float64) string {
	return fmt.Sprintf("%.2f", v)
}

// cells prints a figure: its median, and its least and greatest value where they print as different ones.
func (c column) cells(f *stats.Figure) []string {
	if f == nil {
		return []string{"-", ""}
	}
	least, greatest := c.format(f.Min), c.format(f.Max)
	if least == greatest {
		return []string{c.format(f.Median), ""}
	}
	return []string{c.format(f.Median), least + "-" + greatest}
}
