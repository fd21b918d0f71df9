//go:build linux

package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"time"

	"github.com/sockring/uring/examples/internal/cli"
	"github.com/sockring/uring/socketops"
)

const usageText = `Usage: proxy -listen ADDRESS -to ADDRESS [flags]

Forwards the connections that arrive at one address to another. An ADDRESS is tcp:HOST:PORT, unix:PATH, or unix:@NAME
for the abstract namespace. tcp::PORT listens on all of the machine's addresses, and port 0 on one that is free.

  -listen ADDRESS      where connections arrive; may be given several times
  -to ADDRESS          where they are forwarded to; one for all, or one for each -listen in the same order

How
  -engine NAME         uring, aio or syscall (default the best that works here)
  -copy MODE           splice: the bytes go through a pipe and are not copied to the proxy; buffer: they are received
                       into memory and sent in the background, those of all connections together; auto (default):
                       splice, and buffer where the kernel refuses that
  -buffer SIZE         bytes that the proxy holds for each direction of a connection (default 256KiB)

Limits, 0 for none
  -max N               connections at a time; more are refused (default 0)
  -idle D              ends a connection on which nothing was passed on for so long (default 0)
  -connect-timeout D   how long connecting to the target may take (default 10s)
  -drain D             how long connections have to finish after SIGTERM or an interrupt (^C) (default 10s)

What to tell
  -every D             statistics on the standard error output, 0 for none (default 10s, 1s on a terminal, where one
                       line is updated)
  -json                the summary at the end for programs

The end of a stream is passed on, and the other direction goes on. A reset is passed on as a reset; a unix socket has
none, there the connection just ends. Urgent data and the descriptors that unix sockets can carry are not passed on.

SIGTERM or ^C ends the proxy in good order: it stops listening, lets the connections finish for as long as -drain says,
resets those that are left, and prints the summary. A second one ends that wait. The exit status is 0, 1 where
connections had to be reset or something failed, and 2 for a command line that makes no sense.
`

// Limits of the flags.
const (
	bufferMin = 4 << 10
	bufferMax = 16 << 20
)

// copyMode is how bytes get from one socket to the other.
type copyMode string

const (
	copyAuto   copyMode = "auto"
	copySplice copyMode = "splice"
	copyBuffer copyMode = "buffer"
)

// options is what a command line asks for.
type options struct {
	listen, to []endpoint // as many of both
	engine     socketops.Backend
	copy       copyMode
	buffer     int

	connsMax       int // 0 for no limit, as of the times
	idle           time.Duration
	connectTimeout time.Duration
	drain          time.Duration

	every time.Duration // 0 for never, negative where the command line does not say
	json  bool
}

func parse(args []string, help io.Writer) (*options, error) {
	o := &options{buffer: 256 << 10}
	flags := flag.NewFlagSet("proxy", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.Func("listen", "", appendTo(&o.listen))
	flags.Func("to", "", appendTo(&o.to))
	flags.StringVar((*string)(&o.engine), "engine", "", "")
	flags.StringVar((*string)(&o.copy), "copy", string(copyAuto), "")
	flags.Var((*cli.Size)(&o.buffer), "buffer", "")
	flags.IntVar(&o.connsMax, "max", 0, "")
	flags.DurationVar(&o.idle, "idle", 0, "")
	flags.DurationVar(&o.connectTimeout, "connect-timeout", 10*time.Second, "")
	flags.DurationVar(&o.drain, "drain", 10*time.Second, "")
	flags.DurationVar(&o.every, "every", -1, "")
	flags.BoolVar(&o.json, "json", false, "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(help, usageText)
		return nil, err
	case err != nil:
		return nil, cli.Usage(err)
	case flags.NArg() > 0:
		return nil, cli.Usagef("unexpected argument %q", flags.Arg(0))
	}
	every := false
	flags.Visit(func(f *flag.Flag) { every = every || f.Name == "every" })
	if every && o.every < 0 {
		return nil, cli.Usagef("-every %v: want 0 or more", o.every)
	}
	return o, o.validate()
}

func appendTo(list *[]endpoint) func(string) error {
	return func(s string) error {
		at, err := parseEndpoint(s)
		*list = append(*list, at)
		return err
	}
}

func (o *options) validate() error {
	switch {
	case len(o.listen) == 0 || len(o.to) == 0:
		return cli.Usagef("want -listen and -to")
	case len(o.to) != 1 && len(o.to) != len(o.listen):
		return cli.Usagef("%d times -listen and %d times -to: want one -to, or one for each", len(o.listen), len(o.to))
	case o.copy != copyAuto && o.copy != copySplice && o.copy != copyBuffer:
		return cli.Usagef("-copy %q: want splice, buffer or auto", o.copy)
	case o.buffer < bufferMin || o.buffer > bufferMax:
		return cli.Usagef("-buffer %d: want %d to %d", o.buffer, bufferMin, bufferMax)
	case o.connsMax < 0:
		return cli.Usagef("-max %d: want 0 or more", o.connsMax)
	case o.idle < 0 || o.connectTimeout < 0 || o.drain < 0:
		return cli.Usagef("-idle, -connect-timeout and -drain: want 0 or more")
	}
	switch o.engine {
	case "", socketops.BackendURing, socketops.BackendAIO, socketops.BackendSyscall:
	default:
		return cli.Usagef("-engine %q: want uring, aio or syscall", o.engine)
	}
	for len(o.to) < len(o.listen) {
		o.to = append(o.to, o.to[0])
	}
	for _, to := range o.to {
		if to.network == "tcp" && (to.host == "" || to.port == 0) {
			return cli.Usagef("-to %v: want a host and a port", to)
		}
	}
	return nil
}
