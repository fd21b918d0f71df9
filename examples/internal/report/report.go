package report

import (
	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/machine"
	"github.com/sockring/uring/examples/internal/stats"
)

// The modes that ratios are taken to.
const (
	writev = "writev"
	limit  = "limit"
)

// Report is what a run measured, summed up over its rounds.
type Report struct {
	Facts    machine.Facts
	Config   bench.Config
	Outcome  *bench.Outcome
	Command  string // that repeats the run
	Sections []Section
}

// Section is one shape and what every mode made of it.
type Section struct {
	Shape bench.Shape
	Rows  []Row
}

// Row is one mode's figures. A figure is nil where there is nothing to sum up: the mode it is a ratio to
// was not measured, or the sender could not count its system calls.
type Row struct {
	Mode   string
	Rounds int

	MsgsPerS       *stats.Figure
	MBPerS         *stats.Figure
	CPUNSPerMsg    *stats.Figure
	SyscallsPerMsg *stats.Figure
	OfWritev       *stats.Figure // messages/s of those of writev in the same round
	OfLimit        *stats.Figure // messages/s of those of limit in the same round
	CPUOfWritev    *stats.Figure // CPU a message of that of writev in the same round
	CPUOfLimit     *stats.Figure // CPU a message of that of limit in the same round
}

// New sums up an outcome of cfg. command is the command line that repeats it.
func New(cfg bench.Config, out *bench.Outcome, facts machine.Facts, command string) *Report {
	r := &Report{Facts: facts, Config: cfg, Outcome: out, Command: command}
	for _, shape := range cfg.Shapes {
		section := Section{Shape: shape}
		modes := out.Samples[shape]
		for _, mode := range cfg.Contenders() {
			if len(modes[mode]) > 0 {
				section.Rows = append(section.Rows, row(mode, modes))
			}
		}
		if len(section.Rows) > 0 {
			r.Sections = append(r.Sections, section)
		}
	}
	return r
}

func throughput(s bench.Sample) float64 { return s.MsgsPerS }
func cpu(s bench.Sample) float64        { return s.CPUNSPerMsg }

func row(mode string, modes map[string]map[int]bench.Sample) Row {
	samples := modes[mode]
	calls := make(map[int]float64)
	for round, s := range samples {
		if s.Counted {
			calls[round] = s.SyscallsPerMsg
		}
	}
	ratio := func(base string, value func(bench.Sample) float64) *stats.Figure {
		return stats.Of(stats.Ratios(pick(samples, value), pick(modes[base], value)))
	}
	return Row{
		Mode:           mode,
		Rounds:         len(samples),
		MsgsPerS:       stats.Of(values(pick(samples, throughput))),
		MBPerS:         stats.Of(values(pick(samples, func(s bench.Sample) float64 { return s.MBPerS }))),
		CPUNSPerMsg:    stats.Of(values(pick(samples, cpu))),
		SyscallsPerMsg: stats.Of(values(calls)),
		OfWritev:       ratio(writev, throughput),
		OfLimit:        ratio(limit, throughput),
		CPUOfWritev:    ratio(writev, cpu),
		CPUOfLimit:     ratio(limit, cpu),
	}
}

// pick takes one value of each round's sample.
func pick(samples map[int]bench.Sample, value func(bench.Sample) float64) map[int]float64 {
	m := make(map[int]float64, len(samples))
	for round, s := range samples {
		m[round] = value(s)
	}
	return m
}

func values(byRound map[int]float64) []float64 {
	list := make([]float64, 0, len(byRound))
	for _, v := range byRound {
		list = append(list, v)
	}
	return list
}
