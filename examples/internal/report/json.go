package report

import (
	"encoding/json"
	"io"
	"math"

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
			})
		}
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

// round cuts digits that carry no information.
func round(f *stats.Figure, digits int) *stats.Figure {
	if f == nil {
		return nil
	}
	unit := math.Pow10(digits)
	cut := func(v float64) float64 { return math.Round(v*unit) / unit }
	return &stats.Figure{Median: cut(f.Median), Min: cut(f.Min), Max: cut(f.Max)}
}
