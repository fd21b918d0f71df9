//go:build linux

package sink_test

//kerneltest:on it has nothing to do with io_uring

import (
	"crypto/sha256"
	"encoding/hex"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/proto"
	"github.com/sockring/uring/examples/internal/sink"
	"github.com/sockring/uring/internal/testutil"
)

// TestMain lets the test binary be the sink process.
func TestMain(m *testing.M) {
	if os.Getenv("SINK_TEST_SERVE") != "" {
		if err := sink.Serve(os.Stdin, os.Stdout); err != nil {
			os.Stderr.WriteString(err.Error())
			os.Exit(1)
		}
		os.Exit(0)
	}
	testutil.Main(m)
}

func start(t *testing.T) *sink.Client {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "SINK_TEST_SERVE=1")
	cmd.Stderr = os.Stderr
	client, err := sink.Start(cmd, -1)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, client.Stop()) })
	return client
}

// send opens a connection with the given first bytes and sends the rest.
func send(t *testing.T, network, addr string, first, rest []byte) {
	t.Helper()
	c, err := net.Dial(network, addr)
	require.NoError(t, err)
	_, err = c.Write(first)
	require.NoError(t, err)
	_, err = c.Write(rest)
	require.NoError(t, err)
	require.NoError(t, c.Close())
}

func TestSinkCountsAndHashesRunAfterRun(t *testing.T) {
	client := start(t)
	path := filepath.Join(t.TempDir(), "sink")
	rest := make([]byte, 3_000_001)
	for i := range rest {
		rest[i] = byte(i * i)
	}
	sum := sha256.Sum256(rest)
	for _, network := range []string{"tcp", "unix"} {
		for _, verify := range []bool{false, true} {
			addr, err := client.Open(t.Context(), sink.Spec{Net: network, Path: path, Verify: verify})
			require.NoError(t, err)
			send(t, network, addr, proto.Preamble(1), rest)
			send(t, network, addr, proto.Preamble(0), nil)
			totals, err := client.Totals(t.Context())
			require.NoError(t, err)
			require.Len(t, totals, 2)
			byIndex := map[int]sink.Total{totals[0].Index: totals[0], totals[1].Index: totals[1]}
			require.EqualValues(t, len(rest), byIndex[1].Bytes)
			require.Contains(t, byIndex, 0)
			require.Zero(t, byIndex[0].Bytes)
			if verify {
				require.Equal(t, hex.EncodeToString(sum[:]), byIndex[1].SHA256)
			} else {
				require.Empty(t, byIndex[1].SHA256)
			}
		}
	}
}

func TestSinkReportsAStreamWithoutPreamble(t *testing.T) {
	client := start(t)
	addr, err := client.Open(t.Context(), sink.Spec{Net: "tcp"})
	require.NoError(t, err)
	send(t, "tcp", addr, []byte{1, 2}, nil)
	totals, err := client.Totals(t.Context())
	require.NoError(t, err)
	require.Len(t, totals, 1)
	require.Equal(t, "ended before its preamble", totals[0].Error)
}

func TestSinkReportsAResetConnection(t *testing.T) {
	client := start(t)
	addr, err := client.Open(t.Context(), sink.Spec{Net: "tcp"})
	require.NoError(t, err)
	c, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	_, err = c.Write(proto.Preamble(0))
	require.NoError(t, err)
	require.NoError(t, c.(*net.TCPConn).SetLinger(0))
	require.NoError(t, c.Close())
	totals, err := client.Totals(t.Context())
	require.NoError(t, err)
	// A reset may overtake the accept, and then there never was a connection.
	for _, total := range totals {
		require.Contains(t, total.Error, "connection reset")
	}
}

func TestSinkRefusesAndGoesOn(t *testing.T) {
	client := start(t)
	_, err := client.Open(t.Context(), sink.Spec{Net: "udp"})
	require.ErrorContains(t, err, `network "udp"`)
	_, err = client.Open(t.Context(), sink.Spec{Net: "tcp"})
	require.NoError(t, err)
	_, err = client.Open(t.Context(), sink.Spec{Net: "tcp"})
	require.ErrorContains(t, err, "not closed")
	totals, err := client.Totals(t.Context())
	require.NoError(t, err)
	require.Empty(t, totals)
}
