//go:build linux

package main

import (
	"bytes"
	"errors"
	"flag"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/sockring/uring/examples/internal/cli"
)

const usageText = `Usage: aiobench [flags]

Measures Linux AIO from Go, without io_uring. The contenders take turns, round after round.

Random reads of a file with O_DIRECT, many in flight:
                  readat      os.File.ReadAt, one at a time
                  goroutines  as many goroutines as -depth, each in ReadAt
                  context     aio.Context, the raw floor
                  queue       aio.Queue, requests with states
                  fio         fio's libaio engine, where fio is installed
Sends to many sockets (see go run ./examples/bundlebench -h for more):
                  writev      one writev(2) a socket
                  aio         aio.Batcher, one io_submit(2) for all sockets
                  aio-sender  aio.Sender: copies messages, and sends when 64 KiB wait

  -what LIST      reads, sockets or reads,sockets (default both)
  -rounds N       rounds in which every contender takes its turn (default 5)
  -dur D          length of a turn (default 1s, the least that fio takes, in whole seconds for it)
  -dir DIR        where the file for the reads is made and removed (default the current directory)
  -file SIZE      of it in MiB (default 256)
  -block N        bytes in a read, a multiple of what O_DIRECT wants (default 4096)
  -depth N        reads in flight, 1 to 1024 (default 32)
  -fio PATH       the fio to compare with (default the one in PATH, if any)
  -json FILE      all figures for programs
  -svg FILE       charts of the reads
  -sockets-svg F  charts of the sends

Columns: reads/s; CPU us is user and system time of the process a read. Each is the median over the rounds, with the
least and the greatest. Ratios are taken round by round; with sockets, a word such as "faster" stands where every round
gives it, of at least 5, and otherwise that the rounds disagree.
`

type options struct {
	reads, sockets        bool
	rounds                int
	dur                   time.Duration
	dir                   string
	fileMiB, block, depth int
	fio                   string
	json, svg, socketsSVG string
	command               string
}

func parse(args []string, help io.Writer) (*options, error) {
	o := &options{command: strings.Join(append([]string{"aiobench"}, args...), " ")}
	what := ""
	flags := flag.NewFlagSet("aiobench", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&what, "what", "reads,sockets", "")
	flags.IntVar(&o.rounds, "rounds", 5, "")
	flags.DurationVar(&o.dur, "dur", time.Second, "")
	flags.StringVar(&o.dir, "dir", ".", "")
	flags.IntVar(&o.fileMiB, "file", 256, "")
	flags.IntVar(&o.block, "block", 4096, "")
	flags.IntVar(&o.depth, "depth", 32, "")
	flags.StringVar(&o.fio, "fio", "fio", "")
	flags.StringVar(&o.json, "json", "", "")
	flags.StringVar(&o.svg, "svg", "", "")
	flags.StringVar(&o.socketsSVG, "sockets-svg", "", "")
	switch err := flags.Parse(args); {
	case errors.Is(err, flag.ErrHelp):
		fmt.Fprint(help, usageText)
		return nil, err
	case err != nil:
		return nil, cli.Usage(err)
	case flags.NArg() > 0:
		return nil, cli.Usagef("unexpected argument %q", flags.Arg(0))
	}
	return o, o.validate(what)
}

func (o *options) validate(what string) error {
	for part := range strings.SplitSeq(what, ",") {
		switch part {
		case "reads":
			o.reads = true
		case "sockets":
			o.sockets = true
		default:
			return cli.Usagef("-what %q: want reads, sockets or both", part)
		}
	}
	switch {
	case o.rounds < 1 || o.rounds > 1000:
		return cli.Usagef("-rounds %d: want 1 to 1000", o.rounds)
	case o.dur < 10*time.Millisecond || o.dur > time.Hour:
		return cli.Usagef("-dur %v: want 10ms to 1h", o.dur)
	case o.fileMiB < 1 || o.fileMiB > 1<<20:
		return cli.Usagef("-file %d: want 1 to 1048576 MiB", o.fileMiB)
	case o.block < 512 || o.block > 1<<20 || o.block&(o.block-1) != 0:
		return cli.Usagef("-block %d: want a power of two from 512 to 1 MiB", o.block)
	case o.depth < 1 || o.depth > 1024:
		return cli.Usagef("-depth %d: want 1 to 1024", o.depth)
	}
	return nil
}

// capture is what write writes.
func capture(write func(io.Writer) error) ([]byte, error) {
	var b bytes.Buffer
	err := write(&b)
	return b.Bytes(), err
}
