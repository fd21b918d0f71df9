//go:build linux

package aio

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"runtime/debug"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestRingIsMappedAndKnown(t *testing.T) {
	c := newContext(t, 128)
	require.True(t, c.ring.mapped(), "FACTS 15: events can be read in user space")
	require.GreaterOrEqual(t, len(c.ring.events), 128)
	require.False(t, newContext(t, 1, WithSyscallReap()).ring.mapped())
}

func TestUnknownRingIsNotRead(t *testing.T) {
	good := ringHeader{nr: 8, magic: ringMagic, compat: ringCompat, headerLength: 32}
	require.True(t, good.known())
	for field, change := range map[string]func(*ringHeader){
		"magic":         func(h *ringHeader) { h.magic++ },
		"compat":        func(h *ringHeader) { h.compat++ },
		"incompat":      func(h *ringHeader) { h.incompat = 1 },
		"header length": func(h *ringHeader) { h.headerLength = 64 },
		"no events":     func(h *ringHeader) { h.nr = 0 },
	} {
		h := good
		change(&h)
		require.False(t, h.known(), field)
	}
	require.False(t, openRing(1<<12).mapped(), "nothing is mapped there")
}

func TestRingWrapsAround(t *testing.T) {
	c := newContext(t, 3)
	_, b := sockets(t)
	for i := range 3 * len(c.ring.events) {
		cb := taken(t, c)
		require.NoError(t, cb.PrepPoll(b, unix.POLLOUT))
		cb.SetData64(uint64(i))
		submit(t, c, cb)
		event := await(t, c, 1)[0]
		require.Equal(t, uint64(i), event.Data64)
		require.Equal(t, int64(unix.POLLOUT), event.Res&unix.POLLOUT)
	}
	require.Zero(t, c.Stats())
}

func TestTransfers(t *testing.T) {
	bothWays(t, func(t *testing.T, opts ...Option) {
		c, f := newContext(t, 4, opts...), newFile(t)
		fd := int(f.Fd())
		data := pattern(10000, 1)
		write, writev := taken(t, c), taken(t, c)
		require.NoError(t, write.PrepPwrite(fd, data[:5000], 0))
		many := make([][]byte, 0, 50)
		for at := 5000; at < 10000; at += 100 {
			many = append(many, data[at:at+100])
		}
		require.NoError(t, writev.PrepPwritev(fd, many, 5000))
		submit(t, c, write, writev)
		for _, event := range await(t, c, 2) {
			n, err := event.Result()
			require.NoError(t, err)
			require.Equal(t, 5000, n)
		}
		got := make([]byte, 10000)
		read, readv, sync, datasync := taken(t, c), taken(t, c), taken(t, c), taken(t, c)
		require.NoError(t, read.PrepPread(fd, got[:1], 0))
		require.NoError(t, readv.PrepPreadv(fd, [][]byte{got[1:10], nil, got[10:]}, 1))
		require.NoError(t, sync.PrepFsync(fd))
		require.NoError(t, datasync.PrepFdsync(fd))
		submit(t, c, read, readv, sync, datasync)
		total := 0
		for _, event := range await(t, c, 4) {
			n, err := event.Result()
			require.NoError(t, err)
			total += n
		}
		require.Equal(t, 10000, total)
		require.Equal(t, data, got)
	})
}

// TestSubmitIsExactAboutABadIOCB has the kernel refuse one of many: those before it are its own, it and those behind it
// the caller's, and everything completes once.
func TestSubmitIsExactAboutABadIOCB(t *testing.T) { // fault 98
	readOnly, err := os.Open(os.DevNull)
	require.NoError(t, err)
	defer readOnly.Close()
	for name, bad := range map[string]struct {
		prep func(cb *IOCB) error
		want unix.Errno
	}{
		"no such descriptor": {func(cb *IOCB) error { return cb.PrepPwrite(99999, []byte("x"), 0) }, unix.EBADF},
		"not for writing": {func(cb *IOCB) error {
			return cb.PrepPwrite(int(readOnly.Fd()), []byte("x"), 0)
		}, unix.EBADF},
		"not to be flushed": {func(cb *IOCB) error { return cb.PrepFsync(cb.ctx.notifier.fd) }, unix.EINVAL},
		"flags of no meaning": {func(cb *IOCB) error {
			return errors.Join(cb.PrepPread(int(readOnly.Fd()), make([]byte, 1), 0), cb.SetRWFlags(1<<30))
		}, unix.EOPNOTSUPP},
	} {
		t.Run(name, func(t *testing.T) {
			bothWays(t, func(t *testing.T, opts ...Option) { submitWithABadOne(t, bad.prep, bad.want, opts...) })
		})
	}
}

func submitWithABadOne(t *testing.T, prep func(cb *IOCB) error, want unix.Errno, opts ...Option) {
	c := newContext(t, 8, opts...)
	a, b := sockets(t)
	iocbs := make([]*IOCB, 8)
	n, err := c.IOCBs(iocbs)
	require.NoError(t, err)
	require.Equal(t, 8, n)
	for i, cb := range iocbs {
		if i == 3 {
			require.NoError(t, prep(cb))
			continue
		}
		require.NoError(t, cb.PrepPwrite(a, []byte{byte(i)}, 0))
		cb.SetData64(uint64(i))
	}
	n, err = c.Submit(iocbs...)
	require.Equal(t, 3, n, "FACTS 17")
	require.ErrorIs(t, err, want)
	require.ErrorContains(t, err, "io_submit")
	require.Equal(t, Stats{InFlight: 3, Held: 5}, c.Stats())
	n, err = c.Submit(iocbs[3])
	require.Zero(t, n)
	require.ErrorIs(t, err, want, "it is the caller's, and as bad as before")
	require.NoError(t, iocbs[3].Release())
	submit(t, c, iocbs[4:]...)
	for i, event := range await(t, c, 7) {
		want := i
		if i >= 3 {
			want++
		}
		require.Equal(t, uint64(want), event.Data64, "events of sockets come in order")
	}
	got := make([]byte, 16)
	n, err = unix.Read(b, got)
	require.NoError(t, err)
	require.Equal(t, []byte{0, 1, 2, 4, 5, 6, 7}, got[:n])
	require.Zero(t, c.Stats())
}

// TestSubmitTakesWhatItIsGivenAndNoMore has a table behind whose end the requests of an earlier batch stand, and the
// same requests once more in flight: a count that is too large, as -1 in 32 bits is, would have them submitted again.
func TestSubmitTakesWhatItIsGivenAndNoMore(t *testing.T) { // fault 99
	bothWays(t, func(t *testing.T, opts ...Option) {
		c := newContext(t, 8, opts...)
		_, b := sockets(t)
		n, err := c.Submit()
		require.NoError(t, err)
		require.Zero(t, n)
		for range batchesMax { // each has a table of its own
			all := make([]*IOCB, 8)
			n, err := c.IOCBs(all)
			require.NoError(t, err)
			require.Equal(t, 8, n)
			for _, cb := range all {
				require.NoError(t, cb.PrepPoll(b, unix.POLLOUT))
			}
			submit(t, c, all...)
			await(t, c, 8)
		}
		for range batchesMax {
			for k := range 4 {
				some := make([]*IOCB, k)
				_, err := c.IOCBs(some)
				require.NoError(t, err)
				for _, cb := range some {
					require.NoError(t, cb.PrepPoll(b, unix.POLLOUT))
				}
				submit(t, c, some...)
				require.Equal(t, Stats{InFlight: k}, c.Stats())
				await(t, c, k)
				n, err := c.Reap(make([]Event, 8))
				require.NoError(t, err)
				require.Zero(t, n)
				require.Zero(t, c.Stats(), "something was submitted again")
			}
		}
	})
}

// TestPollHasNothingOfWhatTheIOCBWasBefore prepares polls for each of 16 bits of events, in IOCBs that were transfers
// of every kind: the kernel refuses a poll that has a length, an offset or flags.
func TestPollHasNothingOfWhatTheIOCBWasBefore(t *testing.T) { // fault 100
	c := newContext(t, 1)
	a, b := sockets(t)
	buffers := [][]byte{make([]byte, 1), make([]byte, 2)}
	for name, before := range map[string]func(cb *IOCB) error{
		"nothing": func(*IOCB) error { return nil },
		"a read":  func(cb *IOCB) error { return errors.Join(cb.PrepPread(a, buffers[0], 7), cb.SetRWFlags(1)) },
		"a write": func(cb *IOCB) error { return errors.Join(cb.PrepPwrite(a, buffers[1], 9), cb.SetIOPrio(2<<13)) },
		"reads":   func(cb *IOCB) error { return errors.Join(cb.PrepPreadv(a, buffers, 1), cb.Notify()) },
		"writes":  func(cb *IOCB) error { return cb.PrepPwritev(a, buffers, 1<<40) },
	} {
		for bit := range 16 {
			cb := taken(t, c)
			require.NoError(t, before(cb), name)
			require.NoError(t, cb.PrepPoll(b, 1<<bit|unix.POLLOUT), name)
			submit(t, c, cb)
			n, err := (&await(t, c, 1)[0]).Result()
			require.NoError(t, err, name)
			require.NotZero(t, n&unix.POLLOUT, name)
		}
	}
}

func TestSubmitIsAtomicOnInvalidInput(t *testing.T) {
	c, other := newContext(t, 4), newContext(t, 1)
	a, _ := sockets(t)
	prepared := func(c *Context) *IOCB {
		cb := taken(t, c)
		require.NoError(t, cb.PrepPwrite(a, []byte("x"), 0))
		return cb
	}
	good, held, foreign := prepared(c), taken(t, c), prepared(other)
	for what, tt := range map[string]struct {
		iocbs []*IOCB
		err   error
	}{
		"nil":             {[]*IOCB{good, nil}, ErrInvalid},
		"of another":      {[]*IOCB{good, foreign}, ErrInvalid},
		"not prepared":    {[]*IOCB{good, held}, ErrNotPrepared},
		"the same again":  {[]*IOCB{good, good}, ErrInProgress},
		"the first fails": {[]*IOCB{held, good}, ErrNotPrepared},
	} {
		n, err := c.Submit(tt.iocbs...)
		require.Zero(t, n, what)
		require.ErrorIs(t, err, tt.err, what)
		require.Equal(t, Stats{Held: 2}, c.Stats(), what)
	}
	submit(t, c, good)
	await(t, c, 1)
	require.ErrorIs(t, good.Release(), ErrInvalid, "it was given back with its event")
	require.ErrorIs(t, good.PrepFsync(a), ErrInvalid)
	require.NoError(t, held.Release())
	require.NoError(t, foreign.Release())
}

func TestPrepRefusesWhatMakesNoSense(t *testing.T) {
	c := newContext(t, 1)
	cb := taken(t, c)
	tooLarge := math.MaxInt
	if strconv.IntSize == 32 {
		tooLarge = math.MinInt // no int is too large for a descriptor
	}
	for what, err := range map[string]error{
		"descriptor":  cb.PrepPread(-1, nil, 0),
		"offset":      cb.PrepPread(0, nil, -1),
		"end":         cb.PrepPwrite(0, make([]byte, 2), 1<<63-2),
		"vector":      cb.PrepPreadv(0, make([][]byte, vectorsMax+1), 0),
		"vector's":    cb.PrepPwritev(0, nil, -1),
		"flush":       cb.PrepFsync(-1),
		"flush data":  cb.PrepFdsync(tooLarge),
		"poll":        cb.PrepPoll(-1, 0),
		"rw of poll":  errors.Join(cb.PrepPoll(0, 0), cb.SetRWFlags(1)),
		"rw of fsync": errors.Join(cb.PrepFsync(0), cb.SetRWFlags(1)),
	} {
		require.ErrorIs(t, err, ErrInvalid, what)
		require.ErrorIs(t, err, unix.EINVAL, what)
	}
	require.NoError(t, cb.Release())
	require.ErrorIs(t, cb.Notify(), ErrInvalid)
	cb = taken(t, c)
	require.ErrorIs(t, cb.Notify(), ErrNotPrepared)
	require.NoError(t, cb.Release())
}

func TestGetEventsEndsOnTimeWhateverSignalsCome(t *testing.T) {
	bothWays(t, func(t *testing.T, opts ...Option) {
		c := newContext(t, 1, opts...)
		a, _ := sockets(t)
		cb := taken(t, c)
		require.NoError(t, cb.PrepPoll(a, unix.POLLIN))
		id := cb.ID()
		submit(t, c, cb)
		stop := make(chan struct{})
		stopped := make(chan struct{})
		go func() {
			defer close(stopped)
			for {
				select {
				case <-stop:
					return
				case <-time.After(time.Millisecond):
					_ = unix.Kill(unix.Getpid(), unix.SIGURG)
				}
			}
		}()
		start := time.Now()
		n, err := c.GetEvents(1, make([]Event, 1), 60*time.Millisecond)
		close(stop)
		<-stopped
		require.Zero(t, n)
		require.ErrorIs(t, err, ErrTimeout)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		require.GreaterOrEqual(t, time.Since(start), 60*time.Millisecond)
		require.NoError(t, c.Cancel(id))
		events := await(t, c, 1)
		_, err = events[0].Result()
		require.ErrorIs(t, err, ErrCanceled)
	})
}

func TestAwaitHoldsNoThreadAndEndsWithItsContext(t *testing.T) {
	bothWays(t, func(t *testing.T, opts ...Option) {
		c := newContext(t, 1, opts...)
		a, b := sockets(t)
		cb := taken(t, c)
		require.NoError(t, cb.PrepPoll(a, unix.POLLIN))
		require.NoError(t, cb.Notify())
		submit(t, c, cb)
		events := make([]Event, 1)
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		n, err := c.Await(ctx, 1, events)
		require.Zero(t, n)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		go func() { _, _ = unix.Write(b, []byte("x")) }()
		n, err = c.Await(context.Background(), 1, events)
		require.NoError(t, err)
		require.Equal(t, 1, n)
		_, err = c.Await(context.Background(), 1, events)
		require.ErrorIs(t, err, ErrNoRequests)
	})
}

func TestOneReaderAtATime(t *testing.T) {
	c := newContext(t, 1)
	a, b := sockets(t)
	cb := taken(t, c)
	require.NoError(t, cb.PrepPoll(a, unix.POLLIN))
	submit(t, c, cb)
	done := make(chan error)
	go func() {
		err := ErrBusy
		for errors.Is(err, ErrBusy) { // the looks below are readers as well
			_, err = c.GetEvents(1, make([]Event, 1), -1)
		}
		done <- err
	}()
	require.Eventually(t, func() bool {
		_, err := c.Reap(nil)
		return errors.Is(err, ErrBusy)
	}, 10*time.Second, time.Millisecond)
	require.ErrorIs(t, c.Close(), ErrBusy)
	_, err := unix.Write(b, []byte("x"))
	require.NoError(t, err)
	require.NoError(t, <-done)
}

func TestStaleEventsAreDropped(t *testing.T) {
	c := newContext(t, 2)
	var out [4]Event
	cb := taken(t, c)
	held := cb.ID()
	require.Zero(t, c.finish([]rawEvent{{data: 0}, {data: 1 << 63}, {data: uint64(held)}, {data: 77}}, out[:]))
	require.Equal(t, Stats{Held: 1, Stale: 4}, c.Stats())
	a, _ := sockets(t)
	require.NoError(t, cb.PrepPoll(a, unix.POLLOUT))
	submit(t, c, cb)
	await(t, c, 1)
	again := taken(t, c)
	require.NotEqual(t, held, again.ID(), "the generation tells them apart")
	require.Zero(t, c.finish([]rawEvent{{data: uint64(held)}}, out[:]))
	require.NoError(t, again.Release())
	require.ErrorIs(t, c.Cancel(held), ErrCompleted)
}

func TestBuffersStayWhereTheKernelWritesThem(t *testing.T) {
	c := newContext(t, 1)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	dropped := make([]byte, 1<<16)
	weak := make(chan struct{})
	runtime.SetFinalizer(&dropped[0], func(*byte) { close(weak) })
	cb := taken(t, c)
	require.NoError(t, cb.PrepPreadv(0, [][]byte{dropped}, 0))
	dropped = nil
	runtime.GC()
	debug.FreeOSMemory()
	select {
	case <-weak:
		t.Fatal("the buffer of a prepared request was collected")
	default:
	}
	require.NoError(t, cb.Release())
	require.Eventually(t, func() bool {
		runtime.GC()
		select {
		case <-weak:
			return true
		default:
			return false
		}
	}, 10*time.Second, time.Millisecond, "a released request keeps its buffer")
}

func TestSteadyStateDoesNotAllocate(t *testing.T) {
	bothWays(t, func(t *testing.T, opts ...Option) {
		c := newContext(t, 16, opts...)
		a, b := sockets(t)
		buf, events := make([]byte, 64), make([]Event, 16)
		iocbs := make([]*IOCB, 16)
		bufs := [][]byte{buf[:32], buf[32:]}
		round := func() {
			_, _ = c.IOCBs(iocbs)
			for i, cb := range iocbs {
				if i%2 == 0 {
					_ = cb.PrepPwritev(a, bufs, 0)
				} else {
					_ = cb.PrepPread(b, buf, 0)
				}
			}
			_, _ = c.Submit(iocbs...)
			if n, err := c.GetEvents(16, events, time.Second); n != 16 {
				panic(err)
			}
		}
		round()
		require.Zero(t, testing.AllocsPerRun(100, round))
	})
}

func TestUnsupportedNamesItsCause(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		t.Run(errno.Error(), func(t *testing.T) {
			if !testutil.InChild() {
				child := testutil.ReExec(t, t.Name())
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			testutil.RefuseSyscalls(t, errno, unix.SYS_IO_SETUP)
			_, err := NewContext(1)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorIs(t, err, ErrUnsupported)
			require.ErrorIs(t, err, errno)
			require.ErrorContains(t, err, "seccomp")
			var missing testutil.Unsupported
			require.ErrorAs(t, err, &missing)
			require.Equal(t, "io_setup", missing.Feature())
		})
	}
}

func TestNothingLeaksOverManyRequests(t *testing.T) {
	t.Run("context", testContextLeaks)
	t.Run("queue", testQueueLeaks)
}

// heap returns how much memory is in use.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func testQueueLeaks(t *testing.T) {
	before := inUse(t)
	q, err := NewQueue(64)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	rounds := testutil.Fewer(100_000/50, 40)
	reqs, out := polls(t, 50), make([]*Request, 50)
	a, _ := sockets(t)
	file := FD(a)
	round := func(events uint16) {
		for _, r := range reqs {
			require.NoError(t, r.PreparePoll(file, events, nil))
		}
		n, err := q.Submit(reqs...)
		require.NoError(t, err)
		require.Equal(t, 50, n)
		for _, r := range reqs {
			if events == unix.POLLIN {
				require.NoError(t, r.Cancel())
			}
		}
		n, err = q.WaitTimeout(10*time.Second, 50, out)
		require.NoError(t, err)
		require.Equal(t, 50, n)
	}
	round(unix.POLLOUT)
	used := heap()
	for i := range rounds {
		if i%2 == 0 {
			round(unix.POLLOUT)
		} else {
			round(unix.POLLIN)
		}
	}
	require.Zero(t, q.c.Stats())
	require.Less(t, heap()-used, int64(1<<20))
	require.NoError(t, q.Close())
	requireNoMoreInUse(t, before)
}

func testContextLeaks(t *testing.T) {
	before := inUse(t)
	c, err := NewContext(64)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	a, b := sockets(t)
	iocbs, events, buf := make([]*IOCB, 64), make([]Event, 64), make([]byte, 16)
	rounds := testutil.Fewer(100_000/64, 40)
	used := heap()
	for range rounds {
		_, err := c.IOCBs(iocbs)
		require.NoError(t, err)
		for i, cb := range iocbs {
			if i < 32 {
				require.NoError(t, cb.PrepPwrite(a, buf, 0))
			} else {
				require.NoError(t, cb.PrepPread(b, buf, 0))
			}
		}
		n, err := c.Submit(iocbs...)
		require.NoError(t, err)
		require.Equal(t, 64, n)
		n, err = c.Reap(events)
		require.NoError(t, err)
		require.Equal(t, 64, n)
	}
	require.Zero(t, c.Stats())
	require.Less(t, heap()-used, int64(1<<20))
	require.GreaterOrEqual(t, inUse(t), 64)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	requireNoMoreInUse(t, before)
}

func TestSubmitRefusedBySeccomp(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	q, err := NewQueue(1)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	reqs := polls(t, 1)
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_SUBMIT)
	n, err := q.Submit(reqs...)
	require.Zero(t, n)
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorIs(t, err, unix.EPERM)
	require.Equal(t, StatePrepared, reqs[0].State(), "it is not the request's fault")
	require.NoError(t, q.Close())
}

// bothWays runs the test with events read from the ring, and with events read by system call.
func bothWays(t *testing.T, test func(t *testing.T, opts ...Option)) {
	t.Helper()
	t.Run("ring", func(t *testing.T) { test(t) })
	t.Run("system call", func(t *testing.T) { test(t, WithSyscallReap()) })
}

// newContext returns a Context that is closed at the end of the test, which must not leave anything in flight.
func newContext(t testing.TB, requests int, opts ...Option) *Context {
	t.Helper()
	c, err := NewContext(requests, opts...)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, c.Close()) })
	return c
}

// needAIO skips the test where there is no AIO.
func needAIO(t testing.TB) {
	t.Helper()
	newContext(t, 1)
}

// taken returns an IOCB.
func taken(t testing.TB, c *Context) *IOCB {
	t.Helper()
	cb, err := c.IOCB()
	require.NoError(t, err)
	return cb
}

// submit submits what must be accepted.
func submit(t testing.TB, c *Context, iocbs ...*IOCB) {
	t.Helper()
	n, err := c.Submit(iocbs...)
	require.NoError(t, err)
	require.Equal(t, len(iocbs), n)
}

// await returns the next n events.
func await(t testing.TB, c *Context, n int) []Event {
	t.Helper()
	events := make([]Event, n)
	got, err := c.GetEvents(n, events, 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, n, got)
	return events
}

// directory is where tests make files: AIO_TEST_DIR, for another file system than the one of temporary files.
func directory(t testing.TB) string {
	t.Helper()
	base := os.Getenv("AIO_TEST_DIR")
	if base == "" {
		return t.TempDir()
	}
	dir, err := os.MkdirTemp(base, "aio")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })
	return dir
}

// newFile returns an empty file to read and write.
func newFile(t testing.TB) *os.File {
	t.Helper()
	f, err := os.OpenFile(filepath.Join(directory(t), "file"), os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return f
}

// sockets returns two connected sockets that do not block.
func sockets(t testing.TB) (a, b int) {
	t.Helper()
	a, b = testutil.SocketPair(t, "unix")
	require.NoError(t, unix.SetNonblock(a, true))
	require.NoError(t, unix.SetNonblock(b, true))
	return a, b
}

// pattern returns n bytes that tell where they belong.
func pattern(n, seed int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(seed + i + i>>8)
	}
	return b
}

// inUse returns fs.aio-nr.
func inUse(t testing.TB) int {
	t.Helper()
	limits, err := GetLimits()
	require.NoError(t, err)
	return limits.InUse
}

// requireNoMoreInUse holds that fs.aio-nr returns to what it was. Other processes come and go meanwhile.
func requireNoMoreInUse(t testing.TB, before int) {
	t.Helper()
	require.Eventually(t, func() bool { return inUse(t) <= before }, 20*time.Second, 10*time.Millisecond,
		"fs.aio-nr stays above %d", before)
}

var (
	// tableRow matches a row of the table in docs/aio.md.
	tableRow = regexp.MustCompile(`(?m)^\| (D\d\d|fault \d+|case \d+) \| [^|]+ \| ([^|]+) \|$`)
	testName = regexp.MustCompile("`(Test\\w+)`")
	rowName  = regexp.MustCompile(`\b(D\d\d|fault \d+|case \d+)\b`)
)

func TestEveryRowHasATest(t *testing.T) {
	testutil.InSource(t)
	text, err := os.ReadFile("../docs/aio.md")
	require.NoError(t, err)
	named, tests := namedRows(t)
	var documented []string
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		id, cited := row[1], row[2]
		documented = append(documented, id)
		if reason, none := strings.CutPrefix(cited, "none: "); none {
			require.Greater(t, len(reason), 20, id)
			require.NotContains(t, named, id)
			continue
		}
		require.Contains(t, named, id, "no subtest names the row")
		matches := testName.FindAllStringSubmatch(cited, -1)
		require.NotEmpty(t, matches, id)
		for _, m := range matches {
			require.Contains(t, tests, m[1], id)
		}
	}
	var want []string
	for _, rows := range []struct {
		format   string
		from, to int
	}{{"D%02d", 1, 47}, {"fault %d", 97, 106}, {"case %d", 2, 8}, {"case %d", 10, 23}} {
		for i := rows.from; i <= rows.to; i++ {
			want = append(want, fmt.Sprintf(rows.format, i))
		}
	}
	require.Equal(t, want, documented)
	for _, m := range testName.FindAllStringSubmatch(string(text), -1) {
		require.Contains(t, tests, m[1])
	}
}

// namedRows returns the rows that the names of subtests begin with or contain, and all test functions.
func namedRows(t *testing.T) (rows, tests map[string]bool) {
	t.Helper()
	rows, tests = map[string]bool{}, map[string]bool{}
	for _, f := range testutil.ParseFiles(t, "*_test.go") {
		ast.Inspect(f, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				tests[n.Name.Name] = strings.HasPrefix(n.Name.Name, "Test")
			case *ast.CallExpr:
				sel, ok := n.Fun.(*ast.SelectorExpr)
				if !ok || sel.Sel.Name != "Run" || len(n.Args) != 2 {
					return true
				}
				if lit, ok := n.Args[0].(*ast.BasicLit); ok {
					name, err := strconv.Unquote(lit.Value)
					require.NoError(t, err)
					for _, id := range rowName.FindAllString(name, -1) {
						rows[id] = true
					}
				}
			}
			return true
		})
	}
	return rows, tests
}
