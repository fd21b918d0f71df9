//go:build linux

package socketops

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// queued waits until n receives of a socket wait.
func queued(t testing.TB, s *Socket, n int) {
	t.Helper()
	require.Eventually(t, func() bool { return s.Stats().Received.Queued == n }, late, time.Millisecond)
}

// background is a context that nothing ends, and cancelable one that something could.
func background(*testing.T) context.Context   { return context.Background() }
func cancelable(t *testing.T) context.Context { return t.Context() }

var contexts = []struct {
	name string
	make func(t *testing.T) context.Context
}{{"background", background}, {"cancelable", cancelable}}

// TestPlainFormsTakeTurns has plain forms and Go forms wait in turns, and ends one of each before its turn and one that
// has it. What is left gets the bytes in the order of the calls.
func TestPlainFormsTakeTurns(t *testing.T) { // B04, B05, B07
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, c := range contexts {
			t.Run(c.name, func(t *testing.T) {
				a, b := unixPair(t, e, unix.SOCK_STREAM)
				type result struct {
					i int
					b byte
				}
				const receives = 12
				results := make(chan result, receives)
				canceled := make(chan error, receives)
				var ends []func()
				for i := range receives {
					p := make([]byte, 1)
					over := func(_ int, err error) {
						if err != nil {
							canceled <- err
							return
						}
						results <- result{i, p[0]}
					}
					if i%2 == 1 {
						ends = append(ends, b.GoRecv(p, 0, over).Cancel)
					} else {
						ctx, cancel := context.WithCancel(c.make(t))
						ends = append(ends, cancel)
						if i > 4 {
							ctx = c.make(t)
						}
						go func() { over(b.Recv(ctx, p, 0)) }()
					}
					queued(t, b, i+1)
				}
				for _, i := range []int{3, 4, 0} { // behind others, and at last the first
					ends[i]()
					require.ErrorIs(t, <-canceled, context.Canceled)
				}
				for k, i := range []int{1, 2, 5, 6, 7, 8, 9, 10, 11} {
					_, err := a.TrySend([]byte{byte(k)}, 0)
					require.NoError(t, err)
					require.Equal(t, result{i, byte(k)}, <-results)
				}
				for _, end := range ends {
					end()
				}
			})
		}
	})
}

// TestSeatOfWhatIsEndedOnItsWayIsFree ends an operation that has its turn and has not come to park yet.
func TestSeatOfWhatIsEndedOnItsWayIsFree(t *testing.T) { // B06
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		o, err := b.newRecv(make([]byte, 1), 0)
		require.NoError(t, err)
		o.bind(context.Background(), 0)
		l := b.begin(context.Background(), o, false)
		require.True(t, o.parked)
		l.cancel(o, ErrTimeout)
		o.wait()
		require.ErrorIs(t, o.fault(), ErrTimeout)
		o.recycle()
		told, results := outcomes(1)
		go func() { told(b.Recv(t.Context(), make([]byte, 1), 0)) }()
		queued(t, b, 1)
		_, err = a.TrySend([]byte{1}, 0)
		require.NoError(t, err)
		require.Equal(t, outcome{1, nil}, <-results)
	})
}

// TestPlainFormsLoseNothingToTheirBounds has several goroutines receive whose contexts end all the time.
func TestPlainFormsLoseNothingToTheirBounds(t *testing.T) { // B05 to B07
	const receivers, messages = 3, 2000
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		var received atomic.Int64
		var seen [messages]atomic.Bool
		var over sync.WaitGroup
		for i := range receivers {
			over.Add(1)
			go func() {
				defer over.Done()
				var p [2]byte
				for received.Load() < messages {
					ctx, cancel := context.WithTimeout(context.Background(), time.Duration(1+i)*20*time.Microsecond)
					n, err := b.Recv(ctx, p[:], WaitAll)
					cancel()
					if n == 1 { // A stream may be cut anywhere, and this one was in a message of ours.
						t.Error("half a message")
					}
					if n == 2 && !seen[binary.NativeEndian.Uint16(p[:])].Swap(true) {
						received.Add(1)
					}
					if n == 0 && !errors.Is(err, context.DeadlineExceeded) {
						t.Error(err)
						return
					}
				}
			}()
		}
		var p [2]byte
		for i := range messages {
			binary.NativeEndian.PutUint16(p[:], uint16(i))
			_, err := a.Send(t.Context(), p[:], 0)
			require.NoError(t, err)
			if i%10 == 0 {
				time.Sleep(50 * time.Microsecond)
			}
		}
		over.Wait()
		require.EqualValues(t, messages, received.Load())
	})
}

// TestPlainFormsWaitAgain holds that what has ended a wait does not end the next.
func TestPlainFormsWaitAgain(t *testing.T) { // B10 to B12, A85
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		for name, end := range map[string]func() (context.Context, error){
			"deadline": func() (context.Context, error) {
				return t.Context(), b.SetReadDeadline(time.Now().Add(time.Millisecond))
			},
			"time-out": func() (context.Context, error) { return t.Context(), b.SetReadTimeout(time.Millisecond) },
			"context": func() (context.Context, error) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
				t.Cleanup(cancel)
				return ctx, nil
			},
		} {
			for range 3 {
				ctx, err := end()
				require.NoError(t, err, name)
				_, err = b.Recv(ctx, make([]byte, 1), 0)
				require.True(t, errors.Is(err, ErrTimeout) || errors.Is(err, context.DeadlineExceeded), "%s: %v", name, err)
				require.NoError(t, b.SetReadTimeout(0))
				require.NoError(t, b.SetReadDeadline(time.Time{}))
				told, results := outcomes(1)
				go func() { told(b.Recv(context.Background(), make([]byte, 1), 0)) }()
				queued(t, b, 1)
				_, err = a.TrySend([]byte{1}, 0)
				require.NoError(t, err)
				require.Equal(t, outcome{1, nil}, <-results, name)
			}
		}
	})
}

// TestEndsOfSocketsWakePlainForms holds that neither Close nor a new descriptor leaves a goroutine in the poller.
func TestEndsOfSocketsWakePlainForms(t *testing.T) { // B09, N39
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, c := range contexts {
			t.Run(c.name, func(t *testing.T) {
				a, _ := tcpPair(t, e)
				told, results := outcomes(3)
				wait := func() {
					for i := range 3 {
						go func() { told(a.Recv(c.make(t), make([]byte, 1), 0)) }()
						queued(t, a, i+1)
					}
				}
				wait()
				require.NoError(t, a.Disconnect(true))
				for range 3 {
					require.ErrorIs(t, (<-results).err, ErrCanceled)
				}
				l, at := listeningTCP(t, e)
				require.NoError(t, a.Connect(lateContext(t), at))
				b, _, err := l.Accept(lateContext(t))
				require.NoError(t, err)
				keep(t, b)
				wait()
				require.NoError(t, a.Close())
				for range 3 {
					require.ErrorIs(t, (<-results).err, ErrClosed)
				}
			})
		}
	})
}

// TestPlainFormsWithoutTheRuntimesPoller holds that the engine serves where the poller does not take the descriptor,
// here as it has that number already.
func TestPlainFormsWithoutTheRuntimesPoller(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		fd := b.current.Load().fd
		taken := os.NewFile(uintptr(fd), "taken")
		require.NoError(t, taken.SetDeadline(time.Time{}), "the poller has it")
		told, results := outcomes(2)
		for range 2 {
			go func() { told(b.Recv(lateContext(t), make([]byte, 1), 0)) }()
		}
		queued(t, b, 2)
		require.Nil(t, b.current.Load().parking.Load().conn)
		_, err := a.TrySend([]byte{1, 2}, 0)
		require.NoError(t, err)
		for range 2 {
			require.Equal(t, outcome{1, nil}, <-results)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		_, err = b.Recv(ctx, make([]byte, 1), 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.NoError(t, b.Close())
		require.NoError(t, unix.Dup3(a.current.Load().fd, fd, unix.O_CLOEXEC)) // for taken to close
		require.NoError(t, taken.Close())
	})
}
