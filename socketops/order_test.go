//go:build linux

package socketops

import (
	"context"
	"encoding/binary"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/internal/testutil"
)

func TestSendsLeaveInTheOrderOfTheCalls(t *testing.T) { // B03 to B05, B30, B31, N58
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, n := range networks[:3] {
			t.Run(n.name, func(t *testing.T) {
				const sends = 500
				a, b := n.pair(t, e)
				smallBuffers(t, a)
				told := make(chan int, sends)
				for i := range sends {
					p := make([]byte, 4*(1+i%100))
					for at := 0; at < len(p); at += 4 {
						binary.NativeEndian.PutUint32(p[at:], uint32(i))
					}
					a.GoSend(p, 0, func(n int, err error) {
						if err != nil || n != len(p) {
							t.Errorf("send %d: %d bytes of %d, %v", i, n, len(p), err)
						}
						told <- i
					})
				}
				for i := range sends {
					p := make([]byte, 4*(1+i%100))
					_, err := b.Recv(t.Context(), p, WaitAll)
					require.NoError(t, err)
					for at := 0; at < len(p); at += 4 {
						require.EqualValues(t, i, binary.NativeEndian.Uint32(p[at:]))
					}
					require.Equal(t, i, <-told)
				}
			})
		}
	})
}

func TestReceivesAreServedInOrder(t *testing.T) { // B05, N58
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := networks[0].pair(t, e)
		const receives = 50
		told := make(chan byte, receives)
		for range receives {
			p := make([]byte, 1)
			b.GoRecv(p, 0, func(n int, err error) { told <- p[0] })
		}
		for i := range receives {
			_, err := a.Send(t.Context(), []byte{byte(i)}, 0)
			require.NoError(t, err)
		}
		for i := range receives {
			require.EqualValues(t, i, <-told)
		}
	})
}

// TestFormsShareAQueue has plain forms and Go forms wait in turns, which on a ring are not waited for in the same way.
func TestFormsShareAQueue(t *testing.T) { // B03, B05, B07
	const waits = 40
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := networks[0].pair(t, e)
		type byteOf struct {
			i   int
			got byte
			err error
		}
		told := make(chan byteOf, waits)
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		for i := range waits {
			p := make([]byte, 1)
			if i%2 == 0 {
				b.GoRecv(p, 0, func(_ int, err error) { told <- byteOf{i, p[0], err} })
			} else {
				go func() {
					_, err := b.Recv(ctx, p, 0)
					told <- byteOf{i, p[0], err}
				}()
			}
			require.Eventually(t, func() bool { return b.Stats().Received.Queued == i+1 }, late, time.Microsecond)
		}
		for i := range waits / 2 { // one after the other: who has waited first is told first
			_, err := a.Send(t.Context(), []byte{byte(i)}, 0)
			require.NoError(t, err)
			require.Equal(t, byteOf{i, byte(i), nil}, <-told)
		}
		cancel()
		for range waits / 4 {
			w := <-told
			require.Equal(t, 1, w.i%2)
			require.ErrorIs(t, w.err, context.Canceled)
		}
		for i := range waits / 4 {
			_, err := a.Send(t.Context(), []byte{byte(i)}, 0)
			require.NoError(t, err)
			require.Equal(t, byteOf{waits/2 + 2*i, byte(i), nil}, <-told)
		}
	})
}

func TestCancelledReceiveLosesNothing(t *testing.T) { // B06, B07
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := networks[0].pair(t, e)
		const bytes = 300
		go func() {
			for i := range bytes {
				if _, err := a.Send(context.Background(), []byte{byte(i)}, 0); err != nil {
					t.Error(err)
				}
			}
		}()
		for next := 0; next < bytes; {
			p := make([]byte, 1)
			told, results := outcomes(1)
			op := b.GoRecv(p, 0, told)
			op.Cancel()
			op.Cancel()
			switch r := <-results; {
			case r.err == nil:
				require.Equal(t, 1, r.n)
				require.Equal(t, byte(next), p[0])
				next++
			default:
				require.ErrorIs(t, r.err, ErrCanceled)
				require.ErrorIs(t, r.err, context.Canceled)
				require.Zero(t, r.n)
			}
		}
	})
}

func TestCancelledSendTellsItsBytes(t *testing.T) { // B08, B23, B24
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, n := range networks[:3] {
			t.Run(n.name, func(t *testing.T) {
				a, b := n.pair(t, e)
				told, results := outcomes(2)
				first := a.GoSend(make([]byte, 64<<20), 0, told)
				second := a.GoSend([]byte("never"), 0, told)
				second.Cancel()
				first.Cancel()
				r := <-results
				if r.n == 0 { // The one that had not begun is over first.
					require.ErrorIs(t, r.err, ErrCanceled)
					r = <-results
				} else {
					require.ErrorIs(t, (<-results).err, ErrCanceled)
				}
				require.ErrorIs(t, r.err, ErrCanceled)
				require.Positive(t, r.n)
				require.NoError(t, a.Shutdown(ShutWrite))
				got := 0
				for p := make([]byte, 1<<16); ; {
					k, err := b.Recv(t.Context(), p, 0)
					require.NoError(t, err)
					if k == 0 {
						break
					}
					got += k
				}
				require.Equal(t, r.n, got)
			})
		}
	})
}

func TestFullDirectionDoesNotDelayTheOther(t *testing.T) { // B01
	onNetworks(t, func(t *testing.T, n network, a, b *Socket) {
		fill(t, a)
		told, results := outcomes(1)
		a.GoSend(make([]byte, n.tooMuch()), 0, told)
		_, err := b.Send(t.Context(), []byte("x"), 0)
		require.NoError(t, err)
		_, err = a.Recv(t.Context(), make([]byte, 1), 0)
		require.NoError(t, err)
		require.NoError(t, a.Close())
		require.ErrorIs(t, (<-results).err, ErrClosed)
	})
}

func TestCloseWakesEverything(t *testing.T) { // B09, B32, N39, N50
	onNetworks(t, func(t *testing.T, n network, a, b *Socket) {
		fill(t, a)
		p := make([]byte, 10)
		told, results := outcomes(4)
		a.GoRecv(p, 0, told)
		a.GoRecv(p, 0, told)
		a.GoSend(make([]byte, n.tooMuch()), 0, told)
		go func() {
			n, err := a.Recv(context.Background(), p, 0)
			told(n, err)
		}()
		require.NoError(t, a.Close())
		require.NoError(t, a.Close())
		for range 4 {
			require.ErrorIs(t, (<-results).err, net.ErrClosed)
		}
		_, err := a.TryRecv(p, 0)
		require.ErrorIs(t, err, ErrClosed)
		_, err = a.Send(t.Context(), p, 0)
		require.ErrorIs(t, err, ErrClosed)
		_, err = a.LocalAddr()
		require.ErrorIs(t, err, ErrClosed)
	})
}

func TestCloseThatCutsOffResets(t *testing.T) { // N51
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, cut := range []bool{false, true} {
			a, b := networks[0].pair(t, e)
			told, results := outcomes(1)
			if cut {
				a.GoRecv(make([]byte, 1), 0, told)
			}
			require.NoError(t, a.Close())
			n, err := b.Recv(t.Context(), make([]byte, 1), 0)
			require.Zero(t, n)
			if !cut {
				require.NoError(t, err)
				continue
			}
			require.ErrorIs(t, err, unix.ECONNRESET)
			require.ErrorIs(t, (<-results).err, ErrClosed)
		}
	})
}

func TestEngineClosesWhatIsLeft(t *testing.T) {
	for _, b := range backends {
		e, err := New(WithBackend(b.name))
		if err != nil {
			continue
		}
		s, err := e.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		require.NoError(t, err)
		require.NoError(t, s.Bind(loopback))
		told, results := outcomes(1)
		s.GoRecv(make([]byte, 1), 0, told)
		require.NoError(t, e.Close())
		require.ErrorIs(t, (<-results).err, ErrClosed)
		_, err = e.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		require.ErrorIs(t, err, ErrClosed)
		require.NoError(t, e.Close())
	}
}

// TestManySocketsAtOnce has many sockets become ready together, which the engines serve by few system calls.
func TestManySocketsAtOnce(t *testing.T) { // B01, C20
	onEngines(t, func(t *testing.T, e *Engine) {
		pairs := testutil.Fewer(200, 50)
		here, there := make([]*Socket, pairs), make([]*Socket, pairs)
		for i := range pairs {
			var err error
			here[i], there[i], err = e.SocketPair(networks[2].typ)
			require.NoError(t, err)
		}
		for round := range 5 {
			in := make([][8]byte, pairs)
			received, results := outcomes(pairs)
			for i, s := range there {
				s.GoRecv(in[i][:], 0, received)
			}
			sent, sends := outcomes(pairs)
			for i, s := range here {
				s.GoSend([]byte{byte(i), byte(round)}, 0, sent)
			}
			for range pairs {
				require.Equal(t, outcome{2, nil}, <-results)
				require.Equal(t, outcome{2, nil}, <-sends)
			}
			for i := range in {
				require.Equal(t, [8]byte{byte(i), byte(round)}, in[i])
			}
		}
		sent, sends := outcomes(pairs)
		left := make([]int, pairs)
		for i, s := range here {
			left[i] = fill(t, s)
			s.GoSend(make([]byte, 100_000), 0, sent)
		}
		for i, s := range there {
			k, err := s.Recv(t.Context(), make([]byte, left[i]+100_000), WaitAll)
			require.NoError(t, err)
			require.Equal(t, left[i]+100_000, k)
		}
		for range pairs {
			require.Equal(t, outcome{100_000, nil}, <-sends)
		}
	})
}

// makeBlocking changes the mode of a socket's open file description, as another process that has it could.
func makeBlocking(t *testing.T, s *Socket) {
	t.Helper()
	h := s.current.Load()
	other, err := unix.FcntlInt(uintptr(h.fd), unix.F_DUPFD_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(other)
	require.NoError(t, unix.SetNonblock(other, false))
	require.True(t, blocks(h.fd))
}

// onEnginesAndOlder is onEngines, and with Linux AIO as on kernels that cannot be told not to wait on sockets.
func onEnginesAndOlder(t *testing.T, test func(t *testing.T, e *Engine)) {
	onEngines(t, func(t *testing.T, e *Engine) {
		test(t, e)
		if r, ok := e.driver.(*reactor); ok && r.batch != nil && r.batch.flags.NoWait() {
			t.Run("without RWF_NOWAIT", func(t *testing.T) {
				r.batch.flags = aio.SocketFlags{}
				test(t, e)
			})
		}
	})
}

// TestSocketsThatSomebodyMakesBlocking has sends of many sockets wait for room, all of whose descriptors are blocking
// by then, and makes a little room in each at the same time. Nothing stands still: other sockets are served, a receive
// on the same sockets finds nothing, and Close returns.
func TestSocketsThatSomebodyMakesBlocking(t *testing.T) { // found 28
	onEnginesAndOlder(t, func(t *testing.T, e *Engine) {
		const pairs = 6
		told, results := outcomes(2 * pairs)
		here, there := make([]*Socket, pairs), make([]*Socket, pairs)
		filled := 0
		for i := range pairs {
			here[i], there[i] = unixPair(t, e, unix.SOCK_STREAM)
			filled = fill(t, here[i])
			here[i].GoSend(make([]byte, 16*filled), 0, told)
			here[i].GoRecv(make([]byte, 10), WaitAll, told)
			makeBlocking(t, here[i])
		}
		r, _ := e.driver.(*reactor)
		if r != nil {
			r.mu.Lock() // so that all but the first event are found together
		}
		for _, s := range there {
			_, err := s.TryRecv(make([]byte, filled), 0)
			require.NoError(t, err)
			_, err = s.TrySend([]byte("part"), 0)
			require.NoError(t, err)
		}
		if r != nil {
			r.mu.Unlock()
		}
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		requireSound(t, a, b)
		for _, s := range here {
			_, err := s.TryRecv(make([]byte, 1), 0)
			require.ErrorIs(t, err, ErrWouldBlock)
			require.NoError(t, s.Close())
		}
		for range 2 * pairs {
			if r := <-results; r.n != len("part") { // What was received is not lost (B07).
				require.ErrorIs(t, r.err, ErrClosed)
			}
		}
	})
}

// TestCallsThatCannotBeToldNotToWait makes those calls on blocking descriptors for which there is no MSG_DONTWAIT.
func TestCallsThatCannotBeToldNotToWait(t *testing.T) { // found 28
	name := filepath.Join(t.TempDir(), "file")
	require.NoError(t, os.WriteFile(name, make([]byte, 8<<20), 0o600))
	file, err := os.Open(name)
	require.NoError(t, err)
	defer file.Close()
	onEngines(t, func(t *testing.T, e *Engine) {
		testutil.Timeout(t, hangLimit)
		listener, at := networks[2].listen(t, e, 0)
		makeBlocking(t, listener)
		_, _, err := listener.TryAccept()
		require.ErrorIs(t, err, ErrWouldBlock)
		for err = nil; err == nil; { // until the queue is full
			s := networks[2].socket(t, e)
			makeBlocking(t, s)
			err = s.TryConnect(at)
		}
		require.ErrorIs(t, err, ErrWouldBlock)
		makeBlocking(t, listener)
		accepted := make(chan error, 3)
		for range cap(accepted) { // more than there are
			listener.GoAccept(func(c *Socket, _ Addr, err error) {
				if c != nil {
					_ = c.Close()
				}
				accepted <- err
			})
		}
		require.NoError(t, <-accepted)
		require.NoError(t, listener.Close())

		a, b := unixPair(t, e, unix.SOCK_STREAM)
		makeBlocking(t, a)
		n, err := a.TrySendFile(file, 0, -1)
		require.NoError(t, err)
		require.NotZero(t, n)
		makeBlocking(t, a)
		ctx, cancel := context.WithCancel(t.Context())
		sent := make(chan error)
		go func() {
			_, err := a.SendFile(ctx, file, 0, -1)
			sent <- err
		}()
		_, err = b.Recv(t.Context(), make([]byte, n), WaitAll)
		require.NoError(t, err)
		cancel()
		require.ErrorIs(t, <-sent, context.Canceled)
		require.NoError(t, a.Close())
	})
}
