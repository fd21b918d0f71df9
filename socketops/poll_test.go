//go:build linux

package socketops

import (
	"context"
	"math"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestPollTellsReadiness(t *testing.T) {
	e := engine(t)
	poll := func(t *testing.T, s *Socket, mode PollMode, d time.Duration) bool {
		t.Helper()
		ready, err := s.Poll(lateContext(t), mode, d)
		require.NoError(t, err)
		return ready
	}
	t.Run("A75 read", func(t *testing.T) {
		a, b := tcpPair(t, e)
		require.False(t, poll(t, a, PollRead, 0))
		_, err := b.TrySend([]byte("x"), 0)
		require.NoError(t, err)
		require.True(t, poll(t, a, PollRead, -1))
		require.True(t, poll(t, a, PollRead, 0))
	})
	t.Run("A75 a connection to accept", func(t *testing.T) {
		l, to := listeningTCP(t, e)
		require.False(t, poll(t, l, PollRead, 0))
		require.NoError(t, freshTCP(t, e).Connect(lateContext(t), to))
		require.True(t, poll(t, l, PollRead, -1))
	})
	t.Run("A75 the end of the stream", func(t *testing.T) {
		a, b := tcpPair(t, e)
		require.NoError(t, b.Shutdown(ShutWrite))
		require.True(t, poll(t, a, PollRead, -1))
	})
	t.Run("A75 write", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		require.True(t, poll(t, a, PollWrite, 0))
		n := fill(t, a)
		require.False(t, poll(t, a, PollWrite, 0))
		time.AfterFunc(soon, func() { _, _ = b.Recv(context.Background(), make([]byte, n), WaitAll) })
		require.True(t, poll(t, a, PollWrite, -1))
	})
	t.Run("A75 error is urgent data", func(t *testing.T) {
		a, b := tcpPair(t, e)
		require.False(t, poll(t, a, PollError, 0))
		_, err := b.TrySend([]byte("!"), OOB)
		require.NoError(t, err)
		require.True(t, poll(t, a, PollError, -1))
	})
	t.Run("A75 error", func(t *testing.T) {
		_, nobody := boundTCP(t, e)
		s := freshTCP(t, e)
		require.ErrorIs(t, s.TryConnect(nobody), ErrInProgress)
		require.True(t, poll(t, s, PollError, -1))
		require.ErrorIs(t, s.TryFinishConnect(), unix.ECONNREFUSED)
	})
	t.Run("A75 an unknown mode", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		ready, err := a.Poll(lateContext(t), PollError+1, -1)
		require.ErrorIs(t, err, unix.EINVAL)
		require.False(t, ready)
	})
	t.Run("N19 hung up is ready to read, and ends other waits", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		fill(t, a)
		require.NoError(t, a.Shutdown(ShutBoth))
		require.True(t, poll(t, a, PollRead, -1))
		require.False(t, poll(t, b, PollError, -1))
		fresh := freshTCP(t, e) // HUP and OUT
		require.True(t, poll(t, fresh, PollRead, -1))
	})
	t.Run("N19 a descriptor that somebody has closed", func(t *testing.T) {
		p := pollSet{fds: []unix.PollFd{{Fd: math.MaxInt32, Events: unix.POLLIN}}}
		require.ErrorIs(t, p.wait(lateContext(t), -1), unix.EBADF)
	})
	t.Run("B36 before what waits", func(t *testing.T) {
		a, b := tcpPair(t, e)
		got := make(chan int, 1)
		a.GoRecv(make([]byte, 1), WaitAll, func(n int, err error) { got <- n })
		require.False(t, poll(t, a, PollRead, 0))
		require.True(t, poll(t, a, PollWrite, -1))
		_, err := b.TrySend([]byte("x"), 0)
		require.NoError(t, err)
		require.Equal(t, 1, <-got)
	})
}

func TestPollWaitsNoLongerThanItWasTold(t *testing.T) {
	e := engine(t)
	a, b := tcpPair(t, e)

	for name, d := range map[string]time.Duration{
		"N20 less than a millisecond is no polling once": 700 * time.Microsecond,
		"N20 milliseconds with a fraction":               2500 * time.Microsecond,
		"N21 monotonic":                                  soon,
	} {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			ready, err := a.Poll(lateContext(t), PollRead, d)
			require.NoError(t, err)
			require.False(t, ready)
			require.GreaterOrEqual(t, time.Since(start), d)
		})
	}
	for name, d := range map[string]time.Duration{
		"N20 a negative time is forever":  -1500 * time.Microsecond,
		"N20 a negative time of any size": math.MinInt64,
		"N20 the longest time":            math.MaxInt64,
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), soon)
			defer cancel()
			ready, err := a.Poll(ctx, PollRead, d)
			require.ErrorIs(t, err, ErrCanceled)
			require.ErrorIs(t, err, context.DeadlineExceeded)
			require.False(t, ready)
		})
	}
	t.Run("A75 cancelled before", func(t *testing.T) {
		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		_, err := a.Poll(ctx, PollWrite, 0)
		require.ErrorIs(t, err, ErrCanceled)
	})
	t.Run("A75 closed meanwhile", func(t *testing.T) {
		time.AfterFunc(soon, func() { b.Close() })
		_, err := b.Poll(lateContext(t), PollError, -1)
		require.ErrorIs(t, err, ErrClosed)
		_, err = b.Poll(lateContext(t), PollError, -1)
		require.ErrorIs(t, err, ErrClosed)
		<-b.closed
	})
	t.Run("A75 replaced meanwhile", func(t *testing.T) {
		c, _ := tcpPair(t, e)
		fill(t, c)
		time.AfterFunc(soon, func() { _ = c.replace() })
		_, err := c.Poll(lateContext(t), PollWrite, -1)
		require.ErrorIs(t, err, ErrCanceled)
	})
}

func TestManyWaitsEndWithOneClose(t *testing.T) {
	t.Run("A75 closed by many at a time", func(t *testing.T) {
		e := engine(t)
		for range 20 {
			a, _ := unixPair(t, e, unix.SOCK_STREAM)
			errs := make(chan error)
			const waits = 10
			for range waits {
				go func() {
					_, err := a.Poll(lateContext(t), PollRead, -1)
					errs <- err
				}()
			}
			require.NoError(t, a.Close())
			for range waits {
				require.ErrorIs(t, <-errs, ErrClosed)
			}
		}
	})
}

func TestWaitsHoldNoThread(t *testing.T) {
	t.Run("A75 many waits, few threads", func(t *testing.T) {
		e := engine(t)
		a, _ := unixPair(t, e, unix.SOCK_STREAM)
		before := threads(t)
		errs := make(chan error)
		const waits = 100
		for range waits {
			go func() {
				_, err := a.Poll(lateContext(t), PollRead, -1)
				errs <- err
			}()
		}
		require.Eventually(t, func() bool {
			h := a.current.Load()
			h.watchMu.Lock()
			defer h.watchMu.Unlock()
			return len(h.watchers) == waits
		}, late, time.Millisecond)
		require.Less(t, threads(t), before+waits/2)
		require.NoError(t, a.Close())
		for range waits {
			require.ErrorIs(t, <-errs, ErrClosed)
		}
	})
}

// threads is how many threads the process has.
func threads(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	return len(entries)
}

func TestSelectReturnsWhatIsReady(t *testing.T) {
	e := engine(t)
	a, b := tcpPair(t, e)
	c, d := tcpPair(t, e)
	none := SelectResult{}

	t.Run("A80 nothing is ready", func(t *testing.T) {
		for _, wait := range []time.Duration{0, time.Millisecond} {
			got, err := e.Select(lateContext(t), []*Socket{a, b, a}, nil, []*Socket{a}, wait)
			require.NoError(t, err)
			require.Equal(t, none, got)
		}
	})
	t.Run("A80 each list in its order, with repetitions", func(t *testing.T) {
		_, err := b.TrySend([]byte("x"), 0)
		require.NoError(t, err)
		_, err = d.TrySend([]byte("x"), 0)
		require.NoError(t, err)
		_, err = c.Poll(lateContext(t), PollRead, -1)
		require.NoError(t, err)
		read, write := []*Socket{c, b, a, c, d}, []*Socket{d, a}
		got, err := e.Select(lateContext(t), read, write, []*Socket{a, b}, -1)
		require.NoError(t, err)
		require.Equal(t, SelectResult{Read: []*Socket{c, a, c}, Write: []*Socket{d, a}}, got)
		require.Equal(t, []*Socket{c, b, a, c, d}, read)
	})
	t.Run("A80 urgent data", func(t *testing.T) {
		_, err := b.TrySend([]byte("!"), OOB)
		require.NoError(t, err)
		got, err := e.Select(lateContext(t), nil, nil, []*Socket{d, a}, -1)
		require.NoError(t, err)
		require.Equal(t, SelectResult{Error: []*Socket{a}}, got)
	})
	t.Run("A76 woken by one of many", func(t *testing.T) {
		var read []*Socket
		var last *Socket
		for range 100 {
			x, y := unixPair(t, e, unix.SOCK_STREAM)
			read, last = append(read, x), y
		}
		time.AfterFunc(soon, func() { _, _ = last.TrySend([]byte("x"), 0) })
		got, err := e.Select(lateContext(t), read, nil, read, -1)
		require.NoError(t, err)
		require.Equal(t, SelectResult{Read: read[99:]}, got)
	})
	t.Run("A76 nothing to wait for is a pause", func(t *testing.T) {
		start := time.Now()
		got, err := e.Select(lateContext(t), nil, nil, nil, soon)
		require.NoError(t, err)
		require.Equal(t, none, got)
		require.GreaterOrEqual(t, time.Since(start), soon)
	})
	t.Run("A81 no socket", func(t *testing.T) {
		_, err := e.Select(lateContext(t), []*Socket{a}, []*Socket{b, nil}, nil, -1)
		require.ErrorIs(t, err, unix.EINVAL)
		require.ErrorContains(t, err, "write list, socket 1")
	})
	t.Run("A82 hung up is not ready to write", func(t *testing.T) {
		x, y := unixPair(t, e, unix.SOCK_STREAM)
		fill(t, x)
		require.NoError(t, y.Shutdown(ShutBoth))
		got, err := e.Select(lateContext(t), []*Socket{x}, nil, []*Socket{y}, -1)
		require.NoError(t, err)
		require.Equal(t, SelectResult{Read: []*Socket{x}}, got)
	})
	t.Run("A80 descriptors are given back", func(t *testing.T) {
		x, y := unixPair(t, e, unix.SOCK_STREAM)
		require.NoError(t, y.Close())
		_, err := e.Select(lateContext(t), []*Socket{x, a}, []*Socket{y}, nil, -1)
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorContains(t, err, "write list, socket 0")
		time.AfterFunc(soon, func() { x.Close() })
		_, err = e.Select(lateContext(t), nil, nil, []*Socket{c, x, d}, -1)
		if err != nil { // and not hung up before
			require.ErrorIs(t, err, ErrClosed)
		}
		require.NoError(t, x.Close())
		for _, s := range []*Socket{a, b, c, d} {
			require.Zero(t, s.current.Load().refs.Load())
			require.Empty(t, s.current.Load().watchers)
		}
	})
	t.Run("A76 cancelled", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(context.Background(), soon)
		defer cancel()
		_, err := e.Select(ctx, []*Socket{b}, nil, nil, -1)
		require.ErrorIs(t, err, ErrCanceled)
	})
}
