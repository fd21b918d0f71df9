//go:build linux

package main

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/sockring/uring/examples/internal/cli"
)

// lineEvery is how often a copy that no terminal watches says where it is.
const lineEvery = 10 * time.Second

// progress tells how far the copy is.
type progress struct {
	out      *os.File
	terminal bool
	phase    string
	bar      *progressbar.ProgressBar
	lastLine time.Time
}

func newProgress(out *os.File) *progress {
	return &progress{out: out, terminal: term.IsTerminal(int(out.Fd())), lastLine: time.Now()}
}

// at is told when done bytes of a phase are through.
func (p *progress) at(phase string, done, total int64) {
	switch {
	case !p.terminal:
		p.line(phase, done, total)
		return
	case phase != p.phase:
		p.finish()
		p.phase = phase
		p.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(io.Writer(p.out)),
			progressbar.OptionSetDescription(fmt.Sprintf("%-6s", phase)),
			progressbar.OptionSetWidth(32),
			progressbar.OptionShowBytes(true),
			progressbar.OptionUseIECUnits(true),
			progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionClearOnFinish(),
		)
	}
	p.bar.Set64(done)
}

// line prints a plain line now and then.
func (p *progress) line(phase string, done, total int64) {
	if now := time.Now(); now.Sub(p.lastLine) >= lineEvery {
		p.lastLine = now
		fmt.Fprintf(p.out, "%s: %s of %s\n", phase, cli.Bytes(done), cli.Bytes(total))
	}
}

// finish clears the bar away.
func (p *progress) finish() {
	if p.bar != nil {
		p.bar.Clear()
	}
}
