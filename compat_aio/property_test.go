//go:build linux

package aio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/internal/testutil"
)

// plan is what one goroutine of the property test does. Numbers are drawn before it starts, so that a failure can be
// repeated.
type plan struct {
	kinds  []string
	cancel []bool
	wake   []bool
}

// world is a Queue that many goroutines use, and the account of what came of it.
type world struct {
	t    testing.TB
	q    *Queue
	file File
	path string
	near File // a socket whose peer has sent nothing
	far  File // one that is writable

	mu        sync.Mutex
	expected  map[*Request]string // taken by the kernel, and not yet seen to complete
	completed map[*Request]int

	writers atomic.Int64
	content sync.Map // offset of a block: what was written there
}

const blockSize = 512

func TestEveryRequestCompletesOnce(t *testing.T) {
	testutil.Timeout(t, 5*time.Minute)
	near, _ := sockets(t)
	_, far := sockets(t)
	dir := directory(t)
	rapid.Check(t, func(rt *rapid.T) {
		path := filepath.Join(dir, "file")
		f, err := os.Create(path)
		require.NoError(t, err)
		defer f.Close()
		var opts []Option
		if rapid.Bool().Draw(rt, "system calls") {
			opts = append(opts, WithSyscallReap())
		}
		q, err := NewQueue(rapid.SampledFrom([]int{1, 2, 7, 64}).Draw(rt, "size"), opts...)
		testutil.SkipIfUnsupported(t, err)
		require.NoError(t, err)
		w := &world{
			t: t, q: q, file: FileOf(f), path: path, near: FD(near), far: FD(far),
			expected: map[*Request]string{}, completed: map[*Request]int{},
		}
		plans := make([]plan, rapid.IntRange(1, 6).Draw(rt, "goroutines"))
		for i := range plans {
			n := rapid.IntRange(1, 20).Draw(rt, "steps")
			kinds := rapid.SampledFrom([]string{"write", "writev", "read", "sync", "ready", "never", "again", "bad"})
			plans[i] = plan{
				kinds:  rapid.SliceOfN(kinds, n, n).Draw(rt, "kinds"),
				cancel: rapid.SliceOfN(rapid.Bool(), n, n).Draw(rt, "cancel"),
				wake:   rapid.SliceOfN(rapid.Bool(), n, n).Draw(rt, "wake"),
			}
		}
		w.run(plans, rapid.Bool().Draw(rt, "early close"))
	})
}

// run carries out the plans while two goroutines wait, closes the Queue, perhaps in the middle, and settles.
func (w *world) run(plans []plan, early bool) {
	var workers, waiters sync.WaitGroup
	stop, stopWaiting := context.WithCancel(context.Background())
	for i := range 2 {
		waiters.Add(1)
		go func() {
			defer waiters.Done()
			w.wait(stop, i)
		}()
	}
	for _, p := range plans {
		workers.Add(1)
		go func() {
			defer workers.Done()
			w.work(p)
		}()
	}
	if !early {
		workers.Wait()
	}
	if err := w.q.Close(); err != nil {
		w.t.Error(err)
	}
	workers.Wait()
	stopWaiting()
	waiters.Wait()
	w.settle()
}

// wait reaps by turns with a time-out, a context and without waiting, until the Queue is closed.
func (w *world) wait(stop context.Context, which int) {
	out := make([]*Request, 3)
	for i := which; ; i++ {
		var n int
		var err error
		switch i % 3 {
		case 0:
			n, err = w.q.WaitTimeout(100*time.Microsecond, 1+i%2, out)
		case 1:
			ctx, cancel := context.WithTimeout(stop, 200*time.Microsecond)
			n, err = w.q.Wait(ctx, 1, out)
			cancel()
		case 2:
			n, err = w.q.Poll(out)
		}
		w.note(out[:n])
		switch {
		case errors.Is(err, ErrClosed):
			return
		case err == nil, errors.Is(err, ErrTimeout), errors.Is(err, context.DeadlineExceeded),
			errors.Is(err, ErrInterrupted), errors.Is(err, ErrNoRequests), errors.Is(err, context.Canceled):
		default:
			w.t.Error(err)
			return
		}
	}
}

func (w *world) note(completed []*Request) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, r := range completed {
		w.completed[r]++
		if r.State() != StateCompleted {
			w.t.Errorf("a %v request was returned", r.State())
		}
	}
}

func (w *world) work(p plan) {
	for i, kind := range p.kinds {
		r := new(Request)
		w.prepare(r, kind)
		w.mu.Lock()
		w.expected[r] = kind
		w.mu.Unlock()
		for {
			n, err := w.q.Submit(r)
			if errors.Is(err, ErrInsufficientResources) {
				w.cancelOne()
				time.Sleep(10 * time.Microsecond)
				continue
			}
			if n == 0 {
				w.forget(r, kind, err)
			}
			break
		}
		if p.cancel[i] {
			_ = r.Cancel()
		}
		if p.wake[i] {
			_ = w.q.Wakeup()
		}
	}
}

// prepare makes a request of the kind. Each write has a block of its own, so that all of them can be checked.
func (w *world) prepare(r *Request, kind string) {
	at := w.writers.Add(1)
	b := pattern(blockSize, int(at))
	var err error
	switch kind {
	case "write":
		err = r.PrepareWrite(w.file, at*blockSize, b, b)
	case "writev":
		err = r.PrepareWritev(w.file, at*blockSize, [][]byte{b[:100], b[100:]}, b)
	case "read":
		err = r.PrepareRead(w.file, 0, make([]byte, blockSize), nil)
	case "sync":
		err = r.PrepareFdsync(w.file, nil)
	case "ready":
		err = r.PreparePoll(w.far, unix.POLLOUT, nil)
	case "never":
		err = r.PreparePoll(w.near, unix.POLLIN, nil)
	case "again":
		err = r.PrepareRead(w.near, 0, make([]byte, 1), nil)
	case "bad":
		err = r.PrepareFsync(w.near, nil)
	}
	if err != nil {
		w.t.Error(err)
	}
	if kind == "write" || kind == "writev" {
		w.content.Store(at*blockSize, r)
	}
}

// forget takes a request out of the account that the kernel has not taken.
func (w *world) forget(r *Request, kind string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.expected, r)
	if !errors.Is(err, ErrClosed) && (kind != "bad" || !errors.Is(err, unix.EINVAL)) {
		w.t.Errorf("%s: %v", kind, err)
	}
}

// cancelOne makes room where all that is in flight would stay so.
func (w *world) cancelOne() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for r, kind := range w.expected {
		if kind == "never" {
			_ = r.Cancel()
		}
	}
}

// settle holds that all that was submitted has completed, once, with a result that its kind can have, and that all
// data is where it belongs.
func (w *world) settle() {
	require.Zero(w.t, w.q.c.Stats())
	for r, times := range w.completed {
		require.Equal(w.t, 1, times)
		require.Contains(w.t, w.expected, r)
	}
	for r, kind := range w.expected {
		require.Equal(w.t, StateCompleted, r.State(), kind)
		n, err := r.Result()
		switch kind {
		case "write", "writev":
			require.NoError(w.t, err)
			require.Equal(w.t, blockSize, n)
		case "never":
			require.ErrorIs(w.t, err, ErrCanceled)
		case "again":
			require.ErrorIs(w.t, err, unix.EAGAIN)
		case "ready":
			if !errors.Is(err, ErrCanceled) {
				require.NoError(w.t, err)
				require.Equal(w.t, unix.POLLOUT, n)
			}
		default:
			require.NoError(w.t, err, kind)
		}
	}
	content, err := os.ReadFile(w.path)
	require.NoError(w.t, err)
	w.content.Range(func(offset, request any) bool {
		if r := request.(*Request); r.State() == StateCompleted {
			at := offset.(int64)
			require.True(w.t, bytes.Equal(r.User().([]byte), content[at:at+blockSize]), "block at %d", at)
		}
		return true
	})
}

// The subtests hold what the test cases of libaio are known to check, under their numbers.

// transfer does one pread or pwrite and returns its event's result: an errno if negative, also where the kernel
// refused it at once.
func transfer(t testing.TB, c *Context, op opcode, fd int, b []byte, offset int64) int64 {
	t.Helper()
	cb := taken(t, c)
	prep := cb.PrepPread
	if op == opPwrite {
		prep = cb.PrepPwrite
	}
	require.NoError(t, prep(fd, b, offset))
	_, err := c.Submit(cb)
	var errno unix.Errno
	if errors.As(err, &errno) {
		require.NoError(t, cb.Release())
		return -int64(errno)
	}
	require.NoError(t, err)
	return await(t, c, 1)[0].Res
}

// negative is an errno as an event has it.
func negative(errno unix.Errno) int64 { return -int64(errno) }

func TestHarness(t *testing.T) {
	testutil.Timeout(t, 3*time.Minute)
	t.Run("case 2 set-up", func(t *testing.T) {
		needAIO(t)
		for _, n := range []int{-1000, -1, 0} {
			_, err := ioSetup(n)
			require.Equal(t, unix.EINVAL, err)
		}
		for _, n := range []int{1, 1000} {
			require.Equal(t, n, newContext(t, n).MaxRequests())
		}
	})
	t.Run("case 3 bad addresses", testBadAddresses)
	t.Run("case 4 access modes", testAccessModes)
	t.Run("case 5 mapped buffers", testMappedBuffers)
	t.Run("case 6 large transfers", func(t *testing.T) {
		c, f := newContext(t, 2), newFile(t)
		data, got := pattern(16<<20, 1), make([]byte, 16<<20)
		require.EqualValues(t, len(data), transfer(t, c, opPwrite, int(f.Fd()), data, 0))
		require.EqualValues(t, len(data), transfer(t, c, opPread, int(f.Fd()), got, 0))
		require.True(t, bytes.Equal(data, got))
	})
	t.Run("case 7 the limit of a file's size", testFileSizeLimit)
	t.Run("case 8 the largest offset", testLargestOffset)
	t.Run("case 10 a full file system", testFullFileSystem)
	t.Run("case 11 the same page again and again", func(t *testing.T) {
		c, f := newContext(t, 1), newFile(t)
		page, got := make([]byte, 4096), make([]byte, 4096)
		for i := range 500 {
			page[i] = byte(i)
			require.EqualValues(t, 4096, transfer(t, c, opPwrite, int(f.Fd()), page, 0))
			require.EqualValues(t, 4096, transfer(t, c, opPread, int(f.Fd()), got, 0))
			require.Equal(t, page, got)
		}
	})
	t.Run("case 12 a context across fork", func(t *testing.T) {
		c := newContext(t, 1)
		require.Zero(t, forkAndTry(t, c))
		f := newFile(t)
		require.EqualValues(t, 1, transfer(t, c, opPwrite, int(f.Fd()), []byte("x"), 0), "the parent's goes on")
	})
	t.Run("case 13 many writes at once", testManyWrites)
	t.Run("case 14 a child leaves the events of its parent alone", testForkWithEvents)
	t.Run("case 15 vectors", testVectors)
	t.Run("case 16 eventfd", testEventfd)
	t.Run("case 17 the accounts of a ring that is read in user space", testRingAccounts)
	t.Run("case 18 contexts come and go in many threads", testContextsInThreads)
	t.Run("case 19 a ring that was moved", testMovedRing)
	t.Run("case 20 all of fs.aio-max-nr", testAllOfMaxNr)
	t.Run("case 21 RWF_NOWAIT", testNowait)
	t.Run("case 22 poll, and signals that are blocked while waiting", testPgetevents)
	t.Run("case 23 polls lose no wake-up", testPollsUnderLoad)
}

func testForkWithEvents(t *testing.T) {
	c := newContext(t, 4)
	a, _ := sockets(t)
	iocbs := make([]*IOCB, 3)
	_, err := c.IOCBs(iocbs)
	require.NoError(t, err)
	for i, cb := range iocbs {
		require.NoError(t, cb.PrepPoll(a, unix.POLLOUT))
		cb.SetData64(uint64(i))
	}
	submit(t, c, iocbs...)
	require.Zero(t, forkAndTry(t, c))
	for i, event := range await(t, c, 3) {
		require.EqualValues(t, i, event.Data64)
	}
}

func testEventfd(t *testing.T) {
	c, f := newContext(t, 4), newFile(t)
	iocbs := make([]*IOCB, 4)
	_, err := c.IOCBs(iocbs)
	require.NoError(t, err)
	for i, cb := range iocbs {
		require.NoError(t, cb.PrepPwrite(int(f.Fd()), []byte("x"), int64(i)))
		if i < 3 {
			require.NoError(t, cb.Notify())
		}
	}
	submit(t, c, iocbs...)
	events := make([]Event, 4)
	n, err := c.Await(context.Background(), 4, events)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	require.NoError(t, c.notifier.file.SetReadDeadline(time.Now().Add(10*time.Second)))
	n, err = c.notifier.file.Read(c.notifier.count[:])
	require.NoError(t, err)
	require.Equal(t, 8, n)
	count := binary.NativeEndian.Uint64(c.notifier.count[:])
	require.EqualValues(t, 3, count, "completions are counted for those that asked")
}

func testRingAccounts(t *testing.T) {
	// Kernels that counted the room of events read in user space wrongly ran out of it, or lost events.
	c := newContext(t, 16)
	a, b := sockets(t)
	rounds := testutil.Fewer(4000, 1000)
	var wrote, read atomic.Int64
	var users sync.WaitGroup
	for range 4 {
		users.Add(1)
		go func() {
			defer users.Done()
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			for range rounds / 4 {
				cb, err := c.IOCB()
				for errors.Is(err, ErrInsufficientResources) {
					runtime.Gosched()
					cb, err = c.IOCB()
				}
				if err = errors.Join(err, cb.PrepPoll(b, unix.POLLOUT)); err == nil {
					_, err = c.Submit(cb)
				}
				if err != nil {
					t.Error(err)
					return
				}
				wrote.Add(1)
			}
		}()
	}
	events := make([]Event, 5)
	for read.Load() < int64(rounds) {
		n, err := c.Reap(events)
		require.NoError(t, err)
		read.Add(int64(n))
		if n == 0 {
			runtime.Gosched()
		}
	}
	users.Wait()
	require.Equal(t, wrote.Load(), read.Load())
	require.Zero(t, c.Stats())
	_ = a
}

func testContextsInThreads(t *testing.T) {
	needAIO(t)
	var threads sync.WaitGroup
	for range 8 {
		f := newFile(t)
		threads.Add(1)
		go func() {
			defer threads.Done()
			for range 4 {
				c, err := NewContext(2)
				if err != nil {
					t.Error(err)
					return
				}
				cb, _ := c.IOCB()
				err = cb.PrepPwrite(int(f.Fd()), []byte("data"), 0)
				if _, submitErr := c.Submit(cb); submitErr != nil || err != nil {
					t.Error(err, submitErr)
				}
				if n, err := c.GetEvents(1, make([]Event, 1), 10*time.Second); n != 1 {
					t.Error(err)
				}
				if err := c.Close(); err != nil {
					t.Error(err)
				}
			}
		}()
	}
	threads.Wait()
}

func testMovedRing(t *testing.T) {
	// The kernel follows mremap(2), for tools that freeze and thaw processes.
	c := newContext(t, 8)
	size := (unsafe.Sizeof(ringHeader{}) + uintptr(len(c.ring.events))*unsafe.Sizeof(rawEvent{}) + 4095) &^ 4095
	to, err := unix.MmapPtr(-1, 0, nil, size, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	const mayMove, fixed = 1, 2
	moved, _, errno := unix.Syscall6(unix.SYS_MREMAP, c.id, size, size, mayMove|fixed, uintptr(to), 0)
	require.Zero(t, errno)
	require.Equal(t, uintptr(to), moved)
	c.id, c.ring = moved, openRing(moved)
	require.True(t, c.ring.mapped())
	f := newFile(t)
	for i := range 20 {
		require.EqualValues(t, 1, transfer(t, c, opPwrite, int(f.Fd()), []byte("x"), int64(i)))
	}
	require.Zero(t, c.Stats().Stale)
}

func testAllOfMaxNr(t *testing.T) {
	const others = 2048 // what is left to those who use AIO at the same time
	limits, err := GetLimits()
	require.NoError(t, err)
	took := max(1, min(limits.Free()-others, requestsMax))
	c, err := NewContext(took)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	require.GreaterOrEqual(t, inUse(t), took)
	_, err = NewContext(limits.Max - took + 1)
	require.ErrorIs(t, err, ErrInsufficientEvents)
	require.NoError(t, c.Close())
	requireNoMoreInUse(t, limits.InUse)
}

func testPgetevents(t *testing.T) {
	c := newContext(t, 1)
	a, b := sockets(t)
	cb := taken(t, c)
	require.NoError(t, cb.PrepPoll(a, unix.POLLIN))
	submit(t, c, cb)
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, unix.SIGUSR1)
	defer signal.Stop(signals)
	events := make([]Event, 1)
	_, err := c.PGetEvents(1, events, 0, 0)
	require.ErrorIs(t, err, ErrOutOfRange)
	_, err = c.PGetEvents(1, events, 0, 65)
	require.ErrorIs(t, err, ErrOutOfRange)

	// The waiting thread has the signal blocked, so one that is sent to it alone stays pending until the wait ends.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	thread := unix.Gettid()
	sent := make(chan error, 1)
	go func() {
		for !signalIn(t, thread, "SigBlk:", unix.SIGUSR1) {
			runtime.Gosched()
		}
		err := unix.Tgkill(unix.Getpid(), thread, unix.SIGUSR1)
		if !signalIn(t, thread, "SigPnd:", unix.SIGUSR1) {
			err = errors.Join(err, errors.New("the signal is not pending"))
		}
		_, writeErr := unix.Write(b, []byte("x"))
		sent <- errors.Join(err, writeErr)
	}()
	n, err := c.PGetEvents(1, events, 10*time.Second, unix.SIGUSR1, unix.SIGURG)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, <-sent)
	require.Equal(t, unix.SIGUSR1, <-signals, "it arrives after the wait")
	require.False(t, signalIn(t, thread, "SigBlk:", unix.SIGUSR1))
}

// signalIn reports whether a signal is in one of the masks of a thread that its status shows.
func signalIn(t testing.TB, thread int, mask string, s unix.Signal) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/self/task/%d/status", thread))
	if err != nil {
		t.Error(err)
		return true
	}
	_, line, _ := strings.Cut(string(status), mask)
	line, _, _ = strings.Cut(line, "\n")
	bits, err := strconv.ParseUint(strings.TrimSpace(line), 16, 64)
	if err != nil {
		t.Error(err)
	}
	return bits>>(s-1)&1 == 1
}

func testPollsUnderLoad(t *testing.T) {
	q := newQueue(t, 32)
	r, w, err := os.Pipe()
	require.NoError(t, err)
	defer r.Close()
	defer w.Close()
	file := FileOf(r)
	for range 200 {
		reqs := make([]*Request, 32)
		for i := range reqs {
			reqs[i] = new(Request)
			require.NoError(t, reqs[i].PreparePoll(file, unix.POLLIN, nil))
		}
		half := make(chan error)
		go func() {
			_, err := w.Write([]byte("x"))
			half <- err
		}()
		n, err := q.Submit(reqs...)
		require.NoError(t, err)
		require.Equal(t, len(reqs), n)
		n, err = q.WaitTimeout(10*time.Second, len(reqs), make([]*Request, len(reqs)))
		require.NoError(t, err)
		require.Equal(t, len(reqs), n)
		require.NoError(t, <-half)
		_, err = r.Read(make([]byte, 1))
		require.NoError(t, err)
	}
	t.Run("a file that is closed while it is polled", func(t *testing.T) {
		a, b := sockets(t)
		var poll Request
		require.NoError(t, poll.PreparePoll(FD(a), unix.POLLIN, nil))
		_, err := q.Submit(&poll)
		require.NoError(t, err)
		require.NoError(t, unix.Close(a))
		require.NoError(t, unix.Close(b))
		n, err := q.WaitTimeout(10*time.Second, 1, make([]*Request, 1))
		require.NoError(t, err)
		require.Equal(t, 1, n)
		ready, err := poll.Result()
		require.NoError(t, err)
		require.NotZero(t, ready&unix.POLLHUP)
	})
}

func testBadAddresses(t *testing.T) {
	c := newContext(t, 1)
	events, err := alloc[rawEvent](&c.arena, 1)
	require.NoError(t, err)
	for _, ctx := range []uintptr{0, 1, c.id + 4096*1024, ^uintptr(0)} {
		require.Equal(t, unix.EINVAL, rawSubmit(ctx, 1, c.iocbs[0].raw))
		_, errno := ioGetevents(ctx, 0, 1, c.wait, 0, false)
		require.Equal(t, unix.EINVAL, errno)
		require.Equal(t, unix.EINVAL, ioCancel(ctx, c.iocbs[0].raw, &events[0]))
		require.Equal(t, unix.EINVAL, ioDestroy(ctx))
	}
	table, err := alloc[uintptr](&c.arena, 1)
	require.NoError(t, err)
	for _, cb := range []uintptr{0, ^uintptr(0) - 4095} {
		table[0] = cb
		_, errno := ioSubmit(c.id, table)
		require.Equal(t, unix.EFAULT, errno)
	}
}

func testAccessModes(t *testing.T) {
	c := newContext(t, 1)
	path := filepath.Join(directory(t), "file")
	require.NoError(t, os.WriteFile(path, []byte("text"), 0o600))
	open := func(flags int) int {
		fd, err := unix.Open(path, flags|unix.O_CLOEXEC, 0)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	b := make([]byte, 4)
	read, write, add := open(unix.O_RDONLY), open(unix.O_WRONLY), open(unix.O_RDWR|unix.O_APPEND)
	require.Equal(t, negative(unix.EBADF), transfer(t, c, opPread, write, b, 0))
	require.Equal(t, negative(unix.EBADF), transfer(t, c, opPwrite, read, b, 0))
	require.EqualValues(t, 4, transfer(t, c, opPread, read, b, 0))
	require.Equal(t, "text", string(b))
	require.EqualValues(t, 3, transfer(t, c, opPwrite, add, []byte("+++"), 0))
	content, err := os.ReadFile(path)
	require.NoError(t, err)
	require.Equal(t, "text+++", string(content), "O_APPEND wins over the offset")
}

func testMappedBuffers(t *testing.T) {
	c, f := newContext(t, 1), newFile(t)
	data := pattern(8192, 5)
	_, err := f.Write(data)
	require.NoError(t, err)
	fd := int(f.Fd())
	shared, err := unix.Mmap(fd, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	require.EqualValues(t, 4096, transfer(t, c, opPwrite, fd, shared, 4096), "from a mapping of the file itself")
	got := make([]byte, 4096)
	require.EqualValues(t, 4096, transfer(t, c, opPread, fd, got, 4096))
	require.Equal(t, data[:4096], got)
	require.EqualValues(t, 4096, transfer(t, c, opPread, fd, shared, 4096), "into it")
	require.NoError(t, unix.Mprotect(shared, unix.PROT_READ))
	require.Equal(t, negative(unix.EFAULT), transfer(t, c, opPread, fd, shared, 4096))
	require.NoError(t, unix.Mprotect(shared, unix.PROT_NONE))
	require.Equal(t, negative(unix.EFAULT), transfer(t, c, opPwrite, fd, shared, 0))
	// SAFETY: only the kernel follows the address, and it says that nothing is there.
	gone := unsafe.Slice(unsafe.SliceData(shared), len(shared))
	require.NoError(t, unix.Munmap(shared))
	require.Equal(t, negative(unix.EFAULT), transfer(t, c, opPwrite, fd, gone, 0), "memory that is unmapped")
}

func testFileSizeLimit(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	signal.Ignore(unix.SIGXFSZ)
	c, f := newContext(t, 1), newFile(t)
	const limit = 8192
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}))
	fd, b := int(f.Fd()), make([]byte, 4096)
	require.EqualValues(t, 1024, transfer(t, c, opPwrite, fd, b, limit-1024), "across the limit: short")
	require.Equal(t, negative(unix.EFBIG), transfer(t, c, opPwrite, fd, b, limit))
	require.EqualValues(t, 0, transfer(t, c, opPwrite, fd, nil, limit), "no bytes are always fine")
	require.EqualValues(t, 0, transfer(t, c, opPwrite, fd, nil, limit+1))
}

func testLargestOffset(t *testing.T) {
	c, f := newContext(t, 1), newFile(t)
	fd, b := int(f.Fd()), make([]byte, 4096)
	for _, offset := range []int64{1<<32 - 1, 1<<44 - 2048, 1 << 44, math.MaxInt64 - 4096} {
		got := transfer(t, c, opPwrite, fd, b, offset)
		require.NoError(t, f.Truncate(0))
		n, err := unix.Pwrite(fd, b, offset)
		require.NoError(t, f.Truncate(0))
		if err != nil {
			require.Equal(t, negative(err.(unix.Errno)), got, "at %d", offset)
			continue
		}
		require.EqualValues(t, n, got, "at %d", offset)
	}
	require.EqualValues(t, 0, transfer(t, c, opPread, fd, b, math.MaxInt64-4096), "beyond the end")
	require.EqualValues(t, 0, transfer(t, c, opPwrite, fd, nil, math.MaxInt64))
}

func testFullFileSystem(t *testing.T) {
	c := newContext(t, 1)
	dir := t.TempDir()
	err := unix.Mount("aio", dir, "tmpfs", 0, "size=8192")
	if err == unix.EPERM || err == unix.EACCES {
		testutil.SkipIfUnsupported(t, &UnsupportedError{Name: "mount", Missing: "a plain user", Err: err})
	}
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Unmount(dir, 0)) }()
	f, err := os.OpenFile(filepath.Join(dir, "file"), os.O_RDWR|os.O_CREATE, 0o600)
	require.NoError(t, err)
	defer f.Close()
	fd, b := int(f.Fd()), make([]byte, 8192)
	require.EqualValues(t, 4096, transfer(t, c, opPwrite, fd, b[:4096], 0))
	require.EqualValues(t, 4096, transfer(t, c, opPwrite, fd, b, 4096), "across the end: short")
	require.Equal(t, negative(unix.ENOSPC), transfer(t, c, opPwrite, fd, b, 8192))
	require.EqualValues(t, 0, transfer(t, c, opPread, fd, b, 8192))
}

func testManyWrites(t *testing.T) {
	c, f := newContext(t, 64), newFile(t)
	data := pattern(64<<16, 9)
	iocbs := make([]*IOCB, 64)
	_, err := c.IOCBs(iocbs)
	require.NoError(t, err)
	for i, cb := range iocbs {
		require.NoError(t, cb.PrepPwrite(int(f.Fd()), data[i<<16:(i+1)<<16], int64(i)<<16))
	}
	submit(t, c, iocbs...)
	for _, event := range await(t, c, 64) {
		require.EqualValues(t, 1<<16, event.Res)
	}
	content, err := os.ReadFile(f.Name())
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, content))
}

func testVectors(t *testing.T) {
	c, f := newContext(t, 1), newFile(t)
	for _, n := range []int{0, 1, vectorsInline, vectorsInline + 1, vectorsMax} {
		var bufs, got [][]byte
		var flat []byte
		for i := range n {
			b := pattern(1+i%7, i)
			bufs, got, flat = append(bufs, b), append(got, make([]byte, len(b))), append(flat, b...)
		}
		cb := taken(t, c)
		require.NoError(t, cb.PrepPwritev(int(f.Fd()), bufs, 3))
		submit(t, c, cb)
		require.EqualValues(t, len(flat), await(t, c, 1)[0].Res)
		cb = taken(t, c)
		require.NoError(t, cb.PrepPreadv(int(f.Fd()), got, 3))
		submit(t, c, cb)
		require.EqualValues(t, len(flat), await(t, c, 1)[0].Res)
		require.True(t, bytes.Equal(flat, bytes.Join(got, nil)))
	}
}

func testNowait(t *testing.T) {
	const rwfNowait, rwfUnknown = 0x8, 1 << 30
	c, f := newContext(t, 1), newFile(t)
	_, err := f.Write(pattern(4096, 1))
	require.NoError(t, err)
	cb := taken(t, c)
	require.NoError(t, cb.PrepPread(int(f.Fd()), make([]byte, 4096), 0))
	require.NoError(t, cb.SetRWFlags(rwfUnknown))
	_, err = c.Submit(cb)
	require.ErrorIs(t, err, unix.EOPNOTSUPP)
	require.NoError(t, cb.SetRWFlags(rwfNowait))
	_, err = c.Submit(cb)
	if errors.Is(err, unix.EOPNOTSUPP) {
		require.NoError(t, cb.Release())
		testutil.SkipIfUnsupported(t, &UnsupportedError{
			Name: "RWF_NOWAIT", Missing: "this file system has none", Provider: "another one", Err: err,
		})
	}
	require.NoError(t, err)
	require.EqualValues(t, 4096, await(t, c, 1)[0].Res, "the page is cached")

	r, w := sockets(t)
	require.NoError(t, unix.SetNonblock(r, false))
	cb = taken(t, c)
	require.NoError(t, cb.PrepPread(r, make([]byte, 1), 0))
	require.NoError(t, cb.SetRWFlags(rwfNowait))
	if _, err = c.Submit(cb); errors.Is(err, unix.EOPNOTSUPP) {
		require.NoError(t, cb.Release(), "sockets have it in newer kernels")
		return
	}
	require.NoError(t, err)
	require.Equal(t, negative(unix.EAGAIN), await(t, c, 1)[0].Res, "without it the call would block")
	_ = w
}
