//go:build linux

package aio

import (
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
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

func TestKernelFaults(t *testing.T) {
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
		for _, least := range []int{-1, 2, 1 << 32} {
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
	t.Run("fault 102 cancelling an armed poll succeeds by EINPROGRESS", func(t *testing.T) {
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
	})
	t.Run("fault 103 the limit is ours", func(t *testing.T) {
		c := newContext(t, 8)
		iocbs := make([]*IOCB, 20)
		n, err := c.IOCBs(iocbs)
		require.NoError(t, err)
		require.Equal(t, 8, n)
		_, err = c.IOCB()
		require.ErrorIs(t, err, ErrInsufficientResources)
		for _, cb := range iocbs[:8] {
			require.NoError(t, cb.Release())
		}
	})
	t.Run("fault 104 a context is drained, closed once, and then of no use", testClosedContext)
	t.Run("fault 106 a child of fork has no context", func(t *testing.T) {
		require.Zero(t, forkAndTry(t, newContext(t, 1)))
	})
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
		ts := unix.NsecToTimespec(int64(d))
		require.Less(t, int64(ts.Nsec), int64(1e9))
		require.GreaterOrEqual(t, int64(ts.Nsec), int64(0))
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
