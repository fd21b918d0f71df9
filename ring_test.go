//go:build linux

package uring

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// newTestRing returns a ring that the test owns and that is closed, drained, at its end.
func newTestRing(t testing.TB, entries uint32, opts ...Option) *Ring {
	t.Helper()
	r, err := New(entries, opts...)
	for tries := 0; errors.Is(err, unix.ENOMEM) && tries < 200; tries++ {
		// Without CAP_IPC_LOCK recent kernels count rings towards RLIMIT_MEMLOCK, and give back what a closed ring held
		// only after a while.
		time.Sleep(50 * time.Millisecond)
		r, err = New(entries, opts...)
	}
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	t.Cleanup(func() {
		require.NoError(t, r.Close())
		require.Zero(t, r.slots.live)
	})
	return r
}

// needs skips the test where the kernel or this process lacks any of the features, by their names in Capabilities.
func needs(t testing.TB, features ...string) {
	t.Helper()
	caps, err := Probe()
	require.NoError(t, err)
	testutil.SkipIfUnsupported(t, caps.Require(features...))
}

// has reports whether the kernel and this process have a feature, by its name in Capabilities.
func has(t testing.TB, feature string) bool {
	t.Helper()
	caps, err := Probe()
	require.NoError(t, err)
	err = caps.Require(feature)
	if !errors.Is(err, errors.ErrUnsupported) {
		require.NoError(t, err)
	}
	return err == nil
}

// nop queues a NOP that carries v.
func nop(t testing.TB, r *Ring, v uint64) {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	s.SetData64(v)
}

// pollForever queues a request that ends only when it is cancelled, and returns the pipe it waits for.
func pollForever(t testing.TB, r *Ring) {
	t.Helper()
	reader, _ := testutil.Pipe(t)
	s, err := r.SQE()
	require.NoError(t, err)
	s.raw.Opcode, s.raw.Fd, s.raw.OpFlags = cring.OpPollAdd, int32(reader), unix.POLLIN
}

func TestRingCompletesInOrderThroughEveryQueueSize(t *testing.T) {
	for _, entries := range []uint32{1, 2, 4, 64} {
		r := newTestRing(t, entries)
		for i := range uint64(40) { // more than fit: SQE submits when the queue is full
			nop(t, r, i)
		}
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		var got []uint64
		for c := range r.Completions() {
			require.NoError(t, c.Err())
			got = append(got, c.Data64)
		}
		require.Len(t, got, 40)
		for i, v := range got {
			require.EqualValues(t, i, v)
		}
		st := r.Stats()
		require.EqualValues(t, 40, st.Submitted)
		require.EqualValues(t, 40, st.Completed)
		require.Zero(t, st.InFlight)
		require.Zero(t, st.Stale)
	}
}

func TestWaitEndsOnTimeoutContextAndClose(t *testing.T) {
	t.Run("timeout", func(t *testing.T) {
		r := newTestRing(t, 4)
		pollForever(t, r)
		start := time.Now()
		n, err := r.SubmitAndWaitTimeout(context.Background(), 1, 20*time.Millisecond)
		require.Equal(t, 1, n)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(start), 20*time.Millisecond)
	})
	t.Run("context cancelled meanwhile", func(t *testing.T) {
		r := newTestRing(t, 4)
		pollForever(t, r)
		ctx, cancel := context.WithCancel(context.Background())
		time.AfterFunc(10*time.Millisecond, cancel)
		_, err := r.SubmitAndWait(ctx, 1)
		require.ErrorIs(t, err, context.Canceled)
	})
	t.Run("context deadline", func(t *testing.T) {
		r := newTestRing(t, 4)
		pollForever(t, r)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		_, err := r.SubmitAndWait(ctx, 1)
		require.ErrorIs(t, err, context.DeadlineExceeded)
	})
	t.Run("closed by another goroutine", func(t *testing.T) {
		r := newTestRing(t, 4)
		pollForever(t, r)
		closed := make(chan error)
		time.AfterFunc(10*time.Millisecond, func() { closed <- r.Close() })
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, <-closed)
		var got []CQE
		for c := range r.Completions() {
			got = append(got, c)
		}
		require.Len(t, got, 1)
		require.ErrorIs(t, got[0].Err(), unix.ECANCELED)
	})
	t.Run("nothing in flight", func(t *testing.T) {
		r := newTestRing(t, 4)
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.ErrorIs(t, err, ErrIdle)
	})
	t.Run("more than the queue holds", func(t *testing.T) {
		r := newTestRing(t, 4)
		_, err := r.SubmitAndWait(context.Background(), 9)
		require.ErrorIs(t, err, unix.EINVAL)
	})
}

func TestRingRefusesOtherThreads(t *testing.T) {
	r := newTestRing(t, 4)
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		_, err := r.Submit()
		done <- err
	}()
	require.ErrorIs(t, <-done, ErrNotOwner)
	nop(t, r, 1)
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
}

func TestCloseIsIdempotentAndConcurrent(t *testing.T) {
	r := newTestRing(t, 8)
	for range 4 {
		pollForever(t, r)
	}
	_, err := r.Submit()
	require.NoError(t, err)
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			require.NoError(t, r.Close())
		}()
	}
	time.Sleep(5 * time.Millisecond) // some of them are to come before the owner
	require.NoError(t, r.Close())
	wg.Wait()
	require.NoError(t, r.Close())
	_, err = r.SQE()
	require.ErrorIs(t, err, ErrClosed)
	_, err = r.Submit()
	require.ErrorIs(t, err, ErrClosed)
}

func TestCloseWithUnsubmittedEntriesResolvesThem(t *testing.T) {
	r := newTestRing(t, 8)
	nop(t, r, 7)
	require.NoError(t, r.Close())
	var dst [4]CQE
	n, err := r.Reap(dst[:])
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.EqualValues(t, 7, dst[0].Data64)
	require.ErrorIs(t, dst[0].Err(), unix.ECANCELED)
}

func TestCloseAfterTheOwnersThreadEnded(t *testing.T) {
	needs(t, CanSetup)
	made := make(chan *Ring)
	go func() { // returns locked, so its thread ends
		r, err := New(4)
		if err == nil {
			pollForever(t, r)
			_, err = r.Submit()
		}
		if err != nil {
			t.Error(err)
		}
		made <- r
	}()
	r := <-made
	require.NotNil(t, r)
	require.NoError(t, r.Close())
}

func TestOverflowIsFlushedAndCounted(t *testing.T) { // fault 31
	r := newTestRing(t, 8, WithCQEntries(8))
	for i := range uint64(40) {
		nop(t, r, i)
	}
	_, err := r.Submit()
	require.NoError(t, err)
	n := 0
	for c := range r.Completions() {
		require.EqualValues(t, n, c.Data64)
		n++
	}
	require.Equal(t, 40, n)
	require.NotZero(t, r.Stats().Overflowed)
}
