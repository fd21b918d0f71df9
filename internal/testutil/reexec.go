package testutil

import (
	"errors"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"

	"github.com/sockring/uring/internal/testevent"
)

// childVariable is set in the environment of the processes that ReExec starts.
const childVariable = "URING_TEST_CHILD"

// childTimeout is the -test.timeout of a child: one that hangs ends itself and prints its stacks.
const childTimeout = "5m"

// Child is what a process started by ReExec left behind.
type Child struct {
	Output   string // standard output and standard error, as written
	ExitCode int    // -1 when a signal ended the process
}

// InChild reports whether this process was started by ReExec.
func InChild() bool { return os.Getenv(childVariable) != "" }

// ReExec runs this test binary again on the one test called name ("TestA" or "TestA/row", as t.Name gives
// it) and waits for it to end. env is added to the environment, as "GODEBUG=efence=1". It is for what
// cannot be undone or survived: a system-call filter, a crash, a race report. The usual form is
//
//	if !testutil.InChild() {
//		child := testutil.ReExec(t, t.Name())
//		require.Zero(t, child.ExitCode, child.Output)
//		return
//	}
//	// What follows runs in the child.
//
// ReExec fails the test when the child did not get as far as running the test called name, and skips it for the reason
// that the child gives when that skipped it.
func ReExec(t testing.TB, name string, env ...string) Child {
	t.Helper()
	return ReExecAs(t, name, func(*exec.Cmd) {}, env...)
}

// ReExecAs is ReExec of a child that is started in another way: in namespaces or a control group of its own, or by
// another program. change is given the command before it is started.
func ReExecAs(t testing.TB, name string, change func(*exec.Cmd), env ...string) Child {
	t.Helper()
	cmd := ChildCommand(t, name, env...)
	change(cmd)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("testutil: starting a child for %s: %v", name, err)
	}
	if !ranTest(string(out), name) {
		t.Fatalf("testutil: the child did not run %s:\n%s", name, out)
	}
	if reason := skippedTest(string(out), name); reason != "" {
		t.Skipf("%s", reason)
	}
	return Child{Output: string(out), ExitCode: cmd.ProcessState.ExitCode()}
}

// ChildCommand is the command of a child as ReExec starts it, for tests that do something to the child while it runs.
func ChildCommand(t testing.TB, name string, env ...string) *exec.Cmd {
	t.Helper()
	if InChild() {
		t.Fatal("testutil: ReExec in a child that ReExec started")
	}
	cmd := exec.Command(os.Args[0], "-test.v", "-test.timeout="+childTimeout, "-test.run="+patternOf(name))
	if testing.Short() {
		cmd.Args = append(cmd.Args, "-test.short")
	}
	// The race detector would make every child linger for a second in case a race comes late.
	cmd.Env = append(os.Environ(), childVariable+"="+name, "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	cmd.Env = append(cmd.Env, env...)
	return cmd
}

// patternOf returns the -test.run pattern that selects the test called name only.
func patternOf(name string) string {
	parts := strings.Split(name, "/")
	for i, part := range parts {
		parts[i] = "^" + regexp.QuoteMeta(part) + "$"
	}
	return strings.Join(parts, "/")
}

// ranTest reports whether the -test.v output says that the test called name started.
func ranTest(output, name string) bool {
	return regexp.MustCompile(`(?m)^=== RUN +` + regexp.QuoteMeta(name) + `$`).MatchString(output)
}

// skippedTest returns the reason that the -test.v output gives for skipping the test called name, or "" where it did
// not.
func skippedTest(output, name string) string {
	skipped := regexp.MustCompile(`(?m)^ *--- SKIP: ` + regexp.QuoteMeta(name) + ` \(`).FindStringIndex(output)
	if skipped == nil {
		return ""
	}
	before := output[:skipped[0]]
	before = before[strings.LastIndex(before, "=== RUN "):]
	_, logged, _ := strings.Cut(before, "\n")
	logged, _, _ = strings.Cut(logged, "--- ") // the tests that a subtest is part of end before it
	return testevent.SkipReason(strings.SplitAfter(strings.TrimSpace(logged), "\n"))
}
