//go:build linux

package socketops

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// TestSlowReaderIsRefusedAlone publishes to many sockets, all of which are read but one. Only that one is refused for
// good: the others get every byte, and what waits never exceeds the limit.
func TestSlowReaderIsRefusedAlone(t *testing.T) { // found 29
	const limit, message = 1 << 20, 64 << 10
	healthy, messages := testutil.Fewer(50, 20), testutil.Fewer(40, 24)
	onEngines(t, func(t *testing.T, e *Engine) {
		type reader struct {
			here   *Socket
			issued int
		}
		readers := make([]reader, healthy+1)
		read := make(chan error, healthy)
		told := make(chan error, len(readers)*messages)
		for i := range readers {
			here, there := unixPair(t, e, unix.SOCK_STREAM)
			require.NoError(t, here.SetSendLimit(limit))
			readers[i].here = here
			if i == healthy {
				continue
			}
			go func() {
				p := make([]byte, messages*message)
				n, err := there.Recv(t.Context(), p, WaitAll)
				for k := 0; err == nil && k < n; k += message {
					if p[k] != byte(k/message) || p[k+message-1] != byte(k/message) {
						err = unix.EBADMSG
					}
				}
				read <- err
			}()
		}
		payload := make([][]byte, messages)
		for k := range payload {
			payload[k] = make([]byte, message)
			payload[k][0], payload[k][message-1] = byte(k), byte(k)
		}
		refused := make(map[int]bool)
		for left := healthy; left > 0; {
			moved, behind := false, -1
			for i := range readers {
				r := &readers[i]
				if r.issued == messages {
					continue
				}
				op := r.here.GoSend(payload[r.issued], 0, func(n int, err error) {
					if n != 0 && n != message {
						err = unix.EBADMSG
					}
					told <- err
				})
				require.LessOrEqual(t, r.here.QueuedBytes(), limit)
				if op.Err() != nil {
					require.ErrorIs(t, op.Err(), ErrWouldBlock)
					require.ErrorIs(t, <-toldWouldBlock(told), ErrWouldBlock)
					if refused[i] = true; i < healthy {
						behind = i
					}
					continue
				}
				moved = true
				if r.issued++; r.issued == messages && i < healthy {
					left--
				}
			}
			if !moved && left > 0 {
				require.NoError(t, readers[behind].here.AwaitSendRoom(t.Context(), message))
			}
		}
		for range healthy {
			require.NoError(t, <-read)
		}
		stuck := readers[healthy].here
		require.True(t, refused[healthy])
		require.Greater(t, stuck.QueuedBytes(), limit-message)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		require.ErrorIs(t, stuck.AwaitSendRoom(ctx, message), context.Canceled)
		for i := range healthy {
			require.NoError(t, readers[i].here.AwaitSendRoom(t.Context(), limit))
		}
	})
}

// toldWouldBlock returns the results of callbacks that were refused, and forgets the others.
func toldWouldBlock(told <-chan error) <-chan error {
	out := make(chan error, 1)
	for err := range told {
		if err != nil {
			out <- err
			return out
		}
	}
	return out
}

// TestSendLimit goes through what a limit counts, and what it refuses.
func TestSendLimit(t *testing.T) { // found 29
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		require.Zero(t, a.SendLimit())
		require.ErrorIs(t, a.SetSendLimit(-1), unix.EINVAL)
		var none context.Context
		require.ErrorIs(t, a.AwaitSendRoom(none, 1), unix.EINVAL)
		left := fill(t, a)
		told, results := outcomes(10)
		a.GoSend(make([]byte, 1000), 0, told)
		a.GoSend(make([]byte, 1000), 0, told) // without a limit
		require.Equal(t, 2000, a.QueuedBytes())
		require.NoError(t, a.SetSendLimit(1500))
		require.Equal(t, 1500, a.SendLimit())
		op := a.GoSendvTo([][]byte{{1}}, 0, Addr{}, told)
		require.ErrorIs(t, op.Err(), ErrWouldBlock)
		r := <-results
		require.Zero(t, r.n)
		require.ErrorIs(t, r.err, ErrWouldBlock)
		op.Cancel()

		sent := make(chan error)
		go func() { // which waits, whatever the limit
			_, err := a.Send(t.Context(), make([]byte, 1000), 0)
			sent <- err
		}()
		room := make(chan error)
		go func() { room <- a.AwaitSendRoom(t.Context(), 1500) }()
		_, err := b.Recv(t.Context(), make([]byte, left+3000), WaitAll)
		require.NoError(t, err)
		require.NoError(t, <-sent)
		require.NoError(t, <-room)
		require.Equal(t, outcome{1000, nil}, <-results)
		require.Equal(t, outcome{1000, nil}, <-results)
		require.Zero(t, a.QueuedBytes())

		left = fill(t, a)
		longer := a.GoSend(make([]byte, 5000), 0, told) // than the limit, and nothing waits
		require.NoError(t, longer.Err())
		require.ErrorIs(t, a.GoSend([]byte{1}, 0, told).Err(), ErrWouldBlock)
		require.ErrorIs(t, (<-results).err, ErrWouldBlock)
		longer.Cancel()
		require.ErrorIs(t, (<-results).err, context.Canceled)
		require.NoError(t, a.AwaitSendRoom(t.Context(), 1500))
		last := a.GoSend(make([]byte, 1500), 0, told)
		require.NoError(t, last.Err())
		go func() { room <- a.AwaitSendRoom(t.Context(), 1) }()
		require.NoError(t, a.Close())
		require.ErrorIs(t, <-room, ErrClosed)
		require.ErrorIs(t, (<-results).err, ErrClosed)
		require.Zero(t, a.QueuedBytes())
		require.ErrorIs(t, a.SetSendLimit(1), ErrClosed)
		require.ErrorIs(t, a.AwaitSendRoom(t.Context(), 1), ErrClosed)
		require.NotZero(t, left)
	})
}
