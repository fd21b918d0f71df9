//go:build linux

package uring

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

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

func TestCompletionWithAnyResultIsAValue(t *testing.T) { // fault 37
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
