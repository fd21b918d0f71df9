//go:build linux

// Package enginetest says which engines of socketops tests are to go through.
//
// It is imported by tests only.
package enginetest

import (
	"testing"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// Backends returns all backends, or the one alone that serves here where testutil.EnginesVariable asks for that. Those
// that do not work here are among them: a test has to be skipped for what is missing.
func Backends(t testing.TB) []socketops.Backend {
	t.Helper()
	if !testutil.BestEngineOnly() {
		return []socketops.Backend{socketops.BackendURing, socketops.BackendAIO, socketops.BackendSyscall}
	}
	e, err := socketops.New()
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	return []socketops.Backend{e.Backend()}
}
