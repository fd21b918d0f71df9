//go:build linux

package uring

import (
	"bytes"
	"runtime"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// lentSize is that of a large object: a GODEBUG=efence=1 run makes the pages of those inaccessible, and no others.
const lentSize = 64 << 10

// receiveIntoDropped receives into a Go slice to which nothing leads any more when the data comes: it is dropped,
// the collector runs, and new slices take up what was freed. It returns the slices, which should all be zero, and
// the completion. Without pin the kernel knows the slice by nothing but its address.
//
//go:noinline
func receiveIntoDropped(t testing.TB, r *Ring, pin bool) (others [][]byte, c CQE) {
	a, b := testutil.SocketPair(t, "unix")
	s, err := r.SQE()
	require.NoError(t, err)
	prepareDropped(t, s, a, pin)
	_, err = r.Submit()
	require.NoError(t, err)
	runtime.GC()
	runtime.GC()
	others = make([][]byte, 1024)
	for i := range others {
		others[i] = make([]byte, lentSize)
	}
	_, err = unix.Write(b, bytes.Repeat([]byte{0xEE}, lentSize))
	require.NoError(t, err)
	cqes := wait(t, r, 1)
	require.Len(t, cqes, 1)
	return others, cqes[0]
}

//go:noinline
func prepareDropped(t testing.TB, s *SQE, fd int, pin bool) {
	p := make([]byte, lentSize)
	if pin {
		require.NoError(t, s.PrepRecv(fd, p, unix.MSG_WAITALL))
		return
	}
	// SAFETY: none, and that is the point.
	at := uint64(uintptr(unsafe.Pointer(&p[0])))
	*s.raw = cring.SQE{
		Opcode: cring.OpRecv, Fd: int32(fd), Addr: at, Len: lentSize, OpFlags: unix.MSG_WAITALL,
		UserData: s.raw.UserData,
	}
}

// foreignBytes counts the bytes that the kernel has written where it should not have.
func foreignBytes(slices [][]byte) (n int) {
	for _, p := range slices {
		n += lentSize - bytes.Count(p, []byte{0})
	}
	return n
}

// TestFact24UnpinnedMemoryIsCorruptedSilently is done in a child: what the kernel overwrites could be anybody's.
func TestFact24UnpinnedMemoryIsCorruptedSilently(t *testing.T) {
	if race.Enabled || cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsNoChecker,
			"the detectors keep freed memory from being used again; their own tests follow")
	}
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name(), "GODEBUG=", "GOGC=100")
		require.Contains(t, child.Output, "foreign bytes overwritten", "the kernel never hit a foreign slice")
		return
	}
	r := newTestRing(t, 8)
	for range 1000 {
		others, c := receiveIntoDropped(t, r, false)
		if n := foreignBytes(others); n > 0 {
			require.EqualValues(t, lentSize, c.Res, "and no error tells of it")
			t.Logf("%d foreign bytes overwritten", n)
			return
		}
	}
}

// TestPinnedMemoryIsNobodyElses is the healthy side of fact 24: faults 55 and 58.
func TestPinnedMemoryIsNobodyElses(t *testing.T) {
	r := newTestRing(t, 8)
	for range testutil.Fewer(10, 3) {
		others, c := receiveIntoDropped(t, r, true)
		require.Zero(t, foreignBytes(others))
		require.EqualValues(t, lentSize, c.Res)
	}
}

// TestArgumentMemoryOutlivesItsCaller drops addresses, vectors, messages and timespecs while the kernel uses them:
// fault 56, and 57 with a buffer on a stack that grows.
func TestArgumentMemoryOutlivesItsCaller(t *testing.T) {
	r := newTestRing(t, 32)
	a, b := testutil.SocketPair(t, "unix")
	timer := queued(t, r, func(s *SQE) error { return s.PrepTimeout(200*time.Millisecond, 0, 0) }).ID()
	message := queued(t, r, func(s *SQE) error {
		return s.PrepRecvmsg(a, &Msghdr{Buffers: [][]byte{make([]byte, 10), make([]byte, 20)}}, unix.MSG_WAITALL)
	}).ID()
	_, err := r.Submit()
	require.NoError(t, err)
	growStack(64)
	for range 3 {
		runtime.GC()
		_ = make([]byte, 1<<20)
	}
	_, err = unix.Write(b, make([]byte, 30))
	require.NoError(t, err)
	results := map[OpID]int32{}
	for _, c := range wait(t, r, 2) {
		results[c.ID] = c.Res
	}
	require.EqualValues(t, 30, results[message])
	require.EqualValues(t, -int32(unix.ETIME), results[timer])
}

// growStack makes the goroutine's stack move.
//
//go:noinline
func growStack(depth int) byte {
	var frame [1024]byte
	if depth == 0 {
		return frame[0]
	}
	return growStack(depth-1) + frame[depth]
}

// TestFact25EfenceCatchesUnpinnedMemory is a test that must fail: with every object on a page of its own that is
// never used again, the kernel's write into a freed one is EFAULT.
func TestFact25EfenceCatchesUnpinnedMemory(t *testing.T) {
	if race.Enabled || cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsNoChecker, "a detector of its own is at work")
	}
	if strings.Contains(runtime.Version(), "cgocheck2") {
		testutil.Skip(t, testutil.NeedsNoChecker, "cgocheck2 takes the stacks of an efence run for memory of C")
	}
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name(), "GODEBUG=efence=1")
		require.Contains(t, child.Output, "pinned 65536, unpinned bad address")
		return
	}
	r := newTestRing(t, 8)
	_, pinned := receiveIntoDropped(t, r, true)
	require.NoError(t, pinned.Err())
	for range 1000 { // the collector may find a trace of the slice on the stack
		_, unpinned := receiveIntoDropped(t, r, false)
		if unpinned.Res < 0 {
			t.Logf("pinned %d, unpinned %v", pinned.Res, unix.Errno(-unpinned.Res))
			return
		}
	}
}

// TestAsanCatchesUnpinnedMemory is a test that must fail: the sanitizer is asked at the completion, and knows the
// memory to be freed.
func TestAsanCatchesUnpinnedMemory(t *testing.T) {
	if !cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsAsan, "needs a build with -asan")
	}
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.NotZero(t, child.ExitCode, child.Output)
		require.Contains(t, child.Output, "memory that is poisoned", child.Output)
		return
	}
	r, err := New(8) // nobody closes it: the panic ends the process
	require.NoError(t, err)
	s, err := r.SQE()
	require.NoError(t, err)
	noteDropped(s)
	for range 3 {
		runtime.GC()
	}
	nopsDone := wait(t, r, 1) // panics
	t.Fatalf("nobody noticed: %v", nopsDone)
}

//go:noinline
func noteDropped(s *SQE) {
	p := make([]byte, lentSize)
	s.slot.note(unsafe.Pointer(&p[0]), len(p), kernelReads) // SAFETY: only its address is used, and it is not pinned.
}

// TestFact26RaceDetectorSeesTheKernel is a test that must fail: a buffer that is lent to the kernel is written by
// another goroutine. Fault 61.
func TestFact26RaceDetectorSeesTheKernel(t *testing.T) {
	if !race.Enabled {
		testutil.Skip(t, testutil.NeedsRace, "needs a build with -race")
	}
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Contains(t, child.Output, "WARNING: DATA RACE", child.Output)
		return
	}
	r := newTestRing(t, 8)
	a, b := testutil.SocketPair(t, "unix")
	p := make([]byte, 64)
	recvOp(t, r, a, p)
	_, err := r.Submit()
	require.NoError(t, err)
	written := make(chan struct{})
	go func() {
		p[3] = 1
		close(written)
	}()
	time.Sleep(20 * time.Millisecond) // orders nothing
	_, err = unix.Write(b, make([]byte, 64))
	require.NoError(t, err)
	wait(t, r, 1)
	<-written
}

// TestDroppedPinIsFound is a test that must fail: the runtime finds a pin that nobody will ever undo. Fault 59.
func TestDroppedPinIsFound(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.NotZero(t, child.ExitCode)
		require.Contains(t, child.Output, "found leaking pinned pointer", child.Output)
		return
	}
	pinAndForget()
	for range 10 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond) // for the finalizer's goroutine
	}
}

//go:noinline
func pinAndForget() {
	var p runtime.Pinner
	p.Pin(new([64]byte))
}

// TestFact29EmptyBuffersReadAsTheEnd and what follows it are why Add refuses them (fault 41).
func TestFact29EmptyBuffersReadAsTheEnd(t *testing.T) {
	r := newTestRing(t, 8)
	a, b := testutil.SocketPair(t, "unix")
	_, err := unix.Write(b, []byte("data"))
	require.NoError(t, err)
	ring := newTestBufRing(t, r, 4, 64)
	g := ring.group
	g.stage(unsafe.Pointer(&ring.mem[0]), 0, 0) // SAFETY: the ring's own memory.
	g.publish()
	for range 3 {
		queueRecv(t, r, a, ring, 0)
		require.Zero(t, wait(t, r, 1)[0].Res, "the end of a stream that has data")
	}
	if head, err := g.head(); err == nil {
		require.Zero(t, head, "the empty buffer is never used up")
	}
	require.ErrorIs(t, ring.Add(1, 0), unix.EINVAL)
}

// TestFact29ABufferTwiceIsOverwritten is why the owner of each buffer is tracked (fault 43).
func TestFact29ABufferTwiceIsOverwritten(t *testing.T) {
	r := newTestRing(t, 8)
	a, b := testutil.SocketPair(t, "unix")
	ring := newTestBufRing(t, r, 4, 64)
	for range 2 {
		ring.group.stage(unsafe.Pointer(&ring.mem[0]), 64, 0) // SAFETY: the ring's own memory.
	}
	ring.group.publish()
	for _, data := range []string{"first", "other"} {
		_, err := unix.Write(b, []byte(data))
		require.NoError(t, err)
		queueRecv(t, r, a, ring, 0)
		c := wait(t, r, 1)[0]
		require.EqualValues(t, len(data), c.Res)
		id, ok := c.Buffer()
		require.True(t, ok)
		require.Zero(t, id)
		require.Equal(t, data, string(ring.mem[:len(data)]), "what came first is still held by somebody")
	}
	require.NoError(t, ring.Add(1, 1))
	require.ErrorIs(t, ring.Add(1, 1), ErrBufferOwned)
}

// TestCallsIntoCDoNotGrowWithMessages sends a thousand messages by one bundle, and many bundles by one submission.
func TestCallsIntoCDoNotGrowWithMessages(t *testing.T) {
	calls := func(sockets, messages int) uint64 {
		r := newTestRing(t, 64, WithCQEntries(1024))
		needs(t, CanSendBundle)
		rings, fds := make([]*BufRing, sockets), make([]int, sockets)
		for i := range rings {
			fds[i], _ = testutil.SocketPair(t, "unix")
			rings[i] = newTestBufRing(t, r, messages, 8)
		}
		before := r.c.Calls()
		for i, b := range rings {
			require.NoError(t, b.AddRange(0, messages, 8))
			b.Publish()
			queueBundle(t, r, fds[i], b, 0)
		}
		_, err := r.Submit()
		require.NoError(t, err)
		left := sockets
		for c := range r.Completions() {
			require.NoError(t, c.Err())
			if !c.More() {
				left--
			}
		}
		require.Zero(t, left)
		return r.c.Calls() - before
	}
	require.Zero(t, calls(1, 1024))
	require.Zero(t, calls(64, 16))
}
