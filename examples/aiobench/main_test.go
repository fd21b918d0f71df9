//go:build linux

package main

//kerneltest:on what it measures, compat_aio has tests of

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/examples/internal/cli"
	"github.com/sockring/uring/examples/internal/role"
	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) {
	role.Play()
	testutil.Main(m)
}

// needDirect skips the test where a file in dir cannot be read by AIO with O_DIRECT.
func needDirect(t *testing.T, dir string) {
	t.Helper()
	c, err := aio.NewContext(1)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	require.NoError(t, c.Close())
	f, err := os.CreateTemp(dir, "")
	require.NoError(t, err)
	defer f.Close()
	_, err = aio.FileAlignment(f)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
}

func TestReadsAreMeasuredInTurns(t *testing.T) {
	dir := t.TempDir()
	needDirect(t, dir)
	svg, figures := filepath.Join(dir, "r.svg"), filepath.Join(dir, "r.json")
	require.NoError(t, run([]string{
		"-what", "reads", "-rounds", "2", "-dur", "20ms", "-dir", dir, "-file", "2", "-depth", "3", "-fio", "/nonexistent",
		"-json", figures, "-svg", svg,
	}))
	var out struct{ Reads []readRow }
	text, err := os.ReadFile(figures)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &out))
	require.Len(t, out.Reads, len(readers))
	for _, row := range out.Reads {
		require.Equal(t, 2, row.Rounds, row.Mode)
		require.Positive(t, row.IOPS.Min, row.Mode)
		require.Len(t, row.ByRound, 2, "what the figures are made of")
		require.Nil(t, row.OfFIO)
	}
	picture, err := os.ReadFile(svg)
	require.NoError(t, err)
	for d := xml.NewDecoder(bytes.NewReader(picture)); ; {
		if _, err := d.Token(); err == io.EOF {
			break
		} else {
			require.NoError(t, err)
		}
	}
	left, err := filepath.Glob(filepath.Join(dir, "aiobench-*"))
	require.NoError(t, err)
	require.Empty(t, left, "the file is removed")
}

func TestSocketsAreMeasured(t *testing.T) {
	testutil.InSource(t) // an emulated machine has no figures
	needDirect(t, t.TempDir())
	figures := filepath.Join(t.TempDir(), "s.json")
	require.NoError(t, run([]string{"-what", "sockets", "-rounds", "1", "-dur", "10ms", "-json", figures}))
	var out struct {
		Sockets struct {
			Results []struct {
				Mode string
			}
		}
	}
	text, err := os.ReadFile(figures)
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &out))
	require.Len(t, out.Sockets.Results, 12, "four modes at three shapes")
}

func TestFIOReport(t *testing.T) {
	s, err := parseFIO([]byte(`{"jobs":[{"error":0,"read":{"iops":50000,"total_ios":50000,"runtime":1000},` +
		`"usr_cpu":10,"sys_cpu":40}]}`))
	require.NoError(t, err)
	require.InDelta(t, 50000, s.iops, 0)
	require.InDelta(t, 10, s.cpuMicros, 1e-9)
	for _, bad := range []string{"", "{}", `{"jobs":[{"error":5,"read":{"total_ios":1}}]}`} {
		_, err := parseFIO([]byte(bad))
		require.Error(t, err, bad)
	}
}

func TestCommandLinesThatMakeNoSense(t *testing.T) {
	for _, args := range [][]string{
		{"-what", "files"},
		{"-rounds", "0"},
		{"-dur", "1ms"},
		{"-file", "0"},
		{"-block", "1000"},
		{"-depth", "0"},
		{"x"},
		{"-y"},
	} {
		_, err := parse(args, io.Discard)
		require.ErrorAs(t, err, new(cli.UsageError), "%q", args)
	}
	var help bytes.Buffer
	_, err := parse([]string{"-h"}, &help)
	require.True(t, errors.Is(err, flag.ErrHelp))
	require.Equal(t, usageText, help.String())
}
