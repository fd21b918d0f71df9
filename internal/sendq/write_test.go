package sendq

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestMessagesFillChunks(t *testing.T) {
	tests := []struct {
		name     string
		messages []int // lengths
		pieces   []int
		chunks   int
	}{
		{name: "nothing"},
		{name: "an empty message", messages: []int{0}},
		{name: "one byte", messages: []int{1}, pieces: []int{1}, chunks: 1},
		{name: "small ones share a chunk", messages: []int{3, 2, 1}, pieces: []int{6}, chunks: 1},
		{name: "exactly a chunk", messages: []int{8}, pieces: []int{8}, chunks: 1},
		{name: "exactly a chunk in two", messages: []int{5, 3}, pieces: []int{8}, chunks: 1},
		{name: "a chunk and one byte", messages: []int{9}, pieces: []int{8, 1}, chunks: 2},
		{name: "one byte after a full chunk", messages: []int{8, 1}, pieces: []int{8, 1}, chunks: 2},
		{name: "on into the next chunk", messages: []int{5, 5}, pieces: []int{8, 2}, chunks: 2},
		{name: "several chunks", messages: []int{1, 24, 1}, pieces: []int{8, 8, 8, 2}, chunks: 4},
		{name: "with empty ones between", messages: []int{2, 0, 2, 0}, pieces: []int{4}, chunks: 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			vectored, plain := newQueue(t, 8, 100), newQueue(t, 8, 100)
			rest, accepted := letters(100), 0
			for _, n := range tt.messages {
				require.NoError(t, plain.Write([]byte(rest[:n])))
				require.NoError(t, vectored.Writev([][]byte{[]byte(rest[:n/2]), nil, []byte(rest[n/2 : n])}))
				rest = rest[n:]
				if n > 0 {
					accepted++
				}
			}
			for _, q := range []*Queue{plain, vectored} {
				require.Equal(t, accepted, q.MessagesQueued())
				require.Equal(t, tt.chunks, q.slab.Stats().Out)
				at, all := 0, letters(100)
				for i, piece := range take(t, q) {
					require.Len(t, piece, tt.pieces[i])
					require.Equal(t, all[at:at+len(piece)], piece)
					at += len(piece)
				}
				require.Equal(t, at, q.Buffered())
			}
		})
	}
}

func TestLimit(t *testing.T) {
	ways := []struct {
		name string
		add  func(q *Queue, n int) error
	}{
		{"Write", func(q *Queue, n int) error { return q.Write(make([]byte, n)) }},
		{"Writev", func(q *Queue, n int) error { return q.Writev([][]byte{make([]byte, n-1), make([]byte, 1)}) }},
		{"HandOver", func(q *Queue, n int) error { return q.HandOver(make([]byte, n), nil) }},
		{"Reserve", func(q *Queue, n int) error {
			if _, err := q.Reserve(n); err != nil {
				return err
			}
			return q.Commit(n)
		}},
	}
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			q := newQueue(t, 64, 10)
			require.ErrorIs(t, way.add(q, 11), ErrTooLong)
			require.NoError(t, way.add(q, 9))
			require.ErrorIs(t, way.add(q, 2), ErrLimit)
			require.ErrorIs(t, way.add(q, 11), ErrTooLong)
			require.NoError(t, way.add(q, 1), "exactly at the limit")
			require.ErrorIs(t, way.add(q, 1), ErrLimit)
			require.NoError(t, q.Write(nil), "nothing is never too much")
			require.Equal(t, 10, q.Buffered())
			require.Equal(t, 2, q.MessagesQueued())

			take(t, q)
			require.ErrorIs(t, way.add(q, 1), ErrLimit, "taken is not sent")
			require.NoError(t, q.Sent(3))
			require.ErrorIs(t, way.add(q, 4), ErrLimit)
			require.NoError(t, way.add(q, 3))
			require.Equal(t, uint64(13), q.Accepted())
		})
	}
}

func TestFullSlabAcceptsNothing(t *testing.T) {
	slab := newSlab(t, SlabOptions{ChunkSize: 8, Limit: 24})
	q, other := newQueueOn(t, slab, 100), newQueueOn(t, slab, 100)
	require.NoError(t, q.Write([]byte("abcdef")))
	require.NoError(t, other.Write([]byte("12345678")))

	require.ErrorIs(t, q.Write([]byte(letters(11))), ErrSlabFull)
	require.ErrorIs(t, q.Writev([][]byte{[]byte(letters(11))}), ErrSlabFull)
	require.Equal(t, SlabStats{Out: 2, Free: 1}, slab.Stats(), "the chunks of a refused message are given back")
	require.Equal(t, 6, q.Buffered())
	require.NoError(t, q.Write([]byte(letters(10))))

	_, err := q.Reserve(1)
	require.ErrorIs(t, err, ErrSlabFull)
	require.NoError(t, q.HandOver([]byte("handed over takes no chunk"), nil))

	require.Equal(t, []string{"12345678"}, take(t, other))
	require.NoError(t, other.Sent(8))
	require.NoError(t, q.Write([]byte("x")), "what the other queue sent makes room")
}

func TestReservation(t *testing.T) {
	q := newQueue(t, 8, 100)
	require.NoError(t, q.Write([]byte("abc")))

	p, err := q.Reserve(4)
	require.NoError(t, err)
	require.Len(t, p, 4)
	require.Equal(t, 4, cap(p), "an append must not reach what is not reserved")
	copy(p, "defg")
	require.Equal(t, 3, q.Buffered(), "what is reserved is not accepted")
	require.NoError(t, q.Commit(3))
	require.Equal(t, []string{"abcdef"}, take(t, q), "a reservation goes on where the last message ended")
	require.Equal(t, 2, q.MessagesQueued())
	require.NoError(t, q.Sent(6))
	q.Settle()

	t.Run("in a new chunk when it does not fit", func(t *testing.T) {
		require.NoError(t, q.Write([]byte("12345")))
		p, err := q.Reserve(8)
		require.NoError(t, err)
		copy(p, "ABCDEFGH")
		require.NoError(t, q.Commit(8))
		require.NoError(t, q.Write([]byte("6")))
		require.Equal(t, []string{"12345", "ABCDEFGH", "6"}, take(t, q))
		require.NoError(t, q.Sent(14))
		q.Settle()
	})
	t.Run("given up", func(t *testing.T) {
		_, err := q.Reserve(8)
		require.NoError(t, err)
		require.Equal(t, 1, q.slab.Stats().Out)
		require.NoError(t, q.Commit(0))
		require.Zero(t, q.slab.Stats().Out)
		require.Zero(t, q.MessagesQueued())
	})
	t.Run("survives that all before it was sent", func(t *testing.T) {
		require.NoError(t, q.Write([]byte("ab")))
		p, err := q.Reserve(2)
		require.NoError(t, err)
		require.Equal(t, []string{"ab"}, take(t, q))
		require.NoError(t, q.Sent(2))
		q.Settle()
		copy(p, "cd")
		require.NoError(t, q.Commit(2))
		require.Equal(t, []string{"cd"}, take(t, q))
		require.NoError(t, q.Sent(2))
		require.Zero(t, q.slab.Stats().Out)
	})
}

func TestReservationMisuse(t *testing.T) {
	q := newQueue(t, 8, 100)
	for _, n := range []int{-1, 0, 9} {
		_, err := q.Reserve(n)
		require.ErrorIs(t, err, os.ErrInvalid, "%d bytes", n)
	}
	require.ErrorIs(t, q.Commit(0), ErrNotReserved)

	require.NoError(t, q.Write([]byte("a")), "so that a second message would fit")
	_, err := q.Reserve(4)
	require.NoError(t, err)
	require.ErrorIs(t, q.Write([]byte("b")), ErrReserved)
	require.ErrorIs(t, q.Writev([][]byte{[]byte("b")}), ErrReserved)
	require.ErrorIs(t, q.HandOver([]byte("b"), func(int, error) { t.Error("released, but never accepted") }), ErrReserved)
	_, err = q.Reserve(1)
	require.ErrorIs(t, err, ErrReserved)
	require.ErrorIs(t, q.Commit(5), os.ErrInvalid)
	require.ErrorIs(t, q.Commit(-1), os.ErrInvalid)
	require.NoError(t, q.Commit(4), "a refused Commit leaves the reservation open")
	require.ErrorIs(t, q.Commit(4), ErrNotReserved)
	require.NoError(t, q.Write([]byte("b")))
	require.Equal(t, 6, q.Buffered())
}

func TestHandOverSendsTheBufferItself(t *testing.T) {
	q := newQueue(t, 8, 100)
	p := []byte("handed over")
	require.NoError(t, q.Write([]byte("abc")))
	require.NoError(t, q.HandOver(p, nil))
	require.NoError(t, q.Write([]byte("def")))
	require.Equal(t, 1, q.slab.Stats().Out, "copies on both sides share a chunk")

	pieces, err := q.Take(nil, 256, 100)
	require.NoError(t, err)
	require.Equal(t, []string{"abc", "handed over", "def"}, texts(pieces))
	require.Same(t, &p[0], &pieces[1][0])
	require.NoError(t, q.Sent(17))
	require.Zero(t, q.slab.Stats().Out)
}

func TestHandOverOfNothingIsReleasedAtOnce(t *testing.T) {
	q := newQueue(t, 8, 100)
	require.NoError(t, q.Write([]byte("not sent yet")))
	calls := 0
	require.NoError(t, q.HandOver(nil, func(sent int, err error) {
		calls++
		require.Zero(t, sent)
		require.NoError(t, err)
	}))
	require.NoError(t, q.HandOver([]byte{}, nil))
	require.Equal(t, 1, calls)
	require.Equal(t, 1, q.MessagesQueued())
}
