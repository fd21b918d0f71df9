//go:build linux

package uring

import (
	"context"
	"io"
	"os"
	"runtime/pprof"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// signalStorm sends the ring's thread SIGURG, with which the Go runtime preempts, until the test ends or stop is
// called.
func signalStorm(t testing.TB, r *Ring, pause time.Duration) (stop func()) {
	t.Helper()
	quit, ended := make(chan struct{}), make(chan struct{})
	tid := r.tid
	go func() {
		defer close(ended)
		for {
			select {
			case <-quit:
				return
			case <-time.After(pause):
				_ = interrupt(tid)
			}
		}
	}()
	stopped := false
	stop = func() {
		if !stopped {
			stopped = true
			close(quit)
			<-ended
		}
	}
	t.Cleanup(stop)
	return stop
}

func TestWaitsSurviveASignalStorm(t *testing.T) { // fault 19, FACTS 23
	testutil.Timeout(t, time.Minute)
	require.NoError(t, pprof.StartCPUProfile(io.Discard))
	defer pprof.StopCPUProfile()
	r := newTestRing(t, 8)
	signalStorm(t, r, 20*time.Microsecond)

	seen := map[uint64]bool{}
	for i := range uint64(300) {
		timeoutOp(t, r, 100*time.Microsecond).SetData64(i)
		if i%2 == 0 {
			_, err := r.Submit()
			require.NoError(t, err)
		}
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		for _, c := range reapAll(r) {
			require.ErrorIs(t, c.Err(), unix.ETIME)
			require.False(t, seen[c.Data64])
			seen[c.Data64] = true
		}
	}
	require.Len(t, seen, 300)
	for r.Stats().EINTR == 0 { // where processors are few the storm may come late
		timeoutOp(t, r, 100*time.Microsecond)
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		reapAll(r)
	}

	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd)
	start := time.Now()
	_, err := r.SubmitAndWaitTimeout(context.Background(), 1, 50*time.Millisecond)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.GreaterOrEqual(t, time.Since(start), 50*time.Millisecond)
	st := r.Stats()
	require.EqualValues(t, st.Submitted, st.Completed+uint64(st.InFlight))
}

func TestMinimumWaitIsKeptWhateverSignalsCome(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	for _, storm := range []bool{false, true} {
		r := newTestRing(t, 8)
		needs(t, CanWaitMinTimeout)
		if storm {
			signalStorm(t, r, time.Millisecond)
		}
		rd, _ := testutil.Pipe(t)
		pollOp(t, r, rd)
		nop(t, r, 1)
		start := time.Now()
		_, err := r.SubmitAndWaitMinTimeout(context.Background(), 2, 30*time.Millisecond, time.Hour)
		require.NoError(t, err)
		require.GreaterOrEqual(t, time.Since(start), 30*time.Millisecond, "it was content too early")
		require.Len(t, reapAll(r), 1)
	}
}

func TestMinimumWait(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 8)
	needs(t, CanWaitMinTimeout)
	ctx := context.Background()

	nop(t, r, 1) // with everything there it ends at once
	nop(t, r, 2)
	n, err := r.SubmitAndWaitMinTimeout(ctx, 2, time.Hour, time.Hour)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Len(t, reapAll(r), 2)

	timeoutOp(t, r, 20*time.Millisecond) // it waits on for the first when the minimum has passed
	start := time.Now()
	_, err = r.SubmitAndWaitMinTimeout(ctx, 2, time.Millisecond, time.Hour)
	require.NoError(t, err)
	require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	require.Len(t, reapAll(r), 1)

	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd)
	_, err = r.SubmitAndWaitMinTimeout(ctx, 2, time.Millisecond, 10*time.Millisecond)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)

	nop(t, r, 3) // zero makes it a plain wait
	_, err = r.SubmitAndWaitMinTimeout(ctx, 1, 0, time.Hour)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1)

	for _, d := range []time.Duration{-1, 72 * time.Minute} {
		_, err := r.SubmitAndWaitMinTimeout(ctx, 1, d, time.Hour)
		require.ErrorIs(t, err, unix.EINVAL)
	}
}

func TestWaitCountsWhatWasReapedBefore(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 8)
	for i := range uint64(3) {
		nop(t, r, i)
	}
	_, err := r.Submit()
	require.NoError(t, err)
	require.Equal(t, 3, r.Ready())
	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd)
	_, err = r.SubmitAndWait(context.Background(), 3)
	require.NoError(t, err)
	nop(t, r, 3)
	_, err = r.SubmitAndWait(context.Background(), 4)
	require.NoError(t, err)
	require.Equal(t, 4, r.Ready())
	var dst [2]CQE
	for _, want := range []int{2, 2, 0} {
		n, err := r.Reap(dst[:])
		require.NoError(t, err)
		require.Equal(t, want, n)
	}
}

func TestWaitOfZeroPolls(t *testing.T) {
	r := newTestRing(t, 4)
	n, err := r.SubmitAndWait(context.Background(), 0)
	require.NoError(t, err)
	require.Zero(t, n)
	nop(t, r, 1)
	n, err = r.SubmitAndWaitTimeout(context.Background(), 0, 0)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Len(t, reapAll(r), 1)
	_, err = r.SubmitAndWait(context.Background(), -1)
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestSubmitOfADoneContextSubmitsNothing(t *testing.T) { // fault 73
	r := newTestRing(t, 4)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	nop(t, r, 1)
	n, err := r.SubmitAndWait(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)
	require.Zero(t, n)
	require.Zero(t, r.Stats().Submitted)
	n, err = r.Submit()
	require.NoError(t, err)
	require.Equal(t, 1, n)
}
