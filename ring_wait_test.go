//go:build linux

package uring

import (
	"context"
	"io"
	"os"
	"runtime/pprof"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
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
	// Where processors are few, signals may come only when a wait has ended, again and again: one that lasts is met.
	for pause := 100 * time.Microsecond; r.Stats().EINTR == 0; pause *= 2 {
		timeoutOp(t, r, pause)
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

// forgeCQE puts a CQE into the empty completion queue as if the kernel had, lets the ring reap it, and restores the
// queue, since the kernel goes by a tail of its own.
func forgeCQE(t testing.TB, r *Ring, forged cring.CQE) {
	t.Helper()
	head, tail := *r.c.CQHead, atomic.LoadUint32(r.c.CQTail)
	require.Equal(t, head, tail)
	r.c.CQEs[tail&r.cqMask] = forged
	atomic.StoreUint32(r.c.CQTail, tail+1)
	r.drainCQ()
	require.Equal(t, tail+1, *r.c.CQHead)
	atomic.StoreUint32(r.c.CQTail, tail)
	atomic.StoreUint32(r.c.CQHead, head)
}

func TestStaleCompletionsAreCountedAndDropped(t *testing.T) { // faults 33 and 34
	r := newTestRing(t, 4)
	s, err := r.SQE()
	require.NoError(t, err)
	s.SetData64(1)
	id := uint64(s.ID())
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1)

	rd, wr := testutil.Pipe(t)
	inFlight := pollOp(t, r, rd).ID() // in the slot that was free again
	_, err = r.Submit()
	require.NoError(t, err)
	require.Equal(t, uint32(id), uint32(inFlight))
	filling := nopID(t, r)

	for _, test := range []struct {
		name     string
		userData uint64
	}{
		{"doubled", id},
		{"a generation that is yet to come", uint64(inFlight) + 1<<userDataGenShift},
		{"a slot that does not exist", userDataOurs | 1<<20},
		{"a slot that was never used", userDataOurs | 1<<userDataGenShift | slotBlockLen - 1},
		{"an SQE that was not submitted", uint64(filling)},
	} {
		before := r.Stats()
		forgeCQE(t, r, cring.CQE{UserData: test.userData, Res: 77})
		after := r.Stats()
		require.Equal(t, before.Stale+1, after.Stale, test.name)
		require.Equal(t, before.Completed, after.Completed, test.name)
		require.Zero(t, r.Ready(), test.name)
	}
	before := r.Stats()
	forgeCQE(t, r, cring.CQE{UserData: userDataTimeout, Res: -int32(unix.ETIME)}) // liburing's own
	require.Equal(t, before, r.Stats())
	require.Zero(t, r.Ready())

	_, err = unix.Write(wr, []byte{1}) // the operations are none the worse for it
	require.NoError(t, err)
	_, err = r.SubmitAndWait(context.Background(), 2)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 2)
}

// nopID queues a NOP and returns its identity.
func nopID(t testing.TB, r *Ring) OpID {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	return s.ID()
}

func TestCompletionWithAnyResultIsAValue(t *testing.T) { // fault 37; SPEC E20
	r := newTestRing(t, 4)
	for _, res := range []int32{-1 << 31, -1 << 30, -4096, 1<<31 - 1} {
		forgeCQE(t, r, cring.CQE{UserData: 5, Res: res})
		got := reapAll(r)
		require.Len(t, got, 1)
		require.Equal(t, res, got[0].Res)
		if res < 0 {
			require.Error(t, got[0].Err())
			require.NotEmpty(t, got[0].Err().Error())
		} else {
			require.NoError(t, got[0].Err())
		}
	}
}

func TestCompletionsKeepTheirOrderWhenServingReapsMore(t *testing.T) { // fault 36
	r := newTestRing(t, 4)
	s, err := r.SQE()
	require.NoError(t, err)
	s.slot.owner = completerFunc(func(CQE) {
		nop(t, r, 3)
		_, err := r.Submit()
		require.NoError(t, err)
		r.drainCQ()
	})
	nop(t, r, 2)
	_, err = r.SubmitAndWait(context.Background(), 2)
	require.NoError(t, err)
	got := reapAll(r)
	require.Len(t, got, 2)
	require.EqualValues(t, 2, got[0].Data64)
	require.EqualValues(t, 3, got[1].Data64)
}

// TestHandlerThatFillsTheQueueIsNotCalledWithinItself has each handler fill the submission queue and go on beyond it,
// which submits: what completes then is served once the handler has returned, in order.
func TestHandlerThatFillsTheQueueIsNotCalledWithinItself(t *testing.T) { // fault 36
	needs(t, CanSetup)
	testutil.Timeout(t, time.Minute)
	const entries, all = 4, 300
	for name, kind := range map[string]func(t *testing.T, r *Ring) (begin func(handler func())){
		"a part of the library": func(t *testing.T, r *Ring) func(func()) {
			return func(handler func()) {
				s, err := r.SQE()
				require.NoError(t, err)
				s.slot.owner = completerFunc(func(CQE) { handler() })
			}
		},
		"a release": func(t *testing.T, r *Ring) func(func()) {
			s, _ := newTestSender(t, r, "unix", WithPromptRelease())
			other, _ := newTestSender(t, r, "unix", WithPromptRelease())
			return func(handler func()) { // of the one while the other's request has yet to end
				s, other = other, s
				require.NoError(t, s.HandOver([]byte{1}, func(int, error) { handler() }))
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, entries)
			begin := kind(t, r)
			depth, calls, queued := 0, 0, uint64(0)
			var handler func()
			handler = func() {
				depth++
				defer func() { depth-- }()
				require.Equal(t, 1, depth, "a handler was called within another")
				calls++
				if queued+2*entries < all {
					begin(handler)
				}
				for range min(2*entries, all-queued) {
					nop(t, r, queued)
					queued++
					_, err := r.SubmitAndWait(context.Background(), 1)
					require.ErrorIs(t, err, errServing)
				}
				_, err := r.Submit()
				require.NoError(t, err)
				r.Ready() // serves what is there, if it may
			}
			begin(handler)
			for seen := uint64(0); seen < all; {
				_, err := r.SubmitAndWait(context.Background(), 1)
				require.NoError(t, err)
				for _, c := range reapAll(r) {
					require.NoError(t, c.Err())
					require.Equal(t, seen, c.Data64, "out of order")
					seen++
				}
			}
			require.Equal(t, (all+2*entries-1)/(2*entries), calls)
			require.NoError(t, r.Flush(context.Background()))
			require.Equal(t, r.Stats().Submitted, r.Stats().Completed)
		})
	}
}

func TestPanicOfAHandlerLosesNothing(t *testing.T) { // fault 35
	r := newTestRing(t, 8)
	for i := range uint64(6) {
		s, err := r.SQE()
		require.NoError(t, err)
		s.SetData64(i)
		if i == 3 {
			s.slot.owner = completerFunc(func(CQE) { panic("of a part of the library") })
		}
	}
	_, err := r.SubmitAndWait(context.Background(), 6)
	require.NoError(t, err)
	require.Panics(t, func() { r.Ready() })
	var seen []uint64
	require.Panics(t, func() {
		for c := range r.Completions() {
			seen = append(seen, c.Data64)
			panic("of the loop's body")
		}
	})
	for _, c := range reapAll(r) {
		seen = append(seen, c.Data64)
	}
	require.Equal(t, []uint64{0, 1, 2, 4, 5}, seen)
	require.Zero(t, r.Stats().InFlight)
}

func TestWaitCountsWhatTheLibraryServesItself(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 4)
	for range 2 {
		s, err := r.SQE()
		require.NoError(t, err)
		s.slot.owner = completerFunc(func(CQE) {})
	}
	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd) // so that the wait could go on for ever
	_, err := r.SubmitAndWait(context.Background(), 2)
	require.NoError(t, err)

	// The same where the completions were served in the course of the wait.
	for range 2 {
		s, err := r.SQE()
		require.NoError(t, err)
		s.slot.owner = completerFunc(func(CQE) {})
	}
	_, err = r.Submit()
	require.NoError(t, err)
	w := waitSpec{n: 2, timeout: forever}
	r.start(context.Background(), &w)
	r.drainCQ()
	require.True(t, r.satisfied(&w))
	require.Empty(t, reapAll(r))
}

func TestStatsTellWhatTheKernelLost(t *testing.T) {
	needs(t, CanSetup)
	r, err := New(4)
	require.NoError(t, err)
	require.Zero(t, r.Stats().Dropped)
	atomic.AddUint32(r.c.SQDropped, 2) // only a kernel out of memory counts here
	atomic.AddUint32(r.c.CQOverflow, 3)
	require.EqualValues(t, 5, r.Stats().Dropped)
	require.NoError(t, r.Close())
	require.EqualValues(t, 5, r.Stats().Dropped)
}

func TestOverflowIsCountedOncePerTime(t *testing.T) { // fault 31
	for _, wait := range []bool{false, true} {
		r := newTestRing(t, 4, WithCQEntries(4))
		for times := range uint64(3) {
			for i := range uint64(10) {
				nop(t, r, i)
			}
			_, err := r.Submit()
			require.NoError(t, err)
			if wait {
				_, err = r.SubmitAndWait(context.Background(), 4)
				require.NoError(t, err)
			}
			require.Len(t, reapAll(r), 10)
			require.EqualValues(t, times+1, r.Stats().Overflowed)
		}
		st := r.Stats()
		require.Equal(t, st.Submitted, st.Completed)
		require.Zero(t, st.Dropped)
	}
}
