package sendq

import (
	"fmt"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestTakeCaps(t *testing.T) {
	tests := []struct {
		name                  string
		maxSegments, maxBytes int
		pieces, bytes, next   int // taken pieces and bytes, and the length of the next piece
	}{
		{name: "as a bundle takes", maxSegments: 256, maxBytes: 1 << 30, pieces: 256, bytes: 2560, next: 10},
		{name: "one segment", maxSegments: 1, maxBytes: 1 << 30, pieces: 1, bytes: 10, next: 10},
		{name: "one byte", maxSegments: 256, maxBytes: 1, pieces: 1, bytes: 1, next: 9},
		{name: "bytes to the end of a segment", maxSegments: 256, maxBytes: 20, pieces: 2, bytes: 20, next: 10},
		{name: "bytes into a segment", maxSegments: 256, maxBytes: 21, pieces: 3, bytes: 21, next: 9},
		{name: "both caps", maxSegments: 3, maxBytes: 30, pieces: 3, bytes: 30, next: 10},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := newQueue(t, 8, 10_000)
			for range 300 {
				require.NoError(t, q.HandOver(make([]byte, 10), nil))
			}
			pieces, err := q.Take(nil, tt.maxSegments, tt.maxBytes)
			require.NoError(t, err)
			require.Len(t, pieces, tt.pieces)
			require.Equal(t, tt.bytes, q.InFlight())
			require.Equal(t, 3000-tt.bytes, q.Pending())
			require.NoError(t, q.Sent(tt.bytes))
			q.Settle()
			pieces, err = q.Take(pieces[:0], tt.maxSegments, 1<<30)
			require.NoError(t, err)
			require.Len(t, pieces[0], tt.next)
		})
	}
}

func TestTakeAppends(t *testing.T) {
	q := newQueue(t, 8, 100)
	require.NoError(t, q.Write([]byte("ab")))
	pieces, err := q.Take([][]byte{[]byte("before")}, 1, 100)
	require.NoError(t, err)
	require.Equal(t, []string{"before", "ab"}, texts(pieces))
	require.Equal(t, 2, cap(pieces[1]), "an append must not reach what was not taken")
}

func TestTakeRefusesBadArguments(t *testing.T) {
	q := newQueue(t, 8, 100)
	require.NoError(t, q.Write([]byte("ab")))
	for _, caps := range [][2]int{{0, 1}, {1, 0}, {-1, 1}, {1, -1}} {
		_, err := q.Take(nil, caps[0], caps[1])
		require.ErrorIs(t, err, os.ErrInvalid, "%v", caps)
	}
	require.Zero(t, q.InFlight())
}

func TestOneTakeAtATime(t *testing.T) {
	q := newQueue(t, 8, 100)
	require.Empty(t, take(t, q), "an empty queue has nothing to put in flight")
	require.NoError(t, q.Write([]byte("abcdef")))
	require.Equal(t, []string{"abcdef"}, take(t, q))
	_, err := q.Take(nil, 1, 1)
	require.ErrorIs(t, err, ErrInFlight)

	require.NoError(t, q.Sent(6))
	_, err = q.Take(nil, 1, 1)
	require.ErrorIs(t, err, ErrInFlight, "all has left, but the request has not ended")
	q.Settle()
	require.Empty(t, take(t, q))
	q.Settle()
}

func TestWhatIsWrittenLaterDoesNotJoinTheRequest(t *testing.T) {
	q := newQueue(t, 8, 100)
	require.NoError(t, q.Write([]byte("abc")))
	pieces, err := q.Take(nil, 256, 100)
	require.NoError(t, err)
	require.NoError(t, q.Write([]byte("defghij")))
	require.Equal(t, []string{"abc"}, texts(pieces))
	require.Equal(t, 3, q.InFlight())
	require.ErrorIs(t, q.Sent(4), ErrOverrun)

	require.NoError(t, q.Sent(1))
	q.Settle()
	require.Equal(t, []string{"bcdefgh", "ij"}, take(t, q), "what did not leave goes first, at the exact byte")

	require.NoError(t, q.Write([]byte("kl")))
	require.NoError(t, q.Sent(9))
	q.Settle()
	require.Equal(t, []string{"kl"}, take(t, q), "what came later stays, though all before it in its chunk has left")
}

func TestSentStopsAtTheExactByte(t *testing.T) {
	// Pieces of 4, 4, 1, 3 and 2 bytes: copied, copied, copied, handed over, copied.
	const stream = "abcdefghiXYZjk"
	chunksWith := func(sent int) int {
		switch {
		case sent < 4:
			return 3
		case sent < 8:
			return 2
		case sent < 14:
			return 1
		}
		return 0
	}
	for n := range len(stream) + 1 {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			q := newQueue(t, 4, 100)
			released := -1
			require.NoError(t, q.Write([]byte("abcdefghi")))
			require.NoError(t, q.HandOver([]byte("XYZ"), func(sent int, _ error) { released = sent }))
			require.NoError(t, q.Write([]byte("jk")))
			require.Equal(t, []string{"abcd", "efgh", "i", "XYZ", "jk"}, take(t, q))

			for range n { // byte by byte, as slowly as a kernel could
				require.NoError(t, q.Sent(1))
			}
			require.Equal(t, uint64(n), q.SentTotal())
			require.Equal(t, len(stream)-n, q.InFlight())
			require.Equal(t, n >= 12, released == 3)
			require.Equal(t, chunksWith(n), q.slab.Stats().Out)

			q.Settle()
			require.Equal(t, len(stream)-n, q.Pending())
			left := ""
			for _, piece := range take(t, q) {
				left += piece
			}
			require.Equal(t, stream[n:], left)
		})
	}
}

func TestSentRefusesWhatWasNotInFlight(t *testing.T) {
	q := newQueue(t, 8, 100)
	require.NoError(t, q.Write([]byte("abcdef")))
	require.ErrorIs(t, q.Sent(1), ErrOverrun, "nothing was taken")
	_, err := q.Take(nil, 1, 4)
	require.NoError(t, err)
	require.ErrorIs(t, q.Sent(5), ErrOverrun)
	require.ErrorIs(t, q.Sent(-1), ErrOverrun)
	require.NoError(t, q.Sent(0))
	require.Equal(t, uint64(0), q.SentTotal())
	require.Equal(t, 4, q.InFlight())
	q.Settle()
	require.ErrorIs(t, q.Sent(1), ErrOverrun, "the request has ended")
}

func TestProgress(t *testing.T) {
	q := newQueue(t, 8, 100)
	for _, n := range []int{3, 10, 1} { // across chunks, whose borders are none of messages
		require.NoError(t, q.Write([]byte(letters(n))))
	}
	take(t, q)
	tests := []struct {
		sent     int // one after the other
		messages uint64
		partial  int
		queued   int
	}{
		{sent: 0, messages: 0, partial: 0, queued: 3},
		{sent: 2, messages: 0, partial: 2, queued: 3},
		{sent: 1, messages: 1, partial: 0, queued: 2},
		{sent: 9, messages: 1, partial: 9, queued: 2},
		{sent: 2, messages: 3, partial: 0, queued: 0},
	}
	for _, tt := range tests {
		require.NoError(t, q.Sent(tt.sent))
		messages, partial := q.Progress()
		require.Equal(t, tt.messages, messages)
		require.Equal(t, tt.partial, partial)
		require.Equal(t, tt.queued, q.MessagesQueued())
	}
}

// TestMemoryInFlightIsNotReused lets two queues write all they can into a small slab while a request is in
// flight, and looks at what the kernel would read.
func TestMemoryInFlightIsNotReused(t *testing.T) {
	slab := newSlab(t, SlabOptions{ChunkSize: 4, Limit: 16})
	q, other := newQueueOn(t, slab, 100), newQueueOn(t, slab, 100)
	require.NoError(t, q.Write([]byte("abcdefghij")))
	pieces, err := q.Take(nil, 256, 9)
	require.NoError(t, err)
	require.Equal(t, []string{"abcd", "efgh", "i"}, texts(pieces))

	fill := func() {
		for _, q := range []*Queue{q, other} {
			for q.Write([]byte("#")) == nil {
				continue
			}
		}
	}
	fill()
	require.Equal(t, []string{"abcd", "efgh", "i"}, texts(pieces))
	require.NoError(t, q.Sent(5))
	require.Equal(t, "\xDB\xDB\xDB\xDB", string(pieces[0]), "what has left is freed and poisoned")
	fill()
	require.Equal(t, "####", string(pieces[0]), "and used again")
	require.Equal(t, []string{"efgh", "i"}, texts(pieces[1:]))
}
