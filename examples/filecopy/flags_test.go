//go:build linux

package main

import (
	"bytes"
	"errors"
	"flag"
	"io"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/cli"
)

func TestFlags(t *testing.T) {
	args := []string{"-block", "64KiB", "-depth", "3", "-direct", "off", "-resume", "-verify=false", "-f", "a", "b"}
	j, err := parse(args, io.Discard)
	require.NoError(t, err)
	require.Equal(t, 64<<10, j.blockSize)
	require.Equal(t, 3, j.depth)
	require.Equal(t, directOff, j.direct)
	require.True(t, j.resume && j.force && !j.verify)
	require.Equal(t, []string{"a", "b"}, []string{j.from, j.to})
}

func TestCommandLinesThatMakeNoSense(t *testing.T) {
	for _, args := range [][]string{
		{},
		{"a"},
		{"a", "b", "c"},
		{"a", ""},
		{"a", "nowhere/"},
		{"-block", "5000", "a", "b"},
		{"-block", "1KiB", "a", "b"},
		{"-block", "1GiB", "a", "b"},
		{"-block", "x", "a", "b"},
		{"-block", "99999999999999MiB", "a", "b"},
		{"-depth", "0", "a", "b"},
		{"-depth", "1025", "a", "b"},
		{"-block", "256MiB", "-depth", "1024", "a", "b"},
		{"-direct", "maybe", "a", "b"},
		{"-what", "a", "b"},
	} {
		_, err := parse(args, io.Discard)
		require.ErrorAs(t, err, new(cli.UsageError), "%q", args)
	}
}

func TestHelp(t *testing.T) {
	var out bytes.Buffer
	_, err := parse([]string{"-h"}, &out)
	require.True(t, errors.Is(err, flag.ErrHelp))
	require.Equal(t, usageText, out.String())
}

func TestSummary(t *testing.T) {
	j := &job{to: "copy"}
	res := result{size: 3 << 20, resumedAt: 1 << 20, sum: "5ad", directRead: true, verified: true}
	require.Equal(t, "copy: 2.0 MiB in 2s, 1.0 MiB/s\n"+
		"  resumed at 1.0 MiB of 3.0 MiB\n"+
		"  read with O_DIRECT, written through the page cache\n"+
		"  sha256 5ad, read back and the same\n", summary(j, res, 2*time.Second))
}
