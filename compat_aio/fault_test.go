//go:build linux

package aio

import (
	"math"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// The subtests whose names begin with "fault" hold the faults that docs/aio.md lists. Some show what the kernel does
// with what this package never asks of it.

// rawSubmit is io_submit(2) of one IOCB.
// SAFETY: here and below, all addresses that the kernel is given are of mapped memory or used during the call only.
func rawSubmit(ctx uintptr, n int, cb *rawIOCB) unix.Errno {
	table := []uintptr{uintptr(unsafe.Pointer(cb))}
	_, _, err := unix.Syscall(unix.SYS_IO_SUBMIT, ctx, uintptr(n), uintptr(unsafe.Pointer(&table[0])))
	return err
}

func TestKernelFaults(t *testing.T) { // faults 97, 98, 99, 100, 101, 102, 103, 104 and 106
	t.Run("fault 97 io_setup", func(t *testing.T) {
		needAIO(t)
		for _, n := range []int{0, -1, 1 << 30} {
			_, err := ioSetup(n)
			require.Equal(t, unix.EINVAL, err)
			_, refused := NewContext(n)
			require.ErrorIs(t, refused, ErrOutOfRange)
		}
		used := uintptr(1)
		_, _, err := unix.Syscall(unix.SYS_IO_SETUP, 1, uintptr(unsafe.Pointer(&used)), 0)
		require.Equal(t, unix.EINVAL, err)
		_, _, err = unix.Syscall(unix.SYS_IO_SETUP, 1, 0, 0)
		require.Equal(t, unix.EFAULT, err)
	})
	t.Run("fault 98 io_submit", func(t *testing.T) {
		c := newContext(t, 1)
		raws, err := alloc[rawIOCB](&c.arena, 1)
		require.NoError(t, err)
		bad := func(change func(cb *rawIOCB)) unix.Errno {
			raws[0] = rawIOCB{opcode: opPoll, fd: uint32(c.notifier.fd), buf: unix.POLLOUT}
			change(&raws[0])
			return rawSubmit(c.id, 1, &raws[0])
		}
		require.Equal(t, unix.EBADF, bad(func(cb *rawIOCB) { cb.fd = 99999 }))
		require.Equal(t, unix.EINVAL, bad(func(cb *rawIOCB) { cb.opcode = 77 }))
		require.Equal(t, unix.EINVAL, bad(func(cb *rawIOCB) { cb.reserved = 1 }))
		require.Equal(t, unix.EINVAL, rawSubmit(c.id+1<<30, 1, &raws[0]))
		require.Equal(t, unix.EFAULT, rawSubmit(c.id, 1, nil))
		_, _, errno := unix.Syscall(unix.SYS_IO_SUBMIT, c.id, 1, 0)
		require.Equal(t, unix.EFAULT, errno)
	})
	t.Run("fault 99 counts are never negative", func(t *testing.T) {
		c := newContext(t, 1)
		require.Equal(t, unix.EINVAL, rawSubmit(c.id, -1, nil), "as a long")
		n, err := c.Submit()
		require.NoError(t, err)
		require.Zero(t, n)
		for _, least := range []int{-1, 2, math.MaxInt} {
			_, err = c.GetEvents(least, make([]Event, 1), 0)
			require.ErrorIs(t, err, ErrOutOfRange)
		}
	})
	t.Run("fault 100 a poll has 16 bits of events and no length", func(t *testing.T) {
		c := newContext(t, 1)
		raws, err := alloc[rawIOCB](&c.arena, 1)
		require.NoError(t, err)
		raws[0] = rawIOCB{opcode: opPoll, fd: uint32(c.notifier.fd), buf: 1 << 16}
		require.Equal(t, unix.EINVAL, rawSubmit(c.id, 1, &raws[0]))
		raws[0].buf, raws[0].nbytes = unix.POLLOUT, 1
		require.Equal(t, unix.EINVAL, rawSubmit(c.id, 1, &raws[0]))
	})
	t.Run("fault 101 io_getevents", testGetEventsFaults)
	t.Run("fault 102 cancelling an armed poll succeeds by EINPROGRESS", testCancelledPolls)
	t.Run("fault 103 the limit is ours", testLimit)
	t.Run("fault 104 a context is drained, closed once, and then of no use", testClosedContext)
	t.Run("fault 106 a child of fork has no context", func(t *testing.T) {
		require.Zero(t, forkAndTry(t, newContext(t, 1)))
	})
}

func testCancelledPolls(t *testing.T) {
	c := newContext(t, 1)
	a, _ := sockets(t)
	cb := taken(t, c)
	require.NoError(t, cb.PrepPoll(a, unix.POLLIN))
	id := cb.ID()
	submit(t, c, cb)
	require.Equal(t, unix.EINPROGRESS, ioCancel(c.id, cb.raw, c.scratch))
	require.Equal(t, unix.EINVAL, ioCancel(c.id, cb.raw, c.scratch))
	events := await(t, c, 1)
	require.Equal(t, id, events[0].ID)
	require.Zero(t, events[0].Res)
	require.ErrorIs(t, c.Cancel(id), ErrCompleted)

	cb = taken(t, c)
	require.NoError(t, cb.PrepPoll(a, unix.POLLIN))
	id = cb.ID()
	submit(t, c, cb)
	require.NoError(t, c.Cancel(id))
	require.NoError(t, c.Cancel(id), "once is enough")
	event := await(t, c, 1)[0]
	_, err := event.Result()
	require.ErrorIs(t, err, ErrCanceled)
	require.ErrorIs(t, c.Cancel(id), ErrCompleted)
	require.Zero(t, c.Stats())
}

func testLimit(t *testing.T) {
	c := newContext(t, 8)
	iocbs := make([]*IOCB, 20)
	n, err := c.IOCBs(iocbs)
	require.NoError(t, err)
	require.Equal(t, 8, n)
	_, err = c.IOCB()
	require.ErrorIs(t, err, ErrInsufficientResources)
	a, _ := sockets(t)
	for _, cb := range iocbs[:8] {
		require.NoError(t, cb.PrepPoll(a, unix.POLLIN))
	}
	ids := make([]ID, 8)
	for i, cb := range iocbs[:8] {
		ids[i] = cb.ID()
	}
	submit(t, c, iocbs[:8]...)
	_, err = c.IOCB()
	require.ErrorIs(t, err, ErrInsufficientResources, "the kernel would take more")
	require.NoError(t, c.Cancel(ids[3]))
	await(t, c, 1)
	require.NoError(t, taken(t, c).Release(), "with its event a request makes room")
	for i, id := range ids {
		if i != 3 {
			require.NoError(t, c.Cancel(id))
		}
	}
	await(t, c, 7)
}

// TestContextThatCannotBeMade has set-ups refused: for their size before the kernel is asked, and by the kernel for
// everything that a Context consists of, of which nothing is left then.
func TestContextThatCannotBeMade(t *testing.T) { // fault 97
	needAIO(t)
	for name, call := range map[string]struct {
		number uintptr
		errno  unix.Errno
		want   error
	}{
		"io_setup": {unix.SYS_IO_SETUP, unix.ENOMEM, ErrNoMemory},
		"eventfd2": {unix.SYS_EVENTFD2, unix.EMFILE, unix.EMFILE},
	} {
		t.Run(name, func(t *testing.T) {
			if !testutil.InChild() {
				child := testutil.ReExec(t, t.Name())
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			testutil.RefuseSyscalls(t, call.errno, call.number)
			for _, n := range []int{0, -1, math.MinInt32, requestsMax + 1, 1 << 30} {
				_, err := NewContext(n)
				require.ErrorIs(t, err, ErrOutOfRange, n)
				require.ErrorContains(t, err, "not 1 to 1048576", n)
				require.NotErrorIs(t, err, call.errno, "the kernel was asked")
			}
			contexts, files, held := countContexts(t), countFiles(t), len(openContexts.held)
			for _, n := range []int{1, 1000} {
				_, err := NewContext(n)
				require.ErrorIs(t, err, call.want)
				_, err = NewQueue(n)
				require.ErrorIs(t, err, call.want)
			}
			require.Equal(t, contexts, countContexts(t), "a context is left")
			require.Equal(t, files, countFiles(t))
			require.Equal(t, held, len(openContexts.held))
		})
	}
}

func testClosedContext(t *testing.T) {
	needAIO(t)
	c, err := NewContext(1)
	require.NoError(t, err)
	a, _ := sockets(t)
	cb := taken(t, c)
	require.NoError(t, cb.PrepPoll(a, unix.POLLIN))
	id := cb.ID()
	submit(t, c, cb)
	require.ErrorIs(t, c.Close(), ErrBusy)
	require.NoError(t, c.Cancel(id))
	await(t, c, 1)
	require.NoError(t, c.Close())
	require.NoError(t, c.Close())
	require.Equal(t, unix.EINVAL, ioDestroy(c.id))
	_, err = c.IOCB()
	require.ErrorIs(t, err, ErrClosed)
	_, err = c.IOCBs(make([]*IOCB, 1))
	require.ErrorIs(t, err, ErrClosed)
	_, err = c.Submit()
	require.ErrorIs(t, err, ErrClosed)
	_, err = c.Reap(make([]Event, 1))
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, c.Cancel(id), ErrClosed)
}

func testGetEventsFaults(t *testing.T) {
	c := newContext(t, 2)
	events, err := alloc[rawEvent](&c.arena, 2)
	require.NoError(t, err)
	get := func(least, n int, events *rawEvent, ts *unix.Timespec) (int, unix.Errno) {
		k, _, err := unix.Syscall6(unix.SYS_IO_GETEVENTS, c.id, uintptr(least), uintptr(n),
			uintptr(unsafe.Pointer(events)), uintptr(unsafe.Pointer(ts)), 0)
		return int(k), err
	}
	_, errno := get(2, 1, &events[0], &unix.Timespec{})
	require.Equal(t, unix.EINVAL, errno)
	n, errno := get(0, 1, &events[0], &unix.Timespec{Nsec: 2e9})
	require.Zero(t, errno, "a tv_nsec of two seconds is accepted, and so ours never has one")
	require.Zero(t, n)
	for _, d := range []time.Duration{0, time.Nanosecond, 999_999_999, time.Second, 1<<63 - 1} {
		ts := kernelTimeOf(d)
		require.Less(t, ts.nsec, int64(1e9))
		require.GreaterOrEqual(t, ts.nsec, int64(0))
		require.Equal(t, d, time.Duration(ts.sec)*time.Second+time.Duration(ts.nsec))
	}
	a, _ := sockets(t)
	cb := taken(t, c)
	require.NoError(t, cb.PrepPoll(a, unix.POLLOUT))
	submit(t, c, cb)
	_, errno = get(1, 1, nil, nil)
	require.Equal(t, unix.EFAULT, errno, "and the event stays")
	await(t, c, 1)
}

// What forkAndTry's child found wrong.
const (
	childSubmits = 1 << iota
	childReads
	childCancels
	childSeesRing
)

// forkAndTry forks and has the child, which makes system calls and nothing else, use the context of its parent. It
// returns what worked that should not.
func forkAndTry(t testing.TB, c *Context) int {
	t.Helper()
	table, err := alloc[uintptr](&c.arena, 1)
	require.NoError(t, err)
	table[0] = c.iocbs[0].address()
	addr := uintptr(unsafe.Pointer(&table[0]))
	events := uintptr(unsafe.Pointer(&c.wait.events))
	pid := fork(c.id, table[0], addr, events)
	require.Positive(t, pid)
	var status unix.WaitStatus
	require.NoError(t, retry(func() error { _, err := unix.Wait4(pid, &status, 0, nil); return err }))
	require.True(t, status.Exited(), "%v", status)
	return status.ExitStatus()
}

// fork returns the child's process ID. The child does not return: it leaves with a status of what worked. It must not
// allocate, grow its stack or be preempted, for the runtime's other threads are not there.
//
//go:norace
//go:nosplit
func fork(ctx, cb, table, events uintptr) int {
	pid, _, err := syscall.RawSyscall6(unix.SYS_CLONE, uintptr(unix.SIGCHLD), 0, 0, 0, 0, 0)
	if err != 0 {
		return -1
	}
	if pid != 0 {
		return int(pid)
	}
	worked := uintptr(0)
	if _, _, err := syscall.RawSyscall(unix.SYS_IO_SUBMIT, ctx, 1, table); err == 0 {
		worked |= childSubmits
	}
	if _, _, err := syscall.RawSyscall6(unix.SYS_IO_GETEVENTS, ctx, 0, 1, events, 0, 0); err == 0 {
		worked |= childReads
	}
	if _, _, err := syscall.RawSyscall(unix.SYS_IO_CANCEL, ctx, cb, events); err != unix.EINVAL {
		worked |= childCancels
	}
	if _, _, err := syscall.RawSyscall(unix.SYS_MADVISE, ctx, 1, unix.MADV_NORMAL); err == 0 {
		worked |= childSeesRing
	}
	for {
		syscall.RawSyscall(unix.SYS_EXIT_GROUP, worked, 0, 0)
	}
}

// TestAbandonedContextLeavesNothing holds that a Context whose requests nobody can reap any more goes away all the
// same: one that still waits, one whose event was not read, and one that was not submitted.
func TestAbandonedContextLeavesNothing(t *testing.T) {
	c, err := NewContext(3)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	require.NoError(t, err)
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])

	var iocbs [3]*IOCB
	n, err := c.IOCBs(iocbs[:])
	require.NoError(t, err)
	require.Equal(t, 3, n)
	require.NoError(t, iocbs[0].PrepPoll(fds[0], unix.POLLIN))
	require.NoError(t, iocbs[1].PrepPwrite(fds[0], make([]byte, 8), 0))
	require.NoError(t, iocbs[2].PrepPwrite(fds[0], make([]byte, 8), 0))
	n, err = c.Submit(iocbs[0], iocbs[1])
	require.NoError(t, err)
	require.Equal(t, 2, n)

	require.ErrorIs(t, c.Close(), ErrBusy)
	require.NoError(t, c.abandon())
	require.Zero(t, c.Stats().InFlight)
	_, err = c.IOCB()
	require.ErrorIs(t, err, ErrClosed)
	for _, cb := range iocbs { // A pin that was left would be found when the IOCB is collected.
		require.Equal(t, iocbFree, cb.state)
	}
}
