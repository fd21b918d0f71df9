//go:build linux

package faulttest

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	aio "github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/internal/testutil"
)

// fileOps reads and writes a file, in one of the ways that the library has.
type fileOps struct {
	name        string
	read, write func(f *os.File, b []byte, off int64) (int, error)
	sync        func(f *os.File) error
	close       func()
}

// everyWay are the ways that work here. The goroutine that asks for them uses and closes them.
func everyWay(t *testing.T) []fileOps {
	t.Helper()
	var ways []fileOps
	if r, err := uring.New(4); err == nil {
		do := func(prep func(s *uring.SQE) error) (int, error) {
			s, err := r.SQE()
			require.NoError(t, err)
			require.NoError(t, prep(s))
			_, err = r.SubmitAndWaitTimeout(context.Background(), 1, late)
			require.NoError(t, err)
			cqes := make([]uring.CQE, 2)
			n, err := r.Reap(cqes)
			require.NoError(t, err)
			require.Equal(t, 1, n)
			return int(max(cqes[0].Res, 0)), cqes[0].Err()
		}
		ways = append(ways, fileOps{
			name: "ring",
			read: func(f *os.File, b []byte, off int64) (int, error) {
				return do(func(s *uring.SQE) error { return s.PrepRead(int(f.Fd()), b, off) })
			},
			write: func(f *os.File, b []byte, off int64) (int, error) {
				return do(func(s *uring.SQE) error { return s.PrepWrite(int(f.Fd()), b, off) })
			},
			sync: func(f *os.File) error {
				_, err := do(func(s *uring.SQE) error { return s.PrepFsync(int(f.Fd()), 0) })
				return err
			},
			close: func() { require.NoError(t, r.Close()) },
		})
	}
	if q, err := aio.NewQueue(4); err == nil {
		do := func(prep func(r *aio.Request) error) (int, error) {
			var r aio.Request
			require.NoError(t, prep(&r))
			_, err := q.Submit(&r)
			require.NoError(t, err)
			n, err := q.WaitTimeout(late, 1, make([]*aio.Request, 2))
			require.NoError(t, err)
			require.Equal(t, 1, n)
			return r.Result()
		}
		ways = append(ways, fileOps{
			name: "aio",
			read: func(f *os.File, b []byte, off int64) (int, error) {
				return do(func(r *aio.Request) error { return r.PrepareRead(aio.FileOf(f), off, b, nil) })
			},
			write: func(f *os.File, b []byte, off int64) (int, error) {
				return do(func(r *aio.Request) error { return r.PrepareWrite(aio.FileOf(f), off, b, nil) })
			},
			sync: func(f *os.File) error {
				_, err := do(func(r *aio.Request) error { return r.PrepareFsync(aio.FileOf(f), nil) })
				return err
			},
			close: func() { require.NoError(t, q.Close()) },
		})
	}
	require.NotEmpty(t, ways)
	return ways
}

// fillDisk writes more than there is room for in dir, and requires that ENOSPC says so and that what was written is
// there.
func fillDisk(t *testing.T, dir string, room int) {
	t.Helper()
	for _, way := range everyWay(t) {
		f, err := os.Create(filepath.Join(dir, way.name))
		require.NoError(t, err)
		data := noise(len(way.name), 2*room)
		n := 0
		for err == nil {
			var k int
			k, err = way.write(f, data[n:], int64(n))
			n += k
			require.LessOrEqual(t, n, room, "there is no room for that")
			require.True(t, k > 0 || err != nil, "nothing was written, and nothing says so")
		}
		require.ErrorIs(t, err, unix.ENOSPC, way.name)
		require.Positive(t, n)
		got := make([]byte, 2*room)
		k, err := way.read(f, got, 0)
		require.NoError(t, err)
		require.Equal(t, n, k, "a short read at the file's end")
		require.True(t, bytes.Equal(data[:n], got[:k]))
		k, err = way.read(f, got, int64(n))
		require.NoError(t, err)
		require.Zero(t, k, "behind the end")
		require.NoError(t, f.Close())
		require.NoError(t, os.Remove(f.Name()), "for the next one")
		way.close()
	}
}

// roomOnDisk is how large the disks are that become full.
const roomOnDisk = 256 << 10

func TestFullDisk(t *testing.T) { // fault 95
	if !testutil.InChild() {
		child := testutil.ReExecUnshared(t, t.Name(), unix.CLONE_NEWNS)
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	require.NoError(t, unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""))
	dir := t.TempDir()
	require.NoError(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"))
	defer func() { require.NoError(t, unix.Unmount(dir, unix.MNT_DETACH)) }()
	fillDisk(t, dir, roomOnDisk)
}

// The following does what dmsetup(8) does: it makes a disk of which every sector fails.

// mapperRequest is struct dm_ioctl with a struct dm_target_spec behind it, of linux/dm-ioctl.h.
type mapperRequest struct {
	version                                                    [3]uint32
	dataSize, dataStart, targets, opened, flags, event, unused uint32
	dev                                                        uint64
	name                                                       [128]byte
	uuid                                                       [129]byte
	padding                                                    [7]byte

	start, length uint64
	status        int32
	next          uint32
	kind          [16]byte
	parameters    [8]byte
}

const (
	mapperCreate  = 0xc138fd03 // DM_DEV_CREATE
	mapperRemove  = 0xc138fd04 // DM_DEV_REMOVE
	mapperSuspend = 0xc138fd06 // DM_DEV_SUSPEND, which resumes without flags
	mapperLoad    = 0xc138fd09 // DM_TABLE_LOAD
	mapperHeader  = 312
)

func mapper(t testing.TB, control *os.File, call uintptr) error {
	t.Helper()
	r := mapperRequest{
		version: [3]uint32{4, 0, 0}, dataSize: uint32(unsafe.Sizeof(mapperRequest{})), dataStart: mapperHeader,
	}
	copy(r.name[:], "faulttest")
	if call == mapperLoad {
		r.targets, r.length = 1, 2048
		copy(r.kind[:], "error")
	}
	// SAFETY: the address is used during the call only.
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, control.Fd(), call, uintptr(unsafe.Pointer(&r)))
	if errno != 0 {
		return errno
	}
	return nil
}

func TestFailingDisk(t *testing.T) { // fault 95
	testutil.NeedsOwnMachine(t)
	require.EqualValues(t, mapperHeader, unsafe.Offsetof(mapperRequest{}.start))
	control, err := os.OpenFile("/dev/mapper/control", os.O_RDWR, 0)
	if err != nil {
		testutil.Skip(t, testutil.NeedsModule, "dm_mod: %v", err)
	}
	defer control.Close()
	require.NoError(t, mapper(t, control, mapperCreate))
	defer func() { require.NoError(t, mapper(t, control, mapperRemove)) }()
	require.NoError(t, mapper(t, control, mapperLoad))
	require.NoError(t, mapper(t, control, mapperSuspend))
	disks, err := filepath.Glob("/dev/dm-*")
	require.NoError(t, err)
	require.Len(t, disks, 1)
	for _, direct := range []int{0, unix.O_DIRECT} {
		f, err := os.OpenFile(disks[0], os.O_RDWR|direct, 0)
		require.NoError(t, err)
		defer f.Close()
		block, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
		require.NoError(t, err)
		defer unix.Munmap(block)
		for _, way := range everyWay(t) {
			_, err = way.read(f, block, 0)
			require.ErrorIs(t, err, unix.EIO, way.name)
			if direct != 0 {
				_, err = way.write(f, block, 4096)
				require.ErrorIs(t, err, unix.EIO, way.name)
			} else { // which the page cache takes
				_, err = way.write(f, block, 4096)
				require.NoError(t, err, way.name)
				require.ErrorIs(t, way.sync(f), unix.EIO, way.name)
				require.NoError(t, way.sync(f), "it is told once")
			}
			way.close()
		}
	}
}
