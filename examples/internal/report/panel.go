package report

import (
	"regexp"
	"strings"

	"github.com/sockring/uring/examples/internal/stats"
)

// A panel is one chart of the picture: a place for each shape, a mark in it for each contender.
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
