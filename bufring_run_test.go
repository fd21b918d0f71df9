//go:build linux

package uring

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// addStream fills count buffers from first on with the bytes of the test stream from pos on, and publishes them.
func addStream(t testing.TB, b *BufRing, first, count, size, pos int) {
	t.Helper()
	for i := range count {
		p, err := b.Buffer(uint16(first + i))
		require.NoError(t, err)
		fillStream(p[:size], pos+i*size)
	}
	require.NoError(t, b.AddRange(uint16(first), count, size))
	require.Equal(t, count, b.Publish())
}

// bundleAndSettle sends what is published and settles its completions.
func bundleAndSettle(t testing.TB, r *Ring, fd int, b *BufRing) (sent int, all bool) {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepSendBundle(fd, b.Group(), 0))
	for more := true; more; {
		_, err := r.SubmitAndWaitTimeout(context.Background(), 1, hangLimit)
		require.NoError(t, err)
		for c := range r.Completions() {
			require.NoError(t, c.Err())
			sent += int(c.Res)
			all, err = b.Settle(c)
			require.NoError(t, err)
			more = c.More()
		}
	}
	return sent, all
}

// TestRunsComeBackAsAWhole sends the same and different ranges over and over, so that runs begin everywhere in the
// ring and its positions wrap, and entries are left as they are or written anew.
func TestRunsComeBackAsAWhole(t *testing.T) {
	tests := []struct {
		name          string
		entries, size int
		ranges        [][3]int // first, count, length
	}{
		{"the whole ring", 64, 64, [][3]int{{0, 64, 64}}},
		{"part of the ring", 64, 64, [][3]int{{0, 48, 64}}},
		{"in turns", 16, 100, [][3]int{{0, 16, 100}, {3, 5, 100}, {3, 5, 99}, {15, 1, 1}, {0, 16, 7}}},
		{"one buffer", 1, 10, [][3]int{{0, 1, 10}}},
		{"more than a completion covers", 1024, 32, [][3]int{{0, 1024, 32}, {1, 1000, 31}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newTestRing(t, 4)
			needs(t, CanSendBundle)
			a, peer := testutil.SocketPair(t, "tcp4")
			b := newTestBufRing(t, r, tt.entries, tt.size)
			pos := 0
			for round := range testutil.Fewer(200, 20) {
				x := tt.ranges[round%len(tt.ranges)]
				addStream(t, b, x[0], x[1], x[2], pos)
				require.Equal(t, x[1], b.Lent())
				require.ErrorIs(t, b.AddRange(uint16(x[0]), x[1], x[2]), ErrBufferOwned)
				if round%3 == 0 { // looking at a single buffer ends the account as a whole, not its truth
					_, err := b.Buffer(uint16(x[0] + x[1] - 1))
					require.ErrorIs(t, err, ErrBufferOwned)
				}
				sent, all := bundleAndSettle(t, r, a, b)
				require.Equal(t, x[1]*x[2], sent)
				require.True(t, all)
				require.Zero(t, b.Lent())
				want := make([]byte, sent)
				fillStream(want, pos)
				require.Equal(t, want, readAll(t, peer, sent))
				pos += sent
			}
		})
	}
}

// TestRunThatEndsShort has a bundle cancelled halfway: what Settle and Withdraw say is, together, every byte once.
func TestRunThatEndsShort(t *testing.T) {
	for _, count := range []int{256, 2048} {
		r := newTestRing(t, 4)
		needs(t, CanSendBundle)
		a, peer := testutil.SocketPair(t, "tcp4")
		const size = 8192
		b := newTestBufRing(t, r, 2048, size)
		require.NoError(t, unix.SetsockoptInt(a, unix.SOL_SOCKET, unix.SO_SNDBUF, 20_000))
		addStream(t, b, 0, count, size, 0)
		s, err := r.SQE()
		require.NoError(t, err)
		require.NoError(t, s.PrepSendBundle(a, b.Group(), 0))
		id, sent, over := s.ID(), 0, false
		for !over {
			if _, err = r.SubmitAndWaitTimeout(context.Background(), 1, 20*time.Millisecond); err != nil {
				cancel, err := r.SQE()
				require.NoError(t, err)
				require.NoError(t, cancel.PrepCancel(id, 0))
			}
			for c := range r.Completions() {
				if c.ID == id {
					all, err := b.Settle(c)
					require.NoError(t, err)
					require.False(t, all)
					sent, over = sent+max(int(c.Res), 0), !c.More()
				}
			}
		}
		require.NotZero(t, sent)
		rest, err := b.Withdraw(nil)
		require.NoError(t, err)
		require.Zero(t, b.Lent())
		unsent := 0
		for i, p := range rest {
			require.EqualValues(t, count-len(rest)+i, p.Buffer)
			unsent += p.Len
		}
		partial := (size - sent%size) % size // of the buffer that left in part
		require.Equal(t, count*size, sent+partial+unsent)
		require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
		want := make([]byte, sent)
		fillStream(want, 0)
		require.Equal(t, want, readToEnd(t, peer))
	}
}
