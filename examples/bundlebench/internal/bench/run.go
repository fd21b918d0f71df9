//go:build linux

package bench

import (
	"context"
	"errors"
	"os"
	"path/filepath"
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
	r := &runner{cfg: cfg, socket: filepath.Join(dir, "sink")}
	defer r.dropSink()

	out := &Outcome{Samples: make(map[Shape]map[string]map[int]Sample)}
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
	return out, nil
}
