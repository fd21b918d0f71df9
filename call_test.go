//go:build linux

package uring

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// TestCancellationThatFindsNothingIsMadeAgain has a request and its cancellation reach the kernel together, when a part
// of the bytes is there: the kernel finds the request neither waiting nor running, and goes on to wait for the rest.
func TestCancellationThatFindsNothingIsMadeAgain(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	needs(t, CanSendPollFirst)
	r := newTestRing(t, 8)
	fd, peer := testutil.SocketPair(t, "unix")
	_, err := unix.Write(peer, []byte("part"))
	require.NoError(t, err)
	k := r.newCall()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepRecv(fd, make([]byte, 100), unix.MSG_WAITALL))
	require.NoError(t, s.SetIOPrio(cring.RecvSendPollFirst)) // which finds the socket ready, and is queued to be run
	s.slot.owner = k
	require.NoError(t, r.cancelAndAwait(s.ID(), k))
	require.Equal(t, 4, k.n)
}
