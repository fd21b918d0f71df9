//go:build linux

package main

import (
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/sockring/uring/examples/internal/cli"
)

// How often statistics are shown where the command line does not say.
const (
	everyOnTerminal = time.Second
	everyElsewhere  = 10 * time.Second
)

// progress tells what a proxy does: lines, and on a terminal below them one that is updated.
type progress struct {
	out      *os.File
	terminal bool
	mu       sync.Mutex // keeps lines apart
}

func newProgress(out *os.File) *progress {
	return &progress{out: out, terminal: term.IsTerminal(int(out.Fd()))}
}

// clearLine goes back to the beginning of the line that is updated.
const clearLine = "\r\x1b[K"

// line prints a line that stays.
func (pr *progress) line(text string) { pr.print("proxy: "+text, "\n") }

func (pr *progress) print(text, end string) {
	pr.mu.Lock()
	defer pr.mu.Unlock()
	if pr.terminal {
		text = clearLine + text
	}
	fmt.Fprint(pr.out, text+end)
}

// stats prints statistics now and then, until stop is called.
func (pr *progress) stats(p *proxy) (stop func()) {
	every := p.every
	switch {
	case every < 0 && pr.terminal:
		every = everyOnTerminal
	case every < 0:
		every = everyElsewhere
	case every == 0:
		return func() {}
	}
	ended := make(chan struct{})
	var showing sync.WaitGroup
	showing.Add(1)
	go func() {
		defer showing.Done()
		tick := time.NewTicker(every)
		defer tick.Stop()
		for last := p.snapshot(nil); ; {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			if last = p.snapshot(last); pr.terminal {
				pr.print(last.line(), "")
			} else {
				pr.line(last.line())
			}
		}
	}()
	return func() {
		close(ended)
		showing.Wait()
		if pr.terminal {
			pr.print("", "")
		}
	}
}

// line is a snapshot in one line.
func (s *snapshot) line() string {
	return fmt.Sprintf("%d open, %d in all, %d refused; to target %s, %s/s; to client %s, %s/s; %d errors",
		s.Conns.Open, s.Conns.Total, s.Conns.Refused,
		cli.Bytes(s.Bytes.ToTarget), cli.Bytes(int64(s.PerS.ToTarget)),
		cli.Bytes(s.Bytes.ToClient), cli.Bytes(int64(s.PerS.ToClient)), s.errorsTotal())
}
