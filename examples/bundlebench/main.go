//go:build linux

package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/machine"
	"github.com/sockring/uring/examples/internal/report"
	"github.com/sockring/uring/examples/internal/role"
)

func main() {
	role.Play() // does not return in the sink and in senders
	switch err := run(os.Args[1:]); {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		fmt.Fprintf(os.Stderr, "bundlebench: %v\nRun with -h for help.\n", err)
		os.Exit(2)
	default:
		fmt.Fprintf(os.Stderr, "bundlebench: %v\n", err)
		os.Exit(1)
	}
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

	// The first interrupt ends the run in good order; stop hands a second one to the default action.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)

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
