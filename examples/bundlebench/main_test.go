//go:build linux

package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

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

// muteStdout sends the table to a file, which it returns the contents of.
func muteStdout(t *testing.T) (table func() string) {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	require.NoError(t, err)
	before := os.Stdout
	os.Stdout = f
	t.Cleanup(func() {
		os.Stdout = before
		f.Close()
	})
	return func() string {
		text, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		return string(text)
	}
}

func TestRunWritesEveryReport(t *testing.T) {
	table := muteStdout(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, "report", name) }
	args := []string{
		"-shape", "4x8x64", "-net", "tcp,unix", "-rounds", "2", "-dur", "4ms", "-warmup", "1ms",
		"-json", file("x.json"), "-svg", file("x.svg"), "-html", file("x.html"), "-md", file("x.md"),
	}
	if testing.Short() {
		args = append(args, "-modes", "writev,netbuffers")
	}
	require.NoError(t, run(args))
	require.Contains(t, table(), "unix 4x8x64: 4 connections x 8 messages x 64 bytes")
	require.Contains(t, table(), "Written: "+file("x.html"))

	text, err := os.ReadFile(file("x.json"))
	require.NoError(t, err)
	var doc struct {
		Results []struct {
			Mode, Net string
			Rounds    int
			OfWritev  struct{ Median float64 } `json:"of_writev"`
		}
	}
	require.NoError(t, json.Unmarshal(text, &doc))
	require.GreaterOrEqual(t, len(doc.Results), 4)
	require.LessOrEqual(t, len(doc.Results), 2*len(load.Names()))
	for _, r := range doc.Results {
		require.Equal(t, 2, r.Rounds, r.Mode)
		require.Positive(t, r.OfWritev.Median, r.Mode)
	}
	for _, name := range []string{"x.svg", "x.html"} {
		text, err := os.ReadFile(file(name))
		require.NoError(t, err)
		require.Contains(t, string(text), "</svg>")
	}
	text, err = os.ReadFile(file("x.md"))
	require.NoError(t, err)
	require.Contains(t, string(text), "### unix, 4 x 8 x 64\n\n| mode |")
}

func TestFailedTurnFailsTheRunButNotTheReport(t *testing.T) {
	table := muteStdout(t)
	err := run([]string{"-shape", "1x1x1", "-rounds", "1", "-dur", "2ms", "-modes", "writev", "-peer", "bad=exit 1"})
	require.ErrorContains(t, err, "1 of the turns failed")
	require.Contains(t, table(), "FAILED: bad")
	require.Contains(t, table(), "writev")
}

func TestInterruptEndsTheRunWithWhatWasMeasured(t *testing.T) {
	table := muteStdout(t)
	// The peer interrupts the benchmark, its parent, after writev has had its turn.
	err := run([]string{
		"-shape", "1x8x64", "-rounds", "10000", "-dur", "20ms", "-warmup", "1ms", "-modes", "writev",
		"-peer", "interrupt=kill -INT $PPID; exec sleep 600",
	})
	require.NoError(t, err)
	require.Contains(t, table(), "Interrupted after 0 full rounds of 10000")
	require.Contains(t, table(), "messages/s")
	require.NotContains(t, table(), "FAILED")
}
