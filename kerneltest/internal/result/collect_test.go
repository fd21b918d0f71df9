package result

import (
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/kerneltest/internal/wire"
)

const pkg = "m/p"

// m is what the testing package puts before its own words for test2json.
const m = "\x16"

// good is what a guest says that has run one package without trouble.
func good(printed string) []wire.Message {
	return []wire.Message{
		{Kind: wire.Hello, Data: "6.12.1-cloud"},
		{Kind: wire.Probe, Data: `{"kernel":"6.12"}`},
		{Kind: wire.List, Package: pkg, Data: "TestA\nTestB\nExampleC\n"},
		{Kind: wire.Start, Package: pkg},
		{Kind: wire.Output, Package: pkg, Data: printed},
		{Kind: wire.Exit, Package: pkg, Seconds: 2},
		{Kind: wire.End},
	}
}

const passes = m + "=== RUN   TestA\n" + m + "--- PASS: TestA (0.00s)\n" +
	m + "=== RUN   TestB\n" + m + "=== RUN   TestB/sub\n" +
	m + "=== NAME  TestB/sub\n    b_test.go:7: teleport: not on this kernel\n" +
	"    " + m + "--- SKIP: TestB/sub (0.00s)\n" + m + "--- PASS: TestB (0.00s)\n" +
	m + "=== RUN   ExampleC\n" + m + "--- PASS: ExampleC (0.00s)\n" + m + "PASS\n"

const bootLog = "[    0.000000] Linux version 6.12.1-cloud\n[    3.000000] reboot: Power down\n"

func collect(messages []wire.Message, err error, log string) Run {
	c := NewCollector(Run{Line: "6.12", Mode: wire.On}, []string{pkg})
	for _, m := range messages {
		c.Add(m)
	}
	return c.End(err, log)
}

func TestGreen(t *testing.T) {
	r := collect(good(passes), nil, bootLog)
	require.Empty(t, r.Failures)
	require.Equal(t, 3, r.Passed)
	require.Equal(t, 1, r.Skipped)
	require.Equal(t, []Skip{{pkg, "TestB/sub", "teleport: not on this kernel"}}, r.Skips)
	require.Equal(t, "teleport", r.Skips[0].Feature())
	require.Equal(t, "6.12.1-cloud", r.Release)
	require.JSONEq(t, `{"kernel":"6.12"}`, string(r.Probe))
	require.True(t, r.Complete())
}

func TestAbsentModeIsNoFailure(t *testing.T) {
	r := collect([]wire.Message{
		{Kind: wire.Hello, Data: "6.1"}, {Kind: wire.Absent, Data: "no such sysctl"}, {Kind: wire.End},
	}, nil, bootLog)
	require.Empty(t, r.Failures)
	require.Equal(t, "no such sysctl", r.Absent)
}

func TestExamplesThatWereLeftOutAreSkipped(t *testing.T) {
	printed := strings.Replace(passes, m+"=== RUN   ExampleC\n"+m+"--- PASS: ExampleC (0.00s)\n", "", 1)
	r := collect(good("testutil: skipped: Example*: io_uring: refused\n"+printed), nil, bootLog)
	require.Empty(t, r.Failures)
	require.Contains(t, r.Skips, Skip{pkg, "ExampleC", "io_uring: refused"})
}

// without returns the messages but those of a kind.
func without(messages []wire.Message, kind wire.Kind) []wire.Message {
	var left []wire.Message
	for _, m := range messages {
		if m.Kind != kind {
			left = append(left, m)
		}
	}
	return left
}

func TestRed(t *testing.T) {
	died := good(m + "=== RUN   TestA\npanic: on purpose\n\ngoroutine 7 [running]:\n")
	died[5].Exit = 2
	exited := good(passes)
	exited[5].Exit = 1
	unfinished := good(m + "=== RUN   TestA\n    a_test.go:1: waiting\n")[:5]
	tests := []struct {
		name     string
		messages []wire.Message
		err      error
		log      string
		want     []string
	}{
		{
			name: "a test fails", messages: good(strings.Replace(passes, "PASS: TestA", "FAIL: TestA", 1)),
			want: []string{"m/p.TestA: failed"},
		},
		{
			name: "a panic takes the process down", messages: died,
			want: []string{
				"m/p.TestA: failed", "m/p.TestB: neither ran nor was skipped", "m/p.ExampleC: neither ran nor was skipped",
			},
		},
		{
			name: "a status that no test explains", messages: exited,
			want: []string{"m/p: exit status 1 without a failed test"},
		},
		{
			name:     "a test hides",
			messages: good(strings.Replace(passes, m+"=== RUN   TestA\n"+m+"--- PASS: TestA (0.00s)\n", "", 1)),
			want:     []string{"m/p.TestA: neither ran nor was skipped"},
		},
		{name: "no result", messages: good(m + "PASS\n"), want: []string{"m/p: printed no result"}},
		{
			name: "nothing was run", messages: []wire.Message{good("")[0], {Kind: wire.End}},
			want: []string{"m/p: was not run"},
		},
		{
			name: "no end marker", messages: without(good(passes), wire.End),
			want: []string{"the guest went away without an end marker"},
		},
		{
			name: "a hanging test", messages: unfinished, err: errors.New("the guest hung: killed after 1m"),
			want: []string{
				"m/p.TestA: failed", "m/p.TestB: neither ran nor was skipped", "m/p.ExampleC: neither ran nor was skipped",
				"m/p: did not end", "the guest hung: killed after 1m", "the guest went away without an end marker",
			},
		},
		{name: "no boot", log: "[    0.05] Booting\n", want: []string{"the kernel did not come up"}},
		{
			name: "a warning of the kernel", messages: good(passes),
			log:  bootLog + "[    4.0] WARNING: CPU: 0 PID: 7 at io_uring/io_uring.c:99 f+0x1/0x2\n",
			want: []string{"the kernel logged: [    4.0] WARNING: CPU: 0 PID: 7 at io_uring/io_uring.c:99 f+0x1/0x2"},
		},
		{
			name: "a fault of the guest", messages: append(good(passes), wire.Message{Kind: wire.Fault, Data: "no port"}),
			want: []string{"the guest reports: no port"},
		},
		{
			name: "a probe that fails", messages: append(good(passes), wire.Message{Kind: wire.Probe, Data: "oops"}),
			want: []string{"the probe program wrote no JSON"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			log := tt.log
			if log == "" {
				log = bootLog
			}
			var got []string
			for _, f := range collect(tt.messages, tt.err, log).Failures {
				got = append(got, f.String())
			}
			require.Equal(t, tt.want, got)
		})
	}
}
