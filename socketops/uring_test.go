//go:build linux && cgo

package socketops

import (
	"bytes"
	"fmt"
	"log/slog"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/testutil"
)

// ringEngine returns an Engine on io_uring, and its driver.
func ringEngine(t testing.TB) (*Engine, *ringDriver) {
	t.Helper()
	e, err := New(WithBackend(BackendURing))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	t.Cleanup(func() { e.Close() })
	return e, e.driver.(*ringDriver)
}

// atRest waits until the driver has nothing to do, and returns what is known of its ring then.
func atRest(t testing.TB, d *ringDriver) (seen ringSeen) {
	t.Helper()
	require.Eventually(t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		seen = d.seen
		return d.sleeping && seen.inFlight == 0
	}, late, time.Millisecond)
	return seen
}

// TestQueuedSendsRideTogether has one send wait for room, so that those behind it gather (issue 6: bundles).
func TestQueuedSendsRideTogether(t *testing.T) {
	for _, n := range []network{networks[0], networks[2]} {
		t.Run(n.name, func(t *testing.T) {
			testutil.Timeout(t, hangLimit)
			e, d := ringEngine(t)
			a, b := n.pair(t, e)
			before := atRest(t, d).stats
			full := fillUp(t, a)
			var want []byte
			const sends = 600
			told, results := outcomes(sends)
			for i := range sends {
				p := fmt.Appendf(nil, "message %d;", i)
				want = append(want, p...)
				if i%3 == 0 { // as many buffers
					a.GoSendvTo([][]byte{p[:3], nil, p[3:]}, 0, Addr{}, told)
				} else {
					a.GoSend(p, 0, told)
				}
			}
			receiveAll(t, b, full)
			require.True(t, bytes.Equal(want, receiveAll(t, b, len(want))))
			sum := 0
			for range sends {
				r := <-results
				require.NoError(t, r.err)
				sum += r.n
			}
			require.Equal(t, len(want), sum)
			after := atRest(t, d).stats
			require.Less(t, after.Submitted-before.Submitted, uint64(sends/4), "requests for %d sends", sends)
			if caps, _ := uring.Probe(); caps.Require(uring.CanSendBundle) == nil {
				require.NotZero(t, after.Bundles-before.Bundles)
				require.NotZero(t, e.Stats().Bundles)
				require.Greater(t, e.Stats().BundleMessages, uint64(sends/4))
			}
		})
	}
}

// TestCancelInATrainIsExact cancels one of many sends that a Sender has, on a socket that takes nothing (B06, B08).
func TestCancelInATrainIsExact(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	e, d := ringEngine(t)
	for _, cancelled := range []int{0, 1, 42, 99} {
		cancelInATrain(t, e, d, cancelled)
	}
}

func cancelInATrain(t *testing.T, e *Engine, d *ringDriver, cancelled int) {
	a, b := networks[2].pair(t, e)
	full := fill(t, a)
	const sends = 100
	var ops []*Op
	var want []byte
	results := make([]chan outcome, sends)
	for i := range sends {
		p := fmt.Appendf(nil, "%d,", i)
		if i != cancelled {
			want = append(want, p...)
		}
		told, r := make(chan outcome, 1), &results[i]
		*r = told
		ops = append(ops, a.GoSend(p, 0, func(n int, err error) { told <- outcome{n, err} }))
	}
	ops[cancelled].Cancel() // whether it rides with the first, or waits for the next train
	r := <-results[cancelled]
	require.Zero(t, r.n)
	require.ErrorIs(t, r.err, ErrCanceled)
	receiveAll(t, b, full)
	require.Equal(t, string(want), string(receiveAll(t, b, len(want))))
	for i := range sends {
		if i != cancelled {
			require.NoError(t, (<-results[i]).err)
		}
	}
	atRest(t, d)
}

// TestErrorEndsOneSendOfATrain resets the connection under a train: as with system calls, each send has an error of its
// own, and one of them the first.
func TestErrorEndsOneSendOfATrain(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	e, d := ringEngine(t)
	a, b := networks[0].pair(t, e)
	fillUp(t, a)
	const sends = 50
	told, results := outcomes(sends)
	for range sends {
		a.GoSend(make([]byte, 1000), 0, told)
	}
	require.NoError(t, b.SetLinger(Linger{Enabled: true}))
	require.NoError(t, b.Close())
	for i := range sends {
		r := <-results
		if i == 0 {
			require.ErrorIs(t, r.err, unix.ECONNRESET)
		} else {
			require.ErrorIs(t, r.err, unix.EPIPE)
			require.Zero(t, r.n)
		}
	}
	atRest(t, d)
}

// TestCloseEndsATrain closes a socket whose sends a Sender has.
func TestCloseEndsATrain(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	e, d := ringEngine(t)
	a, b := networks[2].pair(t, e)
	full := fill(t, a)
	const sends = 50
	told, results := outcomes(sends)
	for range sends {
		a.GoSend(make([]byte, 100_000), 0, told)
	}
	receiveAll(t, b, full/2)
	require.NoError(t, a.Close())
	sum, ended := 0, 0
	for range sends {
		r := <-results
		if sum += r.n; r.err != nil {
			require.ErrorIs(t, r.err, ErrClosed)
			ended++
		}
	}
	require.NotZero(t, ended, "the socket does not hold all of them")
	rest := 0
	for {
		k, err := b.Recv(t.Context(), make([]byte, 1<<20), 0)
		if k == 0 || err != nil {
			break
		}
		rest += k
	}
	require.Equal(t, full-full/2+sum, rest, "what was told to have left has arrived")
	atRest(t, d)
	require.Eventually(t, func() bool {
		d.mu.Lock()
		defer d.mu.Unlock()
		return len(d.retired) == 0
	}, late, time.Millisecond)
}

// TestSendersAreFew has more sockets send than Senders are kept.
func TestSendersAreFew(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	e, d := ringEngine(t)
	sockets := sendersMax + 40
	if testing.Short() {
		sockets = sendersMax + 4
	}
	told, results := outcomes(3 * sockets)
	for range sockets {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		smallBuffers(t, a)
		full := fill(t, a)
		for range 3 { // of which the first waits, and the others with it
			a.GoSend([]byte("x"), 0, told)
		}
		receiveAll(t, b, full)
	}
	for range 3 * sockets {
		require.Equal(t, outcome{1, nil}, <-results)
	}
	require.LessOrEqual(t, atRest(t, d).senders, sendersMax)
	require.NoError(t, e.Close())
	require.Zero(t, d.senders)
	require.Empty(t, d.idle)
}

// limitMemlock reports whether the test is to go on, in a child process that may lock so much memory.
func limitMemlock(t *testing.T, user int, bytes uint64) bool {
	t.Helper()
	testutil.NeedsOtherUser(t)
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return false
	}
	testutil.LimitMemlock(t, user, bytes)
	return true
}

// TestRingWaitsForMemoryOfClosedRings opens engines one after the other where there is locked memory for a few at a
// time. Kernels that count rings give back what a closed one held after a while only: none may be smaller for that.
func TestRingWaitsForMemoryOfClosedRings(t *testing.T) {
	if !limitMemlock(t, 54322, 4*ringBytes(ringEntries)) {
		return
	}
	for range 40 {
		e, r := recorded(t, WithBackend(BackendURing))
		require.NoError(t, e.Close())
		require.Len(t, r.take(), 1)
	}
}

// TestRingIsSmallerWhereItCannotFit has so little locked memory that waiting for more would be in vain.
func TestRingIsSmallerWhereItCannotFit(t *testing.T) {
	if !limitMemlock(t, 54323, ringBytes(ringEntries/4)) {
		return
	}
	e, r := recorded(t, WithBackend(BackendURing))
	require.NoError(t, e.Close())
	told := r.take()
	require.Equal(t, "socketops: backend serves", told[len(told)-1].text)
	for _, l := range told[:len(told)-1] {
		require.Equal(t, "socketops: smaller submission queue", l.text)
	}
}

func TestSmallerRingIsLogged(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	e, r := recorded(t, WithBackend(BackendURing)) // which has probed, before there is no memory
	require.NoError(t, e.Close())
	require.Len(t, r.take(), 1)
	testutil.RefuseSyscalls(t, unix.ENOMEM, unix.SYS_IO_URING_SETUP)
	_, err := New(WithBackend(BackendURing), WithLogger(slog.New(r)))
	require.ErrorIs(t, err, unix.ENOMEM)
	told := r.take()
	require.Equal(t, slog.LevelDebug, told[len(told)-1].level)
	entries := uint32(ringEntries)
	for _, l := range told[:len(told)-1] {
		entries /= 2
		require.Equal(t, slog.LevelWarn, l.level)
		require.Equal(t, uint64(entries), l.attrs["entries"])
		require.ErrorIs(t, l.attrs["error"].(error), unix.ENOMEM)
	}
	require.Equal(t, uint32(ringEntriesMin), entries)
}
