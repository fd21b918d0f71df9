//go:build linux

package uring

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// queued hands out an SQE that prep fills.
func queued(t testing.TB, r *Ring, prep func(s *SQE) error) *SQE {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, prep(s))
	return s
}

// The following queue one operation each, to be submitted by the test.

func recvOp(t testing.TB, r *Ring, fd int, p []byte) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepRecv(fd, p, 0) })
}

func sendOp(t testing.TB, r *Ring, fd int, p []byte) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepSend(fd, p, 0) })
}

func timeoutOp(t testing.TB, r *Ring, d time.Duration) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepTimeout(d, 0, 0) })
}

func pollOp(t testing.TB, r *Ring, fd int) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepPollAdd(fd, unix.POLLIN) })
}

func cancelOp(t testing.TB, r *Ring, id OpID) *SQE {
	t.Helper()
	return queued(t, r, func(s *SQE) error { return s.PrepCancel(id, 0) })
}

// reapAll returns what is there to be reaped.
func reapAll(r *Ring) []CQE {
	var got []CQE
	for c := range r.Completions() {
		got = append(got, c)
	}
	return got
}
