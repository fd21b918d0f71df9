//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/sockring/uring/examples/internal/bench"
)

// lineEvery is how often a run that no terminal watches says where it is.
const lineEvery = 10 * time.Second

// progress tells how far the run is. It draws between turns only: a bar that moved by itself would take
// CPU time from what is being measured.
type progress struct {
	out      *os.File
	terminal bool
	bar      *progressbar.ProgressBar // nil before the first turn and without a terminal
	start    time.Time
	lastLine time.Time
}

func newProgress(out *os.File) *progress {
	return &progress{out: out, terminal: term.IsTerminal(int(out.Fd()))}
}

// turn is told before each turn.
func (p *progress) turn(done, turns int, next bench.Turn) {
	if p.start.IsZero() {
		p.start = time.Now()
	}
	if !p.terminal {
		p.line(done, turns, next)
		return
	}
	if p.bar == nil {
		p.bar = progressbar.NewOptions(turns,
			progressbar.OptionSetWriter(io.Writer(p.out)),
			progressbar.OptionSetWidth(24),
			progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(true),
			progressbar.OptionClearOnFinish(),
		)
	}
	p.bar.Describe(fmt.Sprintf("round %d  %-17s %-10s", next.Round+1, next.Shape, next.Mode))
	p.bar.Set(done)
}

// line prints a plain line now and then.
func (p *progress) line(done, turns int, next bench.Turn) {
	now := time.Now()
	if done > 0 && now.Sub(p.lastLine) < lineEvery {
		return
	}
	p.lastLine = now
	text := fmt.Sprintf("turn %d of %d: round %d, %s, %s", done+1, turns, next.Round+1, next.Shape, next.Mode)
	if done > 0 {
		left := now.Sub(p.start) / time.Duration(done) * time.Duration(turns-done)
		text += fmt.Sprintf("; about %v left", left.Round(time.Second))
	}
	fmt.Fprintln(p.out, text)
}

// finish clears the bar away.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Clear()
	}
}
