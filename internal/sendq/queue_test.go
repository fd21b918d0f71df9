package sendq

import (
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

// newSlab returns a slab that poisons what is freed. That the test's queues gave every chunk back is
// checked when it ends.
func newSlab(t testing.TB, options SlabOptions) *Slab {
	t.Helper()
	options.Poison = true
	slab, err := NewSlab(options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, slab.Close()) })
	return slab
}

// newQueue returns a queue of up to limit bytes on a slab of its own with chunks of chunkSize bytes. What
// is left in it is dropped when the test ends.
func newQueue(t testing.TB, chunkSize, limit int) *Queue {
	t.Helper()
	return newQueueOn(t, newSlab(t, SlabOptions{ChunkSize: chunkSize}), limit)
}

func newQueueOn(t testing.TB, slab *Slab, limit int) *Queue {
	t.Helper()
	q, err := NewQueue(slab, limit)
	require.NoError(t, err)
	t.Cleanup(func() {
		q.Settle()
		_, err := q.Fail(os.ErrClosed)
		require.NoError(t, err)
	})
	return q
}

// take takes up to 256 pieces of any length and returns them as strings.
func take(t testing.TB, q *Queue) []string {
	t.Helper()
	pieces, err := q.Take(nil, 256, 1<<30)
	require.NoError(t, err)
	return texts(pieces)
}

func texts(pieces [][]byte) []string {
	var s []string
	for _, p := range pieces {
		s = append(s, string(p))
	}
	return s
}

// letters returns the first n letters of an endless alphabet.
func letters(n int) string {
	return strings.Repeat("abcdefghijklmnopqrstuvwxyz", n/26+1)[:n]
}

func TestNewQueueRefusesBadArguments(t *testing.T) {
	_, err := NewQueue(newSlab(t, SlabOptions{}), 0)
	require.ErrorIs(t, err, os.ErrInvalid)
	_, err = NewQueue(nil, 1)
	require.ErrorIs(t, err, os.ErrInvalid)
}

func TestFifoKeepsOrderWhileItWrapsAndGrows(t *testing.T) {
	var f fifo[*int]
	pushed, popped := 0, 0
	for round := range 200 {
		for range round % 7 {
			v := pushed
			f.push(&v)
			pushed++
		}
		for range min(f.len(), round%5) {
			require.Equal(t, popped, **f.front())
			require.Equal(t, popped, *f.pop())
			popped++
		}
		require.Equal(t, pushed-popped, f.len())
	}
	for i := range f.len() {
		require.Equal(t, popped+i, **f.at(i))
	}
	require.Equal(t, pushed-1, **f.back())
	for f.len() > 0 {
		f.pop()
	}
	for _, p := range f.buf {
		require.Nil(t, p, "a popped slot keeps its value alive")
	}
}
