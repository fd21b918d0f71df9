//go:build linux

package aio

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// newBatcher returns a Batcher that is closed at the end of the test.
func newBatcher(t testing.TB, slots int, opts ...BatchOption) *Batcher {
	t.Helper()
	b, err := NewBatcher(slots, opts...)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// bothMovers runs the test with AIO and with system calls instead.
func bothMovers(t *testing.T, slots int, test func(t *testing.T, b *Batcher)) {
	t.Helper()
	t.Run("io_submit", func(t *testing.T) { test(t, newBatcher(t, slots)) })
	t.Run("sendmsg", func(t *testing.T) { test(t, newBatcher(t, slots, WithSyscalls())) })
}

// pairOf returns a socket of the Batcher that does not block, and the descriptor at the other end.
func pairOf(t testing.TB, b *Batcher, network string) (*Socket, int) {
	t.Helper()
	near, far := testutil.SocketPair(t, network)
	require.NoError(t, unix.SetNonblock(near, true))
	return socketOf(t, b, near), far
}

// socketOf makes a descriptor known to the Batcher.
func socketOf(t testing.TB, b *Batcher, fd int) *Socket {
	t.Helper()
	s, err := b.Socket(fd)
	require.NoError(t, err)
	return s
}

// fillUp sends on the socket until it is full, and returns how many bytes it took.
func fillUp(t testing.TB, b *Batcher, s *Socket) (n int) {
	t.Helper()
	p := make([]byte, 1<<16)
	for {
		out, err := b.TrySend([]Op{{Socket: s, Bufs: [][]byte{p}}}, nil)
		require.NoError(t, err)
		n += out[0].N
		if out[0].Err != nil {
			require.ErrorIs(t, out[0].Err, ErrWouldBlock)
			return n
		}
	}
}

// readFull takes n bytes from a socket.
func readFull(t testing.TB, fd, n int) []byte {
	t.Helper()
	p := make([]byte, n)
	for got := 0; got < n; {
		k, err := unix.Read(fd, p[got:])
		if err == unix.EINTR {
			continue
		}
		require.NoError(t, err)
		require.NotZero(t, k)
		got += k
	}
	return p
}
