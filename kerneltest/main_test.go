package main

import (
	"bytes"
	"context"
	"flag"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/kerneltest/internal/image"
	"github.com/sockring/uring/kerneltest/internal/kernel"
	"github.com/sockring/uring/kerneltest/internal/result"
	"github.com/sockring/uring/kerneltest/internal/wire"
)

func TestMain(m *testing.M) { testutil.Main(m) }

func TestParse(t *testing.T) {
	cfg, err := parse([]string{"-kernels", "5.10,7", "-modes", "on,7:eperm", "-packages", ".,./cring"}, io.Discard)
	require.NoError(t, err)
	require.Equal(t, []kernel.Line{"5.10", "7"}, cfg.lines)
	require.Equal(t, []modeOf{{mode: wire.On}, {"7", wire.EPERM}}, cfg.modes)
	require.Equal(t, []string{".", "./cring"}, cfg.packages)
	require.FileExists(t, cfg.root+"/go.work")

	for _, args := range [][]string{
		{"-kernels", "new"}, {"-modes", "fast"}, {"-modes", "7:"}, {"-guests", "0"}, {"-update", "-run", "X"}, {"x"},
	} {
		_, err := parse(args, io.Discard)
		require.Error(t, err, "%q", args)
	}
}

func TestHelp(t *testing.T) {
	var stderr bytes.Buffer
	_, err := parse([]string{"-h"}, &stderr)
	require.ErrorIs(t, err, flag.ErrHelp)
	for _, mode := range wire.Modes {
		require.Contains(t, stderr.String(), "\n  "+string(mode)+" ")
	}
	require.Equal(t, 2, command(context.Background(), []string{"-modes", "fast"}, io.Discard, &stderr))
}

func TestTable(t *testing.T) {
	runs := []result.Run{
		{Line: "6.12", Mode: wire.On, Release: "6.12.1", Passed: 7, Skipped: 1, Seconds: 80.4},
		{Line: "6.1", Mode: wire.Off, Release: "6.1.9", Absent: "no sysctl", Seconds: 6},
	}
	packages := []image.Package{{Path: "m/tidy", Host: "about the source"}, {Path: "m/p"}, {Path: "m/q", On: "plain"}}
	var out bytes.Buffer
	require.True(t, table(&out, runs, packages, 90*time.Second))
	require.Equal(t, `
on the host only: m/tidy: about the source
in mode on only: m/q: plain
kernel  mode  passed  failed  skipped  time  verdict            release
6.12    on    7       0       1        80s   green              6.12.1
6.1     off   -       -       -        6s    absent: no sysctl  6.1.9
green after 1m30s
`, out.String())

	runs[0].Failures = []result.Failure{
		{Package: "m/p", Test: "TestA", What: "failed", Output: strings.Repeat("line\n", outputLines+2)},
		{What: "the kernel logged: BUG: x"},
	}
	out.Reset()
	require.False(t, table(&out, runs, nil, time.Second))
	require.Contains(t, out.String(), "6.12 on: m/p.TestA: failed\n    line\n")
	require.Contains(t, out.String(), "    ... 2 lines more\n")
	require.Contains(t, out.String(), "6.12 on: the kernel logged: BUG: x\n")
	require.Contains(t, out.String(), "RED: 2 failures")
	require.Contains(t, out.String(), "RED after 1s\n")
}

func TestProgress(t *testing.T) {
	var out bytes.Buffer
	p := newProgress(&out, 4)
	p.say("6.12 on", "m/p", 1)
	p.say("6.12 on", "green", 3)
	p.end()
	require.Regexp(t, `^ +0s +25%  6.12 on +m/p\n +0s 100%  6.12 on +green\n$`, out.String())
}
