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
	"github.com/sockring/uring/socketops"
)

func TestFlags(t *testing.T) {
	o, err := parse([]string{
		"-listen", "tcp::8000", "-listen", "unix:@x", "-to", "tcp:[::1]:80", "-engine", "aio", "-copy", "buffer",
		"-buffer", "1MiB", "-max", "7", "-idle", "1m", "-connect-timeout", "2s", "-drain", "0", "-every", "3s", "-json",
	}, io.Discard)
	require.NoError(t, err)
	to := endpoint{network: "tcp", host: "::1", port: 80}
	require.Equal(t, &options{
		listen: []endpoint{{network: "tcp", port: 8000}, {network: "unix", path: "@x"}}, to: []endpoint{to, to},
		engine: socketops.BackendAIO, copy: copyBuffer, buffer: 1 << 20,
		connsMax: 7, idle: time.Minute, connectTimeout: 2 * time.Second, every: 3 * time.Second, json: true,
	}, o)
	require.Equal(t, "tcp:[::1]:80", to.String())
}

func TestCommandLinesThatMakeNoSense(t *testing.T) {
	good := []string{"-listen", "tcp::1", "-to", "unix:x"}
	_, err := parse(good, io.Discard)
	require.NoError(t, err)
	for _, args := range [][]string{
		{},
		{"-listen", "tcp::1"},
		{"-to", "tcp::1"},
		{"-listen", "tcp::1", "-to", "tcp::1"},
		{"-listen", "tcp::1", "-to", "tcp:x:0"},
		{"-listen", "tcp:1", "-to", "unix:x"},
		{"-listen", "tcp::http", "-to", "unix:x"},
		{"-listen", "tcp::65536", "-to", "unix:x"},
		{"-listen", "unix:", "-to", "unix:x"},
		{"-listen", "udp::1", "-to", "unix:x"},
		append(good, "-to", "unix:y"),
		append(good, "-copy", "sendfile"),
		append(good, "-engine", "epoll"),
		append(good, "-buffer", "1"),
		append(good, "-buffer", "1000MiB"),
		append(good, "-max", "-1"),
		append(good, "-idle", "-1s"),
		append(good, "-every", "-1s"),
		append(good, "more"),
		append(good, "-what"),
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
	s := &snapshot{
		Engine: "uring", Seconds: 2,
		Conns: connCounts{Open: 1, Total: 3, Refused: 2, Aborted: 1},
		Bytes: byteCounts{ToTarget: 2048, ToClient: 3 << 20}, PerS: byteRates{ToTarget: 1024, ToClient: 1.5 * (1 << 20)},
		Errors: map[string]int64{"target ConnectionReset": 1, "connect TimedOut": 2},
	}
	require.Equal(t, "engine       uring, for 2s\n"+
		"connections  3 served, 2 refused, 1 aborted\n"+
		"to target    2.0 KiB, 1.0 KiB/s\n"+
		"to client    3.0 MiB, 1.5 MiB/s\n"+
		"errors       3\n"+
		"  connect TimedOut                         2\n"+
		"  target ConnectionReset                   1\n", s.text())
	require.Equal(t, "1 open, 3 in all, 2 refused; to target 2.0 KiB, 1.0 KiB/s; to client 3.0 MiB, 1.5 MiB/s; 3 errors",
		s.line())
}
