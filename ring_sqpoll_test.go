//go:build linux

package uring

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestSQPollCompletesEveryOperationAsItself(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	for _, entries := range []uint32{1, 2, 8} {
		r := newTestRing(t, entries, WithSQPoll(5*time.Millisecond, -1))
		require.NotZero(t, r.Flags()&SetupSQPoll)
		ops := testutil.Fewer(500, 100)
		seen := map[uint64]CQE{}
		reap := func() {
			for c := range r.Completions() {
				require.NotContains(t, seen, c.Data64)
				seen[c.Data64] = c
			}
		}
		for i := range uint64(ops) { // SQE submits and, where the thread lags behind, waits for room
			if i%2 == 0 {
				nop(t, r, i)
			} else { // ends with EBADF, whose text names the operation
				recvOp(t, r, -1, make([]byte, 3)).SetData64(i)
			}
			if i%7 == 0 {
				_, err := r.Submit()
				require.NoError(t, err)
			}
			reap()
		}
		for len(seen) < ops {
			_, err := r.SubmitAndWait(context.Background(), 1)
			require.NoError(t, err)
			reap()
		}
		for i := range uint64(ops) {
			if i%2 == 0 {
				require.NoError(t, seen[i].Err())
				continue
			}
			require.EqualError(t, seen[i].Err(), "recv: bad file descriptor")
		}
		st := r.Stats()
		require.EqualValues(t, ops, st.Submitted)
		require.EqualValues(t, ops, st.Completed)
		require.Zero(t, st.InFlight)
		require.Zero(t, st.Stale)
	}
}

func TestSQPollWakesTheSleepingThreadForAMinimumWait(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 4, WithSQPoll(time.Millisecond, -1))
	needs(t, CanWaitMinTimeout)
	for r.wakeupFlag() == 0 { // until the polling thread has gone to sleep
		time.Sleep(time.Millisecond)
	}
	nop(t, r, 7)
	_, err := r.SubmitAndWaitMinTimeout(context.Background(), 1, time.Second, 30*time.Second)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1)
}

func TestSQPollCloseCancelsWhatIsInFlight(t *testing.T) {
	needs(t, CanSetup)
	r, err := New(4, WithSQPoll(time.Millisecond, -1))
	require.NoError(t, err)
	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd).SetData64(1)
	_, err = r.Submit()
	require.NoError(t, err)
	pollOp(t, r, rd).SetData64(2) // filled, not submitted
	require.NoError(t, r.Close())
	got := map[uint64]error{}
	for _, c := range reapAll(r) {
		got[c.Data64] = c.Err()
	}
	require.Len(t, got, 2)
	require.ErrorIs(t, got[1], unix.ECANCELED)
	require.ErrorIs(t, got[2], unix.ECANCELED)
}
