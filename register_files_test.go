//go:build linux

package uring

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// readFile reads through a registered file, and returns the completion.
func readFile(t testing.TB, r *Ring, index int, p []byte) CQE {
	t.Helper()
	s := queued(t, r, func(s *SQE) error { return s.PrepRead(index, p, 0) })
	s.FixedFile()
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	got := reapAll(r)
	require.Len(t, got, 1)
	return got[0]
}

func TestRegisteredFilesAreNamedByIndex(t *testing.T) { // fault 93
	r := newTestRing(t, 4)
	p := make([]byte, 16)
	rd, wr := testutil.Pipe(t)
	rd2, wr2 := testutil.Pipe(t)
	require.ErrorIs(t, readFile(t, r, 0, p).Err(), unix.EBADF, "no table")
	require.NoError(t, r.RegisterFiles([]int{rd, FilesEmpty, rd2}))
	write(t, wr, "one")
	write(t, wr2, "three")
	require.EqualValues(t, 3, readFile(t, r, 0, p).Res)
	require.EqualValues(t, 5, readFile(t, r, 2, p).Res)
	require.Equal(t, "three", string(p[:5]))
	require.ErrorIs(t, readFile(t, r, 1, p).Err(), unix.EBADF, "an empty index")
	require.ErrorIs(t, readFile(t, r, 3, p).Err(), unix.EBADF, "no index of the table")
	require.ErrorIs(t, r.RegisterFiles([]int{rd}), unix.EBUSY)
	require.NoError(t, r.UnregisterFiles())
	require.ErrorIs(t, r.UnregisterFiles(), unix.ENXIO)
	require.ErrorIs(t, readFile(t, r, 0, p).Err(), unix.EBADF)
}

func TestRegisterFilesRefuses(t *testing.T) { // fault 93
	r := newTestRing(t, 4)
	require.ErrorIs(t, r.RegisterFiles(nil), unix.EINVAL)
	require.ErrorIs(t, r.RegisterFiles([]int{9999}), unix.EBADF)
	require.ErrorIs(t, r.RegisterFiles([]int{1 << 40}), unix.EBADF)
	require.ErrorIs(t, r.RegisterFiles([]int{-3}), unix.EBADF)
	for _, n := range []int{0, -1, 1 << 40} {
		require.ErrorIs(t, r.RegisterFilesSparse(n), unix.EINVAL)
	}
	require.False(t, r.undo.files)
	need(t, r.RegisterFilesSparse(1))
	require.True(t, r.undo.files)
}

func TestSparseFilesAreUpdated(t *testing.T) {
	r := newTestRing(t, 4)
	p := make([]byte, 16)
	rd, wr := testutil.Pipe(t)
	need(t, r.RegisterFilesSparse(4))
	write(t, wr, "abcdef")
	n, err := r.UpdateFiles(1, []int{rd, rd, rd})
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.EqualValues(t, 2, readFile(t, r, 1, p[:2]).Res)
	n, err = r.UpdateFiles(1, []int{FilesEmpty, FilesSkip})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.ErrorIs(t, readFile(t, r, 1, p).Err(), unix.EBADF)
	require.EqualValues(t, 2, readFile(t, r, 2, p[:2]).Res, "it was skipped")

	n, err = r.UpdateFiles(0, []int{rd, 9999, rd})
	require.ErrorIs(t, err, unix.EBADF)
	require.Equal(t, 1, n)
	require.EqualValues(t, 2, readFile(t, r, 0, p[:2]).Res)

	_, err = r.UpdateFiles(3, []int{rd, rd})
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = r.UpdateFiles(-1, []int{rd})
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = r.UpdateFiles(0, nil)
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestFileAllocRangeBoundsWhatTheKernelChooses(t *testing.T) {
	r := newTestRing(t, 4)
	need(t, r.RegisterFilesSparse(4))
	need(t, r.RegisterFileAllocRange(2, 1))
	direct := func() CQE {
		queued(t, r, func(s *SQE) error { return s.PrepSocketDirectAlloc(unix.AF_UNIX, unix.SOCK_STREAM, 0, 0) })
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		return reapAll(r)[0]
	}
	require.EqualValues(t, 2, direct().Res)
	require.ErrorIs(t, direct().Err(), unix.ENFILE)
	for _, bad := range [][2]int{{-1, 1}, {0, -1}, {3, 2}, {1 << 32, 1}} {
		require.Error(t, r.RegisterFileAllocRange(bad[0], bad[1]))
	}
}

func TestCloseLetsGoOfRegisteredFiles(t *testing.T) {
	needs(t, CanSetup)
	r, err := New(4)
	require.NoError(t, err)
	a, b := testutil.SocketPair(t, "unix")
	require.NoError(t, r.RegisterFiles([]int{a}))
	require.NoError(t, unix.Close(a))
	_, err = unix.Write(b, []byte{1})
	require.NoError(t, err, "the table holds the socket open")
	require.NoError(t, r.Close())
	_, err = unix.Write(b, []byte{1})
	require.ErrorIs(t, err, unix.EPIPE)
}
