package report

import (
	"encoding/json"
	"io"
	"maps"
	"math"
	"slices"

	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/stats"
)

type jsonReport struct {
	Kernel   string       `json:"kernel"`
	Liburing string       `json:"liburing"`
	Go       string       `json:"go"`
	CPUs     int          `json:"cpus"`
	Results  []jsonResult `json:"results"`
}

type jsonResult struct {
	Mode           string        `json:"mode"`
	Net            string        `json:"net"`
	Conns          int           `json:"conns"`
	Msgs           int           `json:"msgs"`
	Size           int           `json:"size"`
	Rounds         int           `json:"rounds"`
	MsgsPerS       *stats.Figure `json:"msgs_per_s"`
	MBPerS         *stats.Figure `json:"mb_per_s"`
	CPUNSPerMsg    *stats.Figure `json:"cpu_ns_per_msg"`
	SyscallsPerMsg *stats.Figure `json:"syscalls_per_msg"`
	OfWritev       *stats.Figure `json:"of_writev"`
	OfLimit        *stats.Figure `json:"of_limit"`
	CPUOfWritev    *stats.Figure `json:"cpu_of_writev"`
	CPUOfLimit     *stats.Figure `json:"cpu_of_limit"`

	Words   map[string]string `json:"words"` // what the rounds of a ratio say, by its name
	ByRound []jsonRound       `json:"by_round"`
}

// jsonRound is what a round measured. Rounds are counted from 1, and those that failed are not there.
type jsonRound struct {
	Round          int      `json:"round"`
	MsgsPerS       float64  `json:"msgs_per_s"`
	MBPerS         float64  `json:"mb_per_s"`
	CPUNSPerMsg    float64  `json:"cpu_ns_per_msg"`
	SyscallsPerMsg *float64 `json:"syscalls_per_msg"`
}

// JSON writes the report for programs. A figure that was not measured is null.
func (r *Report) JSON(w io.Writer) error {
	out := jsonReport{
		Kernel: r.Facts.Kernel, Liburing: r.Facts.Liburing, Go: r.Facts.Go, CPUs: r.Facts.CPUs,
		Results: []jsonResult{},
	}
	for _, s := range r.Sections {
		for _, row := range s.Rows {
			out.Results = append(out.Results, jsonResult{
				Mode: row.Mode, Net: s.Shape.Net, Conns: s.Shape.Conns, Msgs: s.Shape.Msgs, Size: s.Shape.Size,
				Rounds:         row.Rounds,
				MsgsPerS:       round(row.MsgsPerS, 1),
				MBPerS:         round(row.MBPerS, 3),
				CPUNSPerMsg:    round(row.CPUNSPerMsg, 2),
				SyscallsPerMsg: round(row.SyscallsPerMsg, 6),
				OfWritev:       round(row.OfWritev, 4),
				OfLimit:        round(row.OfLimit, 4),
				CPUOfWritev:    round(row.CPUOfWritev, 4),
				CPUOfLimit:     round(row.CPUOfLimit, 4),
				Words:          words(&row),
				ByRound:        r.byRound(s.Shape, row.Mode),
			})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// words are those of all ratios that a row has to other modes.
func words(row *Row) map[string]string {
	words := make(map[string]string)
	for _, c := range comparisons {
		if ratio := c.of(row); ratio != nil {
			words[c.name] = c.word(ratio)
		}
	}
	return words
}

// byRound lists what a mode's figures are made of.
func (r *Report) byRound(shape bench.Shape, mode string) []jsonRound {
	samples := r.Outcome.Samples[shape][mode]
	list := make([]jsonRound, 0, len(samples))
	for _, i := range slices.Sorted(maps.Keys(samples)) {
		s := samples[i]
		line := jsonRound{
			Round: i + 1, MsgsPerS: cut(s.MsgsPerS, 1), MBPerS: cut(s.MBPerS, 3), CPUNSPerMsg: cut(s.CPUNSPerMsg, 2),
		}
		if s.Counted {
			calls := cut(s.SyscallsPerMsg, 6)
			line.SyscallsPerMsg = &calls
		}
		list = append(list, line)
	}
	return list
}

// round cuts a figure's digits.
func round(f *stats.Figure, digits int) *stats.Figure {
	if f == nil {
		return nil
	}
	return &stats.Figure{Median: cut(f.Median, digits), Min: cut(f.Min, digits), Max: cut(f.Max, digits)}
}

// cut cuts digits that carry no information.
func cut(v float64, digits int) float64 {
	unit := math.Pow10(digits)
	return math.Round(v*unit) / unit
}
