//go:build linux

package bench_test

//kerneltest:on its contenders say what they lack, as they do in mode on on older kernels

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/load"
	"github.com/sockring/uring/examples/internal/role"
	"github.com/sockring/uring/internal/testutil"
)

// TestMain lets the test binary be its own sink and senders.
func TestMain(m *testing.M) {
	role.Play()
	os.Setenv("GORACE", "atexit_sleep_ms=0 "+os.Getenv("GORACE")) // or each child takes a second to exit
	testutil.Main(m)
}

func smallConfig(shapes ...bench.Shape) bench.Config {
	return bench.Config{
		Shapes: shapes, Modes: load.Names(), Rounds: 1, Verify: true,
		Dur: 5 * time.Millisecond, Warmup: time.Millisecond,
		SenderCPU: bench.AnyCPU, SinkCPU: bench.AnyCPU,
	}
}

// fewModes are all modes, or a few of different kinds where tests are to be short.
func fewModes() []string {
	if testing.Short() {
		return []string{"writev", "bundle", "sender"}
	}
	return load.Names()
}

// requireComplete fails the test unless every contender that is supported has a plausible sample of every
// shape and round, and fails too if plain system calls count as unsupported.
func requireComplete(t *testing.T, cfg bench.Config, out *bench.Outcome) {
	t.Helper()
	for _, f := range out.Failures {
		t.Errorf("%s, round %d, %s: %v", f.Turn.Shape, f.Turn.Round, f.Turn.Mode, f.Err)
	}
	unsupported := make(map[string]bool)
	for _, u := range out.Unsupported {
		t.Logf("%s is unsupported: %s", u.Mode, u.Reason)
		require.NotContains(t, []string{"writev", "netbuffers"}, u.Mode)
		unsupported[u.Mode] = true
	}
	for _, shape := range cfg.Shapes {
		for _, mode := range cfg.Contenders() {
			if unsupported[mode] {
				continue
			}
			samples := out.Samples[shape][mode]
			require.Len(t, samples, cfg.Rounds, "%s %s", shape, mode)
			for _, s := range samples {
				require.Positive(t, s.MsgsPerS, "%s %s", shape, mode)
				require.InEpsilon(t, s.MsgsPerS*float64(shape.Size)/1e6, s.MBPerS, 1e-9)
			}
		}
	}
}

func TestEveryModeDeliversEveryByte(t *testing.T) {
	shapes := []bench.Shape{
		{Conns: 1, Msgs: 64, Size: 64},
		{Conns: 16, Msgs: 8, Size: 100},
		{Conns: 3, Msgs: 5, Size: 3}, // shorter than a message's number
		{Conns: 2, Msgs: 1, Size: 1},
		{Conns: 2, Msgs: 1100, Size: 70},                      // more than one writev and more than one completion
		{Conns: 1, Msgs: testutil.Fewer(7, 2), Size: 300_001}, // more than a socket holds
	}
	for i, net := range []string{"tcp", "unix"} {
		t.Run(net, func(t *testing.T) {
			var cfg bench.Config
			for j, s := range shapes {
				if testing.Short() && (i != j%2 || j < 2) {
					continue // each shape that is not plain on one of them
				}
				s.Net = net
				cfg.Shapes = append(cfg.Shapes, s)
			}
			cfg = smallConfig(cfg.Shapes...)
			out, err := bench.Run(t.Context(), cfg)
			require.NoError(t, err)
			requireComplete(t, cfg, out)
		})
	}
}

// The smallest buffers that the kernel allows make nearly every send short.
func TestTinySocketBuffersLoseNothing(t *testing.T) {
	for _, net := range []string{"tcp", "unix"} {
		t.Run(net, func(t *testing.T) {
			cfg := smallConfig(
				bench.Shape{Net: net, Conns: 3, Msgs: 40, Size: 999},
				bench.Shape{Net: net, Conns: 2, Msgs: 600, Size: 77},
			)
			cfg.SendBuf, cfg.RecvBuf = 1, 1
			cfg.Modes = fewModes()
			if net == "tcp" {
				// A receive window of less than two segments may leave the sender to its persist timer: a segment
				// every 200 ms.
				cfg.RecvBuf = 8192
			}
			out, err := bench.Run(t.Context(), cfg)
			require.NoError(t, err)
			requireComplete(t, cfg, out)
		})
	}
}

func TestWithoutVerifyBytesAreStillCounted(t *testing.T) {
	cfg := smallConfig(
		bench.Shape{Net: "tcp", Conns: 4, Msgs: 8, Size: 64},
		bench.Shape{Net: "unix", Conns: 4, Msgs: 8, Size: 64},
	)
	cfg.Verify = false
	cfg.Rounds = 2
	cfg.Modes = fewModes()
	out, err := bench.Run(t.Context(), cfg)
	require.NoError(t, err)
	requireComplete(t, cfg, out)
	require.Equal(t, 2, out.RoundsDone)
	require.False(t, out.Interrupted)
}

// buildPeer compiles testdata/peer, an outside program that speaks the protocol.
func buildPeer(t *testing.T) string {
	t.Helper()
	testutil.InSource(t)
	bin := filepath.Join(t.TempDir(), "peer")
	out, err := exec.Command("go", "build", "-o", bin, "testdata/peer/main.go").CombinedOutput()
	require.NoError(t, err, string(out))
	return bin
}

func TestPeerTakesTurns(t *testing.T) {
	peer := buildPeer(t)
	cfg := smallConfig(
		bench.Shape{Net: "tcp", Conns: 3, Msgs: 4, Size: 50},
		bench.Shape{Net: "unix", Conns: 3, Msgs: 4, Size: 50},
	)
	cfg.Modes = []string{"writev"}
	cfg.Peers = []bench.Peer{{Name: "outside", Command: "exec " + peer}}
	cfg.Rounds = 2
	out, err := bench.Run(t.Context(), cfg)
	require.NoError(t, err)
	requireComplete(t, cfg, out)
	for _, s := range out.Samples[cfg.Shapes[0]]["outside"] {
		require.False(t, s.Counted, "the peer reports no system calls")
		require.Positive(t, s.CPUNSPerMsg, "the CPU time of its life stands in")
	}
}

func TestFaultyPeersAreFailures(t *testing.T) {
	peer := buildPeer(t)
	tests := []struct {
		name, command, want string
		lost                bool
	}{
		{"claims more than it sent", peer + " -claim-more", "bytes of", true},
		{"changes a byte", peer + " -corrupt", "SHA-256", true},
		{"forgets a connection", peer + " -forget", "2 connections of 3", true},
		{"swaps two messages", peer + " -swap", "SHA-256", true},
		{"crashes", "echo no luck >&2; exit 3", "exit status 3: no luck", false},
		{"prints nothing", "true", "no result", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg := smallConfig(bench.Shape{Net: "tcp", Conns: 3, Msgs: 4, Size: 50})
			cfg.Modes = []string{"writev"}
			cfg.Peers = []bench.Peer{{Name: "faulty", Command: tt.command}}
			cfg.Rounds = 2
			out, err := bench.Run(t.Context(), cfg)
			require.NoError(t, err)
			require.Len(t, out.Failures, 1, "a failed mode gets no second round")
			require.Equal(t, "faulty", out.Failures[0].Turn.Mode)
			require.ErrorContains(t, out.Failures[0].Err, tt.want)
			if tt.lost {
				require.ErrorIs(t, out.Failures[0].Err, bench.ErrLost)
			}
			require.Len(t, out.Samples[cfg.Shapes[0]]["writev"], 2, "the others go on")
		})
	}
}

func TestUnsupportedPeerIsSkippedWithItsReason(t *testing.T) {
	cfg := smallConfig(bench.Shape{Net: "tcp", Conns: 1, Msgs: 1, Size: 8})
	cfg.Modes = nil
	cfg.Peers = []bench.Peer{{Name: "picky", Command: `echo '{"unsupported":"no moon"}'`}}
	cfg.Rounds = 2
	out, err := bench.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, []bench.Unsupported{{Mode: "picky", Reason: "no moon"}}, out.Unsupported)
	require.Empty(t, out.Failures)
}

func TestInterruptKeepsWhatWasMeasured(t *testing.T) {
	cfg := smallConfig(bench.Shape{Net: "tcp", Conns: 1, Msgs: 1, Size: 8})
	cfg.Modes = []string{"writev"}
	cfg.Peers = []bench.Peer{{Name: "stuck", Command: "sleep 1000"}}
	cfg.Rounds = 2
	ctx, cancel := context.WithCancel(t.Context())
	cfg.Progress = func(_, _ int, next bench.Turn) {
		if next.Mode == "stuck" {
			time.AfterFunc(50*time.Millisecond, cancel)
		}
	}
	start := time.Now()
	out, err := bench.Run(ctx, cfg)
	require.NoError(t, err)
	require.Less(t, time.Since(start), 20*time.Second)
	require.True(t, out.Interrupted)
	require.Zero(t, out.RoundsDone)
	require.Empty(t, out.Failures)
	require.Len(t, out.Samples[cfg.Shapes[0]]["writev"], 1)
}

func TestRoundsRotate(t *testing.T) {
	cfg := smallConfig(
		bench.Shape{Net: "tcp", Conns: 1, Msgs: 1, Size: 8},
		bench.Shape{Net: "unix", Conns: 1, Msgs: 1, Size: 8},
	)
	cfg.Modes = []string{"writev"}
	cfg.Peers = []bench.Peer{{Name: "a", Command: "false"}, {Name: "b", Command: "false"}}
	cfg.Rounds = 3
	var order []string
	cfg.Progress = func(done, turns int, next bench.Turn) {
		require.Equal(t, len(order), done)
		require.Equal(t, 18, turns)
		order = append(order, fmt.Sprintf("%d %s %s", next.Round, next.Shape.Net, next.Mode))
	}
	_, err := bench.Run(t.Context(), cfg)
	require.NoError(t, err)
	require.Equal(t, []string{
		"0 tcp writev", "0 tcp a", "0 tcp b", "0 unix writev", "0 unix a", "0 unix b",
		"1 tcp a", "1 tcp b", "1 tcp writev", "1 unix a", "1 unix b", "1 unix writev",
		"2 tcp b", "2 tcp writev", "2 tcp a", "2 unix b", "2 unix writev", "2 unix a",
	}, order)
}
