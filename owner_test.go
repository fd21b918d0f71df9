//go:build linux

package uring

import (
	"context"
	"errors"
	"iter"
	"os"
	"os/signal"
	"reflect"
	"runtime"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// TestCloserWithTheOwnersThreadNumberIsNotTheOwner gives a ring whose owner's thread has ended the number of the
// calling thread, which the kernel does once it has gone through all numbers.
func TestCloserWithTheOwnersThreadNumberIsNotTheOwner(t *testing.T) { // found 10
	needs(t, CanSetup)
	testutil.Timeout(t, hangLimit)
	a, _ := testutil.SocketPair(t, "unix")
	r := ringOfLostThread(t, func(r *Ring) { recvOp(t, r, a, make([]byte, 64)).SetData64(7) })
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	r.tid = gettid()
	require.NoError(t, r.Close())
	got := reapAll(r)
	require.Len(t, got, 1)
	require.ErrorIs(t, got[0].Err(), unix.ECANCELED)
	require.Zero(t, r.slots.live)
}

// TestCloseKnowsALostOwnerByMoreThanItsNumber has the number go to another thread, which lives.
func TestCloseKnowsALostOwnerByMoreThanItsNumber(t *testing.T) { // found 10
	needs(t, CanSetup)
	testutil.Timeout(t, hangLimit)
	a, _ := testutil.SocketPair(t, "unix")
	r := ringOfLostThread(t, func(r *Ring) { recvOp(t, r, a, make([]byte, 64)) })
	other, quit := make(chan int), make(chan struct{})
	defer close(quit)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		other <- gettid()
		<-quit
	}()
	r.tid = <-other
	require.NoError(t, r.Close())
	require.Zero(t, r.slots.live)
}

// TestCoroutineOfTheOwnerOwnsTheRing uses a ring from another goroutine on the owner's thread, which only a coroutine
// can be.
func TestCoroutineOfTheOwnerOwnsTheRing(t *testing.T) { // found 10, FACTS 49
	testutil.Timeout(t, hangLimit)
	r := newTestRing(t, 8)
	next, stop := iter.Pull(func(yield func(error) bool) {
		_, err := r.Submit()
		if !yield(err) {
			return
		}
		s, err := r.SQE()
		if err == nil {
			s.SetData64(5)
			_, err = r.SubmitAndWait(context.Background(), 1)
		}
		yield(err)
	})
	defer stop()
	for range 2 {
		err, ok := next()
		require.True(t, ok)
		require.NoError(t, err)
	}
	require.Len(t, reapAll(r), 1)
	foreign := make(chan error)
	go func() {
		_, err := r.Submit()
		foreign <- err
	}()
	require.ErrorIs(t, <-foreign, ErrNotOwner)
}

func TestCloseFromElsewhereGivesTheOwnerTheTimeOnce(t *testing.T) { // found 12
	needs(t, CanSetup)
	testutil.Timeout(t, hangLimit)
	const limit = 3 * time.Second
	r, err := New(4, WithCloseTimeout(limit))
	require.NoError(t, err)
	closed := make(chan time.Duration)
	go func() {
		start := time.Now()
		if err := r.Close(); err == nil {
			t.Error("the owner did not come back")
		}
		closed <- time.Since(start)
	}()
	took := <-closed
	require.GreaterOrEqual(t, took, limit)
	require.Less(t, took, 2*limit)
	require.NoError(t, r.Close())
}

// TestIgnoredSignalsKeepNoWait has the program ignore the signal that ends waits, or all signals.
func TestIgnoredSignalsKeepNoWait(t *testing.T) { // found 11
	needs(t, CanSetup)
	for _, tt := range []struct {
		name    string
		ignored []os.Signal
		before  bool // the wait
	}{
		{"SIGURG", []os.Signal{unix.SIGURG}, true},
		{"SIGURG once it waits", []os.Signal{unix.SIGURG}, false},
		{"every wake-up", []os.Signal{unix.SIGURG, unix.SIGWINCH, syscall.SIGCHLD}, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if !testutil.InChild() { // what a process ignores it ignores for good
				child := testutil.ReExec(t, t.Name())
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			testutil.Timeout(t, hangLimit)
			ignore := func() { signal.Ignore(tt.ignored...) }
			if tt.before {
				ignore()
			}
			r, err := New(4, WithCloseTimeout(time.Hour))
			require.NoError(t, err)
			pollForever(t, r)
			_, err = r.Submit()
			require.NoError(t, err)

			ctx, cancel := context.WithCancel(context.Background())
			time.AfterFunc(20*time.Millisecond, func() {
				if !tt.before {
					ignore()
				}
				cancel()
			})
			_, err = r.SubmitAndWait(ctx, 1)
			require.ErrorIs(t, err, context.Canceled)
			closed := make(chan error)
			time.AfterFunc(20*time.Millisecond, func() { closed <- r.Close() })
			_, err = r.SubmitAndWait(context.Background(), 1)
			require.ErrorIs(t, err, ErrClosed)
			require.NoError(t, <-closed)
		})
	}
}

// TestEndedOwnerStaysEnded asks time after time, and from several threads, about an owner whose thread has ended: it is
// gone for good, and nobody else is it.
func TestEndedOwnerStaysEnded(t *testing.T) { // found 10
	needs(t, CanSetup)
	made := make(chan *Ring)
	go func() { // returns locked, so its thread ends
		r, err := New(4)
		if err != nil {
			t.Error(err)
		}
		made <- r
	}()
	r := <-made
	require.NotNil(t, r)
	require.Eventually(t, r.hold.Gone, hangLimit, time.Millisecond)
	var group sync.WaitGroup
	for range 4 {
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range 1000 {
				if r.hold.Mine() || !r.hold.Gone() {
					t.Error("the owner has come back")
					return
				}
			}
		}()
	}
	group.Wait()
	_, err := r.SQE()
	require.ErrorIs(t, err, ErrNotOwner)
	require.NoError(t, r.Close())
	require.NoError(t, r.Close())
}

// anywhere are the methods that any goroutine may call.
var anywhere = []string{
	"Ring.Close", "Ring.Fd", "Ring.Entries", "Ring.Flags", "Ring.Features", "Ring.FdRegistered",
	"BufRing.Group", "BufRing.Entries", "BufRing.Size", "SQE.ID",
}

// calledElsewhere returns what a method gives to another goroutine, with zero values for arguments.
func calledElsewhere(t *testing.T, method reflect.Value) []reflect.Value {
	t.Helper()
	var args []reflect.Value
	for i := range method.Type().NumIn() {
		if in := method.Type().In(i); i < method.Type().NumIn()-1 || !method.Type().IsVariadic() {
			args = append(args, reflect.Zero(in))
		}
	}
	var out []reflect.Value
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // and its thread is another one, too
		defer runtime.UnlockOSThread()
		out = method.Call(args)
	}()
	<-done
	return out
}

// TestEveryMethodKnowsItsOwner drives every exported method of what belongs to a ring from another goroutine, with the
// ring open and with entries and buffers at hand. A method that is new is driven without being named here.
func TestEveryMethodKnowsItsOwner(t *testing.T) { // found 7
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 8)
	s, _ := newTestSender(t, r, "unix")
	_, err := s.Write([]byte("queued"))
	require.NoError(t, err)
	nop(t, r, 1)
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	s.SetDeadline(time.Now().Add(time.Hour))
	_, err = s.Write([]byte("queued"))
	require.NoError(t, err)
	entry := queued(t, r, (*SQE).PrepNop)
	entry.SetData64(7)
	things := []any{r, s, entry}
	b, err := r.NewBufRing(2, 64)
	if !errors.Is(err, errors.ErrUnsupported) {
		require.NoError(t, err)
		require.NoError(t, b.Add(0, 64))
		things = append(things, b)
	}
	raw, deadline, queuedBytes, published := *entry.raw, s.deadline, s.Buffered(), 0
	if b != nil {
		published = int(b.group.tail)
	}
	for _, thing := range things {
		v := reflect.ValueOf(thing)
		for i := range v.NumMethod() {
			name := v.Type().Elem().Name() + "." + v.Type().Method(i).Name
			if slices.Contains(anywhere, name) {
				continue
			}
			out := calledElsewhere(t, v.Method(i))
			for j, o := range out {
				if err, ok := o.Interface().(error); ok && j == len(out)-1 {
					require.ErrorIs(t, err, ErrNotOwner, name)
					continue
				}
				if seq, ok := o.Interface().(iter.Seq[CQE]); ok {
					got := 0
					elsewhere(func() {
						for range seq {
							got++
						}
					})
					require.Zero(t, got, name)
					continue
				}
				require.True(t, o.IsZero() || o.Kind() == reflect.Slice && o.Len() == 0, "%s gave %v", name, o)
				require.False(t, j == len(out)-1 && o.Type() == reflect.TypeFor[error](), "%s gave no error", name)
			}
		}
	}
	require.Equal(t, raw, *entry.raw, "the entry is as it was")
	require.EqualValues(t, 7, entry.slot.data64)
	require.Equal(t, slotFilling, entry.slot.state)
	require.Equal(t, deadline, s.deadline)
	require.Equal(t, queuedBytes, s.Buffered())
	if b != nil {
		require.EqualValues(t, published, b.group.tail)
		require.Equal(t, 1, b.Lent())
	}
	got := reapAll(r)
	require.Len(t, got, 1, "what was reaped waits for the owner")
	require.NoError(t, s.Flush(context.Background()))
}

// TestACoroutineOfTheOwnerIsTheOwner (FACTS 49).
func TestACoroutineOfTheOwnerIsTheOwner(t *testing.T) { // found 7
	r := newTestRing(t, 8)
	next, stop := iter.Pull(func(yield func(error) bool) {
		s, err := r.SQE()
		if yield(err) && yield(s.PrepNop()) {
			_, err = r.SubmitAndWait(context.Background(), 1)
			yield(err)
		}
	})
	defer stop()
	for range 3 {
		err, ok := next()
		require.True(t, ok)
		require.NoError(t, err)
	}
	require.Len(t, reapAll(r), 1)
}

// TestAClosedRingIsNobodys: what is left of it may be read from anywhere.
func TestAClosedRingIsNobodys(t *testing.T) { // found 7
	r := newTestRing(t, 8)
	s, _ := newTestSender(t, r, "unix")
	nop(t, r, 5)
	_, err := r.Submit()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	var got []CQE
	var stats Stats
	elsewhere(func() { got, stats, err = reapAll(r), r.Stats(), s.Err() })
	require.Len(t, got, 1)
	require.EqualValues(t, 1, stats.Completed)
	require.ErrorIs(t, err, ErrClosed)
}

func BenchmarkOwnerCheck(b *testing.B) {
	r := newTestRing(b, 8)
	for b.Loop() {
		if err := r.owned(); err != nil {
			b.Fatal(err)
		}
	}
}
