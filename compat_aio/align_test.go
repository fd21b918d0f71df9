//go:build linux

package aio

import (
	"errors"
	"math"
	"math/bits"
	"os"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestAlignmentRows(t *testing.T) {
	t.Run("D01 the alignment is what O_DIRECT takes", func(t *testing.T) { testDirect(t, FileAlignment) })
	t.Run("D47 the alignment is the disk's where statx does not know", func(t *testing.T) {
		testDirect(t, func(f *os.File) (Alignment, error) { return probedAlignment(int(f.Fd())) })
	})
	t.Run("a file that is closed", func(t *testing.T) {
		f := newFile(t)
		require.NoError(t, f.Close())
		_, err := FileAlignment(f)
		require.ErrorIs(t, err, os.ErrClosed)
		_, err = FileAlignment(nil)
		require.ErrorIs(t, err, ErrInvalid)
	})
	t.Run("a file system without O_DIRECT", func(t *testing.T) {
		f, err := os.Open("/proc/self/status")
		require.NoError(t, err)
		defer f.Close()
		_, err = FileAlignment(f)
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, "O_DIRECT")
	})
}

func testDirect(t *testing.T, alignmentOf func(*os.File) (Alignment, error)) {
	f := newFile(t)
	alignment, err := alignmentOf(f)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	for _, n := range []int{alignment.Memory, alignment.Offset} {
		require.Equal(t, 1, bits.OnesCount(uint(n)), "%d is a power of two", n)
	}
	fd, err := unix.Open(f.Name(), unix.O_RDWR|unix.O_DIRECT|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	direct := os.NewFile(uintptr(fd), "direct")
	defer direct.Close()

	// True asynchrony: the kernel finishes these after io_submit.
	const requests = 32
	q := newQueue(t, requests)
	size := max(alignment.Offset, 4096)
	data := alignment.Buffer(requests * size)
	copy(data, pattern(len(data), 7))
	reqs := make([]*Request, requests)
	for i := range reqs {
		reqs[i] = new(Request)
		require.NoError(t, reqs[i].PrepareWrite(FileOf(direct), int64(i*size), data[i*size:(i+1)*size], nil))
	}
	run(t, q, reqs...)
	var sync, read Request
	require.NoError(t, sync.PrepareFsync(FileOf(direct), nil))
	run(t, q, &sync)
	got := alignment.Buffer(len(data))
	require.NoError(t, read.PrepareReadv(FileOf(direct), 0, [][]byte{got[:size], got[size:]}, nil))
	run(t, q, &read)
	n, err := read.Result()
	require.NoError(t, err)
	require.Equal(t, len(data), n)
	require.Equal(t, data, got)
}

func TestBufferIsAligned(t *testing.T) {
	for _, align := range []int{0, 1, 2, 512, 4096, 1 << 16} {
		for _, n := range []int{0, 1, 511, 512, 5000} {
			b := Alignment{Memory: align}.Buffer(n)
			require.Len(t, b, n)
			if n == 0 {
				continue // It has no address.
			}
			// SAFETY: the address is a number here.
			address := uintptr(unsafe.Pointer(unsafe.SliceData(b)))
			require.Zero(t, address%uintptr(max(align, os.Getpagesize())))
		}
	}
}

func TestCancelOfFileTransferInProgress(t *testing.T) {
	q, f := newQueue(t, 1), newFile(t)
	var r Request
	require.NoError(t, r.PrepareFsync(FileOf(f), nil))
	_, err := q.Submit(&r)
	require.NoError(t, err)
	err = r.Cancel() // A flush is under way or done; the kernel cancels neither.
	require.True(t, errors.Is(err, ErrInProgress) || errors.Is(err, ErrCompleted), "%v", err)
	drain(t, q)
	_, err = r.Result()
	require.NoError(t, err)
}

func TestBufferOfNothing(t *testing.T) { // found 30
	for _, a := range []Alignment{{}, {Memory: 512, Offset: 512}, {Memory: -1}} {
		require.Nil(t, a.Buffer(-1))
		require.Nil(t, a.Buffer(math.MinInt))
		require.Empty(t, a.Buffer(0))
		require.Len(t, a.Buffer(1), 1)
	}
}
