//go:build linux

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

// iperf installs iperf3 where it is missing, once, and returns where it is.
var iperf = sync.OnceValues(func() (string, error) {
	if path, err := exec.LookPath("iperf3"); err == nil {
		return path, nil
	}
	var as []string
	if os.Getuid() != 0 {
		as = []string{"sudo", "-n"} // which asks for nothing, and fails where it would have to
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	args := append(as, "env", "DEBIAN_FRONTEND=noninteractive",
		"apt-get", "-qq", "-o", "Dpkg::Use-Pty=0", "install", "-y", "--no-install-recommends", "iperf3")
	if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
		first, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("%s: %w: %s", strings.Join(args, " "), err, first)
	}
	return exec.LookPath("iperf3")
})

// iperfResult is what we read of iperf3's JSON.
type iperfResult struct {
	Error string `json:"error"`
	End   struct {
		Sent     iperfSum `json:"sum_sent"`
		Received iperfSum `json:"sum_received"`
	} `json:"end"`
}

// iperfSum is what all connections have carried.
type iperfSum struct {
	Bytes         int64   `json:"bytes"`
	BitsPerSecond float64 `json:"bits_per_second"`
}

// controlMax is more than what iperf3 says by the connection that it controls itself with.
const controlMax = 64 << 10

// TestIPerfLosesNothing has iperf3 send through the proxy, and compares what it says it has sent with what it says has
// arrived, and with what the proxy has counted: that, and the connection by which iperf3 controls itself.
func TestIPerfLosesNothing(t *testing.T) {
	path, err := iperf()
	if err != nil {
		testutil.Skip(t, testutil.NeedsIPerf, "%v", err)
	}
	size := int64(64 << 20)
	if testing.Short() {
		size = 8 << 20
	}
	onEngines(t, func(t *testing.T, o options) {
		for _, row := range []struct {
			name    string
			reverse bool
			streams int
		}{
			{"to the target", false, 1},
			{"to the client", true, 1},
			{"to the target in parallel", false, 4},
			{"to the client in parallel", true, 4},
		} {
			t.Run(row.name, func(t *testing.T) {
				server := endpoint{network: "tcp", host: "127.0.0.1", port: iperfServer(t, path)}
				g := newGate(t, server)
				p := start(t, o, "tcp", g.at())
				args := []string{"-n", strconv.FormatInt(size, 10), "-P", strconv.Itoa(row.streams)}
				if row.reverse {
					args = append(args, "-R")
				} else {
					g.ports, g.count = []uint16{p.fronts[0].at.port, g.at().port, server.port}, &p.stats.toTarget
				}
				g.open()
				res := iperfClient(t, path, p.fronts[0].at.port, args...)
				eventually(t, "no connection is left", func() bool { return p.stats.open.Load() == 0 })

				n := p.snapshot(nil)
				sent, received := res.End.Sent.Bytes, res.End.Received.Bytes
				t.Logf("%d bytes, %.2f Gbit/s", received, res.End.Received.BitsPerSecond/1e9)
				require.GreaterOrEqual(t, received, size)
				require.EqualValues(t, row.streams+1, n.Conns.Total)
				payload, other := n.Bytes.ToTarget, n.Bytes.ToClient
				if row.reverse {
					payload, other = other, payload
				}
				require.Less(t, other, int64(controlMax))
				if row.reverse && row.streams > 1 {
					// The client counts until it has what it asked for, and resets. The server has sent some more by then.
					require.LessOrEqual(t, received, payload)
					require.LessOrEqual(t, received, sent)
					return
				}
				require.Equal(t, sent, received)
				require.GreaterOrEqual(t, payload, sent)
				require.Less(t, payload, sent+controlMax)
				require.Equal(t, byteCounts{g.toServer.Load(), g.toProxy.Load()}, n.Bytes)
				require.Empty(t, n.Errors)
			})
		}
	})
}

// iperfServer runs a server for one test, and returns its port.
func iperfServer(t *testing.T, path string) uint16 {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	port := l.Addr().(*net.TCPAddr).Port // free, as far as can be known
	require.NoError(t, l.Close())
	cmd := exec.Command(path, "-s", "-1", "-B", "127.0.0.1", "-p", strconv.Itoa(port), "--forceflush")
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	said := ""
	for b := make([]byte, 512); !strings.Contains(said, "Server listening"); {
		n, err := out.Read(b)
		require.NoError(t, err, said)
		said += string(b[:n])
	}
	return uint16(port)
}

func iperfClient(t *testing.T, path string, port uint16, args ...string) (res iperfResult) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), patience)
	defer stop()
	args = append([]string{"-c", "127.0.0.1", "-p", strconv.Itoa(int(port)), "--json"}, args...)
	out, err := exec.CommandContext(ctx, path, args...).Output()
	require.NoError(t, json.Unmarshal(out, &res), "%v: %s", err, out)
	require.Empty(t, res.Error)
	require.NoError(t, err)
	return res
}
