package sendq

import (
	"math"
	"net"
	"os"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestNewSlabRefusesBadSizes(t *testing.T) {
	tests := []struct {
		name    string
		options SlabOptions
	}{
		{"negative chunk", SlabOptions{ChunkSize: -1}},
		{"negative region", SlabOptions{RegionChunks: -1}},
		{"negative limit", SlabOptions{Limit: -1}},
		{"limit less than a chunk", SlabOptions{ChunkSize: 4096, Limit: 4095}},
		{"limit less than a default chunk", SlabOptions{Limit: DefaultChunkSize - 1}},
		{"region of more bytes than an int counts", SlabOptions{ChunkSize: math.MaxInt / 2, RegionChunks: 3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := NewSlab(tt.options)
			require.ErrorIs(t, err, os.ErrInvalid)
		})
	}
}

func TestSlabGrowsByRegionsUpToItsLimit(t *testing.T) {
	slab := newSlab(t, SlabOptions{ChunkSize: 4096, RegionChunks: 2, Limit: 3*4096 + 1})
	require.Equal(t, SlabStats{}, slab.Stats(), "nothing is mapped before it is needed")
	var out []*chunk
	for _, want := range []SlabStats{{Out: 1, Free: 1}, {Out: 2}, {Out: 3}} {
		c, err := slab.get()
		require.NoError(t, err)
		require.Len(t, c.mem, 4096)
		require.Equal(t, 4096, cap(c.mem))
		require.Equal(t, want, slab.Stats())
		for i := range c.mem {
			c.mem[i] = byte(len(out))
		}
		out = append(out, c)
	}
	_, err := slab.get()
	require.ErrorIs(t, err, ErrSlabFull)
	for i, c := range out {
		require.Equal(t, byte(i), c.mem[0], "chunks overlap")
		require.Equal(t, byte(i), c.mem[4095], "chunks overlap")
		slab.put(c)
	}
	require.Equal(t, SlabStats{Free: 3}, slab.Stats())
	c, err := slab.get()
	require.NoError(t, err)
	require.Same(t, out[2], c, "the chunk freed last is used first")
	slab.put(c)
}

func TestSlabDefaults(t *testing.T) {
	slab, err := NewSlab(SlabOptions{})
	require.NoError(t, err)
	c, err := slab.get()
	require.NoError(t, err)
	require.Len(t, c.mem, 64<<10)
	require.Equal(t, 64<<10, slab.ChunkSize())
	require.Equal(t, SlabStats{Out: 1, Free: 15}, slab.Stats())
	slab.put(c)
	require.NoError(t, slab.Close())
}

func TestSlabCloseWaitsForItsChunks(t *testing.T) {
	slab, err := NewSlab(SlabOptions{ChunkSize: 8})
	require.NoError(t, err)
	q, err := NewQueue(slab, 100)
	require.NoError(t, err)
	require.NoError(t, q.Write([]byte(letters(12))))
	pieces, err := q.Take(nil, 256, 100)
	require.NoError(t, err)

	require.ErrorContains(t, slab.Close(), "2 chunks of 8 bytes are still out")
	require.Equal(t, []string{"abcdefgh", "ijkl"}, texts(pieces), "the kernel may still read this")
	require.NoError(t, q.Sent(12))
	q.Settle()
	require.NoError(t, slab.Close())
	require.NoError(t, slab.Close(), "closing twice does nothing")
	require.Equal(t, SlabStats{}, slab.Stats())
	require.ErrorIs(t, q.Write([]byte("a")), net.ErrClosed)
}

func TestChunkPutBackTwicePanics(t *testing.T) {
	slab := newSlab(t, SlabOptions{ChunkSize: 8})
	c, err := slab.get()
	require.NoError(t, err)
	slab.put(c)
	require.Panics(t, func() { slab.put(c) })
	require.Equal(t, SlabStats{Free: DefaultRegionChunks}, slab.Stats())
}
