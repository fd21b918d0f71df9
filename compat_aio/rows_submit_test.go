//go:build linux

package aio

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

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
