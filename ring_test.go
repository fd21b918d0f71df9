//go:build linux

package uring

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// newTestRing returns a ring that the test owns and that is closed, drained, at its end.
func newTestRing(t testing.TB, entries uint32, opts ...Option) *Ring {
	t.Helper()
	r, err := New(entries, opts...)
	for tries := 0; errors.Is(err, unix.ENOMEM) && tries < 200; tries++ {
		// Without CAP_IPC_LOCK recent kernels count rings towards RLIMIT_MEMLOCK, and give back what a closed ring held
		// only after a while.
		time.Sleep(50 * time.Millisecond)
		r, err = New(entries, opts...)
	}
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, r.Close())
		require.Zero(t, r.slots.live)
	})
	return r
}

// needs skips the test where the kernel or this process lacks any of the features, by their names in Capabilities.
func needs(t testing.TB, features ...string) {
	t.Helper()
	caps, err := Probe()
	require.NoError(t, err)
	testutil.SkipIfUnsupported(t, caps.Require(features...))
}

// has reports whether the kernel and this process have a feature, by its name in Capabilities.
func has(t testing.TB, feature string) bool {
	t.Helper()
	caps, err := Probe()
	require.NoError(t, err)
	err = caps.Require(feature)
	if !errors.Is(err, errors.ErrUnsupported) {
		require.NoError(t, err)
	}
	return err == nil
}

// nop queues a NOP that carries v.
func nop(t testing.TB, r *Ring, v uint64) {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	s.SetData64(v)
}

// pollForever queues a request that ends only when it is cancelled, and returns the pipe it waits for.
func pollForever(t testing.TB, r *Ring) {
	t.Helper()
	reader, _ := testutil.Pipe(t)
	s, err := r.SQE()
	require.NoError(t, err)
	s.raw.Opcode, s.raw.Fd, s.raw.OpFlags = cring.OpPollAdd, int32(reader), unix.POLLIN
}

func TestRingCompletesInOrderThroughEveryQueueSize(t *testing.T) {
	for _, entries := range []uint32{1, 2, 4, 64} {
		r := newTestRing(t, entries)
		for i := range uint64(40) { // more than fit: SQE submits when the queue is full
			nop(t, r, i)
		}
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		var got []uint64
		for c := range r.Completions() {
			require.NoError(t, c.Err())
			got = append(got, c.Data64)
		}
		require.Len(t, got, 40)
		for i, v := range got {
			require.EqualValues(t, i, v)
		}
		st := r.Stats()
		require.EqualValues(t, 40, st.Submitted)
		require.EqualValues(t, 40, st.Completed)
		require.Zero(t, st.InFlight)
		require.Zero(t, st.Stale)
	}
}

func TestWaitEndsOnTimeoutContextAndClose(t *testing.T) {
	t.Run("timeout", func(t *testing.T) {
		r := newTestRing(t, 4)
		pollForever(t, r)
		start := time.Now()
		n, err := r.SubmitAndWaitTimeout(context.Background(), 1, 20*time.Millisecond)
		require.Equal(t, 1, n)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	})
	t.Run("context cancelled meanwhile", func(t *testing.T) {
		r := newTestRing(t, 4)
		pollForever(t, r)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err := r.SubmitAndWait(ctx, 1)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("context deadline", func(t *testing.T) {
		r := newTestRing(t, 4)
		pollForever(t, r)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		_, err := r.SubmitAndWait(ctx, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("closed by another goroutine", func(t *testing.T) {
		r := newTestRing(t, 4)
		pollForever(t, r)
		closed := make(chan error)
		time.AfterFunc(10*time.Millisecond, func() { closed <- r.Close() })
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, <-closed)
		var got []CQE
		for c := range r.Completions() {
			got = append(got, c)
		}
		require.Len(t, got, 1)
		require.ErrorIs(t, got[0].Err(), unix.ECANCELED)
	})
	t.Run("nothing in flight", func(t *testing.T) {
		r := newTestRing(t, 4)
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.ErrorIs(t, err, ErrIdle)
	})
	t.Run("more than the queue holds", func(t *testing.T) {
		r := newTestRing(t, 4)
		_, err := r.SubmitAndWait(context.Background(), 9)
		require.ErrorIs(t, err, unix.EINVAL)
	})
}

func TestRingRefusesOtherThreads(t *testing.T) {
	r := newTestRing(t, 4)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_, err := r.Submit()
		done <- err
	}()
	require.ErrorIs(t, <-done, ErrNotOwner)
	nop(t, r, 1)
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
}

func TestCloseIsIdempotentAndConcurrent(t *testing.T) {
	r := newTestRing(t, 8)
	for range 4 {
		pollForever(t, r)
	}
	_, err := r.Submit()
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			require.NoError(t, r.Close())
		}()
	}
	time.Sleep(5 * time.Millisecond) // some of them are to come before the owner
	require.NoError(t, r.Close())
	wg.Wait()
	require.NoError(t, r.Close())
	_, err = r.SQE()
	require.ErrorIs(t, err, ErrClosed)
	_, err = r.Submit()
	require.ErrorIs(t, err, ErrClosed)
}

func TestCloseWithUnsubmittedEntriesResolvesThem(t *testing.T) {
	r := newTestRing(t, 8)
	nop(t, r, 7)
	require.NoError(t, r.Close())
	var dst [4]CQE
	n, err := r.Reap(dst[:])
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.EqualValues(t, 7, dst[0].Data64)
	require.ErrorIs(t, dst[0].Err(), unix.ECANCELED)
}

func TestCloseAfterTheOwnersThreadEnded(t *testing.T) {
	needs(t, CanSetup)
	made := make(chan *Ring)
	go func() { // returns locked, so its thread ends
		r, err := New(4)
		if err == nil {
			pollForever(t, r)
			_, err = r.Submit()
		}
		if err != nil {
			t.Error(err)
		}
		made <- r
	}()
	r := <-made
	require.NotNil(t, r)
	require.NoError(t, r.Close())
}

func TestOverflowIsFlushedAndCounted(t *testing.T) { // fault 31
	r := newTestRing(t, 8, WithCQEntries(8))
	for i := range uint64(40) {
		nop(t, r, i)
	}
	_, err := r.Submit()
	require.NoError(t, err)
	n := 0
	for c := range r.Completions() {
		require.EqualValues(t, n, c.Data64)
		n++
	}
	require.Equal(t, 40, n)
	require.NotZero(t, r.Stats().Overflowed)
}

// queued hands out an SQE that prep fills.
func queued(t testing.TB, r *Ring, prep func(s *SQE) error) *SQE {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, prep(s))
	return s
}

// The following queue one operation each, to be submitted by the test.

func recvOp(t testing.TB, r *Ring, fd int, p []byte) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepRecv(fd, p, 0) })
}

func sendOp(t testing.TB, r *Ring, fd int, p []byte) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepSend(fd, p, 0) })
}

func timeoutOp(t testing.TB, r *Ring, d time.Duration) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepTimeout(d, 0, 0) })
}

func pollOp(t testing.TB, r *Ring, fd int) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepPollAdd(fd, unix.POLLIN) })
}

func cancelOp(t testing.TB, r *Ring, id OpID) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepCancel(id, 0) })
}

// reapAll returns what is there to be reaped.
func reapAll(r *Ring) []CQE {
	var got []CQE
	for c := range r.Completions() {
		got = append(got, c)
	}
	return got
}

// foreignUserData marks entries that tests queue past the library, as C code on the same ring would.
const foreignUserData = 0x5eed

// queueForeign puts an entry into the submission queue as it is: nothing is checked, kept alive or pinned.
func queueForeign(t testing.TB, r *Ring, e cring.SQE) {
	t.Helper()
	require.NotZero(t, r.SQSpace())
	e.UserData = foreignUserData
	tail := *r.c.SQETail
	r.c.SQEs[tail&r.sqMask] = e
	*r.c.SQETail = tail + 1
}

// foreign queues an entry past the library and returns its one completion.
func foreign(t testing.TB, r *Ring, e cring.SQE) CQE {
	t.Helper()
	queueForeign(t, r, e)
	return foreignCompletion(t, r)
}

// foreignCompletion waits for the completion of an entry that was queued past the library.
func foreignCompletion(t testing.TB, r *Ring) CQE {
	t.Helper()
	cqes := wait(t, r, 1)
	require.Len(t, cqes, 1)
	require.True(t, cqes[0].Foreign)
	require.EqualValues(t, foreignUserData, cqes[0].ID)
	return cqes[0]
}

// vector returns an iovec array for the parts, and the parts joined. All of it is pinned until the test ends.
func vector(t testing.TB, parts ...[]byte) (iov []byte, joined []byte) {
	t.Helper()
	var pinner runtime.Pinner
	t.Cleanup(pinner.Unpin)
	vec := make([]cring.Iovec, len(parts))
	for i, p := range parts {
		pinner.Pin(&p[0])
		vec[i] = cring.Iovec{Base: address(p), Len: uint64(len(p))}
		joined = append(joined, p...)
	}
	pinner.Pin(&vec[0])
	// SAFETY: the bytes of vec, which the slice keeps alive.
	return unsafe.Slice((*byte)(unsafe.Pointer(&vec[0])), len(vec)*int(unsafe.Sizeof(vec[0]))), joined
}

// TestChildOfForkTakesNothing has a child, which shares the queues of the ring, submit what its parent is filling: the
// kernel takes the ring for that of the owner's thread, and where it does not, no entry is there to be taken before the
// owner submits it.
func TestChildOfForkTakesNothing(t *testing.T) { // fault 108
	needs(t, CanSetup)
	for name, opts := range map[string][]Option{
		"the owner's alone": nil,
		"anybody's":         {WithoutFlags(SetupSingleIssuer | SetupDeferTaskrun)},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 8, opts...)
			for i := range uint64(3) {
				nop(t, r, i)
			}
			status := forkAndSubmit(r.Fd(), 3)
			if r.Flags()&SetupSingleIssuer != 0 {
				require.Equal(t, int(unix.EEXIST), status, "the kernel let the child submit")
			} else {
				require.Zero(t, status)
			}
			require.Zero(t, r.Stats().Submitted)
			require.Zero(t, r.Ready(), "the child submitted what its parent is filling")
			n, err := r.SubmitAndWait(context.Background(), 3)
			require.NoError(t, err)
			require.Equal(t, 3, n)
			var got []uint64
			for _, c := range reapAll(r) {
				require.NoError(t, c.Err())
				got = append(got, c.Data64)
			}
			require.Equal(t, []uint64{0, 1, 2}, got)
			require.Zero(t, r.Stats().Stale)
		})
	}
}

// forkAndSubmit forks, and has the child submit n entries of a ring. It returns the errno of that, and -1 where the
// child did not come so far.
func forkAndSubmit(fd, n int) int {
	pid := forkToSubmit(uintptr(fd), uintptr(n))
	var status unix.WaitStatus
	for {
		if _, err := unix.Wait4(pid, &status, 0, nil); err == nil {
			break
		} else if err != unix.EINTR {
			return -1
		}
	}
	return status.ExitStatus()
}

// forkToSubmit returns the child's process ID. The child does not return: it leaves with the errno of its submission.
// It must not allocate, grow its stack or be preempted, for the runtime's other threads are not there.
//
//go:norace
//go:nosplit
func forkToSubmit(fd, n uintptr) int {
	pid, _, err := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if err != 0 {
		return -1
	}
	if pid != 0 {
		return int(pid)
	}
	_, _, err = syscall.RawSyscall6(unix.SYS_IO_URING_ENTER, fd, n, 0, 0, 0, 0)
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, uintptr(err), 0, 0)
	}
}

func TestSteadyStateAllocatesNothing(t *testing.T) {
	const ops = 16
	r := newTestRing(t, 32)
	ctx := context.Background()
	var dst [ops]CQE
	fill := func() {
		for i := range uint64(ops) {
			s, err := r.SQE()
			if err != nil {
				t.Fatal(err)
			}
			s.SetData64(i)
		}
	}
	reaped := 0
	for _, test := range []struct {
		name string
		run  func()
	}{
		{"Submit and Completions", func() {
			fill()
			if _, err := r.Submit(); err != nil {
				t.Fatal(err)
			}
			for range r.Completions() {
				reaped++
			}
		}},
		{"SubmitAndWait and Reap", func() {
			fill()
			if _, err := r.SubmitAndWait(ctx, ops); err != nil {
				t.Fatal(err)
			}
			n, err := r.Reap(dst[:])
			if err != nil {
				t.Fatal(err)
			}
			reaped += n
		}},
		{"SubmitAndWaitTimeout", func() {
			fill()
			if _, err := r.SubmitAndWaitTimeout(ctx, ops, time.Hour); err != nil {
				t.Fatal(err)
			}
			n, _ := r.Reap(dst[:])
			reaped += n
		}},
	} {
		reaped = 0
		require.Zero(t, testing.AllocsPerRun(100, test.run), test.name)
		require.Equal(t, 101*ops, reaped, test.name)
	}
}

func TestReceiveIntoPinnedMemoryAllocatesNothing(t *testing.T) {
	r := newTestRing(t, 4)
	ctx := context.Background()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	p, q := make([]byte, 8), make([]byte, 8)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		sendOp(t, r, fds[0], p)
		recvOp(t, r, fds[1], q)
		if _, err := r.SubmitAndWait(ctx, 2); err != nil {
			t.Fatal(err)
		}
		for c := range r.Completions() {
			if c.Err() != nil {
				t.Fatal(c.Err())
			}
		}
	}))
}

func TestSubmissionCrossesIntoCOnceAWait(t *testing.T) {
	r := newTestRing(t, 64)
	before := r.c.Calls()
	for range 10 {
		for i := range uint64(64) {
			nop(t, r, i)
		}
		_, err := r.Submit()
		require.NoError(t, err)
		require.Len(t, reapAll(r), 64)
	}
	require.Equal(t, before, r.c.Calls(), "neither submitting nor reaping needs C")
	nop(t, r, 1)
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Equal(t, before+1, r.c.Calls())
}

// TestRingWithOneProcessor has a process with one processor, and with one P, in which owners wait for what other
// goroutines, or the kernel's polling thread, have yet to do.
func TestRingWithOneProcessor(t *testing.T) { // fault 113
	needs(t, CanSetup)
	for name, run := range map[string]func(t *testing.T){
		"the owner waits for others": ownerWaitsForOthers,
		"a polling thread":           pollingThreadOnTheOnlyProcessor,
		"a peer that reads":          peerReadsOnTheOnlyProcessor,
	} {
		t.Run(name, func(t *testing.T) {
			if !testutil.InChild() {
				child := reExecOnOneProcessor(t)
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			require.Equal(t, 1, runtime.NumCPU())
			require.Equal(t, 1, runtime.GOMAXPROCS(0))
			testutil.Timeout(t, time.Minute)
			run(t)
		})
	}
}

// reExecOnOneProcessor is testutil.ReExec of a child that may use one processor. A process has the processors of the
// thread that starts it.
func reExecOnOneProcessor(t *testing.T) testutil.Child {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var all, one unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &all))
	cpu := 0
	for !all.IsSet(cpu) {
		cpu++
	}
	one.Set(cpu)
	require.NoError(t, unix.SchedSetaffinity(0, &one))
	defer func() { require.NoError(t, unix.SchedSetaffinity(0, &all)) }()
	return testutil.ReExecAs(t, t.Name(), func(*exec.Cmd) {}, "GOMAXPROCS=1")
}

func ownerWaitsForOthers(t *testing.T) {
	r, err := New(4)
	require.NoError(t, err)
	rd, wr := testutil.Pipe(t)
	for range 20 {
		pollOp(t, r, rd)
		wrote := make(chan error)
		go func() {
			_, err := unix.Write(wr, []byte{1})
			wrote <- err
		}()
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		require.Len(t, reapAll(r), 1)
		require.NoError(t, <-wrote)
		_, err = unix.Read(rd, make([]byte, 1))
		require.NoError(t, err)
	}
	pollOp(t, r, rd)
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	_, err = r.SubmitAndWait(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)
	closed := make(chan error)
	go func() { closed <- r.Close() }()
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, <-closed)
}

// pollingThreadOnTheOnlyProcessor fills a queue again and again that only the kernel's thread empties, which has to be
// let run for that.
func pollingThreadOnTheOnlyProcessor(t *testing.T) {
	r := newTestRing(t, 2, WithSQPoll(time.Millisecond, -1))
	const all = 2000
	seen := uint64(0)
	for i := range uint64(all) {
		nop(t, r, i)
		if i%5 == 4 {
			_, err := r.Submit()
			require.NoError(t, err)
		}
		for c := range r.Completions() {
			require.Equal(t, seen, c.Data64)
			seen++
		}
	}
	for seen < all {
		_, err := r.SubmitAndWaitTimeout(context.Background(), 1, 10*time.Second)
		require.NoError(t, err)
		for c := range r.Completions() {
			require.Equal(t, seen, c.Data64)
			seen++
		}
	}
}

// peerReadsOnTheOnlyProcessor has a call and a Sender wait until a goroutine has read what they send.
func peerReadsOnTheOnlyProcessor(t *testing.T) {
	r := newTestRing(t, 8)
	a, peer := testutil.SocketPair(t, "tcp4")
	const size = 8 << 20
	p := make([]byte, size)
	fillStream(p, 0)
	got := make(chan []byte, 1)
	go func() { got <- readAll(t, peer, size) }()
	n, err := r.Send(context.Background(), a, p, unix.MSG_WAITALL)
	require.NoError(t, err)
	require.Equal(t, size, n)
	require.Equal(t, p, <-got)

	s, err := r.NewSender(a)
	require.NoError(t, err)
	go func() { got <- readAll(t, peer, size) }()
	for rest := p; len(rest) > 0; rest = rest[32<<10:] {
		_, err := s.Write(rest[:32<<10]) // which waits at the limit
		require.NoError(t, err)
	}
	require.NoError(t, s.Flush(context.Background()))
	require.Equal(t, p, <-got)
	require.NoError(t, s.Close())
}
