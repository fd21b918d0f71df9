package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/sockring/uring/kerneltest/internal/result"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

// errLimit occurs when a container did not end in time, and was killed.
var errLimit = errors.New("the container hung")

// cleanUp is how long a container that is killed may take to be gone.
const cleanUp = 30 * time.Second

// runner runs containers one after the other.
type runner struct {
	root, tree, image string
	packages          []string // that have to report, where the plan has any
	limit             time.Duration
}

// run runs the tests in a container and returns how they did. What went wrong is among its failures.
func (r *runner) run(ctx context.Context, s setting) result.Run {
	start := time.Now()
	packages := r.packages
	if s.plan == probePlan {
		packages = nil
	}
	c := result.NewCollector(result.Run{Mode: wire.Mode(s.name)}, packages)
	done := c.End(r.container(ctx, s, c.Add), "")
	done.Seconds = time.Since(start).Seconds()
	return done
}

// container runs a container to its end, or until the limit, and calls each for every message that comes out.
func (r *runner) container(ctx context.Context, s setting, each func(wire.Message)) error {
	ctx, cancel := context.WithTimeoutCause(ctx, r.limit, fmt.Errorf("%w: killed after %v", errLimit, r.limit))
	defer cancel()
	name := fmt.Sprintf("sockring-docker-test-%d-%s", os.Getpid(), s.name)
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "docker", s.arguments(r.root, r.tree, r.image, name)...)
	cmd.Stderr, cmd.WaitDelay = &stderr, cleanUp
	// Docker's client may be gone without its container being so.
	cmd.Cancel = func() error { return remove(name) }
	return wire.Follow(ctx, cmd, &stderr, each)
}

// remove kills a container, which docker run --rm removes then.
func remove(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), cleanUp)
	defer cancel()
	return exec.CommandContext(ctx, "docker", "kill", name).Run()
}
