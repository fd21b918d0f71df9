//go:build unix

package testutil_test

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestSocketPair(t *testing.T) {
	tests := []struct {
		network  string
		kind     int
		messages bool // one read gives one write
	}{
		{network: "tcp4", kind: unix.SOCK_STREAM},
		{network: "tcp6", kind: unix.SOCK_STREAM},
		{network: "udp4", kind: unix.SOCK_DGRAM, messages: true},
		{network: "udp6", kind: unix.SOCK_DGRAM, messages: true},
		{network: "unix", kind: unix.SOCK_STREAM},
		{network: "unixgram", kind: unix.SOCK_DGRAM, messages: true},
		{network: "unixpacket", kind: unix.SOCK_SEQPACKET, messages: true},
	}
	for _, tt := range tests {
		t.Run(tt.network, func(t *testing.T) {
			a, b := testutil.SocketPair(t, tt.network)
			for _, ends := range [][2]int{{a, b}, {b, a}} {
				from, to := ends[0], ends[1]
				kind, err := unix.GetsockoptInt(from, unix.SOL_SOCKET, unix.SO_TYPE)
				require.NoError(t, err)
				require.Equal(t, tt.kind, kind)

				flags, err := unix.FcntlInt(uintptr(from), unix.F_GETFD, 0)
				require.NoError(t, err)
				require.NotZero(t, flags&unix.FD_CLOEXEC)

				writeAll(t, from, "heron")
				writeAll(t, from, "crane")
				if tt.messages {
					require.Equal(t, "heron", readOnce(t, to, len("heroncrane")))
					continue
				}
				got := ""
				for len(got) < len("heroncrane") { // its parts may arrive one by one
					got += readOnce(t, to, len("heroncrane")-len(got))
				}
				require.Equal(t, "heroncrane", got)
			}
		})
	}
}

func TestSocketPairOfUnknownNetwork(t *testing.T) {
	got := watch(t, func(t testing.TB) { testutil.SocketPair(t, "carrier pigeon") })
	require.Contains(t, got.fatal, `network "carrier pigeon"`)
}

// TestSocketPairLeavesReusedNumbersAlone closes a socket and lets another file take its number, as a test
// of a closed peer may.
func TestSocketPairLeavesReusedNumbersAlone(t *testing.T) {
	var null *os.File
	t.Run("pair", func(t *testing.T) {
		a, _ := testutil.SocketPair(t, "unix")
		require.NoError(t, unix.Close(a))
		var err error
		null, err = os.Open(os.DevNull)
		require.NoError(t, err)
		require.Equal(t, a, int(null.Fd()), "the lowest free number is taken")
	})
	require.NoError(t, null.Close(), "the end of the subtest closed somebody else's file")
}

func writeAll(t *testing.T, fd int, s string) {
	t.Helper()
	n, err := unix.Write(fd, []byte(s))
	require.NoError(t, err)
	require.Equal(t, len(s), n)
}

// readOnce reads up to n bytes, some of which are there or on their way.
func readOnce(t *testing.T, fd, n int) string {
	t.Helper()
	_, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
	require.NoError(t, err)
	p := make([]byte, 64)
	got, _, err := unix.Recvfrom(fd, p[:n], unix.MSG_DONTWAIT)
	require.NoError(t, err)
	require.NotZero(t, got)
	return string(p[:got])
}
