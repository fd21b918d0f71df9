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

// polls returns n prepared requests that complete at once.
func polls(t testing.TB, n int) []*Request {
	t.Helper()
	a, _ := sockets(t)
	file, reqs := FD(a), make([]*Request, n)
	for i := range reqs {
		reqs[i] = new(Request)
		require.NoError(t, reqs[i].PreparePoll(file, unix.POLLOUT, i))
	}
	return reqs
}

// flush returns a request that the kernel refuses: sockets have no fsync.
func flush(t testing.TB) *Request {
	t.Helper()
	a, _ := sockets(t)
	r := new(Request)
	require.NoError(t, r.PrepareFsync(FD(a), nil))
	return r
}

// drain waits for all that is in flight and returns it.
func drain(t testing.TB, q *Queue) []*Request {
	t.Helper()
	out := make([]*Request, 200)
	n, err := q.WaitTimeout(10*time.Second, len(out), out)
	require.ErrorIs(t, err, ErrNoRequests)
	require.Zero(t, q.InFlight())
	return out[:n]
}

func TestSubmitRows(t *testing.T) {
	t.Run("D15 submit takes requests in order and counts them", func(t *testing.T) {
		q := newQueue(t, 100)
		reqs := polls(t, 100)
		n, err := q.Submit(reqs...)
		require.NoError(t, err)
		require.Equal(t, 100, n)
		require.Equal(t, 100, q.InFlight())
		require.ElementsMatch(t, reqs, drain(t, q))
		n, err = q.Submit()
		require.NoError(t, err)
		require.Zero(t, n)
	})
	t.Run("D21 an invalid request keeps all others from being submitted", testSubmitAtomic)
	t.Run("D22 a bad request at the head ends the call", func(t *testing.T) {
		q := newQueue(t, 4)
		n, err := q.Submit(append([]*Request{new(Request)}, polls(t, 2)...)...)
		require.ErrorIs(t, err, ErrNotPrepared)
		require.Zero(t, n)
		require.Zero(t, q.InFlight())
	})
	t.Run("D23 only prepared requests are submitted", func(t *testing.T) {
		q := newQueue(t, 4)
		reqs := polls(t, 1)
		_, err := q.Submit(reqs...)
		require.NoError(t, err)
		_, err = q.Submit(reqs...)
		require.ErrorIs(t, err, ErrInProgress)
		require.Len(t, drain(t, q), 1)
		_, err = q.Submit(reqs...)
		require.ErrorIs(t, err, ErrNotPrepared, "it has completed")
	})
	t.Run("D24 a flush for which there is no room stays prepared", func(t *testing.T) {
		q := newQueue(t, 1)
		_, ready := armed(t, q)
		var sync Request
		require.NoError(t, sync.PrepareFsync(FileOf(newFile(t)), nil))
		n, err := q.Submit(&sync)
		require.Zero(t, n)
		require.ErrorIs(t, err, ErrInsufficientResources)
		require.ErrorIs(t, err, unix.EAGAIN)
		require.Equal(t, StatePrepared, sync.State())
		ready()
		drain(t, q)
		run(t, q, &sync)
	})
}

func TestRefusalRows(t *testing.T) {
	t.Run("D25 a refused flush leaves nothing behind", func(t *testing.T) {
		q := newQueue(t, 1)
		r := flush(t)
		n, err := q.Submit(r)
		require.Zero(t, n)
		require.ErrorIs(t, err, unix.EINVAL)
		require.NotErrorIs(t, err, ErrUnsupported, "the kernel has IOCB_CMD_FSYNC")
		require.Equal(t, StateCompleted, r.State())
		require.ErrorIs(t, r.Cancel(), ErrCompleted)
		require.Nil(t, r.queue)
		drain(t, q)
		require.NoError(t, r.PrepareFsync(FileOf(newFile(t)), nil))
		run(t, q, r)
	})
	t.Run("D26 a flush behind a full window is submitted like any other", func(t *testing.T) {
		q, f := newQueue(t, submitWindow+1), newFile(t)
		file, reqs := FileOf(f), make([]*Request, submitWindow+1)
		for i := range reqs {
			reqs[i] = new(Request)
			require.NoError(t, reqs[i].PrepareWrite(file, int64(i), []byte{byte(i)}, nil))
		}
		require.NoError(t, reqs[submitWindow].PrepareFsync(file, nil))
		n, err := q.Submit(reqs...)
		require.NoError(t, err)
		require.Equal(t, submitWindow+1, n)
		require.Equal(t, submitWindow+1, q.InFlight())
		require.ElementsMatch(t, reqs, drain(t, q))
	})
	t.Run("D27 what is behind a refused request is untouched", testRefusedInTheMiddle)
	t.Run("D30 a refusal has the kernel's errno", func(t *testing.T) {
		q, f := newQueue(t, 1), newFile(t)
		file := FileOf(f)
		require.NoError(t, f.Close())
		var r Request
		require.NoError(t, r.PrepareRead(file, 0, make([]byte, 1), nil))
		_, err := q.Submit(&r)
		require.ErrorIs(t, err, unix.EBADF)
		_, err = r.Result()
		require.ErrorIs(t, err, unix.EBADF)
	})
	t.Run("D43 the size of the queue is a limit", func(t *testing.T) {
		q := newQueue(t, 70)
		reqs := polls(t, 75)
		n, err := q.Submit(reqs...)
		require.Equal(t, 70, n)
		require.ErrorIs(t, err, ErrInsufficientResources)
		for _, r := range reqs[70:] {
			require.Equal(t, StatePrepared, r.State())
		}
		require.Len(t, drain(t, q), 70)
		n, err = q.Submit(reqs[70:]...)
		require.NoError(t, err)
		require.Equal(t, 5, n)
		drain(t, q)
	})
	t.Run("D07 a kernel without the operation is told from a file without it", func(t *testing.T) {
		q := newQueue(t, 1)
		q.supports = func(opcode) error { return unix.EINVAL }
		r := flush(t)
		_, err := q.Submit(r)
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, "IOCB_CMD_FSYNC")
		_, err = r.Result()
		require.ErrorIs(t, err, ErrUnsupported)
		for _, op := range []opcode{opPoll, opFsync, opFdsync} {
			require.NoError(t, supports(op))
		}
	})
}

func testSubmitAtomic(t *testing.T) {
	q := newQueue(t, 8)
	busy, ready := armed(t, q)
	good := polls(t, 2)
	for what, tt := range map[string]struct {
		bad *Request
		err error
	}{
		"D47 nil":        {nil, ErrInvalid},
		"twice":          {good[0], ErrInvalid},
		"never prepared": {new(Request), ErrNotPrepared},
		"in flight":      {busy, ErrInProgress},
	} {
		n, err := q.Submit(good[0], good[1], tt.bad)
		require.Zero(t, n, what)
		require.ErrorIs(t, err, tt.err, what)
		require.Equal(t, 1, q.InFlight(), what)
		require.Equal(t, StatePrepared, good[0].State(), what)
		require.Equal(t, StatePrepared, good[1].State(), what)
	}
	ready()
	drain(t, q)
	run(t, q, good...)
}

// testRefusedInTheMiddle has the kernel refuse one of several requests.
func testRefusedInTheMiddle(t *testing.T) {
	q := newQueue(t, 100)
	reqs := polls(t, 90)
	refused := 70
	reqs[refused] = flush(t)
	n, err := q.Submit(reqs...)
	t.Run("D31 the count is reported with the error", func(t *testing.T) {
		require.Equal(t, refused, n)
		require.ErrorIs(t, err, unix.EINVAL)
	})
	t.Run("D29 what the kernel took is counted", func(t *testing.T) {
		require.Equal(t, refused, q.InFlight())
		require.Zero(t, q.c.Stats().Held)
	})
	for i, r := range reqs {
		want := StateSubmitted
		if i == refused {
			want = StateCompleted
		} else if i > refused {
			want = StatePrepared
		}
		require.Equal(t, want, r.State(), i)
	}
	t.Run("D28 nothing completes twice", func(t *testing.T) {
		require.ElementsMatch(t, reqs[:refused], drain(t, q))
		require.Zero(t, q.c.Stats().Stale)
	})
	n, err = q.Submit(reqs[refused+1:]...)
	require.NoError(t, err)
	require.Equal(t, len(reqs)-refused-1, n)
	require.ElementsMatch(t, reqs[refused+1:], drain(t, q))
}

func TestQueueRefusesToBlock(t *testing.T) {
	// The subtests hold fault 105.
	q := newQueue(t, 1)
	a, b := sockets(t)
	require.NoError(t, unix.SetNonblock(a, false))
	var r Request
	t.Run("fault 105 a blocking socket is for polls only", func(t *testing.T) {
		err := r.PrepareRead(FD(a), 0, make([]byte, 1), nil)
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorContains(t, err, "non-blocking")
		require.NoError(t, r.PreparePoll(FD(a), unix.POLLOUT, nil))
		run(t, q, &r)
	})
	t.Run("fault 105 one that does not block answers EAGAIN", func(t *testing.T) {
		require.NoError(t, r.PrepareRead(FD(b), 0, make([]byte, 1), nil))
		run(t, q, &r)
		_, err := r.Result()
		require.ErrorIs(t, err, unix.EAGAIN)
	})
	t.Run("D33 a failed transfer has its errno", func(t *testing.T) {
		require.NoError(t, r.PrepareWrite(FD(b), 1, []byte("x"), nil))
		run(t, q, &r)
		n, err := r.Result()
		require.ErrorIs(t, err, unix.ESPIPE, "FACTS 18")
		require.Zero(t, n)
	})
	_, err := q.Wait(context.Background(), 1, make([]*Request, 1))
	require.ErrorIs(t, err, ErrNoRequests)
}

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
