//go:build linux && cgo

package socketops

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/testutil"
)

// limitMemlock reports whether the test is to go on, in a child process that may lock so much memory.
func limitMemlock(t *testing.T, user int, bytes uint64) bool {
	t.Helper()
	testutil.NeedsOtherUser(t)
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return false
	}
	testutil.LimitMemlock(t, user, bytes)
	return true
}

// TestRingWaitsForMemoryOfClosedRings opens engines one after the other where there is locked memory for a few at a
// time. Kernels that count rings give back what a closed one held after a while only: none may be smaller for that.
func TestRingWaitsForMemoryOfClosedRings(t *testing.T) {
	if !limitMemlock(t, 54322, 4*ringBytes(ringEntries)) {
		return
	}
	for range 40 {
		e, r := recorded(t, WithBackend(BackendURing))
		require.NoError(t, e.Close())
		require.Len(t, r.take(), 1)
	}
}

// TestRingIsSmallerWhereItCannotFit has so little locked memory that waiting for more would be in vain.
func TestRingIsSmallerWhereItCannotFit(t *testing.T) {
	if !limitMemlock(t, 54323, ringBytes(ringEntries/4)) {
		return
	}
	e, r := recorded(t, WithBackend(BackendURing))
	require.NoError(t, e.Close())
	told := r.take()
	require.Equal(t, "socketops: backend serves", told[len(told)-1].text)
	for _, l := range told[:len(told)-1] {
		require.Equal(t, "socketops: smaller submission queue", l.text)
	}
}
