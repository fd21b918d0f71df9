//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/cli"
	"github.com/sockring/uring/examples/internal/machine"
	"github.com/sockring/uring/examples/internal/report"
	"github.com/sockring/uring/examples/internal/role"
)

func main() {
	role.Play() // does not return in the sink and in senders
	cli.Exit("aiobench", run(os.Args[1:]))
}

func run(args []string) error {
	o, err := parse(args, os.Stdout)
	if err != nil {
		return err
	}
	// An interrupt ends the run early.
	ctx, stop := cli.Interruptible()
	defer stop()

	var all results
	all.facts = machine.Read()
	if o.reads {
		if all.reads, err = o.measureReads(ctx, all.facts); err != nil {
			return err
		}
		all.reads.table(os.Stdout)
	}
	if o.sockets && ctx.Err() == nil {
		if all.sockets, err = o.measureSockets(ctx, all.facts); err != nil {
			return err
		}
		fmt.Println()
		if err := all.sockets.Table(os.Stdout); err != nil {
			return err
		}
	}
	return o.write(all)
}

// results is what a run measured; a part that was not asked for is nil.
type results struct {
	facts   machine.Facts
	reads   *readReport
	sockets *report.Report
}

// measureSockets has the benchmark of sends compare Linux AIO with one writev(2) a socket.
func (o *options) measureSockets(ctx context.Context, facts machine.Facts) (*report.Report, error) {
	cfg := bench.Config{
		Modes:  []string{"writev", "unix-writev", "aio", "aio-sender"},
		Rounds: o.rounds, Dur: o.dur, Warmup: o.dur / 8, SenderCPU: bench.AnyCPU, SinkCPU: bench.AnyCPU,
		Shapes: []bench.Shape{
			{Net: "tcp", Conns: 64, Msgs: 8, Size: 64},
			{Net: "tcp", Conns: 64, Msgs: 32, Size: 1400},
			{Net: "tcp", Conns: 256, Msgs: 4, Size: 128},
		},
	}
	say := newProgress(os.Stderr)
	cfg.Progress = func(done, turns int, next bench.Turn) {
		say.turn(done, turns, fmt.Sprintf("round %d, %s, %s", next.Round+1, next.Shape, next.Mode))
	}
	outcome, err := bench.Run(ctx, cfg)
	say.finish()
	if err != nil {
		return nil, err
	}
	if n := len(outcome.Failures); n > 0 {
		return nil, fmt.Errorf("%d of the turns failed, first %v", n, outcome.Failures[0])
	}
	return report.New(cfg, outcome, facts, o.command), nil
}

// write writes the files that were asked for.
func (o *options) write(all results) error {
	if o.json != "" {
		if err := writeFile(o.json, all.writeJSON); err != nil {
			return err
		}
	}
	if o.svg != "" && all.reads != nil {
		if err := writeFile(o.svg, all.reads.picture().Write); err != nil {
			return err
		}
	}
	if o.socketsSVG != "" && all.sockets != nil {
		return writeFile(o.socketsSVG, all.sockets.SVG)
	}
	return nil
}

// writeJSON writes everything for programs: the machine, the reads, and the sends as bundlebench writes them.
func (all results) writeJSON(w io.Writer) error {
	out := struct {
		Kernel  string           `json:"kernel"`
		Go      string           `json:"go"`
		CPUs    int              `json:"cpus"`
		Reads   []readRow        `json:"reads,omitempty"`
		Sockets *json.RawMessage `json:"sockets,omitempty"`
	}{Kernel: all.facts.Kernel, Go: all.facts.Go, CPUs: all.facts.CPUs}
	if all.reads != nil {
		out.Reads = all.reads.Rows
	}
	if all.sockets != nil {
		text, err := capture(all.sockets.JSON)
		if err != nil {
			return err
		}
		out.Sockets = (*json.RawMessage)(&text)
	}
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(out)
}

func writeFile(path string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	if err := write(f); err != nil {
		f.Close()
		return fmt.Errorf("%s: %w", path, err)
	}
	fmt.Printf("Written: %s\n", path)
	return f.Close()
}
