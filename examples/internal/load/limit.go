//go:build linux

package load

import (
	"github.com/sockring/uring/examples/bundlebench/climit"
	"github.com/sockring/uring/examples/internal/proto"
)

// runLimit runs the bundle loop in C, which times itself.
func runLimit(job proto.Job) (proto.Result, error) {
	a, socks, err := arenaAndSockets(job)
	if err != nil {
		return proto.Result{}, err
	}
	defer a.close()
	defer socks.close()
	fds := make([]int32, len(socks))
	for i, fd := range socks {
		fds[i] = int32(fd)
	}
	r, err := climit.Run(fds, a.mem, climit.Args{
		Conns: job.Conns, Msgs: job.Msgs, Size: job.Size,
		Stride: a.stride, Stamp: job.Verify, Warmup: job.Warmup, Dur: job.Dur,
	})
	if err != nil {
		return proto.Result{}, err
	}
	return result(job, r.WarmPasses, r.Passes, r.Elapsed, r.CPU, r.Enters), nil
}
