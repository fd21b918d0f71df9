//go:build linux

package main

//kerneltest:on its contenders say what they lack, as they do in mode on on older kernels

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/bench"
	"github.com/sockring/uring/examples/internal/cli"
	"github.com/sockring/uring/examples/internal/load"
)

func configOf(args ...string) (bench.Config, error) {
	o, err := parse(args, new(bytes.Buffer))
	if err != nil {
		return bench.Config{}, err
	}
	return o.config()
}

func TestNoFlagsMeansQuick(t *testing.T) {
	cfg, err := configOf()
	require.NoError(t, err)
	require.Equal(t, presets[0].shapes, cfg.Shapes)
	require.Equal(t, presets[0].rounds, cfg.Rounds)
	require.Equal(t, load.UsualNames(), cfg.Modes)
	require.Equal(t, bench.AnyCPU, cfg.SenderCPU)
	require.Equal(t, bench.AnyCPU, cfg.SinkCPU)
}

// The quick preset is what the demo runs: it has to end in about 30 seconds even when each turn takes
// 30 ms to start and to check.
func TestQuickIsQuick(t *testing.T) {
	cfg, err := configOf()
	require.NoError(t, err)
	const modes = 6
	turns := time.Duration(cfg.Rounds * len(cfg.Shapes) * modes)
	total := turns * (cfg.Warmup + cfg.Dur + 30*time.Millisecond)
	require.InDelta(t, 30, total.Seconds(), 5)
}

func TestFullCoversWhatTheLibraryIsHeldTo(t *testing.T) {
	cfg, err := configOf("-preset", "full")
	require.NoError(t, err)
	require.GreaterOrEqual(t, cfg.Rounds, 7)
	require.Subset(t, cfg.Shapes, []bench.Shape{
		{Net: "tcp", Conns: 1, Msgs: 64, Size: 64},
		{Net: "tcp", Conns: 64, Msgs: 8, Size: 64},
		{Net: "tcp", Conns: 64, Msgs: 32, Size: 1400},
		{Net: "tcp", Conns: 256, Msgs: 4, Size: 128},
	})
}

func TestShapes(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"one given", []string{"-size", "1400"}, "tcp 64x8x1400"},
		{"cross product", []string{"-conns", "1,2", "-msgs", "3", "-size", "4,5"}, "tcp 1x3x4 tcp 1x3x5 tcp 2x3x4 tcp 2x3x5"},
		{"shapes", []string{"-shape", "1x2x3,4x5x6"}, "tcp 1x2x3 tcp 4x5x6"},
		{"over both networks", []string{"-shape", "1x2x3", "-net", "unix,tcp"}, "unix 1x2x3 tcp 1x2x3"},
		{"said twice, run once", []string{"-shape", "1x2x3,1x2x3", "-net", "tcp,tcp"}, "tcp 1x2x3"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cfg, err := configOf(tt.args...)
			require.NoError(t, err)
			var names []string
			for _, s := range cfg.Shapes {
				names = append(names, s.String())
			}
			require.Equal(t, tt.want, strings.Join(names, " "))
		})
	}
}

func TestNetReplacesThePresetsNetworks(t *testing.T) {
	cfg, err := configOf("-preset", "full", "-net", "unix")
	require.NoError(t, err)
	seen := make(map[bench.Shape]bool)
	for _, s := range cfg.Shapes {
		require.Equal(t, "unix", s.Net)
		require.False(t, seen[s], "%s twice", s)
		seen[s] = true
	}
}

func TestMeasuringFlags(t *testing.T) {
	cfg, err := configOf("-rounds", "5", "-dur", "80ms", "-pin=3,1", "-verify", "-sndbuf", "7", "-rcvbuf", "8",
		"-modes", "limit,writev", "-peer", "a=run a -x=1", "-peer", "b=run b")
	require.NoError(t, err)
	require.Equal(t, 5, cfg.Rounds)
	require.Equal(t, 80*time.Millisecond, cfg.Dur)
	require.Equal(t, 10*time.Millisecond, cfg.Warmup)
	require.Equal(t, 3, cfg.SenderCPU)
	require.Equal(t, 1, cfg.SinkCPU)
	require.True(t, cfg.Verify)
	require.Equal(t, 7, cfg.SendBuf)
	require.Equal(t, 8, cfg.RecvBuf)
	require.Equal(t, []string{"limit", "writev", "a", "b"}, cfg.Contenders())
	require.Equal(t, "run a -x=1", cfg.Peers[0].Command)

	cfg, err = configOf("-dur", "80ms", "-warmup", "1s", "-pin=false")
	require.NoError(t, err)
	require.Equal(t, time.Second, cfg.Warmup)
	require.Equal(t, bench.AnyCPU, cfg.SenderCPU)
}

func TestRefusedCommandLines(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"unknown flag", []string{"-nope"}, "-nope"},
		{"an argument", []string{"quick"}, `"quick"`},
		{"unknown preset", []string{"-preset", "slow"}, "quick or full"},
		{"unknown mode", []string{"-modes", "writev,sendfile"}, `no mode "sendfile"`},
		{"mode twice", []string{"-modes", "writev,writev"}, `"writev" is named twice`},
		{"peer named as a mode", []string{"-peer", "writev=x"}, `"writev" is named twice`},
		{"peer without a command", []string{"-peer", "x"}, "NAME=COMMAND"},
		{"peer with a bad name", []string{"-peer", "a b=x"}, "no name"},
		{"unknown network", []string{"-net", "udp"}, `"udp"`},
		{"shape of two numbers", []string{"-shape", "1x2"}, "CONNSxMSGSxSIZE"},
		{"shape of zero", []string{"-shape", "1x0x2"}, `"0"`},
		{"shape and list", []string{"-shape", "1x1x1", "-size", "2"}, "leave out"},
		{"size of words", []string{"-size", "1,big"}, `"big"`},
		{"too many messages", []string{"-msgs", "32769"}, "32769 messages"},
		{"no rounds", []string{"-rounds", "0"}, "at least 1"},
		{"no time", []string{"-dur", "1us"}, "at least 1ms"},
		{"negative warm-up", []string{"-warmup", "-1s"}, "negative"},
		{"one CPU to pin to", []string{"-pin=1"}, "two CPU numbers"},
		{"negative receive buffer", []string{"-rcvbuf", "-1"}, "-rcvbuf"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := configOf(tt.args...)
			require.ErrorContains(t, err, tt.want)
			require.ErrorAs(t, err, new(cli.UsageError))
		})
	}
}

func TestHelpNamesEveryFlagModeAndPreset(t *testing.T) {
	var help bytes.Buffer
	_, err := parse([]string{"-h"}, &help)
	require.ErrorIs(t, err, flag.ErrHelp)
	names := load.Names()
	for _, p := range presets {
		names = append(names, p.name)
	}
	for _, name := range []string{
		"preset", "shape", "conns", "msgs", "size", "net", "sndbuf", "rcvbuf", "modes", "peer", "rounds", "dur",
		"warmup", "pin", "verify", "json", "svg", "html", "md",
	} {
		names = append(names, "-"+name)
	}
	for _, name := range names {
		require.Contains(t, help.String(), name)
	}
	for _, line := range strings.Split(help.String(), "\n") {
		require.LessOrEqual(t, len(line), 108, line)
	}
}

func TestCommandLineCanBePastedIntoAShell(t *testing.T) {
	o, err := parse([]string{
		"-json", "/somewhere/x.json", "-preset", "full", "--html=/somewhere/x.html", "-peer", "it=it's $HOME",
	}, new(bytes.Buffer))
	require.NoError(t, err)
	require.Equal(t, `go run ./examples/bundlebench -preset full -peer 'it=it'\''s $HOME'`, o.commandLine())
}

func TestFilesAreTriedBeforeTheRun(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "new", "report.json")
	o, err := parse([]string{"-json", path, "-svg", filepath.Join(path, "impossible.svg")}, new(bytes.Buffer))
	require.NoError(t, err)
	require.Error(t, o.prepareFiles())
	_, err = os.Stat(path)
	require.NoError(t, err)
}
