//go:build unix

package sendq

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSlabCloseUnmapsItsMemory(t *testing.T) {
	// Large, so that nothing else is mapped over all of it in between.
	slab, err := NewSlab(SlabOptions{ChunkSize: 16 << 20, RegionChunks: 1})
	require.NoError(t, err)
	c, err := slab.get()
	require.NoError(t, err)
	mem := c.mem
	require.NoError(t, unix.Madvise(mem, unix.MADV_NORMAL))
	slab.put(c)
	require.NoError(t, slab.Close())
	require.ErrorIs(t, unix.Madvise(mem, unix.MADV_NORMAL), unix.ENOMEM)
}

func TestSlabReportsFailedMapping(t *testing.T) {
	slab := newSlab(t, SlabOptions{ChunkSize: math.MaxInt &^ 0xFFFF, RegionChunks: 1})
	q := newQueueOn(t, slab, 100)
	require.ErrorIs(t, q.Write([]byte("a")), unix.ENOMEM)
	_, err := q.Reserve(1)
	require.ErrorIs(t, err, unix.ENOMEM)
	require.Zero(t, q.Buffered())
	require.Equal(t, SlabStats{}, slab.Stats())
}
