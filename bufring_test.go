//go:build linux

package uring

import (
	"errors"
	"math"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

func TestNewBufRingRefusesBadSizes(t *testing.T) { // fault 39
	r := newTestRing(t, 4)
	tests := []struct {
		name          string
		entries, size int
	}{
		{"no entries", 0, 64},
		{"negative entries", -1, 64},
		{"three entries", 3, 64},
		{"too many entries", 65536, 64},
		{"no bytes", 4, 0},
		{"negative bytes", 4, -1},
		{"too many bytes", 4, math.MaxInt32},
	}
	for _, tt := range tests {
		_, err := r.NewBufRing(tt.entries, tt.size)
		require.ErrorIs(t, err, unix.EINVAL, tt.name)
		require.NotErrorIs(t, err, ErrUnsupported, tt.name)
	}
}

func TestNewBufRingOfEverySize(t *testing.T) {
	r := newTestRing(t, 4)
	for _, entries := range []int{1, 2, 4, 256, 32768} {
		b := newTestBufRing(t, r, entries, 3)
		require.Equal(t, entries, b.Entries())
		require.Equal(t, 3, b.Size())
		require.NoError(t, b.AddRange(0, entries, 3))
		require.Equal(t, entries, b.Publish())
		st, err := b.Status()
		testutil.SkipIfUnsupported(t, err)
		require.NoError(t, err)
		require.Equal(t, BufRingStatus{Tail: uint16(entries), Available: entries, Lent: entries}, st)
		require.NoError(t, b.Close())
	}
}

// TestKernelChecksOfBufRings is what the kernel itself refuses, and what it lets pass. Faults 39, 40.
func TestKernelChecksOfBufRings(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 4, 64, WithGroup(7))
	mem, err := mapMemory(4096)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Munmap(mem)) }()
	at := uint64(uintptr(unsafe.Pointer(&mem[0]))) // SAFETY: a number for the kernel; mem stays mapped.
	const register, unregister = cring.RegisterPbufRing, cring.UnregisterPbufRing
	tests := []struct {
		name string
		op   uint32
		reg  cring.BufReg
		want unix.Errno
	}{
		{"no entries", register, cring.BufReg{RingAddr: at, Bgid: 1}, unix.EINVAL},
		{"three entries", register, cring.BufReg{RingAddr: at, RingEntries: 3, Bgid: 1}, unix.EINVAL},
		{"65536 entries", register, cring.BufReg{RingAddr: at, RingEntries: 65536, Bgid: 1}, unix.EINVAL},
		{"unaligned", register, cring.BufReg{RingAddr: at + 16, RingEntries: 4, Bgid: 1}, unix.EINVAL},
		{"null", register, cring.BufReg{RingEntries: 4, Bgid: 1}, unix.EFAULT},
		{"unmapped", register, cring.BufReg{RingAddr: 1 << 20, RingEntries: 4, Bgid: 1}, unix.EFAULT},
		{"group taken", register, cring.BufReg{RingAddr: at, RingEntries: 4, Bgid: 7}, unix.EEXIST},
		{"unknown flags", register, cring.BufReg{RingAddr: at, RingEntries: 4, Bgid: 1, Flags: 1 << 15}, unix.EINVAL},
		{"unregister unknown", unregister, cring.BufReg{Bgid: 1000}, unix.ENOENT}, // 6.1 has EINVAL for small ids
	}
	for _, tt := range tests {
		ret := r.c.Register(tt.op, unsafe.Pointer(&tt.reg), 1) // SAFETY: read during the call only.
		require.Equal(t, tt.want, unix.Errno(-ret), tt.name)
	}
	require.NoError(t, b.Close())
}

func TestBufferGroupIDs(t *testing.T) { // fault 40
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 1, 64)
	_, err := r.NewBufRing(1, 64, WithGroup(b.Group()))
	require.ErrorIs(t, err, unix.EEXIST)

	top := newTestBufRing(t, r, 1, 64, WithGroup(65535))
	require.EqualValues(t, 65535, top.Group())
	r.groups.next = top.Group() - groupIDFirst
	require.Zero(t, newTestBufRing(t, r, 1, 64).Group(), "taken ids are stepped over")

	require.NoError(t, b.Close())
	require.NoError(t, newTestBufRing(t, r, 1, 64, WithGroup(b.Group())).Close(), "a closed group's id is free")
}

// TestBufferGroupIDOfOtherCode has a group that this side of an adopted ring does not know of.
func TestBufferGroupIDOfOtherCode(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 1, 64)
	r.groups.remove(b.group)
	r.groups.next = b.Group() - groupIDFirst
	other := newTestBufRing(t, r, 1, 64)
	require.NotEqual(t, b.Group(), other.Group())
	_, err := r.NewBufRing(1, 64, WithGroup(b.Group()))
	require.ErrorIs(t, err, unix.EEXIST)
	r.groups.add(b.group)
}

// TestBufRingWhereRegistrationIsRefused is fault 3.
func TestBufRingWhereRegistrationIsRefused(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	r := newTestRing(t, 4, WithPlainFd())
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_REGISTER)
	_, err := r.NewBufRing(4, 64)
	require.ErrorIs(t, err, ErrUnsupported)
	require.ErrorIs(t, err, unix.EPERM)
}

func TestBufRingRefusesBadBuffers(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 4, 64)
	require.NoError(t, b.Add(2, 64))
	tests := []struct {
		name string
		p    Piece
		want error
	}{
		{"no bytes", Piece{Buffer: 0}, unix.EINVAL}, // fault 41
		{"negative length", Piece{Buffer: 0, Len: -1}, unix.EINVAL},
		{"more than the buffer", Piece{Buffer: 0, Len: 65}, unix.EINVAL},
		{"beyond its end", Piece{Buffer: 0, Off: 1, Len: 64}, unix.EINVAL},
		{"before its begin", Piece{Buffer: 0, Off: -1, Len: 2}, unix.EINVAL},
		{"overflow", Piece{Buffer: 0, Off: math.MaxInt, Len: 2}, unix.EINVAL},
		{"overflow of both", Piece{Buffer: 0, Off: math.MaxInt, Len: math.MaxInt}, unix.EINVAL},
		{"no such buffer", Piece{Buffer: 4, Len: 1}, unix.EINVAL}, // fault 44
		{"the last id", Piece{Buffer: math.MaxUint16, Len: 1}, unix.EINVAL},
		{"added twice", Piece{Buffer: 2, Len: 1}, ErrBufferOwned}, // fault 43
	}
	for _, tt := range tests {
		require.ErrorIs(t, b.AddPiece(tt.p), tt.want, tt.name)
		if tt.p.Off == 0 {
			require.ErrorIs(t, b.Add(tt.p.Buffer, tt.p.Len), tt.want, tt.name)
			require.ErrorIs(t, b.AddRange(tt.p.Buffer, 1, tt.p.Len), tt.want, tt.name)
		}
		require.Equal(t, 1, b.Lent(), tt.name)
	}
	require.ErrorIs(t, b.AddRange(0, 4, 64), ErrBufferOwned)
	require.ErrorIs(t, b.AddRange(3, 2, 64), unix.EINVAL)
	require.ErrorIs(t, b.AddRange(3, math.MaxInt, 64), unix.EINVAL)
	require.ErrorIs(t, b.AddRange(3, -1, 64), unix.EINVAL)
	require.ErrorIs(t, b.Recycle(2), ErrBufferOwned)
	_, err := b.Buffer(2)
	require.ErrorIs(t, err, ErrBufferOwned)
	_, err = b.Data(Piece{Buffer: 2, Len: 1})
	require.ErrorIs(t, err, ErrBufferOwned)
	_, err = b.Data(Piece{Buffer: 1, Off: 64, Len: 1})
	require.ErrorIs(t, err, unix.EINVAL)
	require.Equal(t, 1, b.Lent())
	require.Equal(t, 1, b.Publish())
	require.Zero(t, b.Publish(), "the tail moves no further than what was added") // fault 47
}

func TestBufRingDoesNotAllocate(t *testing.T) {
	if cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsNoChecker, "under the address sanitizer arguments of C functions are allocated")
	}
	needs(t, "IORING_REGISTER_PBUF_STATUS")
	const entries = 64
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, entries, 64)
	pieces := make([]Piece, 0, entries)
	all := completed(b, 0, entries*64)
	var failed error
	note := func(err error) { failed = errors.Join(failed, err) }
	tests := []struct {
		name string
		f    func()
	}{
		{"Add, Publish and Consume", func() {
			for id := range uint16(entries) {
				note(b.Add(id, 64))
			}
			b.Publish()
			var err error
			pieces, err = b.Consume(all, pieces[:0])
			note(err)
		}},
		{"AddRange, Data and Withdraw", func() {
			note(b.AddRange(0, entries, 64))
			var err error
			pieces, err = b.Withdraw(pieces[:0])
			note(err)
			for _, p := range pieces {
				_, err := b.Data(p)
				note(err)
			}
		}},
		{"Recycle and Reset", func() {
			for id := range uint16(entries) {
				note(b.Recycle(id))
			}
			note(b.Reset())
		}},
		{"refusals of owned buffers", func() {
			note(b.Add(0, 64))
			note(ignoreOwned(b.Add(0, 64)))
			note(b.Reset())
		}},
	}
	for _, tt := range tests {
		require.Zero(t, testing.AllocsPerRun(100, tt.f), tt.name)
		require.NoError(t, failed, tt.name)
	}
}
