package testutil_test

import (
	"errors"
	"fmt"
	"io"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

// missing is an Unsupported for the table below.
type missing struct{ major, minor int }

func (m missing) Error() string           { return "no teleport here" }
func (m missing) Unwrap() error           { return errors.ErrUnsupported }
func (m missing) Feature() string         { return "teleport" }
func (m missing) SinceKernel() (int, int) { return m.major, m.minor }

// outcome is how a helper ended the test that it was given.
type outcome struct{ skip, fatal string }

// recorder is a testing.TB that notes a skip or failure and ends its goroutine as the real one does.
type recorder struct {
	testing.TB
	outcome outcome
}

func (r *recorder) Helper() {}

func (r *recorder) Skipf(format string, args ...any) {
	r.outcome.skip = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.outcome.fatal = fmt.Sprintf(format, args...)
	runtime.Goexit()
}

func (r *recorder) Fatal(args ...any) {
	r.outcome.fatal = fmt.Sprint(args...)
	runtime.Goexit()
}

// watch runs f on a recorder and returns how f ended it; the zero outcome when f returned.
func watch(t *testing.T, f func(testing.TB)) outcome {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		f(r)
	}()
	<-done
	return r.outcome
}

func TestSkipIfUnsupported(t *testing.T) {
	major, minor := testutil.KernelVersion()
	wrapped := fmt.Errorf("preparing: %w", missing{major, minor + 1})
	tests := []struct {
		name  string
		err   error
		skip  string
		fatal string
	}{
		{name: "no error"},
		{name: "another error", err: io.ErrUnexpectedEOF},
		{name: "a newer kernel has it", err: missing{major, minor + 1}, skip: "teleport: no teleport here"},
		{name: "a newer series has it", err: missing{major + 1, 0}, skip: "teleport: no teleport here"},
		{name: "wrapped", err: wrapped, skip: "teleport: preparing: no teleport here"},
		{name: "not a matter of the kernel's age", err: missing{0, 0}, skip: "teleport: no teleport here"},
		{name: "this kernel should have it", err: missing{major, minor}, fatal: "though said to be there since"},
		{name: "an older series had it", err: missing{major - 1, 99}, fatal: "though said to be there since"},
		{name: "untyped", err: errors.ErrUnsupported, fatal: "does not say which and since when"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := watch(t, func(t testing.TB) { testutil.SkipIfUnsupported(t, tt.err) })
			require.Equal(t, tt.skip, got.skip)
			require.Contains(t, got.fatal, tt.fatal)
			require.Equal(t, tt.fatal == "", got.fatal == "", got.fatal)
		})
	}
}
