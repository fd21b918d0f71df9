//go:build linux

package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"text/tabwriter"

	"github.com/sockring/uring/examples/internal/chart"
	"github.com/sockring/uring/examples/internal/machine"
	"github.com/sockring/uring/examples/internal/stats"
)

// readReport is what the contenders made of random reads.
type readReport struct {
	facts   machine.Facts
	how     string
	samples map[string]map[int]sample // by contender and round
	names   []string
	Rows    []readRow
}

// readRow is one contender's figures. A ratio is nil where the contender that it is taken to has no figures.
type readRow struct {
	Mode      string        `json:"mode"`
	Block     int           `json:"block"`
	Depth     int           `json:"depth"`
	Rounds    int           `json:"rounds"`
	IOPS      *stats.Figure `json:"reads_per_s"`
	CPUMicros *stats.Figure `json:"cpu_us_per_read"`
	OfFIO     *stats.Figure `json:"of_fio"`
	ByRound   []readRound   `json:"by_round"`
}

// readRound is what a round measured. Rounds are counted from 1.
type readRound struct {
	Round     int     `json:"round"`
	IOPS      float64 `json:"reads_per_s"`
	CPUMicros float64 `json:"cpu_us_per_read"`
}

func newReadReport(o *options, facts machine.Facts, contenders []reader) *readReport {
	r := &readReport{
		facts: facts, samples: map[string]map[int]sample{},
		how: fmt.Sprintf("random reads of %d bytes with O_DIRECT, %d in flight, %d MiB file, %d rounds of %v",
			o.block, o.depth, o.fileMiB, o.rounds, o.dur),
	}
	for _, c := range contenders {
		r.names = append(r.names, c.name)
		depth := o.depth
		if c.name == "readat" {
			depth = 1
		}
		r.Rows = append(r.Rows, readRow{Mode: c.name, Block: o.block, Depth: depth})
	}
	return r
}

func (r *readReport) add(name string, round int, s sample) {
	if r.samples[name] == nil {
		r.samples[name] = map[int]sample{}
	}
	r.samples[name][round] = s
}

// sumUp makes figures of the samples.
func (r *readReport) sumUp() *readReport {
	iops := func(s sample) float64 { return s.iops }
	for i := range r.Rows {
		row := &r.Rows[i]
		mine := r.samples[row.Mode]
		row.Rounds = len(mine)
		row.IOPS = stats.Of(slices.Collect(maps.Values(pick(mine, iops))))
		row.CPUMicros = stats.Of(slices.Collect(maps.Values(pick(mine, func(s sample) float64 { return s.cpuMicros }))))
		row.OfFIO = stats.Of(stats.Ratios(pick(mine, iops), pick(r.samples[fioName], iops)))
		for _, round := range slices.Sorted(maps.Keys(mine)) {
			row.ByRound = append(row.ByRound, readRound{round + 1, mine[round].iops, mine[round].cpuMicros})
		}
	}
	return r
}

func pick(samples map[int]sample, value func(sample) float64) map[int]float64 {
	m := make(map[int]float64, len(samples))
	for round, s := range samples {
		m[round] = value(s)
	}
	return m
}

// machineLine says where the figures come from.
func (r *readReport) machineLine() string {
	return fmt.Sprintf("Linux %s, %s, %d CPUs, %s", r.facts.Kernel, r.facts.Go, r.facts.CPUs, r.facts.CPUModel)
}

// table prints the figures.
func (r *readReport) table(w io.Writer) {
	fmt.Fprintf(w, "%s\n%s\n\n", r.machineLine(), r.how)
	out := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(out, "\tin flight\treads/s\t\tCPU us\t\tof fio\t\t")
	for _, row := range r.Rows {
		fmt.Fprintf(out, "%s\t%d\t%s\t%s\t%s\t\n", row.Mode, row.Depth,
			cells(row.IOPS, "%.0f"), cells(row.CPUMicros, "%.2f"), cells(row.OfFIO, "%.2f"))
	}
	out.Flush()
}

// cells are a figure's median, and its least and greatest.
func cells(f *stats.Figure, format string) string {
	if f == nil {
		return "-\t"
	}
	return fmt.Sprintf(format+"\t"+format+"-"+format, f.Median, f.Min, f.Max)
}

// picture draws the figures.
func (r *readReport) picture() *chart.Picture {
	pic := &chart.Picture{
		Title:  "Random reads with Linux AIO from Go",
		Lines:  []string{r.machineLine(), r.how + "; median, with a line from the least to the greatest"},
		Places: []string{""},
	}
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	panels := []chart.Panel{
		{Title: "Reads/s", Hint: "higher is better", Format: number},
		{Title: "CPU time a read, in microseconds", Hint: "lower is better", Format: number},
	}
	for i, row := range r.Rows {
		pic.Series = append(pic.Series, chart.Series{Name: row.Mode, Colour: i})
		panels[0].Figures = append(panels[0].Figures, []*stats.Figure{row.IOPS})
		panels[1].Figures = append(panels[1].Figures, []*stats.Figure{row.CPUMicros})
	}
	pic.Panels = panels
	return pic
}
