//go:build linux

package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"github.com/sockring/uring/examples/internal/machine"
)

// unsupportedError is a sender's word that it cannot run here.
type unsupportedError string

func (e unsupportedError) Error() string { return string(e) }

// Run takes every turn, or those until ctx ends: what was measured by then is the outcome. A failed turn
// is part of the outcome; the error is for what keeps all turns from running.
func Run(ctx context.Context, cfg Config) (*Outcome, error) {
	dir, err := os.MkdirTemp("", "bundlebench-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	before, err := machine.ReadUsage()
	if err != nil {
		return nil, err
	}
	r := &runner{cfg: cfg, socket: filepath.Join(dir, "sink")}
	out := &Outcome{Samples: make(map[Shape]map[string]map[int]Sample)}
	r.takeAll(ctx, out)
	r.dropSink() // an ended process counts for our own CPU time
	after, err := machine.ReadUsage()
	if err != nil {
		return nil, err
	}
	out.OthersCPU = after.Others(before)
	return out, nil
}

// takeAll takes the turns until ctx ends.
func (r *runner) takeAll(ctx context.Context, out *Outcome) {
	cfg := r.cfg
	turns := cfg.turns()
	for i, turn := range turns {
		if ctx.Err() != nil {
			out.Interrupted = true
			break
		}
		out.RoundsDone = turn.Round
		if cfg.Progress != nil {
			cfg.Progress(i, len(turns), turn)
		}
		if out.dropped(turn) {
			continue
		}
		sample, err := r.take(ctx, turn)
		var unsupported unsupportedError
		switch {
		case err == nil:
			out.add(turn, sample)
		case errors.As(err, &unsupported):
			out.Unsupported = append(out.Unsupported, Unsupported{turn.Mode, string(unsupported)})
		case ctx.Err() == nil:
			out.Failures = append(out.Failures, Failure{turn, err})
		}
	}
	if !out.Interrupted {
		out.RoundsDone = cfg.Rounds
	}
}
