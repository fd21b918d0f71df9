package sendq

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

// released notes the releases of a queue's buffers in the order they are called.
type released struct{ calls []releaseCall }

type releaseCall struct {
	buffer string
	sent   int
	err    error
}

// of returns the release for a buffer.
func (r *released) of(buffer string) func(int, error) {
	return func(sent int, err error) { r.calls = append(r.calls, releaseCall{buffer, sent, err}) }
}

func TestFail(t *testing.T) {
	broken := errors.New("broken pipe")
	tests := []struct {
		name  string
		sent  int
		loss  Loss
		calls []releaseCall
	}{
		{
			name: "before anything left", sent: 0, loss: Loss{Messages: 4, Bytes: 12},
			calls: []releaseCall{{"first", 0, broken}, {"2nd", 0, broken}},
		},
		{
			name: "in a copied message", sent: 1, loss: Loss{Messages: 4, Bytes: 11, Partial: 1},
			calls: []releaseCall{{"first", 0, broken}, {"2nd", 0, broken}},
		},
		{
			name: "between messages", sent: 2, loss: Loss{Messages: 3, Bytes: 10},
			calls: []releaseCall{{"first", 0, broken}, {"2nd", 0, broken}},
		},
		{
			name: "in a buffer handed over", sent: 6, loss: Loss{Messages: 3, Bytes: 6, Partial: 4},
			calls: []releaseCall{{"first", 4, broken}, {"2nd", 0, broken}},
		},
		{
			name: "after it", sent: 7, loss: Loss{Messages: 2, Bytes: 5},
			calls: []releaseCall{{"first", 5, nil}, {"2nd", 0, broken}},
		},
		{
			name: "in the last message", sent: 11, loss: Loss{Messages: 1, Bytes: 1, Partial: 1},
			calls: []releaseCall{{"first", 5, nil}, {"2nd", 3, nil}},
		},
		{
			name: "after all left", sent: 12,
			calls: []releaseCall{{"first", 5, nil}, {"2nd", 3, nil}},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var released released
			q := newQueue(t, 8, 100)
			require.NoError(t, q.Write([]byte("ab")))
			require.NoError(t, q.HandOver([]byte("first"), released.of("first")))
			require.NoError(t, q.HandOver([]byte("2nd"), released.of("2nd")))
			require.NoError(t, q.Write([]byte("yz")))
			take(t, q)
			require.NoError(t, q.Sent(tt.sent))
			q.Settle()
			messages, partial := q.Progress()

			loss, err := q.Fail(broken)
			require.NoError(t, err)
			require.Equal(t, tt.loss, loss)
			require.Equal(t, tt.calls, released.calls)
			require.Zero(t, q.slab.Stats().Out)
			require.Zero(t, q.Buffered())
			require.Zero(t, q.Pending())
			require.Zero(t, q.MessagesQueued())
			require.Equal(t, uint64(12), q.Accepted())
			require.Equal(t, uint64(tt.sent), q.SentTotal())
			gotMessages, gotPartial := q.Progress()
			require.Equal(t, messages, gotMessages)
			require.Equal(t, partial, gotPartial)
		})
	}
}

func TestFailedQueueAnswersItsError(t *testing.T) {
	broken := errors.New("broken pipe")
	q := newQueue(t, 8, 100)
	require.NoError(t, q.Write([]byte("ab")))
	_, err := q.Fail(broken)
	require.NoError(t, err)

	require.ErrorIs(t, q.Err(), broken)
	require.ErrorIs(t, q.Write([]byte("c")), broken)
	require.ErrorIs(t, q.Write(nil), broken)
	require.ErrorIs(t, q.Writev([][]byte{[]byte("c")}), broken)
	_, err = q.Reserve(1)
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, q.HandOver([]byte("c"), func(int, error) { t.Error("released, but never accepted") }), broken)
	require.ErrorIs(t, q.HandOver(nil, func(int, error) { t.Error("released, but never accepted") }), broken)
	_, err = q.Take(nil, 1, 1)
	require.ErrorIs(t, err, broken)
	require.ErrorIs(t, q.Sent(1), ErrOverrun)
	q.Settle()

	loss, err := q.Fail(errors.New("another"))
	require.NoError(t, err)
	require.Zero(t, loss)
	require.ErrorIs(t, q.Err(), broken, "the first error stays")
}

func TestFailWaitsForTheRequest(t *testing.T) {
	var released released
	q := newQueue(t, 8, 100)
	require.NoError(t, q.HandOver([]byte("abc"), released.of("abc")))
	require.Equal(t, []string{"abc"}, take(t, q))
	_, err := q.Fail(os.ErrClosed)
	require.ErrorIs(t, err, ErrInFlight)
	require.NoError(t, q.Err())
	require.Empty(t, released.calls)
	require.NoError(t, q.Sent(2))
	q.Settle()
	loss, err := q.Fail(os.ErrClosed)
	require.NoError(t, err)
	require.Equal(t, Loss{Messages: 1, Bytes: 1, Partial: 2}, loss)
	require.Equal(t, []releaseCall{{"abc", 2, os.ErrClosed}}, released.calls)
}

func TestFailNeedsAnError(t *testing.T) {
	q := newQueue(t, 8, 100)
	_, err := q.Fail(nil)
	require.ErrorIs(t, err, os.ErrInvalid)
	require.NoError(t, q.Write([]byte("still in use")))
}

// TestReservedMemoryOutlivesFail fills a reservation after the queue under it failed, while another queue
// uses whatever the slab gives it.
func TestReservedMemoryOutlivesFail(t *testing.T) {
	for _, before := range []string{"", "ab"} {
		t.Run("after "+before, func(t *testing.T) {
			slab := newSlab(t, SlabOptions{ChunkSize: 8, Limit: 16})
			q, other := newQueueOn(t, slab, 100), newQueueOn(t, slab, 100)
			require.NoError(t, q.Write([]byte(before)))
			p, err := q.Reserve(4)
			require.NoError(t, err)
			_, err = q.Fail(os.ErrClosed)
			require.NoError(t, err)
			require.Equal(t, 1, slab.Stats().Out)

			require.NoError(t, other.Write([]byte("12345678")))
			require.ErrorIs(t, other.Write([]byte("9")), ErrSlabFull)
			copy(p, "late")
			require.Equal(t, []string{"12345678"}, take(t, other))

			require.ErrorIs(t, q.Commit(4), os.ErrClosed)
			require.ErrorIs(t, q.Commit(4), ErrNotReserved)
			require.NoError(t, other.Write([]byte("9")))
			require.Zero(t, q.Buffered())
		})
	}
}

func TestReleaseMayUseTheQueue(t *testing.T) {
	t.Run("hands the buffer over again", func(t *testing.T) {
		q := newQueue(t, 8, 3)
		p, turns := []byte("abc"), 0
		var again func(int, error)
		again = func(_ int, err error) {
			if turns++; err == nil {
				require.NoError(t, q.HandOver(p, again))
			}
		}
		require.NoError(t, q.HandOver(p, again))
		for range 5 {
			require.Equal(t, []string{"abc"}, take(t, q))
			require.NoError(t, q.Sent(3))
			q.Settle()
		}
		require.Equal(t, 5, turns)
		require.Equal(t, 3, q.Buffered())
		loss, err := q.Fail(os.ErrClosed)
		require.NoError(t, err)
		require.Equal(t, Loss{Messages: 1, Bytes: 3}, loss)
		require.Equal(t, 6, turns)
	})
	t.Run("sends on", func(t *testing.T) {
		var released released
		q := newQueue(t, 8, 100)
		require.NoError(t, q.HandOver([]byte("a"), func(sent int, err error) {
			released.of("a")(sent, err)
			require.NoError(t, q.Sent(2))
			q.Settle()
			_, err = q.Fail(os.ErrClosed)
			require.NoError(t, err)
			require.Len(t, released.calls, 1, "what becomes due meanwhile waits its turn")
		}))
		for _, buffer := range []string{"b", "c", "d"} {
			require.NoError(t, q.HandOver([]byte(buffer), released.of(buffer)))
		}
		take(t, q)
		require.NoError(t, q.Sent(1))
		require.Equal(t, []releaseCall{{"a", 1, nil}, {"b", 1, nil}, {"c", 1, nil}, {"d", 0, os.ErrClosed}}, released.calls)
	})
	t.Run("panics", func(t *testing.T) {
		var released released
		q := newQueue(t, 8, 100)
		require.NoError(t, q.HandOver([]byte("a"), func(int, error) { panic("in a release") }))
		require.NoError(t, q.HandOver([]byte("b"), released.of("b")))
		take(t, q)
		require.Panics(t, func() { q.Sent(2) })
		require.Equal(t, uint64(2), q.SentTotal())
		require.NoError(t, q.Sent(0))
		require.Equal(t, []releaseCall{{"b", 1, nil}}, released.calls)
	})
}
