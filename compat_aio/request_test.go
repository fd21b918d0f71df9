//go:build linux

package aio

import (
	"context"
	"math"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// The subtests whose names begin with D01 to D47 hold the rows of the specification that docs/aio.md lists.

func TestRequestRows(t *testing.T) {
	t.Run("D01 limits are the system's, and alignment the file's", func(t *testing.T) {
		limits, err := GetLimits()
		require.NoError(t, err)
		text, err := os.ReadFile("/proc/sys/fs/aio-max-nr")
		require.NoError(t, err)
		require.Equal(t, strings.TrimSpace(string(text)), strconv.Itoa(limits.Max))
		require.Equal(t, Limits{Max: 5, InUse: 3}.Free(), 2)
		require.Zero(t, Limits{Max: 3, InUse: 5}.Free())
		newContext(t, 100)
		require.GreaterOrEqual(t, inUse(t), 100)
	})
	t.Run("D02 a new request is idle", func(t *testing.T) {
		var r Request
		require.Equal(t, StateIdle, r.State())
		require.Nil(t, r.User())
	})
	t.Run("D03 a lost request completes, and its memory is kept until then", func(t *testing.T) {
		q := newQueue(t, 1)
		_, ready := armed(t, q)
		for range 3 {
			runtime.GC()
		}
		ready()
		out := make([]*Request, 1)
		n, err := q.Wait(context.Background(), 1, out)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		require.Equal(t, StateCompleted, out[0].State())
	})
	t.Run("D04 preparing validates, resets, and is refused in flight", testPrepare)
	t.Run("D07 a flush and a poll", func(t *testing.T) {
		q, f := newQueue(t, 3), newFile(t)
		var sync, datasync, poll Request
		require.NoError(t, sync.PrepareFsync(FileOf(f), nil))
		require.NoError(t, datasync.PrepareFdsync(FileOf(f), nil))
		a, _ := sockets(t)
		require.NoError(t, poll.PreparePoll(FD(a), unix.POLLIN|unix.POLLOUT, nil))
		run(t, q, &sync, &datasync, &poll)
		n, err := poll.Result()
		require.NoError(t, err)
		require.Equal(t, unix.POLLOUT, n)
	})
	t.Run("D08 the user value is there in any state", func(t *testing.T) {
		q := newQueue(t, 1)
		a, _ := sockets(t)
		var r Request
		require.NoError(t, r.PreparePoll(FD(a), unix.POLLOUT, "mine"))
		require.Equal(t, "mine", r.User())
		_, err := q.Submit(&r)
		require.NoError(t, err)
		require.Equal(t, "mine", r.User())
		_, err = q.Wait(context.Background(), 1, make([]*Request, 1))
		require.NoError(t, err)
		require.Equal(t, "mine", r.User())
	})
	t.Run("D10 a result has a count with every state", func(t *testing.T) {
		q := newQueue(t, 1)
		r, ready := armed(t, q)
		_, err := r.Result()
		require.ErrorIs(t, err, ErrInProgress)
		ready()
		_, err = q.Wait(context.Background(), 1, make([]*Request, 1))
		require.NoError(t, err)
		n, err := r.Result()
		require.NoError(t, err)
		require.Equal(t, unix.POLLIN, n)
	})
	t.Run("D20 preparing a flush leaves nothing of what was before", func(t *testing.T) {
		q, f := newQueue(t, 1), newFile(t)
		var r Request
		require.NoError(t, r.PrepareWrite(FileOf(f), 0, []byte("hello"), 1))
		run(t, q, &r)
		require.NoError(t, r.PrepareFsync(FileOf(f), nil))
		_, err := r.Result()
		require.ErrorIs(t, err, ErrNotSubmitted)
		require.Nil(t, r.User())
		run(t, q, &r)
		n, err := r.Result()
		require.NoError(t, err)
		require.Zero(t, n)
	})
	t.Run("D40 the state is safe to look at from anywhere", testConcurrentLooks)
}

func TestResultRows(t *testing.T) {
	t.Run("D34 a count of more than 2 GiB", func(t *testing.T) {
		e := Event{Res: 1 << 33}
		n, err := e.Result()
		require.NoError(t, err)
		if math.MaxInt > math.MaxInt32 { // No transfer is that long elsewhere.
			require.Equal(t, int64(1<<33), int64(n))
		}
	})
	t.Run("D44 there is no result before the first submission", func(t *testing.T) {
		var r Request
		_, err := r.Result()
		require.ErrorIs(t, err, ErrNotSubmitted)
		require.NoError(t, r.PrepareFsync(FD(int(newFile(t).Fd())), nil))
		_, err = r.Result()
		require.ErrorIs(t, err, ErrNotSubmitted)
	})
}

func testPrepare(t *testing.T) {
	f := newFile(t)
	closed := newFile(t)
	require.NoError(t, closed.Close())
	var r Request
	b := make([]byte, 2)
	t.Run("D45 bad arguments are errors in every build", func(t *testing.T) {
		for what, err := range map[string]error{
			"negative offset": r.PrepareRead(FileOf(f), -1, b, nil),
			"end beyond 2^63": r.PrepareWrite(FileOf(f), math.MaxInt64-1, b, nil),
			"vector's end":    r.PrepareWritev(FileOf(f), math.MaxInt64-2, [][]byte{b, b}, nil),
			"long vector":     r.PrepareReadv(FileOf(f), 0, make([][]byte, 1025), nil),
			"nil file":        r.PrepareFsync(FileOf(nil), nil),
			"no file":         r.PrepareFdsync(File{}, nil),
		} {
			require.ErrorIs(t, err, ErrInvalid, what)
			require.Equal(t, StateIdle, r.State(), what)
		}
		require.ErrorIs(t, r.PrepareRead(FileOf(closed), 0, b, nil), os.ErrClosed)
		require.ErrorIs(t, r.PreparePoll(FD(-1), 0, nil), unix.EBADF)
	})
	q := newQueue(t, 1)
	require.NoError(t, r.PrepareWrite(FileOf(f), 0, nil, nil), "no bytes are allowed")
	run(t, q, &r)
	n, err := r.Result()
	require.NoError(t, err)
	require.Zero(t, n)
	require.NoError(t, r.PrepareWrite(FileOf(f), 0, b, nil))
	require.NoError(t, r.PrepareRead(FileOf(f), 0, b, nil), "prepared again: the last one counts")
	run(t, q, &r)
	n, err = r.Result()
	require.NoError(t, err)
	require.Zero(t, n, "the file is empty")
	busy, ready := armed(t, q)
	require.ErrorIs(t, busy.PrepareFsync(FileOf(f), nil), ErrInProgress)
	ready()
	_, err = q.Wait(context.Background(), 1, make([]*Request, 1))
	require.NoError(t, err)
}

func testConcurrentLooks(t *testing.T) {
	q := newQueue(t, 4)
	a, _ := sockets(t)
	file := FD(a)
	var r Request
	stop := make(chan struct{})
	var lookers sync.WaitGroup
	for range 3 {
		lookers.Add(1)
		go func() {
			defer lookers.Done()
			for {
				select {
				case <-stop:
					return
				default:
					r.State()
					r.User()
					_, _ = r.Result()
					_ = r.Cancel()
					q.InFlight()
					runtime.Gosched()
				}
			}
		}()
	}
	for range 200 {
		require.NoError(t, r.PreparePoll(file, unix.POLLOUT, 1))
		n, err := q.Submit(&r)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		n, err = q.WaitTimeout(10*time.Second, 1, make([]*Request, 1))
		require.NoError(t, err)
		require.Equal(t, 1, n)
	}
	close(stop)
	lookers.Wait()
	require.Zero(t, q.InFlight())
}

func TestCancelRows(t *testing.T) {
	t.Run("D09 cancel says what came of it", func(t *testing.T) {
		q := newQueue(t, 2)
		var idle Request
		require.ErrorIs(t, idle.Cancel(), ErrNotSubmitted)
		a, _ := sockets(t)
		require.NoError(t, idle.PreparePoll(FD(a), unix.POLLOUT, nil))
		require.ErrorIs(t, idle.Cancel(), ErrNotSubmitted)
		_, err := q.Submit(&idle)
		require.NoError(t, err)
		require.ErrorIs(t, idle.Cancel(), ErrCompleted, "the event is in the ring")
		_, err = q.Wait(context.Background(), 1, make([]*Request, 1))
		require.NoError(t, err)
		require.ErrorIs(t, idle.Cancel(), ErrCompleted)
	})
	t.Run("D09 without a ring it is not known whether the event is there", func(t *testing.T) {
		q := newQueue(t, 1, WithSyscallReap())
		var r Request
		require.NoError(t, r.PrepareWrite(FileOf(newFile(t)), 0, []byte("x"), nil))
		_, err := q.Submit(&r)
		require.NoError(t, err)
		require.ErrorIs(t, r.Cancel(), ErrInProgress)
	})
	t.Run("D39 a cancelled request completes once", func(t *testing.T) {
		bothWays(t, func(t *testing.T, opts ...Option) {
			q := newQueue(t, 1, opts...)
			r, _ := armed(t, q)
			require.NoError(t, r.Cancel())
			require.NoError(t, r.Cancel(), "again")
			require.Equal(t, 1, q.InFlight(), "until the event was read")
			out := make([]*Request, 1)
			n, err := q.WaitTimeout(10*time.Second, 1, out)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			require.Same(t, r, out[0])
			_, err = r.Result()
			require.ErrorIs(t, err, ErrCanceled)
			_, err = q.WaitTimeout(0, 1, out)
			require.ErrorIs(t, err, ErrNoRequests)
			require.Zero(t, q.c.Stats().Stale)
		})
	})
	t.Run("D39 cancel against completion has one winner", func(t *testing.T) {
		q := newQueue(t, 1)
		for range 300 {
			r, ready := armed(t, q)
			done := make(chan error)
			go func() { done <- r.Cancel() }()
			ready()
			err := <-done
			_, waitErr := q.Wait(context.Background(), 1, make([]*Request, 1))
			require.NoError(t, waitErr)
			n, result := r.Result()
			if err == nil && result != nil {
				require.ErrorIs(t, result, ErrCanceled)
				continue
			}
			require.NoError(t, result)
			require.Equal(t, unix.POLLIN, n)
		}
		require.Zero(t, q.InFlight())
	})
}

func TestSetUpRows(t *testing.T) {
	t.Run("D11 a queue of no size, and of more than the system allows", func(t *testing.T) {
		needAIO(t)
		for _, requests := range []int{0, -1, requestsMax + 1, math.MaxInt32} {
			_, err := NewQueue(requests)
			require.ErrorIs(t, err, ErrOutOfRange)
			require.ErrorIs(t, err, unix.EINVAL)
		}
		limits, err := GetLimits()
		require.NoError(t, err)
		if limits.Max >= requestsMax {
			testutil.SkipIfUnsupported(t, &UnsupportedError{
				Name: "exhausting fs.aio-max-nr", Missing: "a value that one Queue can reach",
			})
		}
		_, err = NewQueue(limits.Max + 1)
		require.ErrorIs(t, err, ErrInsufficientEvents)
		require.ErrorIs(t, err, ErrUnsupported)
		require.ErrorContains(t, err, "fs.aio-max-nr "+strconv.Itoa(limits.Max))
	})
	t.Run("D13 the queue knows how many requests it was made for", func(t *testing.T) {
		require.Equal(t, 7, newQueue(t, 7).MaxRequests())
	})
	t.Run("D18 descriptor 0 is as good as any", func(t *testing.T) {
		needAIO(t)
		if !testutil.InChild() {
			child := testutil.ReExec(t, t.Name())
			require.Zero(t, child.ExitCode, child.Output)
			return
		}
		require.NoError(t, unix.Close(0))
		q, err := NewQueue(1)
		require.NoError(t, err)
		require.Zero(t, q.c.notifier.fd)
		_, ready := armed(t, q)
		ready()
		_, err = q.Wait(context.Background(), 1, make([]*Request, 1))
		require.NoError(t, err)
		require.NoError(t, q.Close())
		f := newFile(t)
		require.Zero(t, f.Fd())
		require.NoError(t, new(Request).PrepareFsync(FD(0), nil))
	})
	t.Run("D19 the errno of a failed set-up is the one that failed", func(t *testing.T) {
		needAIO(t)
		if !testutil.InChild() {
			child := testutil.ReExec(t, t.Name())
			require.Zero(t, child.ExitCode, child.Output)
			return
		}
		before := inUse(t)
		testutil.RefuseSyscalls(t, unix.EMFILE, unix.SYS_EVENTFD2)
		_, err := NewContext(32)
		require.ErrorIs(t, err, unix.EMFILE)
		requireNoMoreInUse(t, before)
		testutil.RefuseSyscalls(t, unix.ENOMEM, unix.SYS_IO_SETUP)
		_, err = NewContext(32)
		require.ErrorIs(t, err, ErrNoMemory)
		require.ErrorIs(t, err, unix.ENOMEM)
	})
}
