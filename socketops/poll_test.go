//go:build linux

package socketops

import (
	"context"
	"encoding/binary"
	"math"
	"os"
	"strconv"
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

// errorQueue returns a datagram socket with an error in its queue that nobody reads, and one that sends to it.
func errorQueue(t *testing.T, e *Engine) (s, peer *Socket) {
	t.Helper()
	kind := network{"udp4", unix.AF_INET, unix.SOCK_DGRAM, 0}
	s, peer = kind.socket(t, e), kind.socket(t, e)
	for _, one := range []*Socket{s, peer} {
		require.NoError(t, one.Bind(loopback))
	}
	at, err := peer.LocalAddr()
	require.NoError(t, err)
	stamps := make([]byte, 4)
	binary.NativeEndian.PutUint32(stamps, unix.SOF_TIMESTAMPING_TX_SCHED|
		unix.SOF_TIMESTAMPING_SOFTWARE|unix.SOF_TIMESTAMPING_OPT_TSONLY)
	require.NoError(t, s.SetRawOption(unix.SOL_SOCKET, unix.SO_TIMESTAMPING, stamps))
	_, err = s.SendTo(t.Context(), []byte("x"), 0, at)
	require.NoError(t, err)
	require.Eventually(t, func() bool {
		events, err := pollNow(s.current.Load().fd, unix.POLLIN)
		return err == nil && events == unix.POLLERR
	}, hangLimit, time.Millisecond)
	return s, peer
}

// comeToRest returns when the engine has come to what it does while nothing happens.
func comeToRest(t *testing.T, e *Engine) {
	t.Helper()
	var before EngineStats
	for rounds := 0; rounds < 20; rounds++ { // a busy one is found by requireRest
		last := before
		before = e.Stats()
		if rounds > 0 && last.Requests == before.Requests && last.WakeUps == before.WakeUps {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
}

// TestErrorQueuesCostNothing has receives wait on many sockets whose error queues nobody reads: what the engine does
// meanwhile does not grow with their number, and each of them is told of data, and ends by its cancellation and Close.
func TestErrorQueuesCostNothing(t *testing.T) { // found 33
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, many := range []int{1, 100} {
			t.Run(strconv.Itoa(many), func(t *testing.T) {
				told, results := outcomes(many)
				sockets, peers, ops := make([]*Socket, many), make([]*Socket, many), make([]*Op, many)
				for i := range sockets {
					sockets[i], peers[i] = errorQueue(t, e)
				}
				receive := func(i int) {
					if i%2 == 0 {
						ops[i] = sockets[i].GoRecv(make([]byte, 9), 0, told)
					} else {
						ops[i] = sockets[i].GoRecvMsg([][]byte{make([]byte, 9)}, 0, func(m Msg, err error) { told(m.N, err) })
					}
				}
				for i := range sockets {
					receive(i)
				}
				comeToRest(t, e)
				requireRest(t, e)
				for i, peer := range peers {
					at, err := sockets[i].LocalAddr()
					require.NoError(t, err)
					_, err = peer.SendTo(t.Context(), []byte("here"), 0, at)
					require.NoError(t, err)
				}
				for range sockets {
					require.Equal(t, outcome{4, nil}, <-results)
				}
				for i := range sockets {
					receive(i)
				}
				comeToRest(t, e)
				requireRest(t, e)
				for i, op := range ops {
					if i%4 < 2 {
						op.Cancel()
					} else {
						require.NoError(t, sockets[i].Close())
					}
				}
				for range sockets {
					require.Error(t, (<-results).err)
				}
			})
		}
	})
}

func TestTimeoutOfTheGoForm(t *testing.T) { // B12, B31
	onEngines(t, func(t *testing.T, e *Engine) {
		_, b := unixPair(t, e, unix.SOCK_STREAM)
		for _, timeout := range []time.Duration{time.Microsecond, 5 * time.Millisecond} {
			require.NoError(t, b.SetReadTimeout(timeout))
			for range 50 {
				told, results := outcomes(1)
				op := b.GoRecv(make([]byte, 1), 0, told)
				require.ErrorIs(t, (<-results).err, ErrTimeout)
				op.Cancel()
			}
			_, err := b.Recv(t.Context(), make([]byte, 1), 0)
			require.ErrorIs(t, err, ErrTimeout)
		}
	})
}

// TestDeadlineEndsTryForms holds that all forms have the same answer once the deadline has passed, whatever is there.
func TestDeadlineEndsTryForms(t *testing.T) { // A29, A33, A34
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		p := make([]byte, 1)
		_, err := b.TrySend(p, 0)
		require.NoError(t, err)
		require.NoError(t, a.SetDeadline(time.Now().Add(-time.Second)))
		_, err = a.TrySend(p, 0)
		require.ErrorIs(t, err, ErrTimeout)
		_, err = a.TrySendv([][]byte{p}, 0)
		require.ErrorIs(t, err, ErrTimeout)
		_, err = a.TryRecv(p, 0)
		require.ErrorIs(t, err, ErrTimeout)
		_, _, err = a.TryRecvv([][]byte{p}, 0)
		require.ErrorIs(t, err, ErrTimeout)
		require.NoError(t, a.SetDeadline(time.Time{}))
		n, err := a.TryRecv(p, 0)
		require.NoError(t, err)
		require.Equal(t, 1, n, "and what had come is not lost")
	})
}

func TestRefusedOperationCanBeCancelled(t *testing.T) { // B31
	a, _, err := engine(t).SocketPair(unix.SOCK_STREAM)
	require.NoError(t, err)
	told, results := outcomes(1)
	a.GoRecv(nil, 1<<20, told).Cancel()
	require.ErrorIs(t, (<-results).err, unix.EOPNOTSUPP)
	a.GoRecvMsg(nil, 1<<20, func(_ Msg, err error) { told(0, err) }).Cancel()
	require.ErrorIs(t, (<-results).err, unix.EOPNOTSUPP)
}
