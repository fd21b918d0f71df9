//go:build linux

package aio

import (
	"context"
	"errors"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// newQueue returns a Queue that is closed at the end of the test.
func newQueue(t testing.TB, requests int, opts ...Option) *Queue {
	t.Helper()
	q, err := NewQueue(requests, opts...)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, q.Close()) })
	return q
}

// run submits requests and waits for all of them.
func run(t testing.TB, q *Queue, reqs ...*Request) {
	t.Helper()
	n, err := q.Submit(reqs...)
	require.NoError(t, err)
	require.Equal(t, len(reqs), n)
	out := make([]*Request, len(reqs))
	n, err = q.WaitTimeout(10*time.Second, len(reqs), out)
	require.NoError(t, err)
	require.Equal(t, len(reqs), n)
	require.ElementsMatch(t, reqs, out)
}

// armed returns a poll in flight that only ready ends.
func armed(t testing.TB, q *Queue) (r *Request, ready func()) {
	t.Helper()
	a, b := sockets(t)
	r = new(Request)
	require.NoError(t, r.PreparePoll(FD(a), unix.POLLIN, nil))
	n, err := q.Submit(r)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	return r, func() {
		_, err := unix.Write(b, []byte("x"))
		require.NoError(t, err)
	}
}

func TestQueueTransfers(t *testing.T) {
	t.Run("D05 D06 reading and writing", testQueueTransfers)
}

func testQueueTransfers(t *testing.T) {
	bothWays(t, func(t *testing.T, opts ...Option) {
		q, f := newQueue(t, 4, opts...), newFile(t)
		data := pattern(9000, 3)
		var write, writev, read, readv, sync, datasync Request
		require.NoError(t, write.PrepareWrite(FileOf(f), 0, data[:4000], nil))
		require.NoError(t, writev.PrepareWritev(FileOf(f), 4000, [][]byte{data[4000:4001], data[4001:]}, 7))
		run(t, q, &write, &writev)
		require.Equal(t, 7, writev.User())
		got := make([]byte, 9000)
		require.NoError(t, read.PrepareRead(FileOf(f), 0, got[:4000], nil))
		require.NoError(t, readv.PrepareReadv(FileOf(f), 4000, [][]byte{got[4000:5000], got[5000:]}, nil))
		require.NoError(t, sync.PrepareFsync(FileOf(f), nil))
		require.NoError(t, datasync.PrepareFdsync(FileOf(f), nil))
		run(t, q, &read, &readv, &sync, &datasync)
		require.Equal(t, data, got)
		for r, want := range map[*Request]int{&write: 4000, &writev: 5000, &read: 4000, &readv: 5000, &sync: 0} {
			n, err := r.Result()
			require.NoError(t, err)
			require.Equal(t, want, n)
			require.Equal(t, StateCompleted, r.State())
		}
	})
}

func TestQueueDoesNotAllocate(t *testing.T) {
	bothWays(t, func(t *testing.T, opts ...Option) {
		q, f := newQueue(t, 8, opts...), newFile(t)
		file, buf := FileOf(f), make([]byte, 512)
		reqs, out := make([]*Request, 8), make([]*Request, 8)
		for i := range reqs {
			reqs[i] = new(Request)
		}
		bufs := [][]byte{buf[:100], buf[100:]}
		round := func() {
			for i, r := range reqs {
				if i%2 == 0 {
					_ = r.PrepareWrite(file, int64(i)*512, buf, nil)
				} else {
					_ = r.PrepareWritev(file, int64(i)*512, bufs, nil)
				}
			}
			_, _ = q.Submit(reqs...)
			if n, err := q.Wait(context.Background(), 8, out); n != 8 {
				panic(err)
			}
		}
		round()
		require.Zero(t, testing.AllocsPerRun(100, round))
	})
}

func TestWaitSleepsWithoutAllocating(t *testing.T) {
	q := newQueue(t, 1)
	a, b := sockets(t)
	file, out := FD(a), make([]*Request, 1)
	sent, got := make([]byte, 1), make([]byte, 1)
	var r Request
	go1, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for range go1 {
			for !q.sleeping.Load() {
				time.Sleep(time.Microsecond)
			}
			_, _ = unix.Write(b, sent)
		}
	}()
	round := func() {
		_ = r.PreparePoll(file, unix.POLLIN, nil)
		_, _ = q.Submit(&r)
		go1 <- struct{}{}
		if n, err := q.Wait(context.Background(), 1, out); n != 1 {
			panic(err)
		}
		_, _ = unix.Read(a, got)
	}
	require.Zero(t, testing.AllocsPerRun(50, round))
	close(go1)
	<-done
}

func TestCloseWakesEverybodyAndDrains(t *testing.T) {
	bothWays(t, func(t *testing.T, opts ...Option) {
		q, err := NewQueue(4, opts...)
		testutil.SkipIfUnsupported(t, err)
		require.NoError(t, err)
		r, _ := armed(t, q)
		waits := make(chan error, 3)
		for range 3 {
			go func() {
				_, err := q.Wait(context.Background(), 1, make([]*Request, 1))
				waits <- err
			}()
		}
		require.Eventually(t, q.sleeping.Load, 10*time.Second, time.Millisecond)
		require.NoError(t, q.Close())
		require.NoError(t, q.Close())
		for range 3 {
			require.ErrorIs(t, <-waits, ErrClosed)
		}
		_, err = r.Result()
		require.ErrorIs(t, err, ErrCanceled)
		require.ErrorIs(t, err, context.Canceled)
		require.Zero(t, q.InFlight())
		require.ErrorIs(t, q.Wakeup(), os.ErrClosed)
		_, err = q.Submit(r)
		require.ErrorIs(t, err, ErrClosed)
		_, err = q.Poll(make([]*Request, 1))
		require.ErrorIs(t, err, ErrClosed)
	})
}

// TestCloseIsTheReasonWhyNothingIsInFlight has Close take the last request while others are about to look for it.
func TestCloseIsTheReasonWhyNothingIsInFlight(t *testing.T) {
	for range 20 {
		q, err := NewQueue(1)
		testutil.SkipIfUnsupported(t, err)
		require.NoError(t, err)
		armed(t, q)
		const lookers = 4
		ends := make(chan error, lookers)
		var looking sync.WaitGroup
		looking.Add(lookers)
		for range lookers {
			go func() {
				looking.Done()
				var err error
				for err == nil || errors.Is(err, ErrTimeout) { // nil for who gets the request after all
					_, err = q.WaitTimeout(0, 1, make([]*Request, 1))
				}
				ends <- err
			}()
		}
		looking.Wait()
		require.NoError(t, q.Close())
		for range lookers {
			require.ErrorIs(t, <-ends, ErrClosed)
		}
	}
}
