//go:build linux

package aio

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestWaitRows(t *testing.T) {
	testutil.Timeout(t, 2*time.Minute)
	t.Run("D16 wait says why it ended, with what has completed", testWaitOutcomes)
	t.Run("D32 more than 64 in flight with any minimum and room", func(t *testing.T) {
		bothWays(t, func(t *testing.T, opts ...Option) {
			q := newQueue(t, 150, opts...)
			for _, room := range []int{1, 63, 64, 65, 150} {
				reqs := polls(t, 150)
				_, err := q.Submit(reqs...)
				require.NoError(t, err)
				var got []*Request
				for out := make([]*Request, room); q.InFlight() > 0; {
					n, err := q.WaitTimeout(10*time.Second, min(room, q.InFlight()), out)
					require.NoError(t, err)
					got = append(got, out[:n]...)
				}
				require.ElementsMatch(t, reqs, got)
			}
		})
	})
	t.Run("D47 a minimum of more than 64", func(t *testing.T) {
		bothWays(t, func(t *testing.T, opts ...Option) {
			q := newQueue(t, 130, opts...)
			_, err := q.Submit(polls(t, 130)...)
			require.NoError(t, err)
			n, err := q.WaitTimeout(10*time.Second, 130, make([]*Request, 130))
			require.NoError(t, err)
			require.Equal(t, 130, n)
		})
	})
	t.Run("D35 signals do not end a wait", func(t *testing.T) {
		q := newQueue(t, 1)
		_, ready := armed(t, q)
		stop := make(chan struct{})
		var storm sync.WaitGroup
		storm.Add(1)
		go func() {
			defer storm.Done()
			for {
				select {
				case <-stop:
					ready()
					return
				case <-time.After(time.Millisecond):
					_ = unix.Kill(unix.Getpid(), unix.SIGURG)
				}
			}
		}()
		n, err := q.WaitTimeout(50*time.Millisecond, 1, make([]*Request, 1))
		require.Zero(t, n)
		require.ErrorIs(t, err, ErrTimeout)
		close(stop)
		n, err = q.WaitTimeout(10*time.Second, 1, make([]*Request, 1))
		require.Equal(t, 1, n)
		require.NoError(t, err)
		storm.Wait()
	})
	t.Run("D38 a wait ends as soon as the minimum is there", func(t *testing.T) {
		q := newQueue(t, 3)
		_, ready := armed(t, q)
		_, err := q.Submit(polls(t, 2)...)
		require.NoError(t, err)
		n, err := q.Wait(context.Background(), 2, make([]*Request, 3))
		require.NoError(t, err)
		require.Equal(t, 2, n)
		ready()
		drain(t, q)
	})
	t.Run("D46 a time-out is exact, and 0 does not wait", func(t *testing.T) {
		q := newQueue(t, 2)
		_, ready := armed(t, q)
		out := make([]*Request, 2)
		for _, d := range []time.Duration{0, time.Microsecond, 1500 * time.Microsecond, 20 * time.Millisecond} {
			start := time.Now()
			n, err := q.WaitTimeout(d, 1, out)
			require.Zero(t, n)
			require.ErrorIs(t, err, ErrTimeout)
			require.ErrorIs(t, err, os.ErrDeadlineExceeded)
			require.GreaterOrEqual(t, time.Since(start), d)
		}
		ready()
		require.Len(t, drain(t, q), 1)
	})
	t.Run("D41 a wait never misses what a submit counts", testSubmitAgainstWait)
}

func testWaitOutcomes(t *testing.T) {
	q := newQueue(t, 4)
	out := make([]*Request, 2)
	check := func(wantN int, want error, n int, err error) {
		t.Helper()
		require.Equal(t, wantN, n)
		require.ErrorIs(t, err, want)
	}
	n, err := q.Wait(context.Background(), 1, nil)
	check(0, ErrInvalid, n, err)
	n, err = q.Wait(context.Background(), 3, out)
	check(0, ErrOutOfRange, n, err)
	n, err = q.Wait(context.Background(), -1, out)
	check(0, ErrOutOfRange, n, err)
	n, err = q.Wait(context.Background(), 1, out)
	check(0, ErrNoRequests, n, err)
	n, err = q.Poll(out)
	check(0, nil, n, err)
	_, err = q.Poll(nil)
	require.ErrorIs(t, err, ErrInvalid)

	_, ready := armed(t, q)
	_, err = q.Submit(polls(t, 1)...)
	require.NoError(t, err)
	n, err = q.WaitTimeout(time.Millisecond, 2, out)
	check(1, ErrTimeout, n, err)
	ctx, cancel := context.WithCancel(context.Background())
	_, err = q.Submit(polls(t, 1)...)
	require.NoError(t, err)
	done := make(chan struct{})
	go func() {
		defer close(done)
		n, err = q.Wait(ctx, 2, out)
	}()
	require.Eventually(t, q.sleeping.Load, 10*time.Second, time.Millisecond)
	cancel()
	<-done
	check(1, context.Canceled, n, err)
	n, err = q.Wait(ctx, 1, out)
	check(0, context.Canceled, n, err)
	ready()
	n, err = q.Wait(context.Background(), 0, out)
	check(1, nil, n, err)

	t.Run("a poll that takes the last ends the wait for it", func(t *testing.T) {
		_, ready := armed(t, q)
		go func() {
			_, err := q.Wait(context.Background(), 2, make([]*Request, 2))
			waits <- err
		}()
		require.Eventually(t, q.sleeping.Load, 10*time.Second, time.Millisecond)
		ready()
		require.ErrorIs(t, <-waits, ErrNoRequests)
	})
	t.Run("without requests", func(t *testing.T) {
		q := newQueue(t, 1, WithWaitWithoutRequests())
		n, err := q.WaitTimeout(time.Millisecond, 1, out)
		check(0, ErrTimeout, n, err)
		go func() { _, _ = q.Submit(polls(t, 1)...) }()
		n, err = q.Wait(context.Background(), 1, out)
		check(1, nil, n, err)
	})
}

// waits carries how a wait in another goroutine ended.
var waits = make(chan error)

func testSubmitAgainstWait(t *testing.T) {
	q := newQueue(t, 8, WithWaitWithoutRequests())
	const rounds = 300
	var completed atomic.Int64
	done := make(chan error)
	for range 2 {
		go func() {
			out := make([]*Request, 4)
			for completed.Load() < rounds {
				n, err := q.Wait(context.Background(), 1, out)
				completed.Add(int64(n))
				if err != nil && !errors.Is(err, ErrInterrupted) {
					done <- err
					return
				}
			}
			done <- q.Wakeup()
		}()
	}
	a, _ := sockets(t)
	for range rounds {
		r := new(Request)
		require.NoError(t, r.PreparePoll(FD(a), unix.POLLOUT, nil))
		for {
			_, err := q.Submit(r)
			if errors.Is(err, ErrInsufficientResources) {
				time.Sleep(time.Microsecond)
				continue
			}
			require.NoError(t, err)
			break
		}
		require.GreaterOrEqual(t, q.InFlight(), 0)
	}
	require.NoError(t, <-done)
	require.NoError(t, <-done)
	require.Equal(t, int64(rounds), completed.Load())
	require.Zero(t, q.InFlight())
}

func TestWakeupRows(t *testing.T) {
	testutil.Timeout(t, 2*time.Minute)
	out := make([]*Request, 2)
	t.Run("D17 a wake-up ends one wait", func(t *testing.T) {
		q := newQueue(t, 2)
		_, ready := armed(t, q)
		go func() {
			_, err := q.Wait(context.Background(), 1, make([]*Request, 1))
			waits <- err
		}()
		require.Eventually(t, q.sleeping.Load, 10*time.Second, time.Millisecond)
		require.NoError(t, q.Wakeup())
		require.ErrorIs(t, <-waits, ErrInterrupted)
		_, err := q.WaitTimeout(0, 1, out)
		require.ErrorIs(t, err, ErrTimeout, "it was one wake-up")
		ready()
		drain(t, q)
	})
	t.Run("D37 a wake-up before the wait ends it at once, once", func(t *testing.T) {
		q := newQueue(t, 2)
		_, ready := armed(t, q)
		require.NoError(t, q.Wakeup())
		require.NoError(t, q.Wakeup(), "two count as one")
		_, err := q.Wait(context.Background(), 1, out)
		require.ErrorIs(t, err, ErrInterrupted)
		ready()
		n, err := q.Wait(context.Background(), 1, out)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
	t.Run("D37 what has completed is returned with it", func(t *testing.T) {
		q := newQueue(t, 2)
		_, err := q.Submit(polls(t, 2)...)
		require.NoError(t, err)
		require.NoError(t, q.Wakeup())
		n, err := q.Wait(context.Background(), 1, out)
		require.ErrorIs(t, err, ErrInterrupted)
		require.Equal(t, 2, n)
	})
	t.Run("D36 no wake-up is lost, whenever it comes", func(t *testing.T) {
		q := newQueue(t, 2)
		_, ready := armed(t, q)
		for range 2000 {
			go func() { _ = q.Wakeup() }()
			_, err := q.Wait(context.Background(), 1, out)
			require.ErrorIs(t, err, ErrInterrupted)
		}
		ready()
		drain(t, q)
	})
}

func TestCloseRows(t *testing.T) {
	testutil.Timeout(t, 2*time.Minute)
	t.Run("D12 closing is bounded by its context, and goes on", func(t *testing.T) {
		needAIO(t)
		q, err := NewQueue(2)
		require.NoError(t, err)
		r, _ := armed(t, q)
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		q.c.reaping.Lock() // keeps the closing from coming to an end
		err = q.CloseNow(ended)
		require.ErrorIs(t, err, context.Canceled)
		require.ErrorContains(t, err, "1 requests in flight")
		q.c.reaping.Unlock()
		require.NoError(t, q.Close())
		_, err = r.Result()
		require.ErrorIs(t, err, ErrCanceled)
	})
	t.Run("D12 a context with requests in flight is not closed", func(t *testing.T) {
		c := newContext(t, 1)
		a, _ := sockets(t)
		cb := taken(t, c)
		require.ErrorIs(t, c.Close(), ErrBusy, "an IOCB is held")
		require.NoError(t, cb.PrepPoll(a, unix.POLLIN))
		id := cb.ID()
		submit(t, c, cb)
		require.ErrorIs(t, c.Close(), ErrBusy)
		require.NoError(t, c.Cancel(id))
		await(t, c, 1)
	})
	t.Run("D42 closing while everything else goes on", func(t *testing.T) {
		needAIO(t)
		for range 20 {
			testCloseAgainstAll(t)
		}
	})
}

func testCloseAgainstAll(t *testing.T) {
	q, err := NewQueue(8)
	require.NoError(t, err)
	a, _ := sockets(t)
	file := FD(a)
	start := make(chan struct{})
	var calls atomic.Int64
	var users sync.WaitGroup
	use := func(f func(r *Request, out []*Request) error) {
		users.Add(1)
		go func() {
			defer users.Done()
			<-start
			r, out := new(Request), make([]*Request, 2)
			for !errors.Is(f(r, out), ErrClosed) {
				calls.Add(1)
			}
		}()
	}
	for range 2 {
		use(func(r *Request, _ []*Request) error {
			_ = r.PreparePoll(file, unix.POLLIN, nil)
			_, err := q.Submit(r)
			_ = r.Cancel()
			return err
		})
		use(func(_ *Request, out []*Request) error { _, err := q.Wait(context.Background(), 1, out); return err })
		use(func(_ *Request, out []*Request) error { _, err := q.Poll(out); return err })
		use(func(*Request, []*Request) error { return q.Wakeup() })
	}
	close(start)
	for calls.Load() < 200 {
		runtime.Gosched()
	}
	for range 2 {
		users.Add(1)
		go func() {
			defer users.Done()
			if err := q.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	users.Wait()
	require.Zero(t, q.c.Stats())
}
