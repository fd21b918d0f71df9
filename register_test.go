//go:build linux

package uring

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
	"github.com/sockring/uring/internal/testutil"
)

// everyRegistration is all that registers, with valid arguments as far as the call is looked at.
var everyRegistration = map[string]func(r *Ring) error{
	"RegisterBuffers":        func(r *Ring) error { return r.RegisterBuffers([][]byte{make([]byte, 8)}) },
	"RegisterMappedBuffers":  func(r *Ring) error { _, err := r.RegisterMappedBuffers(1, 8); return err },
	"RegisterBuffersSparse":  func(r *Ring) error { return r.RegisterBuffersSparse(1) },
	"UnregisterBuffers":      (*Ring).UnregisterBuffers,
	"RegisterFiles":          func(r *Ring) error { return r.RegisterFiles([]int{0}) },
	"RegisterFilesSparse":    func(r *Ring) error { return r.RegisterFilesSparse(1) },
	"UpdateFiles":            func(r *Ring) error { _, err := r.UpdateFiles(0, []int{0}); return err },
	"UnregisterFiles":        (*Ring).UnregisterFiles,
	"RegisterFileAllocRange": func(r *Ring) error { return r.RegisterFileAllocRange(0, 1) },
	"RegisterEventfd":        func(r *Ring) error { return r.RegisterEventfd(0) },
	"RegisterEventfdAsync":   func(r *Ring) error { return r.RegisterEventfdAsync(0) },
	"UnregisterEventfd":      (*Ring).UnregisterEventfd,
	"RegisterPersonality":    func(r *Ring) error { _, err := r.RegisterPersonality(); return err },
	"UnregisterPersonality":  func(r *Ring) error { return r.UnregisterPersonality(1) },
	"RegisterRestrictions":   func(r *Ring) error { return r.RegisterRestrictions(AllowOp(cring.OpNop)) },
	"EnableRings":            (*Ring).EnableRings,
	"RegisterIOWQAff":        func(r *Ring) error { return r.RegisterIOWQAff(0) },
	"UnregisterIOWQAff":      (*Ring).UnregisterIOWQAff,
	"RegisterIOWQMaxWorkers": func(r *Ring) error { _, _, err := r.RegisterIOWQMaxWorkers(0, 0); return err },
	"RegisterNAPI":           func(r *Ring) error { _, err := r.RegisterNAPI(NAPI{}); return err },
	"UnregisterNAPI":         func(r *Ring) error { _, err := r.UnregisterNAPI(); return err },
	"RegisterClock":          func(r *Ring) error { return r.RegisterClock(unix.CLOCK_MONOTONIC) },
	"Probe":                  func(r *Ring) error { _, err := r.Probe(); return err },
	"SyncCancel":             func(r *Ring) error { return r.SyncCancel(CancelAny(), 0) },
	"RegisterRingFd":         (*Ring).RegisterRingFd,
}

func TestRegistrationSaysWhoRefusesIt(t *testing.T) { // fault 3
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_REGISTER)
	r := newTestRing(t, 4)
	for name, call := range everyRegistration {
		err := call(r)
		require.ErrorIs(t, err, ErrUnsupported, name)
		require.ErrorIs(t, err, unix.EPERM, name)
		require.ErrorContains(t, err, "seccomp filter answers EPERM to io_uring_register", name)
	}
	require.Empty(t, r.fixedBuffers())
}

func TestRegistrationIsForTheOwnerOfAnOpenRing(t *testing.T) {
	r := newTestRing(t, 4)
	errs := make(chan error)
	for name, call := range everyRegistration {
		go func() { errs <- call(r) }()
		require.ErrorIs(t, <-errs, ErrNotOwner, name)
	}
	closed, err := New(4)
	require.NoError(t, err)
	require.NoError(t, closed.Close())
	for name, call := range everyRegistration {
		require.ErrorIs(t, call(closed), ErrClosed, name)
	}
}

func TestRefusalNamesAVersionOnlyToAKernelThatDoesNotKnow(t *testing.T) {
	r := newTestRing(t, 4)
	unknown := registerOp{9999, "IORING_REGISTER_MADE_UP", probe.Version{Major: 99, Minor: 1}, 1}
	var arg [16]byte
	_, err := r.register(unknown, "make up", unsafe.Pointer(&arg), 1) // SAFETY: read during the call only.
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorIs(t, err, unix.EINVAL)
	var unsupported *UnsupportedError
	require.ErrorAs(t, err, &unsupported)
	major, minor := unsupported.SinceKernel()
	require.Equal(t, [2]int{99, 1}, [2]int{major, minor})
	require.Equal(t, "IORING_REGISTER_MADE_UP", unsupported.Feature())

	// What this kernel knows is not taken for unknown, however bad its arguments.
	known, err := Probe()
	require.NoError(t, err)
	for _, op := range []registerOp{
		opBuffersUpdate, opCloneBuffers, opFileAllocRange, opEventfdAsync, opIOWQAff, opIOWQMaxWorkers, opRingFd,
		opNAPI, opClock, opProbe, opSyncCancel,
	} {
		if f, ok := known.Feature(op.name); ok && !f.Supported {
			continue
		}
		require.True(t, r.knows(op), op.name)
	}
}

func TestSparseRefusalTellsTheArgumentFromTheKernel(t *testing.T) {
	r := newTestRing(t, 4)
	need(t, r.RegisterBuffersSparse(1))
	require.NoError(t, r.UnregisterBuffers())
	err := r.registerSparse(opBuffersSparse, "register an empty table of buffers", 1<<20) // past what Go lets through
	require.ErrorIs(t, err, unix.EINVAL)
	require.NotErrorIs(t, err, ErrUnsupported)
	require.NoError(t, r.RegisterBuffersSparse(1), "the attempt has left no table behind")
}

func TestRegistrationSurvivesSignalsAndGivesUpInTime(t *testing.T) { // fault 74
	interruptions := 5
	ret := uninterrupted(context.Background(), func() int {
		if interruptions--; interruptions >= 0 {
			return -int(unix.EINTR)
		}
		return 7
	})
	require.Equal(t, 7, ret)

	ctx, cancel := context.WithCancel(context.Background())
	ret = uninterrupted(ctx, func() int { cancel(); return -int(unix.EINTR) })
	require.Equal(t, -int(unix.EINTR), ret)
	r := newTestRing(t, 4)
	require.ErrorIs(t, r.registerError(opBuffers, "register buffers", unix.EINTR), os.ErrDeadlineExceeded)
}

func TestRegistrationUnderASignalStormWithOperationsInFlight(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 8, WithCloseTimeout(time.Second))
	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd)
	_, err := r.Submit()
	require.NoError(t, err)
	signalStorm(t, r, 20*time.Microsecond)
	for range 50 {
		err := r.RegisterBuffers([][]byte{make([]byte, 8)})
		skipIfQuiesced(t, err, "registration beside operations in flight", 5, 19)
		require.NoError(t, err)
		err = r.UnregisterBuffers()
		skipIfQuiesced(t, err, "unregistration beside operations in flight", 6, 13)
		require.NoError(t, err)
		require.NoError(t, r.RegisterFiles([]int{rd}))
		err = r.UnregisterFiles()
		skipIfQuiesced(t, err, "unregistration beside operations in flight", 6, 13)
		require.NoError(t, err)
	}
}

// skipIfQuiesced skips the test where the kernel waits for the operations in flight, as it did before the version, and
// was waited for no longer than Close would.
func skipIfQuiesced(t testing.TB, err error, what string, major, minor int) {
	t.Helper()
	if errors.Is(err, errTimeout) {
		testutil.SkipIfUnsupported(t, &UnsupportedError{
			Name: what, Missing: "the kernel waits for them", SinceMajor: major, SinceMinor: minor, Err: err,
		})
	}
}

func testEventfd(t testing.TB) int {
	t.Helper()
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// signals returns how often the eventfd was signalled since the last time.
func signals(t testing.TB, fd int) uint64 {
	t.Helper()
	var p [8]byte
	_, err := unix.Read(fd, p[:])
	if errors.Is(err, unix.EAGAIN) {
		return 0
	}
	require.NoError(t, err)
	return binary.NativeEndian.Uint64(p[:])
}

func TestEventfdIsSignalledByCompletions(t *testing.T) { // fault 94
	r := newTestRing(t, 4)
	fd := testEventfd(t)
	rd, _ := testutil.Pipe(t)
	require.ErrorIs(t, r.RegisterEventfd(rd), unix.EINVAL)
	require.ErrorIs(t, r.RegisterEventfd(9999), unix.EBADF)
	require.ErrorIs(t, r.UnregisterEventfd(), unix.ENXIO)
	require.NoError(t, r.RegisterEventfd(fd))
	require.ErrorIs(t, r.RegisterEventfd(fd), unix.EBUSY)
	complete := func() uint64 {
		nop(t, r, 1)
		_, err := r.Submit()
		require.NoError(t, err)
		require.Len(t, reapAll(r), 1)
		return signals(t, fd)
	}
	require.NotZero(t, complete())
	require.NoError(t, r.SetEventfdEnabled(false))
	require.Zero(t, complete())
	require.NoError(t, r.SetEventfdEnabled(true))
	require.NotZero(t, complete())
	require.NoError(t, r.UnregisterEventfd())
	require.Zero(t, complete())

	need(t, r.RegisterEventfdAsync(fd))
	require.Zero(t, complete(), "a NOP completes within its submission")
	// A worker reads a file, and only looks at a pipe: one that is still empty then is read by the owner.
	f, err := os.CreateTemp(t.TempDir(), "")
	require.NoError(t, err)
	defer f.Close()
	queued(t, r, func(s *SQE) error { return s.PrepRead(int(f.Fd()), make([]byte, 4), 0) }).Async()
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	// The worker signals after it has posted the completion, which is seen before that on 6.1 now and then.
	require.Eventually(t, func() bool { return signals(t, fd) != 0 }, 10*time.Second, time.Millisecond)
}

func TestPersonalityRunsOperations(t *testing.T) { // fault 25
	r := newTestRing(t, 4)
	id, err := r.RegisterPersonality()
	need(t, err)
	run := func(id uint16) CQE {
		s := queued(t, r, (*SQE).PrepNop)
		s.SetPersonality(id)
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		return reapAll(r)[0]
	}
	require.NoError(t, run(id).Err())
	require.ErrorIs(t, run(55).Err(), unix.EINVAL)
	require.NoError(t, r.UnregisterPersonality(id))
	require.ErrorIs(t, run(id).Err(), unix.EINVAL)
	err = r.UnregisterPersonality(id)
	require.ErrorIs(t, err, unix.EINVAL)
	require.NotErrorIs(t, err, ErrUnsupported)
}

func TestWorkersAreBoundAndLimited(t *testing.T) {
	r := newTestRing(t, 4)
	var set unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &set))
	cpu := 0
	for !set.IsSet(cpu) {
		cpu++
	}
	need(t, r.RegisterIOWQAff(cpu))
	require.NoError(t, r.UnregisterIOWQAff())
	for _, cpus := range [][]int{nil, {-1}, {1 << 16}} {
		require.ErrorIs(t, r.RegisterIOWQAff(cpus...), unix.EINVAL)
	}

	bounded, unbounded, err := r.RegisterIOWQMaxWorkers(3, 0)
	need(t, err)
	require.Positive(t, bounded)
	require.Positive(t, unbounded)
	nowBounded, nowUnbounded, err := r.RegisterIOWQMaxWorkers(bounded, 5)
	require.NoError(t, err)
	require.Equal(t, 3, nowBounded)
	require.Equal(t, unbounded, nowUnbounded)
	_, nowUnbounded, err = r.RegisterIOWQMaxWorkers(0, unbounded)
	require.NoError(t, err)
	require.Equal(t, 5, nowUnbounded)
	_, _, err = r.RegisterIOWQMaxWorkers(-1, 0)
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestRingDescriptorIsRegisteredAndNot(t *testing.T) {
	r := newTestRing(t, 4, WithPlainFd())
	complete := func() {
		nop(t, r, 1)
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		nop(t, r, 2)
		_, err = r.Submit()
		require.NoError(t, err)
		require.Len(t, reapAll(r), 2)
	}
	require.False(t, r.FdRegistered())
	require.ErrorIs(t, r.UnregisterRingFd(), unix.EINVAL)
	complete()
	need(t, r.RegisterRingFd())
	require.True(t, r.FdRegistered())
	require.ErrorIs(t, r.RegisterRingFd(), unix.EEXIST)
	complete()
	require.NoError(t, r.UnregisterRingFd())
	require.False(t, r.FdRegistered())
	complete()
}

func TestNAPISettingsAreExchanged(t *testing.T) {
	r := newTestRing(t, 4)
	old, err := r.RegisterNAPI(NAPI{BusyPoll: 20 * time.Microsecond, PreferBusyPoll: true})
	need(t, err)
	require.Zero(t, old)
	old, err = r.RegisterNAPI(NAPI{BusyPoll: 30 * time.Microsecond})
	require.NoError(t, err)
	require.Equal(t, NAPI{BusyPoll: 20 * time.Microsecond, PreferBusyPoll: true}, old)
	a, b := testutil.SocketPair(t, "tcp4")
	recvOp(t, r, a, make([]byte, 4))
	_, err = unix.Write(b, []byte("napi"))
	require.NoError(t, err)
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.EqualValues(t, 4, reapAll(r)[0].Res)
	old, err = r.UnregisterNAPI()
	require.NoError(t, err)
	require.Equal(t, NAPI{BusyPoll: 30 * time.Microsecond}, old)
	for _, d := range []time.Duration{-time.Second, 72 * time.Minute} {
		_, err := r.RegisterNAPI(NAPI{BusyPoll: d})
		require.ErrorIs(t, err, unix.EINVAL)
	}
}

func TestClockOfWaits(t *testing.T) {
	r := newTestRing(t, 4)
	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd)
	for _, clock := range []int32{unix.CLOCK_BOOTTIME, unix.CLOCK_MONOTONIC} {
		need(t, r.RegisterClock(clock))
		start := time.Now()
		_, err := r.SubmitAndWaitTimeout(context.Background(), 1, 5*time.Millisecond)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(start), 5*time.Millisecond)
	}
	err := r.RegisterClock(unix.CLOCK_REALTIME)
	require.ErrorIs(t, err, unix.EINVAL)
	require.NotErrorIs(t, err, ErrUnsupported)
}

func TestProbeTellsTheOperationsOfTheKernel(t *testing.T) {
	r := newTestRing(t, 4)
	known, err := r.Probe()
	need(t, err)
	require.True(t, known.Has(cring.OpNop))
	require.True(t, known.Has(cring.OpSendmsg))
	require.False(t, known.Has(255))
	last := -1
	for op := range known.All() {
		require.Greater(t, int(op), last)
		require.True(t, known.Has(op))
		last = int(op)
	}
	for op := range known.All() {
		require.EqualValues(t, 0, op)
		break
	}
	all, err := Probe()
	require.NoError(t, err)
	for _, f := range all.Features() {
		if f.Name == "IORING_OP_SEND_ZC" {
			require.Equal(t, f.Supported, known.Has(cring.OpSendZC))
		}
	}
}

func TestRestrictedRing(t *testing.T) { // fault 96
	r := newTestRing(t, 4, WithDisabled())
	require.False(t, r.FdRegistered(), "the kernel refuses to enter it")
	nop(t, r, 1)
	_, err := r.Submit()
	require.ErrorIs(t, err, unix.EBADFD)
	require.ErrorIs(t, r.RegisterRestrictions(), unix.EINVAL)
	allowed := []Restriction{
		AllowOp(cring.OpNop), AllowOp(cring.OpPollAdd), AllowSQEFlags(SQEIOLink),
		AllowRegister(cring.RegisterEnableRings),
	}
	if has(t, "IORING_REGISTER_RING_FDS") {
		allowed = append(allowed, AllowRegister(cring.RegisterRingFds))
	}
	need(t, r.RegisterRestrictions(allowed...))
	require.ErrorIs(t, r.RegisterRestrictions(AllowOp(cring.OpRecv)), unix.EBUSY)
	require.NoError(t, r.EnableRings())
	require.ErrorIs(t, r.EnableRings(), unix.EBADFD)
	require.Equal(t, !r.cfg.plainFd && has(t, "IORING_REGISTER_RING_FDS"), r.FdRegistered())
	require.NotZero(t, r.Flags()&SetupRDisabled)

	n, err := r.SubmitAndWait(context.Background(), 1) // the NOP from before
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, reapAll(r)[0].Err())

	rd, _ := testutil.Pipe(t)
	recvOp(t, r, rd, make([]byte, 4))
	queued(t, r, (*SQE).PrepNop).Drain()
	_, err = r.SubmitAndWait(context.Background(), 2)
	require.NoError(t, err)
	for _, c := range reapAll(r) {
		require.ErrorIs(t, c.Err(), unix.EACCES)
	}
	err = r.RegisterFiles([]int{rd})
	require.ErrorIs(t, err, unix.EACCES)
	require.NotErrorIs(t, err, ErrUnsupported)

	pollOp(t, r, rd) // Close cancels it all the same
	_, err = r.Submit()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.ErrorIs(t, reapAll(r)[0].Err(), unix.ECANCELED)
}

func TestRestrictedRingThatDemandsFlags(t *testing.T) {
	r := newTestRing(t, 4, WithDisabled())
	rd, wr := testutil.Pipe(t)
	require.NoError(t, r.RegisterFiles([]int{rd}))
	need(t, r.RegisterRestrictions(
		AllowOp(cring.OpRead), AllowOp(cring.OpPollAdd), RequireSQEFlags(SQEFixedFile),
		AllowRegister(cring.RegisterEnableRings),
	))
	require.NoError(t, r.EnableRings())
	p := make([]byte, 4)
	write(t, wr, "abcd")
	require.EqualValues(t, 4, readFile(t, r, 0, p).Res)
	queued(t, r, func(s *SQE) error { return s.PrepRead(rd, p, 0) })
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.ErrorIs(t, reapAll(r)[0].Err(), unix.EACCES)

	needs(t, CanCancelAny) // kernels without it refuse cancellations with the flag
	queued(t, r, func(s *SQE) error { return s.PrepPollAdd(0, unix.POLLIN) }).FixedFile()
	_, err = r.Submit()
	require.NoError(t, err)
	require.NoError(t, r.Close(), "its cancellation has the flag too")
}

func TestSyncCancel(t *testing.T) { // fault 63
	r := newTestRing(t, 16)
	rd, _ := testutil.Pipe(t)
	rd2, _ := testutil.Pipe(t)
	err := r.SyncCancel(CancelID(1), 0)
	testutil.SkipIfUnsupported(t, err)
	require.ErrorIs(t, err, unix.ENOENT)
	require.ErrorIs(t, r.SyncCancel(CancelFd(9999), 0), unix.EBADF)
	require.ErrorIs(t, r.SyncCancel(CancelFd(math.MaxInt), 0), unix.EBADF)
	require.NoError(t, r.RegisterFiles([]int{rd2}))

	polls := func(n, fd int) (ids []OpID) {
		for range n {
			ids = append(ids, pollOp(t, r, fd).ID())
		}
		_, err := r.Submit()
		require.NoError(t, err)
		return ids
	}
	for _, test := range []struct {
		name string
		m    func() CancelMatch
		ends int
	}{
		{"by id", func() CancelMatch { return CancelID(polls(3, rd)[1]) }, 1},
		{"the first on a descriptor", func() CancelMatch { polls(3, rd); polls(2, rd2); return CancelFd(rd) }, 1},
		{"all on a descriptor", func() CancelMatch { polls(3, rd); polls(2, rd2); return CancelFd(rd).All() }, 3},
		{"all on a registered file", func() CancelMatch { polls(3, rd); polls(2, rd2); return CancelFixedFile(0).All() }, 2},
		{"any", func() CancelMatch { polls(3, rd); return CancelAny() }, 3},
	} {
		m := test.m()
		require.NoError(t, r.SyncCancel(m, time.Second), test.name)
		got := reapAll(r)
		require.Len(t, got, test.ends, test.name)
		for _, c := range got {
			require.ErrorIs(t, c.Err(), unix.ECANCELED, test.name)
		}
		if r.Stats().InFlight > 0 {
			require.NoError(t, r.SyncCancel(CancelAny(), -1), test.name)
		}
		reapAll(r)
		require.Zero(t, r.Stats().InFlight, test.name)
	}
}

func TestSyncCancelGivesUpInTime(t *testing.T) { // fault 71
	needs(t, "IORING_REGISTER_SYNC_CANCEL")
	if !testutil.InChild() { // which a failure leaves with a thread that cannot be ended
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, time.Minute)
	page := newFaultPage(t)
	rd, wr := testutil.Pipe(t)
	_, err := unix.Write(wr, make([]byte, len(page.mem)))
	require.NoError(t, err)
	r := newTestRing(t, 4)
	s := queued(t, r, func(s *SQE) error {
		err := s.PrepRead(rd, page.mem, -1)
		s.Async()
		return err
	})
	id := s.ID()
	_, err = r.Submit()
	require.NoError(t, err)
	page.awaitFault(t, r)
	signalStorm(t, r, time.Millisecond)
	start := time.Now()
	err = r.SyncCancel(CancelID(id), 20*time.Millisecond)
	testutil.SkipIfUnsupported(t, err)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	page.resolve(t)
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
}

// TestRegistrationThatHangsGivesUpInTime has every registration hang until a signal comes, as beside operations in
// flight on kernels that wait for those: it is given up in the time that Close has, and the ring is as it was.
func TestRegistrationThatHangsGivesUpInTime(t *testing.T) { // fault 74
	if !testutil.InChild() { // a filter stays
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, time.Minute)
	runtime.LockOSThread() // on which the filter is, and then the ring
	supervisor := superviseRegister(t)
	const limit = 20 * time.Millisecond
	r := newTestRing(t, 8, WithCloseTimeout(limit))
	rd, wr := testutil.Pipe(t)
	pollOp(t, r, rd)
	_, err := r.Submit()
	require.NoError(t, err)
	supervisor.hold.Store(true)
	hung := 0
	for name, call := range everyRegistration {
		if name == "RegisterRingFd" || name == "SyncCancel" {
			continue // these wait for no operations in flight but those that are to be cancelled
		}
		before, start := supervisor.held.Load(), time.Now()
		err := call(r)
		require.Error(t, err, name)
		if supervisor.held.Load() == before {
			continue // refused before the kernel was asked
		}
		hung++
		require.ErrorIs(t, err, os.ErrDeadlineExceeded, name)
		require.ErrorContains(t, err, "the kernel waits for operations in flight", name)
		require.GreaterOrEqual(t, time.Since(start), limit, name)
	}
	require.Greater(t, hung, 10)
	require.Empty(t, r.fixedBuffers(), "memory is kept for a table that there is not")

	supervisor.hold.Store(false)
	write(t, wr, "x")
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1)
	require.NoError(t, r.RegisterEventfd(testEventfd(t)), "with nothing in flight nothing is waited for")
}

// supervisor answers for the kernel what the calling thread asks of io_uring_register(2), see seccomp_unotify(2).
type supervisor struct {
	listener int
	hold     atomic.Bool  // a call hangs until a signal comes, and is EINTR then; else the kernel gets it
	held     atomic.Int32 // how many hung
	stop     atomic.Bool
}

// notification is a struct seccomp_notif.
type notification struct {
	id   uint64
	rest [9]uint64
}

// notificationAnswer is a struct seccomp_notif_resp.
type notificationAnswer struct {
	id    uint64
	val   int64
	error int32
	flags uint32
}

// superviseRegister has the calls of the calling thread supervised.
func superviseRegister(t *testing.T) *supervisor {
	t.Helper()
	require.NoError(t, unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // the number of the call
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_IO_URING_REGISTER, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_USER_NOTIF},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	// SAFETY: the address is taken in the argument list, and the kernel copies what is there.
	listener, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER,
		unix.SECCOMP_FILTER_FLAG_NEW_LISTENER, uintptr(unsafe.Pointer(&program)))
	if errno == unix.EBUSY {
		testutil.Skip(t, testutil.NeedsTracer, "the calls of this process are supervised already")
	}
	require.Zero(t, errno)
	s := &supervisor{listener: int(listener)}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		s.serve()
	}()
	t.Cleanup(func() {
		s.stop.Store(true)
		<-ended
		unix.Close(s.listener)
	})
	return s
}

func (s *supervisor) serve() {
	for {
		call, ok := s.receive()
		if !ok {
			return
		}
		if !s.hold.Load() {
			s.answer(notificationAnswer{id: call, flags: unix.SECCOMP_USER_NOTIF_FLAG_CONTINUE})
			continue
		}
		s.held.Add(1)
		for s.waits(call) && !s.stop.Load() {
			time.Sleep(100 * time.Microsecond)
		}
		// The signal's handler has run, and the call is made again, as the runtime installs its handlers so.
		if call, ok = s.receive(); ok {
			s.answer(notificationAnswer{id: call, error: -int32(unix.EINTR)})
		}
	}
}

// receive waits for a call.
func (s *supervisor) receive() (id uint64, ok bool) {
	for !s.stop.Load() {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(s.listener), Events: unix.POLLIN}}, 10)
		var call notification                                                             // which the kernel wants zeroed
		if n == 1 && s.ioctl(unix.SECCOMP_IOCTL_NOTIF_RECV, unsafe.Pointer(&call)) == 0 { // SAFETY: see ioctl.
			return call.id, true
		}
	}
	return 0, false
}

// notificationWaits is SECCOMP_IOCTL_NOTIF_ID_VALID as all kernels take it.
const notificationWaits = 0x80082102

// waits reports whether the call still waits for its answer.
func (s *supervisor) waits(id uint64) bool {
	return s.ioctl(notificationWaits, unsafe.Pointer(&id)) == 0 // SAFETY: see ioctl.
}

// answer ends a call, unless a signal has.
func (s *supervisor) answer(a notificationAnswer) {
	_ = s.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(&a)) // SAFETY: see ioctl.
}

// ioctl is one with an argument of the size that the request says.
func (s *supervisor) ioctl(request uintptr, arg unsafe.Pointer) unix.Errno {
	// SAFETY: the kernel uses the argument during the call only.
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(s.listener), request, uintptr(arg))
	return errno
}
