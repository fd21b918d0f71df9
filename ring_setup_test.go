//go:build linux

package uring

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

func TestNewRefusesWhatTheKernelWouldWithABareEINVAL(t *testing.T) { // faults 8, 9, 11, 12, 38
	for _, test := range []struct {
		name    string
		entries uint32
		opts    []Option
		text    string
	}{
		{"no entries", 0, nil, "no entries"},
		{"too many entries", 32769, nil, "32769 entries, at most 32768"},
		{"no completion entries", 4, []Option{WithCQEntries(0)}, "no completion entries"},
		{"fewer completion entries", 5, []Option{WithCQEntries(4)}, "fewer completion than submission entries"},
		{"too many completion entries", 4, []Option{WithCQEntries(65537)}, "65537 completion entries, at most 65536"},
		{"unknown size of the queue", 4, []Option{WithFlags(SetupCQSize)}, "no completion entries"},
		{"IOPOLL", 4, []Option{WithFlags(SetupIOPoll)}, "IOPOLL is not served"},
		{"SQE128", 4, []Option{WithFlags(SetupSQE128)}, "SQE128 is not served"},
		{"CQE32", 4, []Option{WithFlags(SetupCQE32)}, "CQE32 is not served"},
		{"mixed CQEs", 4, []Option{WithFlags(SetupCQEMixed)}, "CQE_MIXED is not served"},
		{"NO_MMAP", 4, []Option{WithFlags(SetupNoMmap)}, "NO_MMAP is not served"},
		{"SQ_REWIND", 4, []Option{WithFlags(cring.SetupSQRewind)}, "SQ_REWIND is not served"},
		{"NO_SQARRAY", 4, []Option{WithFlags(SetupNoSQArray)}, "NO_SQARRAY is liburing's to ask for"},
		{"DEFER with SQPOLL", 4, []Option{WithSQPoll(0, -1), WithFlags(SetupDeferTaskrun)}, "DEFER_TASKRUN with SQPOLL"},
		{"COOP with SQPOLL", 4, []Option{WithSQPoll(0, -1), WithFlags(SetupCoopTaskrun)}, "COOP_TASKRUN with SQPOLL"},
		{
			"DEFER without SINGLE_ISSUER", 4,
			[]Option{WithoutFlags(SetupSingleIssuer), WithFlags(SetupDeferTaskrun)},
			"DEFER_TASKRUN without SINGLE_ISSUER",
		},
		{
			"TASKRUN_FLAG alone", 4,
			[]Option{WithoutFlags(SetupDeferTaskrun | SetupCoopTaskrun), WithFlags(SetupTaskrunFlag)},
			"TASKRUN_FLAG without DEFER_TASKRUN or COOP_TASKRUN",
		},
		{"SQ_AFF without SQPOLL", 4, []Option{WithFlags(SetupSQAff)}, "SQ_AFF without SQPOLL"},
		{"a negative descriptor", 4, []Option{WithAttachWQ(-1)}, "ATTACH_WQ without a ring's descriptor"},
		{"a negative idle time", 4, []Option{WithSQPoll(-1, -1)}, "SQPOLL idle time of -1ns"},
		{"an endless idle time", 4, []Option{WithSQPoll(1<<62, -1)}, "SQPOLL idle time of"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(test.entries, test.opts...)
			require.ErrorIs(t, err, unix.EINVAL)
			require.ErrorContains(t, err, test.text)
			require.NotErrorIs(t, err, ErrUnsupported)
		})
	}
}

func TestNewPassesOnWhatOnlyTheKernelKnows(t *testing.T) { // faults 10 and 12
	needs(t, CanSetup)
	rd, _ := testutil.Pipe(t)
	for _, test := range []struct {
		name string
		opt  Option
		want unix.Errno
	}{
		{"unknown flag", WithFlags(1 << 31), unix.EINVAL},
		{"processor that is not there", WithSQPoll(0, 9999), unix.EINVAL},
		{"workers of no descriptor", WithAttachWQ(9999), unix.ENXIO},
		{"workers of no ring", WithAttachWQ(rd), unix.EINVAL},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := New(4, test.opt)
			require.ErrorIs(t, err, test.want)
		})
	}
}

func TestNewRoundsSizes(t *testing.T) { // fault 8
	for _, test := range []struct {
		name    string
		entries uint32
		opts    []Option
		sq, cq  int
	}{
		{"one", 1, nil, 1, 2},
		{"no power of two", 3, nil, 4, 8},
		{"both no power of two", 5, []Option{WithCQEntries(5)}, 8, 8},
		{"own completion queue", 4, []Option{WithCQEntries(9)}, 4, 16},
		{"the most", 32768, nil, 32768, 65536},
		{"clamped", 1 << 20, []Option{WithClamp()}, 32768, 65536},
		{"both clamped", 1 << 20, []Option{WithClamp(), WithCQEntries(1 << 20)}, 32768, 65536},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := newTestRing(t, test.entries, test.opts...)
			sq, cq := r.Entries()
			require.Equal(t, test.sq, sq)
			require.Equal(t, test.cq, cq)
		})
	}
}

func TestLadderGivesUpOnlyWhatTheKernelLacks(t *testing.T) { // fault 13
	const base = SetupCQSize | SetupSQPoll
	for _, test := range []struct {
		name    string
		knows   SetupFlags
		opts    []Option
		granted SetupFlags
	}{
		{"5.15", base, nil, 0},
		{"5.18", base | SetupSubmitAll, nil, SetupSubmitAll},
		{
			"5.19", base | SetupSubmitAll | SetupCoopTaskrun | SetupTaskrunFlag, nil,
			SetupSubmitAll | SetupCoopTaskrun | SetupTaskrunFlag,
		},
		{
			"6.0", base | SetupSubmitAll | SetupCoopTaskrun | SetupTaskrunFlag | SetupSingleIssuer, nil,
			SetupSubmitAll | SetupCoopTaskrun | SetupTaskrunFlag | SetupSingleIssuer,
		},
		{"6.1", ^SetupFlags(0), nil, defaultConfig().flags},
		{
			"without COOP and DEFER there is nothing to flag", ^SetupFlags(0),
			[]Option{WithoutFlags(SetupCoopTaskrun | SetupDeferTaskrun)},
			SetupSubmitAll | SetupSingleIssuer,
		},
		{
			"without SINGLE_ISSUER there is no DEFER", ^SetupFlags(0),
			[]Option{WithoutFlags(SetupSingleIssuer)},
			SetupSubmitAll | SetupCoopTaskrun | SetupTaskrunFlag,
		},
		{
			"what is required stays", base | SetupSubmitAll,
			[]Option{WithCQEntries(8)},
			SetupSubmitAll | SetupCQSize,
		},
		{
			"SQPOLL goes without task work", ^SetupFlags(0),
			[]Option{WithSQPoll(0, -1)},
			SetupSQPoll | SetupSubmitAll | SetupSingleIssuer,
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			cfg := defaultConfig()
			for _, o := range test.opts {
				o(&cfg)
			}
			require.NoError(t, cfg.validate(4))
			granted, ret := cfg.descend(func(f SetupFlags) int {
				switch {
				case f&^test.knows != 0,
					f&SetupDeferTaskrun != 0 && f&SetupSingleIssuer == 0,
					f&SetupTaskrunFlag != 0 && f&(SetupDeferTaskrun|SetupCoopTaskrun) == 0:
					return -int(unix.EINVAL)
				}
				return 0
			})
			require.Zero(t, ret)
			require.Equal(t, test.granted, granted)
		})
	}
	cfg := defaultConfig()
	tries := 0
	_, ret := cfg.descend(func(SetupFlags) int { tries++; return -int(unix.EPERM) })
	require.Equal(t, -int(unix.EPERM), ret)
	require.Equal(t, 1, tries, "a refusal is not tried again")
}

func TestNewIsGrantedWhatTheKernelHas(t *testing.T) {
	has := func(flags SetupFlags) bool {
		c, ret := cring.Setup(1, &cring.Params{Flags: uint32(flags)})
		if ret != 0 {
			return false
		}
		c.Exit()
		return true
	}
	r := newTestRing(t, 4)
	for _, test := range []struct{ flag, with SetupFlags }{
		{SetupSubmitAll, 0},
		{SetupSingleIssuer, 0},
		{SetupCoopTaskrun, 0},
		{SetupTaskrunFlag, SetupCoopTaskrun},
		{SetupDeferTaskrun, SetupSingleIssuer},
	} {
		require.Equal(t, has(test.flag|test.with), r.Flags()&test.flag != 0, test.flag.String())
	}
	require.NotZero(t, r.Features()&FeatNoDrop)
}

func TestNewSaysWhoRefusesIOUring(t *testing.T) { // faults 1 and 2
	for _, test := range []struct {
		name  string
		errno unix.Errno
	}{{"EPERM", unix.EPERM}, {"EACCES", unix.EACCES}, {"ENOSYS", unix.ENOSYS}} {
		t.Run(test.name, func(t *testing.T) {
			if !testutil.InChild() {
				child := testutil.ReExec(t, t.Name())
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			testutil.RefuseSyscalls(t, test.errno, unix.SYS_IO_URING_SETUP)
			_, err := New(4)
			require.ErrorIs(t, err, ErrUnsupported)
			require.ErrorIs(t, err, test.errno)
			cause := "a seccomp filter answers " + test.name
			switch disabled := testutil.IOURingDisabled(); {
			case disabled == "" && test.errno == unix.ENOSYS:
				cause = "a seccomp filter, or a kernel without it" // nothing tells that the kernel has io_uring
			case disabled == "2" && test.errno != unix.ENOSYS:
				cause = "kernel.io_uring_disabled=2" // which explains the answer as well
			}
			require.ErrorContains(t, err, cause)
			var unsupported *UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			major, minor := unsupported.SinceKernel()
			require.Zero(t, major+minor, "no kernel version would help")
		})
	}
}

func TestNewPassesOnWhatIsNoVerdictAboutIOUring(t *testing.T) { // fault 5
	for _, test := range []struct {
		name  string
		errno unix.Errno
	}{{"ENOMEM", unix.ENOMEM}, {"EMFILE", unix.EMFILE}, {"ENFILE", unix.ENFILE}} {
		t.Run(test.name, func(t *testing.T) {
			if !testutil.InChild() {
				child := testutil.ReExec(t, t.Name())
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			testutil.RefuseSyscalls(t, test.errno, unix.SYS_IO_URING_SETUP)
			requireNothingKept(t, func() {
				_, err := New(4)
				require.ErrorIs(t, err, test.errno)
				require.NotErrorIs(t, err, ErrUnsupported)
			})
		})
	}
}

// requireNothingKept holds that a set-up that fails leaves no descriptor and no mapping behind, its goroutine not
// locked to its thread, and the thread without a hold.
func requireNothingKept(t *testing.T, fail func()) {
	t.Helper()
	fail() // what is done once is done
	stack := make([]byte, 256)
	require.NotContains(t, string(stack[:runtime.Stack(stack, false)]), "locked to thread")
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	open, mapped, holds := descriptors(t), ringMappings(t), robustMutexes(t)
	fail()
	require.Equal(t, open, descriptors(t))
	require.Equal(t, mapped, ringMappings(t))
	require.Equal(t, holds, robustMutexes(t), "the thread has a hold on what there is not")
}

// descriptors returns what is open, and as what.
func descriptors(t testing.TB) (open []string) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	for _, entry := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil {
			open = append(open, entry.Name()+" "+target)
		}
	}
	return open
}

// ringMappings returns the mappings of rings.
func ringMappings(t testing.TB) (mapped []string) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	for _, line := range strings.Split(string(maps), "\n") {
		if strings.Contains(line, "io_uring") {
			mapped = append(mapped, line)
		}
	}
	return mapped
}

// robustMutexes is how many the calling thread has locked, see get_robust_list(2). A hold is one.
func robustMutexes(t testing.TB) (n int) {
	t.Helper()
	var head, size uintptr
	// SAFETY: the kernel writes both during the call.
	_, _, errno := unix.Syscall(unix.SYS_GET_ROBUST_LIST, 0,
		uintptr(unsafe.Pointer(&head)), uintptr(unsafe.Pointer(&size)))
	require.Zero(t, errno)
	for at := head; ; n++ {
		at = **(**uintptr)(unsafe.Pointer(&at)) // SAFETY: the list is the thread's own, and its end points to its head.
		if at == head {
			return n
		}
	}
}

func TestRingThatMayLoseCompletionsIsRefused(t *testing.T) { // fault 32
	err := checkFeatures(&cring.Ring{View: cring.View{Features: ^uint32(FeatNoDrop)}})
	require.ErrorIs(t, err, ErrUnsupported)
	var unsupported *UnsupportedError
	require.ErrorAs(t, err, &unsupported)
	major, minor := unsupported.SinceKernel()
	require.Equal(t, [2]int{5, 5}, [2]int{major, minor})
	require.NoError(t, checkFeatures(&cring.Ring{View: cring.View{Features: uint32(FeatNoDrop)}}))
}

func TestNewWorksWhereRegistrationIsRefused(t *testing.T) { // fault 3
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_REGISTER)
	r := newTestRing(t, 4)
	require.False(t, r.FdRegistered())
	nop(t, r, 1)
	n, err := r.SubmitAndWait(t.Context(), 1)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, reapAll(r), 1)
}

func TestNewLeavesNothingBehindWhenItFails(t *testing.T) { // faults 6 and 14
	for _, test := range []struct {
		name     string
		entries  uint32
		resource int
		limit    func() uint64
		want     unix.Errno
	}{
		{"no descriptors left", 4, unix.RLIMIT_NOFILE, func() uint64 { return uint64(lowestFreeFd(t)) }, unix.EMFILE},
		{"no address space left", 32768, unix.RLIMIT_AS, func() uint64 { return addressSpace() + 256<<10 }, unix.ENOMEM},
		// The queues are 1.2 MiB then, and the entries 2 MiB.
		{"too little for the entries", 32768, unix.RLIMIT_AS, func() uint64 { return addressSpace() + 7<<18 }, unix.ENOMEM},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !testutil.InChild() {
				child := testutil.ReExec(t, t.Name())
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			if race.Enabled && test.resource == unix.RLIMIT_AS {
				testutil.Skip(t, testutil.NeedsNoRace, "the race detector maps memory while the program runs")
			}
			newTestRing(t, 4) // which locks this goroutine
			idleThreads(16)
			debug.SetGCPercent(-1)
			var old unix.Rlimit
			require.NoError(t, unix.Getrlimit(test.resource, &old))
			failed := make(chan struct{})
			go func() {
				defer close(failed)
				requireNothingKept(t, func() {
					limited := unix.Setrlimit(test.resource, &unix.Rlimit{Cur: test.limit(), Max: old.Max})
					_, err := New(test.entries)
					require.NoError(t, unix.Setrlimit(test.resource, &old))
					require.NoError(t, limited)
					require.ErrorIs(t, err, test.want)
					require.NotErrorIs(t, err, ErrUnsupported)
				})
			}()
			<-failed
		})
	}
}

// lowestFreeFd returns the number that the next descriptor gets.
func lowestFreeFd(t testing.TB) int {
	t.Helper()
	fd, err := unix.Open("/", unix.O_PATH|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	unix.Close(fd)
	return fd
}

// idleThreads leaves the runtime n threads to take from, so that it need not start one.
func idleThreads(n int) {
	var started, ended sync.WaitGroup
	release := make(chan struct{})
	for range n {
		started.Add(1)
		ended.Add(1)
		go func() {
			runtime.LockOSThread()
			started.Done()
			<-release
			runtime.UnlockOSThread()
			ended.Done()
		}()
	}
	started.Wait()
	close(release)
	ended.Wait()
}

// addressSpace returns how many bytes the process has mapped.
func addressSpace() uint64 {
	statm, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	pages := uint64(0)
	for _, c := range strings.Fields(string(statm))[0] {
		pages = pages*10 + uint64(c-'0')
	}
	return pages * uint64(os.Getpagesize())
}

func TestLostRingIsReportedAndFreesNothing(t *testing.T) { // fault 60
	needs(t, CanSetup)
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name(), "ASAN_OPTIONS=detect_leaks=0") // the leak is what is tested
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	log := make(chan string, 1)
	slog.SetDefault(slog.New(slog.NewTextHandler(lineWriter(log), nil)))
	a, _ := testutil.SocketPair(t, "unix")
	ended := make(chan struct{})
	fd := -1
	go func() {
		defer close(ended)
		r, err := New(4)
		if err != nil {
			t.Errorf("new: %v", err)
			return
		}
		fd = r.Fd()
		if err := r.RegisterBuffers([][]byte{make([]byte, 64)}); err != nil {
			t.Errorf("register: %v", err)
		}
		recvOp(t, r, a, make([]byte, 64))
		if _, err := r.Submit(); err != nil {
			t.Errorf("submit: %v", err)
		}
	}()
	<-ended
	defer unix.Close(fd)
	deadline := time.After(30 * time.Second)
	for {
		runtime.GC() // panics over pinned memory that nobody remembers
		select {
		case line := <-log:
			require.Contains(t, line, "a Ring was lost without Close")
			require.Contains(t, line, "ring_setup_test.go")
			return
		case <-deadline:
			t.Fatal("no warning")
		case <-time.After(time.Millisecond):
		}
	}
}

// lineWriter passes on what a logger writes.
type lineWriter chan string

func (w lineWriter) Write(p []byte) (int, error) {
	w <- string(bytes.Clone(p))
	return len(p), nil
}

func TestSQPollCompletesEveryOperationAsItself(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	for _, entries := range []uint32{1, 2, 8} {
		r := newTestRing(t, entries, WithSQPoll(5*time.Millisecond, -1))
		require.NotZero(t, r.Flags()&SetupSQPoll)
		ops := testutil.Fewer(500, 100)
		seen := map[uint64]CQE{}
		reap := func() {
			for c := range r.Completions() {
				require.NotContains(t, seen, c.Data64)
				seen[c.Data64] = c
			}
		}
		for i := range uint64(ops) { // SQE submits and, where the thread lags behind, waits for room
			if i%2 == 0 {
				nop(t, r, i)
			} else { // ends with EBADF, whose text names the operation
				recvOp(t, r, -1, make([]byte, 3)).SetData64(i)
			}
			if i%7 == 0 {
				_, err := r.Submit()
				require.NoError(t, err)
			}
			reap()
		}
		for len(seen) < ops {
			_, err := r.SubmitAndWait(context.Background(), 1)
			require.NoError(t, err)
			reap()
		}
		for i := range uint64(ops) {
			if i%2 == 0 {
				require.NoError(t, seen[i].Err())
				continue
			}
			require.EqualError(t, seen[i].Err(), "recv: bad file descriptor")
		}
		st := r.Stats()
		require.EqualValues(t, ops, st.Submitted)
		require.EqualValues(t, ops, st.Completed)
		require.Zero(t, st.InFlight)
		require.Zero(t, st.Stale)
	}
}

func TestSQPollWakesTheSleepingThreadForAMinimumWait(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 4, WithSQPoll(time.Millisecond, -1))
	needs(t, CanWaitMinTimeout)
	for r.wakeupFlag() == 0 { // until the polling thread has gone to sleep
		time.Sleep(time.Millisecond)
	}
	nop(t, r, 7)
	_, err := r.SubmitAndWaitMinTimeout(context.Background(), 1, time.Second, 30*time.Second)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1)
}

func TestSQPollCloseCancelsWhatIsInFlight(t *testing.T) {
	needs(t, CanSetup)
	r, err := New(4, WithSQPoll(time.Millisecond, -1))
	require.NoError(t, err)
	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd).SetData64(1)
	_, err = r.Submit()
	require.NoError(t, err)
	pollOp(t, r, rd).SetData64(2) // filled, not submitted
	require.NoError(t, r.Close())
	got := map[uint64]error{}
	for _, c := range reapAll(r) {
		got[c.Data64] = c.Err()
	}
	require.Len(t, got, 2)
	require.ErrorIs(t, got[1], unix.ECANCELED)
	require.ErrorIs(t, got[2], unix.ECANCELED)
}
