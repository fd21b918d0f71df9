//go:build linux

package uring

import (
	"context"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestSyncCancel(t *testing.T) { // fault 63
	r := newTestRing(t, 16)
	rd, _ := testutil.Pipe(t)
	rd2, _ := testutil.Pipe(t)
	err := r.SyncCancel(CancelID(1), 0)
	testutil.SkipIfUnsupported(t, err)
	require.ErrorIs(t, err, unix.ENOENT)
	require.ErrorIs(t, r.SyncCancel(CancelFd(9999), 0), unix.EBADF)
	require.ErrorIs(t, r.SyncCancel(CancelFd(1<<40), 0), unix.EBADF)
	require.NoError(t, r.RegisterFiles([]int{rd2}))

	polls := func(n, fd int) (ids []OpID) {
		for range n {
			ids = append(ids, pollOp(t, r, fd).ID())
		}
		_, err := r.Submit()
		require.NoError(t, err)
		return ids
	}
	for _, test := range []struct {
		name string
		m    func() CancelMatch
		ends int
	}{
		{"by id", func() CancelMatch { return CancelID(polls(3, rd)[1]) }, 1},
		{"the first on a descriptor", func() CancelMatch { polls(3, rd); polls(2, rd2); return CancelFd(rd) }, 1},
		{"all on a descriptor", func() CancelMatch { polls(3, rd); polls(2, rd2); return CancelFd(rd).All() }, 3},
		{"all on a registered file", func() CancelMatch { polls(3, rd); polls(2, rd2); return CancelFixedFile(0).All() }, 2},
		{"any", func() CancelMatch { polls(3, rd); return CancelAny() }, 3},
	} {
		m := test.m()
		require.NoError(t, r.SyncCancel(m, time.Second), test.name)
		got := reapAll(r)
		require.Len(t, got, test.ends, test.name)
		for _, c := range got {
			require.ErrorIs(t, c.Err(), unix.ECANCELED, test.name)
		}
		if r.Stats().InFlight > 0 {
			require.NoError(t, r.SyncCancel(CancelAny(), -1), test.name)
		}
		reapAll(r)
		require.Zero(t, r.Stats().InFlight, test.name)
	}
}

func TestSyncCancelGivesUpInTime(t *testing.T) { // fault 71
	needs(t, "IORING_REGISTER_SYNC_CANCEL")
	if !testutil.InChild() { // which a failure leaves with a thread that cannot be ended
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, time.Minute)
	page := newFaultPage(t)
	rd, wr := testutil.Pipe(t)
	_, err := unix.Write(wr, make([]byte, len(page.mem)))
	require.NoError(t, err)
	r := newTestRing(t, 4)
	s := queued(t, r, func(s *SQE) error {
		err := s.PrepRead(rd, page.mem, -1)
		s.Async()
		return err
	})
	id := s.ID()
	_, err = r.Submit()
	require.NoError(t, err)
	page.awaitFault(t, r)
	signalStorm(t, r, time.Millisecond)
	start := time.Now()
	err = r.SyncCancel(CancelID(id), 20*time.Millisecond)
	testutil.SkipIfUnsupported(t, err)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	page.resolve(t)
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
}
