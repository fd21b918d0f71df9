//go:build linux

package main

import (
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/sockring/uring/examples/internal/cli"
)

func main() {
	signals := make(chan os.Signal, 2) // the first ends the proxy in good order, the second at once
	signal.Notify(signals, os.Interrupt, syscall.SIGTERM)
	cli.Exit("proxy", run(os.Args[1:], signals))
}

func run(args []string, signals <-chan os.Signal) error {
	o, err := parse(args, os.Stdout)
	if err != nil {
		return err
	}
	p, err := newProxy(o)
	if err != nil {
		return err
	}
	show := newProgress(os.Stderr)
	p.tell = show.line
	p.introduce()
	shown := show.stats(p)
	err = p.run(signals)
	shown()
	err = errors.Join(err, p.close())
	return errors.Join(err, p.summarize(os.Stdout))
}

// introduce says what is served, and by what.
func (p *proxy) introduce() {
	status := p.engine.Status()
	p.say("engine %s", status.Backend)
	for _, r := range status.Refusals {
		p.say("not %v", r)
	}
	for _, f := range p.fronts {
		p.say("%v to %v", f.at, f.to)
	}
}
