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
	a, _ := tcpPair(t, e)

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
