//go:build linux

package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/machine"
	"github.com/sockring/uring/examples/internal/report"
)

var update = flag.Bool("update", false, "write the golden files instead of comparing with them")

// sample makes a sample whose other figures follow from the message rate.
func sample(rate float64, size int, cpu, calls float64) bench.Sample {
	return bench.Sample{
		MsgsPerS: rate, MBPerS: rate * float64(size) / 1e6, CPUNSPerMsg: cpu,
		SyscallsPerMsg: calls, Counted: calls > 0,
	}
}

// rounds makes the samples of a mode, a round for each message rate.
func rounds(size int, cpu, calls float64, rates ...float64) map[int]bench.Sample {
	samples := make(map[int]bench.Sample)
	for i, rate := range rates {
		samples[i] = sample(rate, size, cpu, calls)
	}
	return samples
}

// fixture is a report of three shapes: bundle wins one, loses another, and has rounds that disagree in the third; a
// peer cannot count its system calls and fails a turn, and a mode cannot run.
func fixture() *report.Report {
	wins := bench.Shape{Net: "tcp", Conns: 64, Msgs: 8, Size: 64}
	loses := bench.Shape{Net: "unix", Conns: 1, Msgs: 1, Size: 16384}
	scatters := bench.Shape{Net: "tcp", Conns: 1, Msgs: 64, Size: 64}
	cfg := bench.Config{
		Shapes: []bench.Shape{wins, loses, scatters},
		Modes:  []string{"writev", "bundle", "sender", "limit"},
		Peers:  []bench.Peer{{Name: "outside", Command: "outside"}},
		Rounds: 5, Dur: 500 * time.Millisecond, Warmup: 50 * time.Millisecond,
		SenderCPU: 0, SinkCPU: 1,
	}
	out := &bench.Outcome{
		Samples: map[bench.Shape]map[string]map[int]bench.Sample{
			wins: {
				"writev":  rounds(64, 800, 0.125, 1e6, 1.1e6, 0.9e6, 1e6, 1e6),
				"bundle":  rounds(64, 400, 0.001953, 1.5e6, 1.65e6, 1.8e6, 1.5e6, 1.5e6),
				"limit":   rounds(64, 380, 0.001953, 1.5e6, 1.7e6, 1.9e6, 1.6e6, 1.6e6),
				"outside": rounds(64, 1600, 0, 0.5e6, 0.55e6),
			},
			loses: {
				"writev": rounds(16384, 5000, 1, 200e3, 220e3, 210e3, 200e3, 200e3),
				"bundle": rounds(16384, 6000, 1, 160e3, 180e3, 170e3, 160e3, 160e3),
			},
			scatters: {
				"writev": rounds(64, 100, 0.0156, 1e6, 1e6, 1e6, 1e6, 1e6),
				"bundle": rounds(64, 100, 0.0156, 0.17e6, 2e6, 2.1e6, 2.2e6, 5.82e6),
				"limit":  rounds(64, 101, 0.0156, 1e6, 1.01e6, 0.99e6, 1e6, 1e6),
			},
		},
		Failures: []bench.Failure{
			{Turn: bench.Turn{Round: 2, Shape: wins, Mode: "outside"}, Err: errors.New("sender: exit status 1: no luck")},
		},
		Unsupported: []bench.Unsupported{{Mode: "sender", Reason: "no io_uring here"}},
		RoundsDone:  5,
		OthersCPU:   0.25,
	}
	facts := machine.Facts{
		Kernel: "6.12.1", Liburing: "2.9", Go: "go1.24.4", Arch: "amd64", CPUs: 8, CPUModel: "Some CPU",
		EmptyCall: 30 * time.Nanosecond, When: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC),
	}
	return report.New(cfg, out, facts, "go run ./examples/bundlebench -pin")
}

func requireGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		require.NoError(t, os.WriteFile(path, got, 0o644))
	}
	want, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, string(want), string(got), "run the test with -update and read the difference")
}

func TestTableGolden(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fixture().Table(&b))
	requireGolden(t, "table.golden", b.Bytes())
	for _, line := range strings.Split(b.String(), "\n") {
		require.LessOrEqual(t, len(line), 160)
		require.Equal(t, strings.TrimRight(line, " "), line)
	}
}

func TestJSONGolden(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fixture().JSON(&b))
	requireGolden(t, "report.golden.json", b.Bytes())
}

// The shape of the file is a promise to other programs: these names, each figure an object of three.
func TestJSONShape(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fixture().JSON(&b))
	var doc map[string]any
	require.NoError(t, json.Unmarshal(b.Bytes(), &doc))
	require.ElementsMatch(t, []string{"kernel", "liburing", "go", "cpus", "results"}, keys(doc))
	for _, r := range doc["results"].([]any) {
		result := r.(map[string]any)
		require.ElementsMatch(t, []string{
			"mode", "net", "conns", "msgs", "size", "rounds", "msgs_per_s", "mb_per_s", "cpu_ns_per_msg",
			"syscalls_per_msg", "of_writev", "of_limit", "cpu_of_writev", "cpu_of_limit", "words", "by_round",
		}, keys(result))
		require.Len(t, result["by_round"], int(result["rounds"].(float64)))
		for _, name := range []string{"msgs_per_s", "mb_per_s", "cpu_ns_per_msg"} {
			require.ElementsMatch(t, []string{"median", "min", "max"}, keys(result[name].(map[string]any)))
		}
	}
}

func TestRatiosAreTakenRoundByRound(t *testing.T) {
	bundle := fixture().Sections[0].Rows[1]
	require.Equal(t, "bundle", bundle.Mode)
	// 1.5/1.0, 1.65/1.1, 1.8/0.9: the ratio of the medians would be 1.65.
	require.InDelta(t, 1.5, bundle.OfWritev.Median, 1e-9)
	require.InDelta(t, 1.5, bundle.OfWritev.Min, 1e-9)
	require.InDelta(t, 2.0, bundle.OfWritev.Max, 1e-9)
	require.InDelta(t, 0.5, bundle.CPUOfWritev.Median, 1e-9)
}

func TestNothingMeasuredIsAReportToo(t *testing.T) {
	cfg := bench.Config{Modes: []string{"bundle"}, Rounds: 1, SenderCPU: bench.AnyCPU, SinkCPU: bench.AnyCPU}
	r := report.New(cfg, &bench.Outcome{Interrupted: true}, machine.Facts{}, "")
	for _, write := range []func(io.Writer) error{r.Table, r.JSON, r.SVG, r.HTML} {
		var b bytes.Buffer
		require.NoError(t, write(&b))
		require.NotEmpty(t, b.String())
	}
}

func TestSVGIsWellFormedAndFollowsTheColourScheme(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fixture().SVG(&b))
	svg := b.String()
	dec := xml.NewDecoder(&b)
	for {
		_, err := dec.Token()
		if err == io.EOF {
			break
		}
		require.NoError(t, err)
	}
	require.Contains(t, svg, "@media (prefers-color-scheme: dark)")
	require.NotContains(t, svg, "#0101", "a stand-in colour was left")
	for _, text := range []string{"bundle", "outside", ">64x8x64<", ">unix<", "Linux 6.12.1"} {
		require.Contains(t, svg, text)
	}
}

func TestHTMLNeedsNoNetwork(t *testing.T) {
	var b bytes.Buffer
	require.NoError(t, fixture().HTML(&b))
	page := b.String()
	for _, reference := range []string{"src=", "href=", "url(", "@import"} {
		require.NotContains(t, page, reference)
	}
	for _, text := range []string{"<svg", "6.12.1", "go run ./examples/bundlebench -pin", "no luck", "no io_uring here"} {
		require.Contains(t, page, text)
	}
	require.NotContains(t, page, "<?xml")
}

func keys(m map[string]any) []string {
	var names []string
	for name := range m {
		names = append(names, name)
	}
	return names
}
