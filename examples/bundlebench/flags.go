//go:build linux

package main

import (
	"flag"
	"io"
	"time"

	"github.com/sockring/uring/examples/internal/cli"
	"github.com/sockring/uring/examples/internal/load"
)

// options is the command line.
type options struct {
	preset   string
	shapes   shapeList
	conns    intList
	msgs     intList
	size     intList
	nets     stringList
	modes    stringList
	peers    peerList
	rounds   int
	dur      time.Duration
	warmup   time.Duration
	verify   bool
	pin      pinning
	sendBuf  int
	recvBuf  int
	json     string
	svg      string
	html     string
	markdown string

	set  map[string]bool // the flags that were given
	args []string
}

// parse reads the command line; help goes to out.
func parse(args []string, out io.Writer) (*options, error) {
	o := &options{modes: load.UsualNames(), set: make(map[string]bool), args: args}
	fs := flag.NewFlagSet("bundlebench", flag.ContinueOnError)
	fs.SetOutput(io.Discard)
	fs.StringVar(&o.preset, "preset", "quick", "")
	fs.Var(&o.shapes, "shape", "")
	fs.Var(&o.conns, "conns", "")
	fs.Var(&o.msgs, "msgs", "")
	fs.Var(&o.size, "size", "")
	fs.Var(&o.nets, "net", "")
	fs.Var(&o.modes, "modes", "")
	fs.Var(&o.peers, "peer", "")
	fs.IntVar(&o.rounds, "rounds", 0, "")
	fs.DurationVar(&o.dur, "dur", 0, "")
	fs.DurationVar(&o.warmup, "warmup", 0, "")
	fs.BoolVar(&o.verify, "verify", false, "")
	fs.Var(&o.pin, "pin", "")
	fs.IntVar(&o.sendBuf, "sndbuf", 0, "")
	fs.IntVar(&o.recvBuf, "rcvbuf", 0, "")
	fs.StringVar(&o.json, "json", "", "")
	fs.StringVar(&o.svg, "svg", "", "")
	fs.StringVar(&o.html, "html", "", "")
	fs.StringVar(&o.markdown, "md", "", "")
	switch err := fs.Parse(args); {
	case err == flag.ErrHelp:
		printUsage(out)
		return nil, err
	case err != nil:
		return nil, cli.Usage(err)
	case fs.NArg() > 0:
		return nil, cli.Usagef("unexpected argument %q", fs.Arg(0))
	}
	fs.Visit(func(f *flag.Flag) { o.set[f.Name] = true })
	return o, nil
}
