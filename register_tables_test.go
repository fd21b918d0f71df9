//go:build linux

package uring

import (
	"context"
	"math"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// need skips the test where err says that the kernel lacks something.
func need(t testing.TB, err error) {
	t.Helper()
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
}

// readFixed reads what is in the pipe through a fixed buffer, and returns the completion.
func readFixed(t testing.TB, r *Ring, fd int, p []byte, index uint16) CQE {
	t.Helper()
	queued(t, r, func(s *SQE) error { return s.PrepReadFixed(fd, p, 0, index) })
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	got := reapAll(r)
	require.Len(t, got, 1)
	return got[0]
}

// write puts text into the pipe.
func write(t testing.TB, fd int, text string) {
	t.Helper()
	n, err := unix.Write(fd, []byte(text))
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

func TestFixedBuffersReceiveByIndex(t *testing.T) {
	r := newTestRing(t, 4)
	rd, wr := testutil.Pipe(t)
	p, q := make([]byte, 64), make([]byte, 100_000)
	require.NoError(t, r.RegisterBuffers([][]byte{p, q}))

	write(t, wr, "first")
	require.EqualValues(t, 5, readFixed(t, r, rd, p, 0).Res)
	require.Equal(t, "first", string(p[:5]))
	write(t, wr, "second")
	require.EqualValues(t, 6, readFixed(t, r, rd, q[70_000:70_010], 1).Res, "any part of a buffer will do")
	require.Equal(t, "second", string(q[70_000:70_006]))

	write(t, wr, "x")
	c := readFixed(t, r, rd, q, 0)
	require.ErrorIs(t, c.Err(), unix.EFAULT, "memory of another index")
	c = readFixed(t, r, rd, p, 2)
	require.ErrorIs(t, c.Err(), unix.EFAULT, "an index that the table does not have")

	require.NoError(t, r.UnregisterBuffers())
	require.ErrorIs(t, readFixed(t, r, rd, p, 0).Err(), unix.EFAULT)
}

func TestRegisterBuffersRefuses(t *testing.T) { // fault 92
	r := newTestRing(t, 4)
	require.ErrorIs(t, r.UnregisterBuffers(), unix.ENXIO)
	huge := make([]byte, 1)
	for _, test := range []struct {
		name    string
		buffers [][]byte
	}{
		{"no buffers", nil},
		{"too many", make([][]byte, 16385)},
		{"an empty one", [][]byte{make([]byte, 4), {}}},
		{"more than 1 GiB", [][]byte{mappedBytes(t, 1<<30+1)}},
	} {
		require.ErrorIs(t, r.RegisterBuffers(test.buffers), unix.EINVAL, test.name)
		require.Empty(t, r.fixedBuffers(), test.name)
	}
	require.NoError(t, r.RegisterBuffers([][]byte{huge}))
	require.ErrorIs(t, r.RegisterBuffers([][]byte{huge}), unix.EBUSY)
	if has(t, "sparse_buffers") {
		require.ErrorIs(t, r.RegisterBuffersSparse(4), unix.EBUSY)
		_, err := r.RegisterMappedBuffers(4, 10)
		require.ErrorIs(t, err, unix.EBUSY)
	}
	require.Len(t, r.fixedBuffers(), 1, "the table is as it was")
	for _, size := range [][2]int{{0, 1}, {1, 0}, {-1, 1}, {16385, 1}, {1, 1<<30 + 1}} {
		_, err := r.RegisterMappedBuffers(size[0], size[1])
		require.ErrorIs(t, err, unix.EINVAL)
	}
	for _, n := range []int{0, -1, 16385} {
		require.ErrorIs(t, r.RegisterBuffersSparse(n), unix.EINVAL)
	}
}

// mappedBytes returns memory that costs nothing until it is touched.
func mappedBytes(t testing.TB, n int) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE|unix.MAP_NORESERVE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(mem)) })
	return mem
}

func TestSparseBuffersAreFilledAndEmptied(t *testing.T) {
	r := newTestRing(t, 4)
	rd, wr := testutil.Pipe(t)
	need(t, r.RegisterBuffersSparse(4))
	p, q := make([]byte, 16), make([]byte, 16)
	write(t, wr, "abcdef")
	require.ErrorIs(t, readFixed(t, r, rd, p, 2).Err(), unix.EFAULT)

	n, err := r.UpdateBuffers(2, [][]byte{p, q})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.EqualValues(t, 3, readFixed(t, r, rd, p[:3], 2).Res)
	require.EqualValues(t, 3, readFixed(t, r, rd, q[:3], 3).Res)
	require.Equal(t, "abcdef", string(p[:3])+string(q[:3]))

	n, err = r.UpdateBuffers(2, [][]byte{nil, p})
	require.NoError(t, err)
	require.Equal(t, 2, n)
	write(t, wr, "ghi")
	require.ErrorIs(t, readFixed(t, r, rd, p, 2).Err(), unix.EFAULT)
	require.EqualValues(t, 3, readFixed(t, r, rd, p, 3).Res)
	require.Nil(t, r.fixedBuffers()[2].mem)

	for _, test := range []struct {
		name    string
		first   int
		buffers [][]byte
	}{
		{"nothing", 0, nil},
		{"before the table", -1, [][]byte{p}},
		{"behind the table", 3, [][]byte{p, q}},
		{"an empty one", 0, [][]byte{{}}},
	} {
		_, err := r.UpdateBuffers(test.first, test.buffers)
		require.ErrorIs(t, err, unix.EINVAL, test.name)
	}
}

func TestUpdateBuffersSaysHowFarItCame(t *testing.T) {
	r := newTestRing(t, 4)
	need(t, r.RegisterBuffersSparse(4))
	gone := mappedBytes(t, unix.Getpagesize())
	require.NoError(t, unix.Mprotect(gone, unix.PROT_NONE))
	p := make([]byte, 16)
	n, err := r.UpdateBuffers(1, [][]byte{p, gone, p})
	require.ErrorIs(t, err, unix.EFAULT)
	require.Equal(t, 1, n)
	require.NotNil(t, r.fixedBuffers()[1].mem)
	require.Nil(t, r.fixedBuffers()[2].mem)
	require.Nil(t, r.fixedBuffers()[3].mem)
}

func TestMappedBuffers(t *testing.T) {
	r := newTestRing(t, 4)
	rd, wr := testutil.Pipe(t)
	buffers, err := r.RegisterMappedBuffers(3, 1000)
	require.NoError(t, err)
	require.Len(t, buffers, 3)
	for i, b := range buffers {
		require.Len(t, b, 1000)
		require.Equal(t, 1000, cap(b))
		write(t, wr, "mapped")
		require.EqualValues(t, 6, readFixed(t, r, rd, b, uint16(i)).Res)
		require.Equal(t, "mapped", string(b[:6]))
	}
	require.NoError(t, r.UnregisterBuffers())
	require.Empty(t, r.fixedBuffers())
}

// TestRegisteredMemoryStays registers memory that nobody else knows of and lets the collector run.
func TestRegisteredMemoryStays(t *testing.T) { // fault 55
	r := newTestRing(t, 4)
	rd, wr := testutil.Pipe(t)
	addr := func() uintptr {
		p := make([]byte, 64)
		require.NoError(t, r.RegisterBuffers([][]byte{p}))
		return addressOf(p)
	}()
	others := func() {
		runtime.GC()
		for range 2000 {
			require.NotEqual(t, addr, addressOf(make([]byte, 64)))
		}
	}
	others()
	write(t, wr, "late")
	queued(t, r, func(s *SQE) error {
		err := s.PrepReadFixed(rd, r.fixedBuffers()[0].mem, 0, 0)
		s.slot.unpin() // C code would name the index, and nothing else
		return err
	})
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.EqualValues(t, 4, reapAll(r)[0].Res)
	others()
	require.Equal(t, "late", string(r.fixedBuffers()[0].mem[:4]))
}

func TestUnregisteredBufferServesTheOperationInFlight(t *testing.T) {
	r := newTestRing(t, 4)
	rd, wr := testutil.Pipe(t)
	p := make([]byte, 64)
	require.NoError(t, r.RegisterBuffers([][]byte{p}))
	queued(t, r, func(s *SQE) error { return s.PrepReadFixed(rd, p, 0, 0) })
	_, err := r.Submit()
	require.NoError(t, err)
	err = r.UnregisterBuffers()
	skipIfQuiesced(t, err, "unregistration beside operations in flight", 6, 13)
	require.NoError(t, err)
	require.Empty(t, r.fixedBuffers())
	write(t, wr, "late")
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.EqualValues(t, 4, reapAll(r)[0].Res)
	require.Equal(t, "late", string(p[:4]))
}

func TestClonedBuffersOutliveTheirSource(t *testing.T) {
	needs(t, "IORING_REGISTER_CLONE_BUFFERS")
	src, dst := newTestRing(t, 4), newTestRing(t, 4)
	rd, wr := testutil.Pipe(t)
	require.ErrorIs(t, dst.CloneBuffers(src), unix.ENXIO)
	buffers, err := src.RegisterMappedBuffers(2, 100)
	require.NoError(t, err)
	need(t, dst.CloneBuffers(src))
	require.ErrorIs(t, dst.CloneBuffers(src), unix.EBUSY)
	require.NoError(t, src.UnregisterBuffers())

	write(t, wr, "clone")
	require.EqualValues(t, 5, readFixed(t, dst, rd, buffers[1], 1).Res)
	require.Equal(t, "clone", string(buffers[1][:5]))
	require.NoError(t, dst.UnregisterBuffers())

	closed, err := New(4)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	require.ErrorIs(t, dst.CloneBuffers(closed), ErrClosed)
}

func TestFixedBufferSendsWithoutCopy(t *testing.T) {
	r := newTestRing(t, 4)
	needs(t, CanSendZC)
	a, b := testutil.SocketPair(t, "tcp4")
	p := []byte("from a fixed buffer")
	require.NoError(t, r.RegisterBuffers([][]byte{p}))
	queued(t, r, func(s *SQE) error { return s.PrepSendZCFixed(a, p, 0, 0, 0) })
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.EqualValues(t, len(p), reapAll(r)[0].Res)
	q := make([]byte, 64)
	n, err := unix.Read(b, q)
	require.NoError(t, err)
	require.Equal(t, p, q[:n])
}

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
	require.ErrorIs(t, r.RegisterFiles([]int{math.MaxInt}), unix.EBADF)
	require.ErrorIs(t, r.RegisterFiles([]int{-3}), unix.EBADF)
	for _, n := range []int{0, -1, math.MaxInt} {
		require.ErrorIs(t, r.RegisterFilesSparse(n), unix.EINVAL)
	}
	require.Nil(t, r.undo.files)
	need(t, r.RegisterFilesSparse(1))
	require.NotNil(t, r.undo.files)
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
	for _, bad := range [][2]int{{-1, 1}, {0, -1}, {3, 2}, {math.MaxInt, 1}} {
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
