//go:build linux

package aio

import (
	"context"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// lifeEvent is something that can happen to a Request, and what becomes of it in each state: the state after it, and
// the error that the call gives.
type lifeEvent struct {
	name  string
	do    func(l *life) error
	after [4]State // by the state before
	err   [4]error
}

// life is one Request, which polls for what a peer sends.
type life struct {
	t    *testing.T
	q    *Queue
	r    Request
	near int
	peer int
}

func (l *life) prepare() error { return l.r.PreparePoll(FD(l.near), unix.POLLIN, nil) }

func (l *life) send() {
	_, err := unix.Write(l.peer, []byte{1})
	require.NoError(l.t, err)
}

// reach brings the Request into a state.
func (l *life) reach(s State) {
	if s >= StatePrepared {
		require.NoError(l.t, l.prepare())
	}
	if s >= StateSubmitted {
		_, err := l.q.Submit(&l.r)
		require.NoError(l.t, err)
	}
	if s == StateCompleted {
		l.send()
		_, err := l.q.Wait(context.Background(), 1, make([]*Request, 1))
		require.NoError(l.t, err)
	}
	require.Equal(l.t, s, l.r.State())
}

// submit has io_submit(2) answer with an errno, or asks the kernel.
func (l *life) submit(errno unix.Errno) error {
	if errno != 0 {
		l.q.submitCall = func(uintptr, []uintptr) (int, unix.Errno) { return 0, errno }
		defer func() { l.q.submitCall = ioSubmit }()
	}
	_, err := l.q.Submit(&l.r)
	return err
}

// wait waits as f says, and returns the Request's own error where it was completed.
func (l *life) wait(f func(out []*Request) (int, error)) error {
	n, err := f(make([]*Request, 1))
	if n > 0 {
		_, err = l.r.Result()
	}
	return err
}

func refusedSubmit(errno unix.Errno, after State, err error) lifeEvent {
	return lifeEvent{
		"io_submit gives " + errno.Error(), func(l *life) error { return l.submit(errno) },
		[4]State{StateIdle, after, StateSubmitted, StateCompleted},
		[4]error{ErrNotPrepared, err, ErrInProgress, ErrNotPrepared},
	}
}

// stays are the states after what changes nothing.
var stays = [4]State{StateIdle, StatePrepared, StateSubmitted, StateCompleted}

var lifeEvents = []lifeEvent{
	{
		"Prepare", (*life).prepare,
		[4]State{StatePrepared, StatePrepared, StateSubmitted, StatePrepared},
		[4]error{2: ErrInProgress},
	},
	{
		"Submit", func(l *life) error { return l.submit(0) },
		[4]State{StateIdle, StateSubmitted, StateSubmitted, StateCompleted},
		[4]error{ErrNotPrepared, nil, ErrInProgress, ErrNotPrepared},
	},
	refusedSubmit(unix.EAGAIN, StatePrepared, ErrInsufficientResources),
	refusedSubmit(unix.EINTR, StatePrepared, ErrInsufficientResources),
	refusedSubmit(unix.ENOMEM, StatePrepared, ErrInsufficientResources),
	refusedSubmit(unix.EPERM, StatePrepared, unix.EPERM),
	refusedSubmit(unix.ENOSYS, StatePrepared, unix.ENOSYS),
	refusedSubmit(unix.EBADF, StateCompleted, unix.EBADF),
	{
		"the event", func(l *life) error {
			l.send()
			return l.wait(func(out []*Request) (int, error) { return l.q.Wait(context.Background(), 1, out) })
		},
		[4]State{StateIdle, StatePrepared, StateCompleted, StateCompleted},
		[4]error{ErrNoRequests, ErrNoRequests, nil, ErrNoRequests},
	},
	{
		"io_cancel gives EINPROGRESS", func(l *life) error { return l.r.Cancel() },
		stays,
		[4]error{ErrNotSubmitted, ErrNotSubmitted, nil, ErrCompleted},
	},
	{
		"its cancellation", func(l *life) error {
			if err := l.r.Cancel(); err != nil {
				return err
			}
			return l.wait(func(out []*Request) (int, error) { return l.q.Wait(context.Background(), 1, out) })
		},
		[4]State{StateIdle, StatePrepared, StateCompleted, StateCompleted},
		[4]error{ErrNotSubmitted, ErrNotSubmitted, ErrCanceled, ErrCompleted},
	},
	{
		"io_cancel gives EINVAL", func(l *life) error { // as the event is there
			l.send()
			if l.r.State() == StateSubmitted {
				awaitEvent(l.t, l.q.c)
			}
			return l.r.Cancel()
		},
		stays,
		[4]error{ErrNotSubmitted, ErrNotSubmitted, ErrCompleted, ErrCompleted},
	},
	{
		"the end of a context", func(l *life) error {
			ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
			defer cancel()
			return l.wait(func(out []*Request) (int, error) { return l.q.Wait(ctx, 1, out) })
		},
		stays,
		[4]error{ErrNoRequests, ErrNoRequests, context.DeadlineExceeded, ErrNoRequests},
	},
	{
		"a deadline", func(l *life) error {
			return l.wait(func(out []*Request) (int, error) { return l.q.WaitTimeout(time.Millisecond, 1, out) })
		},
		stays,
		[4]error{ErrNoRequests, ErrNoRequests, ErrTimeout, ErrNoRequests},
	},
	{
		"Wakeup", func(l *life) error {
			require.NoError(l.t, l.q.Wakeup())
			return l.wait(func(out []*Request) (int, error) { return l.q.Wait(context.Background(), 1, out) })
		},
		stays,
		[4]error{ErrInterrupted, ErrInterrupted, ErrInterrupted, ErrInterrupted},
	},
	{
		"Close", func(l *life) error { return l.q.Close() },
		[4]State{StateIdle, StatePrepared, StateCompleted, StateCompleted},
		[4]error{},
	},
}

// awaitEvent waits until the kernel has written an event, and leaves it there.
func awaitEvent(t *testing.T, c *Context) {
	t.Helper()
	require.Eventually(t, func() bool {
		h := c.ring.header
		return h == nil || atomic.LoadUint32(&h.head) != atomic.LoadUint32(&h.tail)
	}, time.Minute, time.Millisecond)
}

// TestLifeOfARequest goes through every state and everything that can happen in it.
func TestLifeOfARequest(t *testing.T) { // found 1, 2 and 3
	for _, event := range lifeEvents {
		for state := StateIdle; state <= StateCompleted; state++ {
			t.Run(event.name+" when "+state.String(), func(t *testing.T) {
				testutil.Timeout(t, time.Minute)
				q, err := NewQueue(2)
				testutil.SkipIfUnsupported(t, err)
				require.NoError(t, err)
				defer q.Close()
				l := &life{t: t, q: q}
				l.near, l.peer = testutil.SocketPair(t, "unix")
				l.reach(state)
				err = event.do(l)
				if want := event.err[state]; want == nil {
					require.NoError(t, err)
				} else {
					require.ErrorIs(t, err, want)
				}
				require.Equal(t, event.after[state], l.r.State())
				if l.r.State() == StateCompleted {
					require.Zero(t, q.InFlight())
				}
				require.NoError(t, q.Close())
				require.NotEqual(t, StateSubmitted, l.r.State())
				require.Equal(t, Stats{}, q.c.Stats(), "every IOCB is free, and no event was dropped")
			})
		}
	}
}

// TestNilContextIsRefused gives every wait a nil context, which is ErrInvalid before anything is touched.
func TestNilContextIsRefused(t *testing.T) { // found 26
	var none context.Context
	t.Run("queue", func(t *testing.T) {
		q, err := NewQueue(1)
		testutil.SkipIfUnsupported(t, err)
		require.NoError(t, err)
		_, err = q.Wait(none, 1, make([]*Request, 1))
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorIs(t, q.CloseNow(none), ErrInvalid)
		_, err = q.c.Await(none, 1, make([]Event, 1))
		require.ErrorIs(t, err, ErrInvalid)
		_, err = q.Poll(make([]*Request, 1)) // It was not closed, and nobody reads events.
		require.NoError(t, err)
		require.NoError(t, q.Close())
	})

	bothMovers(t, 2, func(t *testing.T, b *Batcher) {
		s, _ := pairOf(t, b, "unix")
		ops := []Op{{Socket: s, Bufs: [][]byte{{1}}}}
		_, err := b.Send(none, ops, nil)
		require.ErrorIs(t, err, ErrInvalid)
		_, err = b.Recv(none, ops, nil)
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorIs(t, b.Flush(none), ErrInvalid)
		sender, err := s.NewSender()
		require.NoError(t, err)
		_, err = sender.WriteContext(none, []byte{1})
		require.ErrorIs(t, err, ErrInvalid)
		require.ErrorIs(t, sender.Flush(none), ErrInvalid)
		require.NoError(t, sender.Flush(context.Background()))
	})
}

// away runs f on a goroutine that f may end, or panic on.
func away(f func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() { _ = recover() }()
		f()
	}()
	<-over
}

// strikes are what code of a user may do in a callback.
var strikes = map[string]func(){"panics": func() { panic("heron") }, "exits": runtime.Goexit}

// TestReleasesMayPanicInClose closes a Batcher whose Senders have memory that was handed over, the release of each of
// which panics or ends the goroutine. All are called, and the Batcher is closed.
func TestReleasesMayPanicInClose(t *testing.T) { // found 3
	for how, strike := range strikes {
		t.Run(how, func(t *testing.T) {
			bothMovers(t, 4, func(t *testing.T, b *Batcher) {
				released := 0
				for range 2 {
					s, _ := pairOf(t, b, "unix")
					sender, err := s.NewSender()
					require.NoError(t, err)
					for range 3 {
						require.NoError(t, sender.HandOver([]byte("unsent"), func(sent int, err error) {
							released++
							strike()
						}))
					}
				}
				away(func() { _ = b.Close() })
				require.Equal(t, 6, released)
				require.NoError(t, b.Close())
				if m, ok := b.mover.(*contextMover); ok {
					require.True(t, m.ctx.isClosed())
				}
				require.ErrorIs(t, b.Submit(), ErrClosed)
			})
		})
	}
}

// striking is a Source one of whose methods panics or ends the goroutine.
type striking struct {
	socket  *Socket
	advance func()
	n       int
}

func (s *striking) Socket() *Socket         { return s.socket }
func (s *striking) Next() ([][]byte, error) { return [][]byte{{1, 2, 3}}, nil }
func (s *striking) Done(error)              {}
func (s *striking) WaitWritable()           {}
func (s *striking) Advance(n int) {
	s.n += n
	if s.advance != nil {
		s.advance()
	}
}

// TestSourcesMayPanic has some of the Sources panic or end the goroutine when they are told what has left. The others
// are told all the same, and the Batcher serves on.
func TestSourcesMayPanic(t *testing.T) { // found 3
	for how, strike := range strikes {
		t.Run(how, func(t *testing.T) {
			bothMovers(t, 2, func(t *testing.T, b *Batcher) {
				var queue []Source
				var sources []*striking
				for i := range 5 {
					s, _ := pairOf(t, b, "unix")
					one := &striking{socket: s}
					if i%2 == 0 {
						one.advance = strike
					}
					sources, queue = append(sources, one), append(queue, one)
				}
				away(func() { _ = b.DriveSends(queue) })
				for _, s := range sources {
					require.Equal(t, 3, s.n)
					s.advance = nil
				}
				require.NoError(t, b.DriveSends(queue))
			})
		})
	}
}

// TestLostResultsAreNotSentAgain has the wait for results fail once io_submit(2) has taken the transfers, as where
// io_getevents(2) comes to be refused. What had left is not sent again, and memory that the kernel could have stays.
func TestLostResultsAreNotSentAgain(t *testing.T) { // found 1 and 2
	b := newBatcher(t, 4)
	m := b.mover.(*contextMover)
	plain, peer := pairOf(t, b, "unix")
	queued, queuedPeer := pairOf(t, b, "unix")
	sender, err := queued.NewSender()
	require.NoError(t, err)
	_, err = sender.Write([]byte("once"))
	require.NoError(t, err)
	waited := time.Duration(0)
	m.await = func(_ int, _ []Event, d time.Duration) (int, error) {
		waited = d
		return 0, ErrTimeout
	}
	out, err := b.TrySend([]Op{{Socket: plain, Bufs: [][]byte{[]byte("once")}}}, nil)
	require.ErrorIs(t, err, ErrTimeout)
	require.ErrorIs(t, out[0].Err, unix.EIO)
	require.Positive(t, waited, "the wait is bounded")
	require.ErrorIs(t, sender.Err(), unix.EIO, "it was in the same submission")
	m.await = m.ctx.GetEvents
	for range 2 { // and nothing is attempted any more
		_, err = b.TrySend([]Op{{Socket: plain, Bufs: [][]byte{[]byte("twice")}}}, nil)
		require.ErrorIs(t, err, ErrTimeout)
		require.Error(t, sender.Flush(context.Background()))
	}
	for _, fd := range []int{peer, queuedPeer} {
		require.Equal(t, "once", string(readFull(t, fd, 4)))
		require.NoError(t, unix.SetNonblock(fd, true))
		_, err = unix.Read(fd, make([]byte, 1))
		require.ErrorIs(t, err, unix.EAGAIN)
	}
	require.Equal(t, 2, m.ctx.Stats().InFlight)
	require.ErrorIs(t, b.Close(), ErrBusy)
	require.False(t, m.ctx.isClosed())
	_, err = m.ctx.GetEvents(2, m.events[:2], time.Minute)
	require.NoError(t, err)
	require.NoError(t, errorsOfClose(m.ctx, b))
}

// errorsOfClose gives back what a Batcher has left behind on purpose.
func errorsOfClose(c *Context, b *Batcher) error {
	if err := c.Close(); err != nil {
		return err
	}
	return b.slab.Close()
}

// TestSubmitIsBounded has io_submit(2) answer the same again and again: no answer keeps the processor, and the requests
// stay the caller's.
func TestSubmitIsBounded(t *testing.T) { // found 2
	c := newContext(t, 2)
	for _, answer := range []struct {
		n     int
		errno unix.Errno
	}{{0, unix.EINTR}, {0, unix.EAGAIN}, {0, unix.ENOMEM}, {0, 0}} {
		cb := taken(t, c)
		near, _ := testutil.SocketPair(t, "unix")
		require.NoError(t, cb.PrepPread(near, make([]byte, 1), 0))
		calls := 0
		n, err := c.submitBy(func(uintptr, []uintptr) (int, unix.Errno) {
			calls++
			return answer.n, answer.errno
		}, []*IOCB{cb})
		require.Zero(t, n)
		require.ErrorIs(t, err, ErrInsufficientResources)
		require.LessOrEqual(t, calls, interruptedMax+1)
		require.Zero(t, c.Stats().InFlight)
		require.NoError(t, cb.Release())
	}
}
