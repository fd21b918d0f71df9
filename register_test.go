//go:build linux

package uring

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
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
	require.Empty(t, r.slots.fixed.slots)
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
	rd, wr := testutil.Pipe(t)
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
	queued(t, r, func(s *SQE) error { return s.PrepRead(rd, make([]byte, 4), -1) }).Async()
	_, err := r.Submit()
	require.NoError(t, err)
	write(t, wr, "x")
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
