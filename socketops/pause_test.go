//go:build linux

package socketops

import (
	"context"
	"encoding/binary"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// requireRest requires that the engine does little for what waits, in which direction nothing moves.
func requireRest(t *testing.T, e *Engine) {
	t.Helper()
	const window, rounds = 200 * time.Millisecond, 100 // 5,000 rounds and more if it spins
	before := e.Stats()
	time.Sleep(window)
	after := e.Stats()
	require.Less(t, after.Requests-before.Requests, uint64(rounds), "requests")
	require.Less(t, after.WakeUps-before.WakeUps, uint64(rounds), "wake-ups")
}

// A datagram socket that is not connected is writable whatever the receiver has room for, and no event tells when that
// has any.
func TestDatagramsWaitForTheReceiversRoom(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		kind := network{"unixgram", unix.AF_UNIX, unix.SOCK_DGRAM, 0}
		receiver, filler, sender := kind.socket(t, e), kind.socket(t, e), kind.socket(t, e)
		at := UnixAddr(filepath.Join(t.TempDir(), "receiver"))
		require.NoError(t, receiver.Bind(at))
		var err error
		full := 0
		for ; err == nil; full++ {
			_, err = filler.TrySendTo([]byte("x"), 0, at)
		}
		require.ErrorIs(t, err, ErrWouldBlock)
		sent := make(chan error, 2)
		first, giveUp := context.WithCancel(t.Context())
		defer giveUp()
		for i, ctx := range []context.Context{first, t.Context()} {
			go func() {
				_, err := sender.SendTo(ctx, []byte("last"), 0, at)
				sent <- err
			}()
			require.Eventually(t, func() bool { return sender.Stats().Sent.Queued == i+1 }, hangLimit, time.Millisecond)
		}
		requireRest(t, e)
		require.Empty(t, sent)
		giveUp() // and the second has its turn
		require.ErrorIs(t, <-sent, context.Canceled)
		requireRest(t, e)
		require.Empty(t, sent)
		p := make([]byte, 4)
		for n := 1; n != 4; { // until what waited comes
			n, err = receiver.Recv(t.Context(), p, 0)
			require.NoError(t, err)
		}
		require.NoError(t, <-sent)

		_, err = sender.SendTo(t.Context(), p, DontWait, at)
		require.NoError(t, err)
	})
}

// Nor does an event tell when a unix listener has room in its queue again.
func TestConnectsWaitForTheQueueOfConnections(t *testing.T) { // N43
	onEngines(t, func(t *testing.T, e *Engine) {
		kind := network{"unix", unix.AF_UNIX, unix.SOCK_STREAM, 0}
		at := UnixAddr(filepath.Join(t.TempDir(), "listener"))
		l := kind.socket(t, e)
		require.NoError(t, l.Bind(at))
		require.NoError(t, l.Listen(0))
		require.NoError(t, kind.socket(t, e).Connect(t.Context(), at))
		c := kind.socket(t, e)
		connected := make(chan error, 1)
		go func() { connected <- c.Connect(t.Context(), at) }()
		require.Eventually(t, func() bool { return c.Stats().Sent.Queued == 1 }, hangLimit, time.Millisecond)
		requireRest(t, e)
		require.Empty(t, connected)
		for range 2 {
			s, _, err := l.Accept(t.Context())
			require.NoError(t, err)
			require.NoError(t, s.Close())
		}
		require.NoError(t, <-connected)
	})
}

// What is paused is cancelled as promptly as anything else.
func TestPausesEnd(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		kind := network{"unixgram", unix.AF_UNIX, unix.SOCK_DGRAM, 0}
		receiver, sender := kind.socket(t, e), kind.socket(t, e)
		at := UnixAddr(filepath.Join(t.TempDir(), "receiver"))
		require.NoError(t, receiver.Bind(at))
		for err := error(nil); err == nil; {
			_, err = sender.TrySendTo([]byte("x"), 0, at)
		}
		for _, wait := range []time.Duration{0, 50 * time.Millisecond} {
			require.NoError(t, sender.SetWriteDeadline(time.Now().Add(wait+time.Millisecond)))
			_, err := sender.SendTo(t.Context(), []byte("late"), 0, at)
			require.ErrorIs(t, err, ErrTimeout)
		}
		require.NoError(t, sender.SetWriteDeadline(time.Time{}))
		sent := make(chan error, 1)
		go func() {
			_, err := sender.SendTo(t.Context(), []byte("closed"), 0, at)
			sent <- err
		}()
		require.Eventually(t, func() bool { return sender.Stats().Sent.Queued == 1 }, hangLimit, time.Millisecond)
		require.NoError(t, sender.Close())
		require.ErrorIs(t, <-sent, ErrClosed)
	})
}

// An error queue that nobody reads is an event that goes on, and that no attempt has anything to tell of. The socket's
// send buffer is full here, so that it is the only event: the runtime's poller gives up then, and the engine serves.
func TestErrorQueuesDoNotKeepTheEngineBusy(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		for name, receive := range map[string]func(s *Socket, told func(int, error)){
			"plain": func(s *Socket, told func(int, error)) {
				go func() { told(s.Recv(lateContext(t), make([]byte, 9), 0)) }()
			},
			"plain message": func(s *Socket, told func(int, error)) {
				go func() {
					n, _, _, err := s.RecvFrom(lateContext(t), make([]byte, 9), 0)
					told(n, err)
				}()
			},
			"Go": func(s *Socket, told func(int, error)) { s.GoRecv(make([]byte, 9), 0, told) },
			"Go message": func(s *Socket, told func(int, error)) {
				s.GoRecvMsg([][]byte{make([]byte, 9)}, 0, func(m Msg, err error) { told(m.N, err) })
			},
		} {
			t.Run(name, func(t *testing.T) {
				a, b := tcpPair(t, e)
				stamps := make([]byte, 4)
				binary.NativeEndian.PutUint32(stamps, unix.SOF_TIMESTAMPING_TX_SCHED|
					unix.SOF_TIMESTAMPING_SOFTWARE|unix.SOF_TIMESTAMPING_OPT_TSONLY)
				require.NoError(t, a.SetRawOption(unix.SOL_SOCKET, unix.SO_TIMESTAMPING, stamps))
				fillUp(t, a)
				events, err := pollNow(a.current.Load().fd, unix.POLLIN|unix.POLLOUT)
				require.NoError(t, err)
				require.EqualValues(t, unix.POLLERR, events)
				told, results := outcomes(1)
				receive(a, told)
				queued(t, a, 1)
				requireRest(t, e)
				_, err = b.TrySend([]byte("here"), 0)
				require.NoError(t, err)
				require.Equal(t, outcome{4, nil}, <-results)
			})
		}
	})
}
