package probe

import (
	"errors"
	"maps"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

// run tries everything afresh and returns the results by name.
func run(t *testing.T) map[string]Result {
	t.Helper()
	testutil.Timeout(t, time.Minute)
	_, results := Run(func(string) (Result, bool) { return Result{}, false })
	byName := make(map[string]Result)
	for _, r := range results {
		byName[r.Name] = r
	}
	require.Len(t, byName, len(results), "names are not unique")
	return byName
}

// inChild reports whether the test is to go on, in a child process that it may ruin.
func inChild(t *testing.T) bool {
	t.Helper()
	if testutil.InChild() {
		return true
	}
	child := testutil.ReExec(t, t.Name())
	require.Zero(t, child.ExitCode, child.Output)
	return false
}

// refusedFeature is a Refusal in the form that skips a test.
type refusedFeature struct {
	*Refusal
	result Result
}

func (f refusedFeature) Is(target error) bool { return target == errors.ErrUnsupported }

func (f refusedFeature) Feature() string { return f.result.Name }

func (f refusedFeature) SinceKernel() (major, minor int) {
	if !f.OldKernel {
		return 0, 0
	}
	return f.result.Since.Major, f.result.Since.Minor
}

// need skips the test where one of the named features is refused, for the first of them.
func need(t *testing.T, names ...string) {
	t.Helper()
	results := run(t)
	for _, name := range names {
		var refusal *Refusal
		if errors.As(results[name].Err, &refusal) {
			testutil.SkipIfUnsupported(t, refusedFeature{refusal, results[name]})
		}
		require.NoError(t, results[name].Err)
	}
}

// newProber makes a prober for attempts of the test's own, which has the thread to itself, as in Run.
func newProber(t *testing.T) *prober {
	t.Helper()
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	return &prober{facts: system.facts(), deadline: time.Now().Add(time.Minute), results: map[string]Result{}}
}

// present returns those of the named features that this kernel has, as the others say nothing new when something is in
// their way.
func present(results map[string]Result, names ...string) []string {
	return slices.DeleteFunc(names, func(name string) bool { return results[name].Err != nil })
}

func requireRefused(t *testing.T, r Result, missing string) {
	t.Helper()
	var refusal *Refusal
	require.ErrorAs(t, r.Err, &refusal, r.Name)
	require.Contains(t, refusal.Missing, missing, r.Name)
	require.False(t, refusal.OldKernel, r.Name)
}

// requireOpen wants no verdict about a feature, because of cause.
func requireOpen(t *testing.T, r Result, cause error) {
	t.Helper()
	var refusal *Refusal
	require.NotErrorAs(t, r.Err, &refusal, r.Name)
	require.ErrorIs(t, r.Err, cause, r.Name)
}

// TestKernelHasWhatItsVersionPromises holds the attempts to the table of first kernels: one that fails on a newer
// kernel is an attempt that does not do what it should.
func TestKernelHasWhatItsVersionPromises(t *testing.T) { // SPEC E17, E33
	major, minor := testutil.KernelVersion()
	for _, r := range run(t) {
		var refusal *Refusal
		switch {
		case r.Err == nil:
		case !errors.As(r.Err, &refusal):
			t.Errorf("%s: no verdict: %v", r.Name, r.Err)
		case refusal.OldKernel && (major > r.Since.Major || major == r.Since.Major && minor >= r.Since.Minor):
			t.Errorf("%s: kernel %d.%d should have it: %v", r.Name, major, minor, refusal)
		}
	}
}

func TestEveryOpcodeAndFeatureBitIsListed(t *testing.T) {
	require.Len(t, ops, cring.OpLast)
	for i, o := range ops {
		require.EqualValues(t, i, o.code, o.name)
	}
	for i, f := range features {
		require.EqualValues(t, 1<<i, f.bit, f.name)
	}
}

func TestKnownResultsAreNotTriedAgain(t *testing.T) {
	since := Version{9, 9}
	_, results := Run(func(name string) (Result, bool) {
		return Result{Group: GroupSend, Name: name, Since: since}, name != RecvSelect
	})
	for _, r := range results {
		require.Equal(t, r.Name == RecvSelect, r.Since != since, r.Name)
	}
}

func TestRunLeavesNothingBehind(t *testing.T) {
	run(t) // whatever the runtime and the resolver of tests open for good is open afterwards
	const runs = 10
	files, maps, threads := entries(t, "/proc/self/fd"), lines(t, "/proc/self/maps"), entries(t, "/proc/self/task")
	for range runs {
		run(t)
	}
	require.Equal(t, files, entries(t, "/proc/self/fd"))
	// The Go runtime maps memory and starts threads as it likes, but not once a run, unless it fences off each object
	// that it collects.
	if !strings.Contains(os.Getenv("GODEBUG"), "efence=1") {
		require.Less(t, lines(t, "/proc/self/maps"), maps+runs)
	}
	require.Less(t, entries(t, "/proc/self/task"), threads+runs)
	for _, what := range []string{"io_uring", "/[aio]"} {
		text, err := os.ReadFile("/proc/self/maps")
		require.NoError(t, err)
		require.NotContains(t, string(text), what)
	}
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	list, err := os.ReadDir(dir)
	require.NoError(t, err)
	return len(list)
}

func lines(t *testing.T, file string) int {
	t.Helper()
	text, err := os.ReadFile(file)
	require.NoError(t, err)
	return strings.Count(string(text), "\n")
}

// TestRefusedSystemCalls puts seccomp filters in the way (faults 1, 2 and 3).
func TestRefusedSystemCalls(t *testing.T) {
	const setup, enter, register = unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER
	for _, test := range []struct {
		name    string
		errno   unix.Errno
		calls   []uintptr
		refused map[string]string // feature and what is said to be missing
		works   []string
	}{
		{
			"io_uring EPERM", unix.EPERM,
			[]uintptr{setup, enter, register},
			map[string]string{
				IOURingSetup: "seccomp filter answers EPERM to io_uring_setup",
				Liburing:     "seccomp filter answers EPERM to io_uring_setup",
				SendBundle:   "seccomp filter answers EPERM to io_uring_setup",
			},
			[]string{AIOSetup, AIOSubmit},
		},
		{
			"io_uring ENOSYS", unix.ENOSYS,
			[]uintptr{setup, enter, register},
			map[string]string{IOURingSetup: "seccomp filter", SendBundle: "seccomp filter"},
			[]string{AIOSetup, AIOSubmit},
		},
		{
			"enter EPERM", unix.EPERM,
			[]uintptr{enter},
			map[string]string{
				IOURingEnter: "seccomp filter answers EPERM to io_uring_enter",
				SendBundle:   "seccomp filter answers EPERM to io_uring_enter",
			},
			[]string{IOURingSetup, IOURingRegister, PbufRing},
		},
		{
			"enter ENOSYS", unix.ENOSYS,
			[]uintptr{enter},
			map[string]string{IOURingEnter: "seccomp filter answers ENOSYS to io_uring_enter"},
			[]string{IOURingSetup, IOURingRegister, PbufRing},
		},
		{
			"register EPERM", unix.EPERM,
			[]uintptr{register},
			map[string]string{
				IOURingRegister: "seccomp filter answers EPERM to io_uring_register",
				PbufRing:        "seccomp filter answers EPERM to io_uring_register",
				"IORING_OP_NOP": "seccomp filter answers EPERM to io_uring_register",
			},
			[]string{IOURingSetup, IOURingEnter, SetupSingleIssuer},
		},
		{
			"AIO EPERM", unix.EPERM,
			[]uintptr{unix.SYS_IO_SETUP},
			map[string]string{AIOSetup: "seccomp filter answers EPERM to io_setup", AIOPoll: "io_setup"},
			[]string{IOURingSetup, IOURingEnter},
		},
		{
			"AIO submission EPERM", unix.EPERM,
			[]uintptr{unix.SYS_IO_SUBMIT},
			map[string]string{AIOSubmit: "seccomp filter answers EPERM to io_submit"},
			[]string{AIOSetup, AIORing, AIOPgetevents},
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !inChild(t) {
				return
			}
			before := run(t)
			testutil.RefuseSyscalls(t, test.errno, test.calls...)
			after := run(t)
			for _, name := range present(before, slices.Collect(maps.Keys(test.refused))...) {
				requireRefused(t, after[name], test.refused[name])
			}
			for _, name := range present(before, test.works...) {
				require.NoError(t, after[name].Err, name)
			}
		})
	}
}

// limitDescriptors leaves the process room for n more descriptors until the test ends: with -asan the leak sanitizer
// opens files as the process ends.
func limitDescriptors(t *testing.T, n int) {
	t.Helper()
	fd, err := unix.Dup(0)
	require.NoError(t, err)
	require.NoError(t, unix.Close(fd))
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	lowered := unix.Rlimit{Cur: uint64(fd + n), Max: limit.Max}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &lowered))
	t.Cleanup(func() { require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit)) })
}

// TestDescriptorsExhausted wants no verdict for want of descriptors (fault 6).
func TestDescriptorsExhausted(t *testing.T) {
	if !inChild(t) {
		return
	}
	before := run(t)
	limitDescriptors(t, 0)
	after := run(t)
	names := present(before, IOURingSetup, IOURingEnter, SetupDeferTaskrun, SendBundle, "IORING_OP_SEND", AIOSubmit)
	for _, name := range names {
		requireOpen(t, after[name], unix.EMFILE)
	}
	for _, name := range present(before, IOURingSetup) {
		require.Contains(t, after[name].Err.Error(), "RLIMIT_NOFILE is")
	}
}

// TestDescriptorsShort leaves one descriptor, for a ring but for nothing else.
func TestDescriptorsShort(t *testing.T) {
	if !inChild(t) {
		return
	}
	before := run(t)
	limitDescriptors(t, 1)
	after := run(t)
	for _, name := range present(before, IOURingSetup, IOURingEnter, "IORING_OP_SEND", PbufRing) {
		require.NoError(t, after[name].Err)
	}
	for _, name := range present(before, SetupDeferTaskrun, SendBundle, AcceptMultishot, SendZC, AIOSubmit) {
		requireOpen(t, after[name], unix.EMFILE)
	}
}

// TestNoNetwork finds out about everything but what takes a network.
func TestNoNetwork(t *testing.T) {
	if !inChild(t) {
		return
	}
	before := run(t)
	runtime.LockOSThread() // for good: the thread is no use to others
	if err := unix.Unshare(unix.CLONE_NEWNET); errors.Is(err, unix.EPERM) {
		testutil.Skip(t, testutil.NeedsPrivilege, "unshare(2) of a network namespace")
	} else {
		require.NoError(t, err)
	}
	after := run(t)
	for _, name := range present(before, SendZC, SendmsgZC) {
		requireOpen(t, after[name], unix.ENETUNREACH)
	}
	for _, name := range present(before, SendBundle, SendTo, AcceptMultishot, RecvMultishot) {
		require.NoError(t, after[name].Err, name)
	}
}

func TestWhatIsNeededFirst(t *testing.T) {
	filter := &Refusal{Missing: "a seccomp filter"}
	for _, test := range []struct {
		name string
		need error
		want string
	}{
		{"there", nil, ""},
		{"refused here", filter, "a seccomp filter"},
		{"missing from the kernel", lacking(Version{5, 19}, "x"), "no base (needs kernel 6.10)"},
		{"uncertain", unix.EMFILE, "base is uncertain: too many open files"},
	} {
		t.Run(test.name, func(t *testing.T) {
			tried := false
			p := &prober{
				deadline: time.Now().Add(time.Minute),
				results:  map[string]Result{"base": {Name: "base", Err: test.need}},
			}
			err := p.attempt(&check{name: "top", since: Version{6, 10}, needs: "base", try: func(*prober) error {
				tried = true
				return nil
			}})
			require.Equal(t, test.need == nil, tried)
			if test.want == "" {
				require.NoError(t, err)
			} else {
				require.EqualError(t, err, test.want)
			}
		})
	}
}

func TestBudgetEndsTheProbe(t *testing.T) {
	p := &prober{deadline: time.Now().Add(-time.Second), results: map[string]Result{}}
	require.ErrorIs(t, p.attempt(&check{try: func(*prober) error { panic("tried") }}), errBudget)
}

// TestAttemptCleansUpAfterASilentKernel leaves a request in flight, as an attempt does whose answer does not come.
func TestAttemptCleansUpAfterASilentKernel(t *testing.T) {
	need(t, IOURingSetup)
	p := newProber(t)
	files := entries(t, "/proc/self/fd")
	err := p.attempt(&check{name: "silent", try: func(p *prober) error {
		r, _, err := p.shared()
		if err != nil {
			return err
		}
		if _, err = p.armPoll(r); err == nil {
			err = os.ErrDeadlineExceeded
		}
		return err
	}})
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Nil(t, p.ring, "a ring with a request in flight was kept")
	require.NotNil(t, p.mem, "the kernel let go of the request, so its memory is as good as new")
	require.NoError(t, p.attempt(&check{name: "next", try: tryEnter}))
	p.close()
	require.Equal(t, files, entries(t, "/proc/self/fd"))
}
