//go:build linux

package main

import (
	"fmt"
	"os"

	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/cli"
	"github.com/sockring/uring/examples/internal/machine"
	"github.com/sockring/uring/examples/internal/report"
	"github.com/sockring/uring/examples/internal/role"
)

func main() {
	role.Play() // does not return in the sink and in senders
	cli.Exit("bundlebench", run(os.Args[1:]))
}

func run(args []string) error {
	opts, err := parse(args, os.Stdout)
	if err != nil {
		return err
	}
	cfg, err := opts.config()
	if err != nil {
		return err
	}
	if err := opts.prepareFiles(); err != nil {
		return err
	}
	facts := machine.Read()

	// An interrupt ends the run early.
	ctx, stop := cli.Interruptible()
	defer stop()

	bar := newProgress(os.Stderr)
	cfg.Progress = bar.turn
	outcome, err := bench.Run(ctx, cfg)
	bar.finish()
	if err != nil {
		return err
	}
	rep := report.New(cfg, outcome, facts, opts.commandLine())
	if err := opts.write(rep); err != nil {
		return err
	}
	if n := len(outcome.Failures); n > 0 {
		return fmt.Errorf("%d of the turns failed", n)
	}
	return nil
}
