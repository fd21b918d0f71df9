package testutil

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Trace is what strace saw of a child.
type Trace struct {
	Child
	Calls string // a line for each call, in strace's words
}

// NeedsStrace skips the test where there is no strace, or nobody may trace, as in most containers.
func NeedsStrace(t testing.TB) {
	t.Helper()
	if err := exec.Command("strace", "-f", "-o", os.DevNull, "-e", "trace=none", "true").Run(); err != nil {
		Skip(t, NeedsTracer, "%v", err)
	}
}

// ReExecTraced is ReExec under strace, which lets a call of the kernel fail though the kernel was never asked, and then
// lets the next one pass: no filter can do that. inject is as its -e inject= takes it, such as
// "io_uring_enter:error=EINTR:when=3"; each thread counts its own calls. It needs what NeedsStrace asks for.
func ReExecTraced(t testing.TB, name, inject string, env ...string) Trace {
	t.Helper()
	NeedsStrace(t)
	dir := t.TempDir()
	call := regexp.MustCompile(`^\w+`).FindString(inject)
	child := ReExecAs(t, name, func(cmd *exec.Cmd) {
		cmd.Args = append([]string{
			"strace", "-ff", "-qq", "-o", filepath.Join(dir, "thread"), "-e", "trace=" + call, "-e", "inject=" + inject,
		}, cmd.Args...)
		cmd.Path, cmd.Err = exec.LookPath("strace")
	}, append([]string{"ASAN_OPTIONS=detect_leaks=0"}, env...)...) // the sanitizer's search for leaks is a tracer too
	files, err := filepath.Glob(filepath.Join(dir, "thread.*")) // one for each, so that no line is torn
	if err != nil {
		t.Fatal(err)
	}
	trace := Trace{Child: child}
	for _, file := range files {
		calls, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		trace.Calls += string(calls)
	}
	return trace
}
