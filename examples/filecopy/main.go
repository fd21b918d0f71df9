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
	"time"
)

func main() {
	// The first interrupt ends the copy in good order; stop hands a second one to the default action.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	err := run(ctx, os.Args[1:])
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
	case errors.As(err, new(usageError)):
		fmt.Fprintf(os.Stderr, "filecopy: %v\nRun with -h for help.\n", err)
		os.Exit(2)
	case errors.Is(err, context.Canceled):
		fmt.Fprintln(os.Stderr, "filecopy: interrupted; -resume goes on from here")
		os.Exit(130)
	default:
		fmt.Fprintf(os.Stderr, "filecopy: %v\n", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	j, err := parse(args, os.Stdout)
	if err != nil {
		return err
	}
	bar := newProgress(os.Stderr)
	j.progress = bar.at
	start := time.Now()
	res, err := j.run(ctx)
	bar.finish()
	if err != nil {
		return err
	}
	fmt.Print(summary(j, res, time.Since(start)))
	return nil
}

// summary is what a finished copy says of itself.
func summary(j *job, res result, took time.Duration) string {
	copied := res.size - res.resumedAt
	text := fmt.Sprintf("%s: %s in %s, %s/s\n", j.to, bytesText(copied), took.Round(time.Millisecond),
		bytesText(int64(float64(copied)/took.Seconds())))
	if res.resumedAt > 0 {
		text += fmt.Sprintf("  resumed at %s of %s\n", bytesText(res.resumedAt), bytesText(res.size))
	}
	text += fmt.Sprintf("  read %s, written %s\n", way(res.directRead), way(res.directWrite))
	text += "  sha256 " + res.sum
	if res.verified {
		text += ", read back and the same"
	}
	return text + "\n"
}

func way(direct bool) string {
	if direct {
		return "with O_DIRECT"
	}
	return "through the page cache"
}
