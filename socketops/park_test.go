//go:build linux

package socketops

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
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
		l := b.begin(o, false)
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

// What an idle socket may cost beyond what the kernel has for it, and how many goroutines an Engine may have however
// many sockets wait: those of the engine, and callbacks that are about to return.
const (
	idleBytesMax      = 4096
	idleGoroutinesMax = 4
)

// TestIdleSocketsAreCheap opens many sockets of which few are active. Those that are not wait for a receive, or for
// nothing. -v shows the figures of docs/socketops.md.
func TestIdleSocketsAreCheap(t *testing.T) {
	if race.Enabled {
		testutil.Skip(t, testutil.NeedsNoRace, "the detector has memory of its own for each object")
	}
	if cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsNoChecker, "the sanitizer has memory of its own for each object")
	}
	sockets := 10_000
	if testing.Short() {
		sockets = 500
	}
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit)) // which the runtime has raised as far as it goes
	for limit.Cur < uint64(sockets)+200 {
		if sockets /= 2; sockets < 500 {
			testutil.Skip(t, testutil.NeedsFiles, "RLIMIT_NOFILE is %d", limit.Cur)
		}
	}
	active := sockets / 10
	t.Run("descriptors alone", func(t *testing.T) {
		before := memoryNow(t)
		fds := make([]int, 0, sockets)
		for len(fds) < sockets {
			pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
			require.NoError(t, err)
			fds = append(fds, pair[0], pair[1])
		}
		memoryNow(t).log(t, before, sockets)
		for _, fd := range fds {
			require.NoError(t, unix.Close(fd))
		}
	})
	for _, b := range tested(t) {
		t.Run(string(b.name)+", receives wait", func(t *testing.T) { idleSockets(t, b.name, sockets, active, true) })
		t.Run(string(b.name)+", nothing waits", func(t *testing.T) { idleSockets(t, b.name, sockets, active, false) })
	}
}

// idleSockets opens sockets of a new Engine, has a receive wait on each where receive is set, and the first of them
// active, and then measures.
func idleSockets(t *testing.T, b Backend, sockets, active int, receive bool) {
	testutil.Timeout(t, hangLimit)
	firstEngine(t, b, active)
	buffers := make([]byte, sockets)
	before := memoryNow(t)
	e, err := New(WithBackend(b))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	var over sync.WaitGroup
	all := socketPairs(t, e, sockets)
	for i := active; receive && i < sockets; i++ {
		over.Add(1)
		all[i].GoRecv(buffers[i:i+1], 0, func(int, error) { over.Done() })
	}
	for range 20 {
		exchange(t, all[:active], buffers)
	}
	now := memoryNow(t)
	runtime.KeepAlive(all)
	now.log(t, before, sockets)
	require.LessOrEqual(t, now.heap-before.heap, idleBytesMax*sockets)
	require.LessOrEqual(t, now.goroutines-before.goroutines, idleGoroutinesMax)
	require.NoError(t, e.Close())
	over.Wait()
}

// firstEngine has an Engine come and go whose sockets are all active. The runtime keeps the stacks of goroutines that
// are over for others to come: of few sockets they would be a large share, which the first Engine would have all of.
func firstEngine(t *testing.T, b Backend, sockets int) {
	t.Helper()
	e, err := New(WithBackend(b))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	all := socketPairs(t, e, sockets)
	for range 20 {
		exchange(t, all, make([]byte, sockets))
	}
	require.NoError(t, e.Close())
}

// socketPairs opens that many sockets, each the peer of one beside it.
func socketPairs(t *testing.T, e *Engine, sockets int) (all []*Socket) {
	t.Helper()
	all = make([]*Socket, 0, sockets)
	for len(all) < sockets {
		a, b, err := e.SocketPair(unix.SOCK_STREAM)
		require.NoError(t, err)
		all = append(all, a, b)
	}
	return all
}

// exchange has each of the sockets send a byte to its peer.
func exchange(t *testing.T, sockets []*Socket, buffers []byte) {
	t.Helper()
	told, results := outcomes(2 * len(sockets))
	for i, s := range sockets {
		s.GoRecv(buffers[i:i+1], 0, told)
	}
	for _, s := range sockets {
		s.GoSend([]byte{1}, 0, told)
	}
	for range 2 * len(sockets) {
		require.Equal(t, outcome{1, nil}, <-results)
	}
}

// memory is what the process has.
type memory struct {
	heap       int // bytes of live objects, and of stacks
	resident   int // bytes, shared ones in part
	goroutines int
}

// memoryNow measures, without what the collector can take back.
func memoryNow(t *testing.T) memory {
	t.Helper()
	runtime.GC() // which moves what pools keep to where the next finds it
	debug.FreeOSMemory()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	now := memory{heap: int(m.HeapAlloc + m.StackInuse), goroutines: runtime.NumGoroutine()}
	rollup, err := os.ReadFile("/proc/self/smaps_rollup")
	if err != nil {
		return now // Linux 4.14, and not everywhere
	}
	for _, line := range strings.Split(string(rollup), "\n") {
		if rest, ok := strings.CutPrefix(line, "Pss:"); ok {
			kib, err := strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(rest, "kB")))
			require.NoError(t, err)
			now.resident = kib << 10
		}
	}
	return now
}

// log prints what has been added for each socket.
func (m memory) log(t *testing.T, before memory, sockets int) {
	t.Helper()
	t.Logf("for each of %d sockets: %d bytes of heap and stacks, %d bytes resident; %d goroutines in all", sockets,
		(m.heap-before.heap)/sockets, (m.resident-before.resident)/sockets, m.goroutines-before.goroutines)
}
