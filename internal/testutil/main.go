package testutil

import (
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"testing"
	"time"
)

// leakGrace is how long Main waits for goroutines and descriptors that are on their way out: a goroutine
// may still be returning after it reported its result.
const leakGrace = 2 * time.Second

// RefuseVariable names the environment variable that has Main refuse kernel interfaces to the tests and to the
// processes that they start, by a seccomp filter as that of a container: "io_uring=EPERM" or
// "io_uring=ENOSYS,aio=EPERM". The cache of go test does not know that it was read: use -count=1.
const RefuseVariable = "SOCKRING_TEST_REFUSE"

// ChecksVariable names the environment variable that has Main set how many random runs a property test makes, where the
// command line does not: for machines on which everything takes longer.
const ChecksVariable = "SOCKRING_TEST_CHECKS"

// EnginesVariable names the environment variable that, set to BestEngine, has tests of every engine go through that
// alone which serves where they run. So do guests of the kernel matrix, which has a mode for every engine to be best.
const (
	EnginesVariable = "SOCKRING_TEST_ENGINES"
	BestEngine      = "best"
)

// BestEngineOnly reports whether tests of every engine are to go through the best alone.
func BestEngineOnly() bool { return os.Getenv(EnginesVariable) == BestEngine }

// Main runs the tests, under the filter that RefuseVariable asks for, and exits: with 1 when all passed but left
// goroutines or file descriptors behind, which it lists on standard error. After a failed test it does not look, since
// a test that stopped midway seldom cleans up.
func Main(m *testing.M) {
	refuse()
	run(m)
}

// MainWithExamples is Main for a package with examples that cannot do without what this kernel may lack, and cannot
// skip themselves. need tells of each such example, by its name or "Example*" for all, what stands in its way. Those
// of which it is an error that SkipIfUnsupported would skip a test for are left out, and the reason is printed.
func MainWithExamples(m *testing.M, need map[string]func() error) {
	refuse()
	if InChild() { // it runs one test, which may want to try things itself first
		run(m)
	}
	left := map[string]string{} // reasons
	for _, example := range slices.Sorted(maps.Keys(need)) {
		err := need[example]()
		if !errors.Is(err, errors.ErrUnsupported) {
			continue // any other error shows in the example
		}
		reason, unexpected := judge(err)
		if unexpected != nil {
			fmt.Fprintln(os.Stderr, unexpected)
			os.Exit(1)
		}
		left[example] = reason
	}
	skipExamples(left)
	run(m)
}

// refuse installs the filter that RefuseVariable asks for.
func refuse() {
	if err := RefuseAsTold(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
}

// setChecks sets what ChecksVariable says, in packages that have property tests.
func setChecks() {
	checks, property := os.Getenv(ChecksVariable), flag.Lookup("rapid.checks")
	if checks == "" || property == nil {
		return
	}
	if err := property.Value.Set(checks); err != nil {
		fmt.Fprintf(os.Stderr, "%s=%s: %v\n", ChecksVariable, checks, err)
		os.Exit(2)
	}
}

func run(m *testing.M) {
	setChecks()
	startPoller()
	goroutinesBefore, filesBefore := goroutines(), openFiles()
	code := m.Run()
	if code == 0 {
		if report := awaitNoLeaks(goroutinesBefore, filesBefore); report != "" {
			fmt.Fprint(os.Stderr, report)
			code = 1
		}
	}
	os.Exit(code)
}

// startPoller makes the runtime open the descriptors of its network poller, which it does with the first
// pipe or socket, so that they are not taken for leaks later.
func startPoller() {
	r, w, err := os.Pipe()
	if err != nil {
		return
	}
	r.Close()
	w.Close()
}

// awaitNoLeaks returns a report of what the process holds beyond the two earlier states once that has had
// leakGrace to disappear, or "" as soon as nothing is left.
func awaitNoLeaks(goroutinesBefore, filesBefore resources) string {
	for deadline := time.Now().Add(leakGrace); ; time.Sleep(5 * time.Millisecond) {
		report := leaked("goroutine", goroutinesBefore, goroutines()) +
			leaked("file descriptor", filesBefore, openFiles())
		if report == "" || time.Now().After(deadline) {
			return report
		}
	}
}
