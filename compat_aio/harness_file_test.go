//go:build linux

package aio

import (
	"bytes"
	"errors"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

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
