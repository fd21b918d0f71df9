package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"
)

// progress tells how far the guests are: on a terminal in one line that changes, elsewhere in a line for each step.
type progress struct {
	mu    sync.Mutex
	out   io.Writer
	start time.Time
	bar   *progressbar.ProgressBar // nil where out is no terminal
	done  int
	total int
}

func newProgress(out io.Writer, total int) *progress {
	p := &progress{out: out, start: time.Now(), total: total}
	if file, ok := out.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		p.bar = progressbar.NewOptions(total, progressbar.OptionSetWriter(out), progressbar.OptionShowCount(),
			progressbar.OptionSetWidth(20), progressbar.OptionClearOnFinish(), progressbar.OptionSetElapsedTime(true))
	}
	return p
}

// say tells what a guest has come to, which is so many steps more.
func (p *progress) say(guest, what string, steps int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done += steps
	if p.bar != nil {
		p.bar.Describe(fmt.Sprintf("%s: %s", guest, what))
		_ = p.bar.Add(steps) // it fails when told more than it was promised, which shows
		return
	}
	fmt.Fprintf(p.out, "%4.0fs %3d%%  %-12s %s\n",
		time.Since(p.start).Seconds(), 100*p.done/p.total, guest, what)
}

func (p *progress) end() {
	if p.bar != nil {
		_ = p.bar.Finish()
	}
}
