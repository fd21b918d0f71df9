package testutil

import (
	"fmt"
	"os"
	"testing"
	"time"
)

// leakGrace is how long Main waits for goroutines and descriptors that are on their way out: a goroutine
// may still be returning after it reported its result.
const leakGrace = 2 * time.Second

// RefuseVariable names the environment variable that has Main refuse kernel interfaces to the tests and to the
// processes that they start, by a seccomp filter as that of a container: "io_uring=EPERM" or
// "io_uring=ENOSYS,aio=EPERM".
const RefuseVariable = "SOCKRING_TEST_REFUSE"

// Main runs the tests, under the filter that RefuseVariable asks for, and exits: with 1 when all passed but left goroutines or file descriptors behind,
// which it lists on standard error. After a failed test it does not look, since a test that stopped midway
// seldom cleans up.
func Main(m *testing.M) {
	if err := refuseAsTold(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
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
