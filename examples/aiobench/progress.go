//go:build linux

package main

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/term"
)

// lineEvery is how often a run that no terminal watches says where it is.
const lineEvery = 10 * time.Second

// progress tells between turns how far a part of the run is.
type progress struct {
	out      *os.File
	terminal bool
	lastLine time.Time
}

func newProgress(out *os.File) *progress {
	return &progress{out: out, terminal: term.IsTerminal(int(out.Fd()))}
}

// turn is told before each turn.
func (p *progress) turn(done, turns int, next string) {
	switch {
	case p.terminal:
		fmt.Fprintf(p.out, "\r\x1b[Kturn %d of %d: %s", done+1, turns, next)
	case done == 0 || time.Since(p.lastLine) >= lineEvery:
		p.lastLine = time.Now()
		fmt.Fprintf(p.out, "turn %d of %d: %s\n", done+1, turns, next)
	}
}

// finish clears the line away.
func (p *progress) finish() {
	if p.terminal {
		fmt.Fprint(p.out, "\r\x1b[K")
	}
}
