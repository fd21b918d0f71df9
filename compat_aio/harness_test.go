//go:build linux

package aio

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/signal"
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

	"github.com/sockring/uring/internal/testutil"
)

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
