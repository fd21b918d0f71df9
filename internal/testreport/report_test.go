package main

//kerneltest:host it is about the go command

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestReport(t *testing.T) {
	tests := []struct {
		name   string
		events string
		want   string
	}{
		{
			name: "a passing package is one line",
			events: `{"Action":"run","Package":"m/p","Test":"TestA"}
				{"Action":"output","Package":"m/p","Test":"TestA","Output":"=== RUN   TestA\n"}
				{"Action":"output","Package":"m/p","Test":"TestA","Output":"--- PASS: TestA (0.00s)\n"}
				{"Action":"pass","Package":"m/p","Test":"TestA"}
				{"Action":"output","Package":"m/p","Output":"PASS\n"}
				{"Action":"output","Package":"m/p","Output":"ok  \tm/p\t0.01s\n"}
				{"Action":"pass","Package":"m/p"}`,
			want: "ok  \tm/p\t0.01s\n" +
				"1 passed, 0 failed, 0 skipped in 2s (tests and subtests)\n",
		},
		{
			name: "a failing test shows its output, others do not",
			events: `{"Action":"output","Package":"m/p","Test":"TestA","Output":"    a_test.go:7: quiet\n"}
				{"Action":"output","Package":"m/p","Test":"TestB","Output":"    b_test.go:9: loud\n"}
				{"Action":"output","Package":"m/p","Test":"TestB","Output":"--- FAIL: TestB (0.00s)\n"}
				{"Action":"fail","Package":"m/p","Test":"TestB"}
				{"Action":"pass","Package":"m/p","Test":"TestA"}
				{"Action":"output","Package":"m/p","Output":"FAIL\tm/p\t0.01s\n"}
				{"Action":"fail","Package":"m/p"}`,
			want: "m/p.TestB:\n    b_test.go:9: loud\n--- FAIL: TestB (0.00s)\nFAIL\tm/p\t0.01s\n" +
				"1 passed, 1 failed, 0 skipped in 2s (tests and subtests)\n",
		},
		{
			name: "a test that took its process down has failed",
			events: `{"Action":"output","Package":"m/p","Test":"TestA","Output":"fatal error: x\n"}
				{"Action":"fail","Package":"m/p"}`,
			want: "m/p.TestA:\nfatal error: x\n" +
				"0 passed, 1 failed, 0 skipped in 2s (tests and subtests)\n",
		},
		{
			name: "skips are shown by reason",
			events: `{"Action":"output","Package":"m/p","Test":"TestA","Output":"    a_test.go:7: needs bundles\n"}
				{"Action":"output","Package":"m/p","Test":"TestA","Output":"--- SKIP: TestA (0.00s)\n"}
				{"Action":"skip","Package":"m/p","Test":"TestA"}
				{"Action":"output","Package":"m/q","Test":"TestB/x","Output":"    b_test.go:1: needs bundles\n"}
				{"Action":"output","Package":"m/q","Test":"TestB/x","Output":"    --- SKIP: TestB/x (0.00s)\n"}
				{"Action":"skip","Package":"m/q","Test":"TestB/x"}
				{"Action":"output","Package":"m/q","Test":"TestC","Output":"--- SKIP: TestC (0.00s)\n"}
				{"Action":"skip","Package":"m/q","Test":"TestC"}`,
			want: "0 passed, 0 failed, 3 skipped in 2s (tests and subtests)\n" +
				"skipped: p.TestA, q.TestB/x: needs bundles\n" +
				"skipped: q.TestC: no reason given\n",
		},
		{
			name: "build errors and foreign lines are shown",
			events: `{"ImportPath":"m/p","Action":"build-output","Output":"p/p.go:3:1: syntax error\n"}
				not an event`,
			want: "p/p.go:3:1: syntax error\nnot an event" +
				"0 passed, 0 failed, 0 skipped in 2s (tests and subtests)\n",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var out bytes.Buffer
			r := newReport(&out)
			require.NoError(t, r.read(strings.NewReader(strings.ReplaceAll(tt.events, "\n\t\t\t\t", "\n"))))
			r.summarize(2 * time.Second)
			require.Equal(t, tt.want, out.String())
		})
	}
}

func TestRunReturnsTheStatusOfGoTest(t *testing.T) {
	// What this test itself is run with (efence=1 ...) would slow down the go command beyond reason.
	t.Setenv("GODEBUG", "")
	t.Setenv("GOGC", "")
	var out bytes.Buffer
	require.NoError(t, run(newReport(&out), []string{"-run", "^$", "."}))
	require.Contains(t, out.String(), "ok  \t")
	require.Error(t, run(newReport(&out), []string{"./no-such-directory"}))
}
