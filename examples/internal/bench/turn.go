//go:build linux

package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/sockring/uring/examples/internal/affinity"
	"github.com/sockring/uring/examples/internal/proto"
	"github.com/sockring/uring/examples/internal/role"
	"github.com/sockring/uring/examples/internal/sink"
)

// grace is how long a turn may take beyond its warm-up and window before it counts as hung.
const grace = 30 * time.Second

// runner takes turns against a sink that it starts when it has none.
type runner struct {
	cfg    Config
	socket string // path of the sink's unix socket
	sink   *sink.Client
}

// take runs one sender and checks what the sink received of it. A sink that has seen a failure is
// replaced: connections of the failed sender may linger in it.
func (r *runner) take(ctx context.Context, turn Turn) (Sample, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, r.cfg.Warmup+r.cfg.Dur+grace, errors.New("the turn hangs"))
	defer cancel()
	sample, err := r.tryTake(ctx, turn)
	if err != nil {
		r.dropSink()
	}
	return sample, err
}

func (r *runner) tryTake(ctx context.Context, turn Turn) (Sample, error) {
	if err := r.needSink(); err != nil {
		return Sample{}, err
	}
	shape := turn.Shape
	addr, err := r.sink.Open(ctx, sink.Spec{
		Net: shape.Net, Path: r.socket, Verify: r.cfg.Verify, RecvBuf: r.cfg.RecvBuf,
	})
	if err != nil {
		return Sample{}, err
	}
	job := proto.Job{
		Net: shape.Net, Addr: addr, Conns: shape.Conns, Msgs: shape.Msgs, Size: shape.Size,
		Dur: r.cfg.Dur, Warmup: r.cfg.Warmup, Verify: r.cfg.Verify, SendBuf: r.cfg.SendBuf,
	}
	result, lifeCPU, err := r.send(ctx, turn.Mode, job)
	if err != nil {
		return Sample{}, err
	}
	totals, err := r.sink.Totals(ctx)
	if err != nil {
		return Sample{}, err
	}
	if err := checkTotals(job, result, totals); err != nil {
		return Sample{}, err
	}
	return sampleOf(job, result, lifeCPU), nil
}

// send runs the sender to its end and returns what it reports, and the CPU time of its whole life.
func (r *runner) send(ctx context.Context, mode string, job proto.Job) (proto.Result, time.Duration, error) {
	var cmd *exec.Cmd
	if peer, ok := r.cfg.peer(mode); ok {
		cmd = role.Peer(ctx, peer.Command, job)
	} else {
		var err error
		if cmd, err = role.Sender(ctx, mode, job); err != nil {
			return proto.Result{}, 0, err
		}
	}
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := affinity.Start(cmd, r.cfg.SenderCPU)
	if err == nil {
		err = cmd.Wait()
	}
	if ctx.Err() != nil {
		return proto.Result{}, 0, context.Cause(ctx)
	}
	if err != nil {
		return proto.Result{}, 0, fmt.Errorf("sender: %w: %s", err, lastLine(stderr.Bytes()))
	}
	result, err := proto.ParseResult(stdout.Bytes())
	if err != nil {
		return proto.Result{}, 0, err
	}
	if result.Unsupported != "" {
		return proto.Result{}, 0, unsupportedError(result.Unsupported)
	}
	state := cmd.ProcessState
	return result, state.UserTime() + state.SystemTime(), result.Check(job)
}

func lastLine(text []byte) []byte {
	text = bytes.TrimSpace(text)
	return text[bytes.LastIndexByte(text, '\n')+1:]
}

func (r *runner) needSink() error {
	if r.sink != nil {
		return nil
	}
	cmd, err := role.Sink()
	if err != nil {
		return err
	}
	r.sink, err = sink.Start(cmd, r.cfg.SinkCPU)
	return err
}

func (r *runner) dropSink() {
	if r.sink != nil {
		r.sink.Stop()
		r.sink = nil
		// A sink that was stopped during a run has left its socket, on which the next one could not listen.
		os.Remove(r.socket)
	}
}
