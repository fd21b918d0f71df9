//go:build linux

package sendertest

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// BytesAreExact (SPEC E08, FACTS 1 to 8 and 34) drives several Senders of one engine through random messages,
// deadlines, cancellations and peers of every kind. Run it longer with -rapid.checks.
func BytesAreExact(t *testing.T, e Engine) {
	rapid.Check(t, func(t *rapid.T) {
		runs := make([]*senderRun, rapid.IntRange(1, 3).Draw(t, "senders"))
		for i := range runs {
			runs[i] = newSenderRun(t, e)
		}
		for range rapid.IntRange(1, 25).Draw(t, "steps") {
			u := runs[rapid.IntRange(0, len(runs)-1).Draw(t, "sender")]
			if !u.failed {
				u.step(t)
			}
		}
		for _, u := range runs {
			u.finish(t)
		}
		e.RequireEmpty(t)
	})
}

// newSenderRun makes a Sender over a fresh connection.
func newSenderRun(t *rapid.T, e Engine) *senderRun {
	a, b := Pair(t, rapid.SampledFrom([]string{"tcp", "unix"}).Draw(t, "network"))
	if n := rapid.SampledFrom([]int{0, 1, 20_000}).Draw(t, "SO_SNDBUF"); n > 0 {
		require.NoError(t, unix.SetsockoptInt(a, unix.SOL_SOCKET, unix.SO_SNDBUF, n))
		require.NoError(t, unix.SetsockoptInt(b, unix.SOL_SOCKET, unix.SO_RCVBUF, n))
	}
	if rapid.Bool().Draw(t, "O_NONBLOCK") {
		require.NoError(t, unix.SetNonblock(a, true))
	}
	limit := rapid.SampledFrom([]int{1000, 50_000, 1 << 20}).Draw(t, "limit")
	batch := rapid.SampledFrom([]int{1, 10_000, 1 << 30}).Draw(t, "batch")
	s := e.NewSender(t, a, limit, batch)
	return &senderRun{engine: e, s: s, limit: limit, fd: a, peer: startPeer(b, drawReading(t))}
}

// Pair connects two stream sockets.
func Pair(t *rapid.T, network string) (a, b int) {
	if network == "unix" {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		return fds[0], fds[1]
	}
	l, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(l)
	require.NoError(t, unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(l, 1))
	addr, err := unix.Getsockname(l)
	require.NoError(t, err)
	a, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	require.NoError(t, unix.Connect(a, addr))
	b, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	return a, b
}
