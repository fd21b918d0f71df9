//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/sockring/uring/examples/internal/cli"
)

func main() {
	ctx, stop := cli.Interruptible()
	defer stop()
	err := run(ctx, os.Args[1:])
	if errors.Is(err, context.Canceled) {
		fmt.Fprintln(os.Stderr, "filecopy: interrupted; -resume goes on from here")
		os.Exit(130)
	}
	cli.Exit("filecopy", err)
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
	text := fmt.Sprintf("%s: %s in %s, %s/s\n", j.to, cli.Bytes(copied), took.Round(time.Millisecond),
		cli.Bytes(int64(float64(copied)/took.Seconds())))
	if res.resumedAt > 0 {
		text += fmt.Sprintf("  resumed at %s of %s\n", cli.Bytes(res.resumedAt), cli.Bytes(res.size))
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
