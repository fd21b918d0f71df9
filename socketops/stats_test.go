//go:build linux

package socketops

import (
	"context"
	"fmt"
	"runtime"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// requireSums holds that the engine's figures are those of its sockets, which are all it ever had.
func requireSums(t *testing.T, e *Engine, open int, sockets ...*Socket) {
	t.Helper()
	var sum SocketStats
	for _, s := range sockets {
		sum.add(s.Stats())
	}
	all := e.Stats()
	require.Equal(t, sum, SocketStats{all.Received, all.Sent})
	require.Equal(t, open, all.SocketsOpen)
	require.Equal(t, uint64(len(sockets)), all.SocketsTotal)
}

func TestStatsOfTransfersThatNeedNotWait(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		ten := make([]byte, 10)
		for range 3 {
			_, err := a.TrySend(ten, 0)
			require.NoError(t, err)
		}
		_, err := a.Send(t.Context(), ten, 0)
		require.NoError(t, err)
		_, err = a.Sendv(t.Context(), [][]byte{ten, ten}, 0)
		require.NoError(t, err)
		require.Equal(t, DirectionStats{Bytes: 60, Operations: 5, Inline: 5}, a.Stats().Sent)

		_, err = b.TryRecv(ten, Peek)
		require.NoError(t, err)
		_, err = b.Recv(t.Context(), ten, Peek)
		require.NoError(t, err)
		_, err = b.Recv(t.Context(), nil, 0)
		require.NoError(t, err)
		require.Equal(t, DirectionStats{Operations: 3, Inline: 3}, b.Stats().Received)
		_, err = b.TryRecv(make([]byte, 40), 0)
		require.NoError(t, err)
		_, err = b.Recv(t.Context(), make([]byte, 40), 0)
		require.NoError(t, err)
		_, err = b.TryRecv(ten, 0)
		require.ErrorIs(t, err, ErrWouldBlock)
		_, err = b.Recv(t.Context(), ten, DontWait)
		require.ErrorIs(t, err, ErrWouldBlock)
		require.Equal(t, DirectionStats{Bytes: 60, Operations: 7, Inline: 5, WouldBlock: 2}, b.Stats().Received)
		require.Zero(t, b.Stats().Sent)

		requireSums(t, e, 2, a, b)
		require.NoError(t, b.Close())
		requireSums(t, e, 1, a, b)
		_, err = b.TryRecv(ten, 0)
		require.ErrorIs(t, err, ErrClosed)
		_, err = b.Recv(t.Context(), ten, 0)
		require.ErrorIs(t, err, ErrClosed)
		for range 2 {
			_, err = a.TrySend(ten, 0)
			require.ErrorIs(t, err, unix.EPIPE)
		}
		_, err = a.Send(t.Context(), ten, 0)
		require.ErrorIs(t, err, unix.EPIPE)
		require.Equal(t, DirectionStats{Bytes: 60, Operations: 8, Inline: 8, Errors: 3}, a.Stats().Sent)
		requireSums(t, e, 1, a, b)
		require.NoError(t, a.Close())
		requireSums(t, e, 0, a, b)
	})
}

func TestStatsOfWaitsThatAreEnded(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		p := make([]byte, 1)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, err := b.Recv(ctx, p, 0) // which is not attempted
		require.ErrorIs(t, err, ErrCanceled)
		ctx, cancel = context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = b.Recv(ctx, p, 0)
		require.ErrorIs(t, err, ErrCanceled)
		told, results := outcomes(3)
		for range 3 {
			b.GoRecv(make([]byte, 1), 0, told).Cancel()
			require.ErrorIs(t, (<-results).err, ErrCanceled)
		}
		want := DirectionStats{Operations: 5, Canceled: 5, QueuedMax: 1}
		require.Equal(t, want, b.Stats().Received)

		require.NoError(t, b.SetReadTimeout(time.Millisecond))
		_, err = b.Recv(t.Context(), p, 0)
		require.ErrorIs(t, err, ErrTimeout)
		require.NoError(t, b.SetReadTimeout(0))
		b.GoRecv(make([]byte, 1), 0, told)
		require.NoError(t, b.SetReadDeadline(time.Unix(1, 0)))
		require.ErrorIs(t, (<-results).err, ErrTimeout)
		_, err = b.Recv(t.Context(), p, 0) // which is not attempted either
		require.ErrorIs(t, err, ErrTimeout)
		require.NoError(t, b.SetReadDeadline(time.Time{}))
		want.Operations, want.TimedOut = 8, 3
		require.Equal(t, want, b.Stats().Received)

		for range 3 {
			b.GoRecv(make([]byte, 1), 0, told)
		}
		want.Queued, want.QueuedMax = 3, 3
		require.Equal(t, want, b.Stats().Received)
		_, err = b.TryRecv(p, 0) // which would overtake
		require.ErrorIs(t, err, ErrWouldBlock)
		_, err = a.TrySend(p, 0)
		require.NoError(t, err)
		require.Equal(t, outcome{1, nil}, <-results)
		want.Operations, want.WouldBlock, want.Queued, want.Bytes = 10, 1, 2, 1
		require.Equal(t, want, b.Stats().Received)
		requireSums(t, e, 2, a, b)
		require.NoError(t, b.Close())
		want.Operations, want.Canceled, want.Queued = 12, 7, 0
		require.Equal(t, want, b.Stats().Received)
		requireSums(t, e, 1, a, b)
	})
}

func TestStatsOfPartialTransfers(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		told, results := outcomes(2)
		b.GoRecv(make([]byte, 10), 0, told) // what there is
		_, err := a.TrySend(make([]byte, 5), 0)
		require.NoError(t, err)
		require.Equal(t, outcome{5, nil}, <-results)
		_, err = a.TrySend(make([]byte, 5), 0)
		require.NoError(t, err)
		b.GoRecv(make([]byte, 10), WaitAll, told)
		_, err = a.TrySend(make([]byte, 5), 0)
		require.NoError(t, err)
		require.Equal(t, outcome{10, nil}, <-results)
		require.Equal(t, DirectionStats{Bytes: 15, Operations: 2, Short: 1, QueuedMax: 1}, b.Stats().Received)

		// More than the buffers of a unix socket hold, so part of it.
		const size = 4 << 20
		want := DirectionStats{Bytes: 15, Operations: 3, Inline: 3}
		n, err := a.TrySend(make([]byte, size), 0)
		require.NoError(t, err)
		want.Bytes, want.Operations, want.Inline, want.Short = want.Bytes+uint64(n), 4, 4, 1
		require.Equal(t, want, a.Stats().Sent)
		_, err = a.TrySend(make([]byte, size), 0)
		require.ErrorIs(t, err, ErrWouldBlock)
		a.GoSend(make([]byte, size), 0, told)
		_, err = b.Recv(t.Context(), make([]byte, n), WaitAll)
		require.NoError(t, err)
		require.Eventually(t, func() bool { return a.Stats().Sent.Bytes > want.Bytes }, late, time.Millisecond)
		_, err = b.Recv(t.Context(), make([]byte, size), WaitAll) // no sooner, so that it was a part that has left
		require.NoError(t, err)
		require.Equal(t, outcome{size, nil}, <-results)
		want.Bytes, want.Operations, want.WouldBlock, want.Short, want.QueuedMax = want.Bytes+size, 6, 1, 2, 1
		require.Equal(t, want, a.Stats().Sent)
		require.Equal(t, want.Bytes, b.Stats().Received.Bytes)

		// Many buffers: all that the kernel takes at once is no part. What is cut off is one.
		n, err = a.Sendv(t.Context(), make([][]byte, 3*iovMax), 0)
		require.NoError(t, err)
		require.Zero(t, n)
		want.Operations, want.Inline = 7, 5
		require.Equal(t, want, a.Stats().Sent)
		a.GoSendvTo([][]byte{make([]byte, size)}, 0, Addr{}, told)
		_, err = b.Recv(t.Context(), make([]byte, 1), 0) // A part has left.
		require.NoError(t, err)
		require.NoError(t, a.Close())
		cut := <-results
		require.ErrorIs(t, cut.err, ErrClosed)
		want.Bytes, want.Operations, want.Canceled, want.Short = want.Bytes+uint64(cut.n), 8, 1, 3
		require.Equal(t, want, a.Stats().Sent)
		requireSums(t, e, 1, a, b)
	})
}

func TestStatsOfConnectionsAndFiles(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		l, at := listeningTCP(t, e)
		client := freshTCP(t, e)
		require.NoError(t, client.Connect(lateContext(t), at))
		server, _, err := l.Accept(lateContext(t))
		require.NoError(t, err)
		keep(t, server)
		require.Equal(t, uint64(1), client.Stats().Sent.Operations)
		require.Zero(t, client.Stats().Sent.Bytes)
		require.Equal(t, uint64(1), l.Stats().Received.Operations)
		require.Zero(t, l.Stats().Received.Bytes)

		file := fileOf(t, pattern(1000))
		_, err = client.SendFile(t.Context(), file, 0, -1)
		require.NoError(t, err)
		_, err = client.SendPackets(t.Context(), []Packet{{Data: pattern(10)}, {File: file}, {Data: pattern(10)}}, 0)
		require.NoError(t, err)
		require.Len(t, receiveAll(t, server, 2020), 2020)
		sent := client.Stats().Sent
		require.Equal(t, [3]uint64{2020, 3, 0}, [3]uint64{sent.Bytes, sent.Operations, sent.Short})

		before := client.Stats()
		require.NoError(t, client.Disconnect(true))
		require.Equal(t, before, client.Stats(), "another descriptor, the same socket")
		require.NoError(t, client.Connect(lateContext(t), at))
		require.Equal(t, uint64(4), client.Stats().Sent.Operations)
		requireSums(t, e, 3, l, client, server)
		require.NoError(t, client.Close())
		requireSums(t, e, 2, l, client, server)
	})
}

// TestStatsDuringTraffic has figures read while sockets transfer, come and go.
func TestStatsDuringTraffic(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		const pairs, rounds, size = 8, 40, 3000
		over := make(chan struct{})
		var watching, traffic sync.WaitGroup
		watching.Add(1)
		go func() {
			defer watching.Done()
			for last := e.Stats(); ; {
				now := e.Stats()
				if now.Sent.Bytes < last.Sent.Bytes || now.Received.Operations < last.Received.Operations {
					t.Error("figures went back", last, now)
				}
				last = now
				select {
				case <-over:
					return
				default:
				}
			}
		}()
		for range pairs {
			traffic.Add(1)
			go func() {
				defer traffic.Done()
				if err := sendInTurns(e, rounds, size); err != nil {
					t.Error(err)
				}
			}()
		}
		traffic.Wait()
		close(over)
		watching.Wait()
		const total = pairs * rounds * size
		s := e.Stats()
		require.Equal(t, [2]uint64{total, total}, [2]uint64{s.Sent.Bytes, s.Received.Bytes})
		require.Equal(t, uint64(pairs*rounds), s.Sent.Operations)
		require.Zero(t, s.Sent.Queued+s.Received.Queued+s.SocketsOpen)
		require.Equal(t, uint64(2*pairs), s.SocketsTotal)
		e.meter.bundled(3)
		require.Equal(t, [2]uint64{1, 3}, [2]uint64{e.Stats().Bundles, e.Stats().BundleMessages})
	})
}

// sendInTurns sends through a pair of sockets, in turns in all forms.
func sendInTurns(e *Engine, rounds, size int) error {
	a, b, err := e.SocketPair(unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	told, results := outcomes(2)
	for i := range rounds {
		b.GoRecv(make([]byte, size), WaitAll, told)
		if i%2 == 0 {
			a.GoSend(make([]byte, size), 0, told)
		} else if _, err := a.Send(context.Background(), make([]byte, size), 0); err != nil {
			return err
		}
		for range 2 - i%2 {
			if got := <-results; got != (outcome{size, nil}) {
				return fmt.Errorf("transferred %v", got)
			}
		}
		a.Stats()
	}
	if err := a.Close(); err != nil {
		return err
	}
	return b.Close()
}

func TestStatsOfTheBackend(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		told, results := outcomes(1)
		for range 10 {
			b.GoRecv(make([]byte, 1), 0, told)
			_, err := a.TrySend(make([]byte, 1), 0)
			require.NoError(t, err)
			require.Equal(t, outcome{1, nil}, <-results)
		}
		s := e.Stats()
		if e.Backend() != BackendURing {
			require.Zero(t, s.Submits+s.Requests+s.Completions)
			require.NotZero(t, s.WakeUps)
			return
		}
		require.GreaterOrEqual(t, s.Submits, uint64(2), "one entry for each receive, unless they come late")
		require.NotZero(t, s.WakeUps)
		require.GreaterOrEqual(t, s.Completions, uint64(10))
		require.Eventually(t, func() bool { // what is in flight is the read by which the engine is woken
			s = e.Stats()
			return s.Requests == s.Completions+1
		}, late, time.Millisecond)
	})
}

// TestFiguresOutliveForgottenSockets holds that no figure is less than before while the collector finds sockets that
// were not closed.
func TestFiguresOutliveForgottenSockets(t *testing.T) {
	e := engine(t)
	const pairs, each = 50, 1000
	for range pairs {
		a, _, err := e.SocketPair(unix.SOCK_STREAM)
		require.NoError(t, err)
		n, err := a.TrySend(make([]byte, each), 0)
		require.NoError(t, err)
		require.Equal(t, each, n)
	}
	testutil.Timeout(t, hangLimit)
	collector := make(chan struct{})
	go func() {
		defer close(collector)
		for e.Stats().SocketsOpen > 0 {
			runtime.GC()
		}
	}()
	for over := false; !over; {
		select {
		case <-collector:
			over = true
		default:
		}
		require.EqualValues(t, pairs*each, e.Stats().Sent.Bytes)
	}
}
