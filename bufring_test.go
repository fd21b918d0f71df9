//go:build linux

package uring

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

func TestNewBufRingRefusesBadSizes(t *testing.T) { // fault 39; SPEC E31
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
func TestKernelChecksOfBufRings(t *testing.T) { // SPEC E31
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
func TestBufferGroupIDOfOtherCode(t *testing.T) { // SPEC E35
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

func TestBufRingRefusesBadBuffers(t *testing.T) { // SPEC E21
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

func TestConsumeRefusesForeignCompletions(t *testing.T) {
	r := newTestRing(t, 4)
	b, other := newTestBufRing(t, r, 4, 64), newTestBufRing(t, r, 4, 64)
	require.NoError(t, b.Add(1, 64))
	require.NoError(t, b.Add(2, 64))
	tests := []struct {
		name string
		c    CQE
		lent int
	}{
		{"never lent", completed(b, 0, 10), 2},                     // fault 44
		{"no such buffer", completed(b, 4, 10), 2},                 // fault 44
		{"of another ring", completed(other, 1, 10), 2},            // fault 51
		{"of no group", CQE{Flags: CQEBuffer | 1<<16, Res: 10}, 2}, // fault 51
		{"more bytes than there were", completed(b, 1, 129), 0},    // fault 37
		{"the largest result", completed(b, 1, math.MaxInt32), 0},  // fault 37
	}
	for _, tt := range tests {
		require.NoError(t, errors.Join(ignoreOwned(b.Add(1, 64)), ignoreOwned(b.Add(2, 64))), tt.name)
		_, err := b.Consume(tt.c, nil)
		require.ErrorIs(t, err, unix.EINVAL, tt.name)
		require.Equal(t, tt.lent, b.Lent(), tt.name)
	}
}

func ignoreOwned(err error) error {
	if errors.Is(err, ErrBufferOwned) {
		return nil
	}
	return err
}

// TestConsumeOfErrors is fault 48: a buffer that an error completion names comes back once, and only if the kernel
// took it.
func TestConsumeOfErrors(t *testing.T) {
	needs(t, CanSendSelect, "IORING_REGISTER_PBUF_STATUS")
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 4, 64)
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, b.Add(1, 60))
	require.NoError(t, b.Add(2, 50))
	b.Publish()
	none := func(c CQE, why string) {
		t.Helper()
		pieces, err := b.Consume(c, nil)
		require.NoError(t, err, why)
		require.Empty(t, pieces, why)
		require.Equal(t, 2, b.Lent(), why)
	}
	none(completed(b, 0, -int(unix.EPIPE)), "buffer 0 was never the kernel's")
	none(completed(b, 0, math.MinInt32), "buffer 0 was never the kernel's")
	none(completed(b, 1, -int(unix.EPIPE)), "buffer 1 still is in the ring")
	none(CQE{Res: -int32(unix.ENOBUFS)}, "no buffer was named")

	require.NoError(t, unix.Close(rx))
	send := transfer{op: cring.OpSend, fd: tx, group: b.Group()}
	c := finish(t, r, send.queue(t, r))[0]
	require.ErrorIs(t, c.Err(), unix.EPIPE)
	st, err := b.Status()
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	pieces, err := b.Consume(c, nil)
	require.NoError(t, err)
	if st.Head == 0 {
		require.Empty(t, pieces, "a kernel that takes what it sent only")
		return
	}
	require.Equal(t, []Piece{{Buffer: 1, Left: 60}}, pieces)
	pieces, err = b.Consume(c, nil)
	require.NoError(t, err)
	require.Empty(t, pieces, "the same completion again")
	require.Equal(t, 1, b.Lent())
}

// TestMessageLongerThanItsBuffer is what MSG_TRUNC makes of a datagram's result: fault 82.
func TestMessageLongerThanItsBuffer(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 4, 64)
	tx, rx := testutil.SocketPair(t, "udp4")
	require.NoError(t, b.AddRange(0, 4, 64))
	b.Publish()
	id := transfer{op: cring.OpRecv, fd: rx, group: b.Group(), flags: unix.MSG_TRUNC}.queue(t, r)
	_, err := unix.Write(tx, make([]byte, 1000))
	require.NoError(t, err)
	c := finish(t, r, id)[0]
	require.EqualValues(t, 1000, c.Res)
	pieces, err := b.Consume(c, nil)
	require.NoError(t, err)
	require.Equal(t, []Piece{{Buffer: 0, Len: 64}}, pieces)
}

// TestRequestsKeepTheirGroup is fault 49: while a request of the group is queued or in flight nothing is taken from
// under it.
func TestRequestsKeepTheirGroup(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 4, 64)
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, b.AddRange(0, 2, 64)) // without a second buffer some kernels end the request at once
	b.Publish()
	refused := func() {
		t.Helper()
		_, err := b.Withdraw(nil)
		require.ErrorIs(t, err, unix.EBUSY)
		require.ErrorIs(t, b.Reset(), unix.EBUSY)
		require.ErrorIs(t, b.Close(), unix.EBUSY)
	}
	id := queueRecv(t, r, rx, b, multishot)
	refused()
	require.Empty(t, settle(t, r))
	refused()
	_, err := unix.Write(tx, []byte("still here"))
	require.NoError(t, err)
	c := wait(t, r, 1)[0]
	require.True(t, c.More())
	refused()
	pieces, err := b.Consume(c, nil)
	require.NoError(t, err)
	data, err := b.Data(pieces[0])
	require.NoError(t, err)
	require.Equal(t, "still here", string(data))

	queueCancel(t, r, id)
	finish(t, r, id)
	require.NoError(t, b.Close())
	require.NoError(t, b.Close())
}

func TestClosedBufRing(t *testing.T) {
	closers := []struct {
		name  string
		close func(*Ring, *BufRing) error
	}{
		{"by its own Close", func(_ *Ring, b *BufRing) error { return b.Close() }},
		{"by the Ring's", func(r *Ring, _ *BufRing) error { return r.Close() }},
	}
	for _, tt := range closers {
		t.Run(tt.name, func(t *testing.T) {
			r := newTestRing(t, 4)
			b := newTestBufRing(t, r, 4, 64)
			group := b.Group()
			require.NoError(t, b.Add(1, 64))
			require.NoError(t, tt.close(r, b))
			for name, err := range map[string]error{
				"Add": b.Add(0, 64), "AddPiece": b.AddPiece(Piece{Len: 1}), "Recycle": b.Recycle(0), "Reset": b.Reset(),
				"AddRange": b.AddRange(0, 1, 64), "AddRange of one lent": b.AddRange(1, 1, 64),
			} {
				require.ErrorIs(t, err, ErrClosed, name)
			}
			_, err := b.Buffer(0)
			require.ErrorIs(t, err, ErrClosed)
			_, err = b.Data(Piece{})
			require.ErrorIs(t, err, ErrClosed)
			_, err = b.Status()
			require.ErrorIs(t, err, ErrClosed)
			_, err = b.Withdraw(nil)
			require.ErrorIs(t, err, ErrClosed)
			_, err = b.Consume(completed(b, 1, 64), nil)
			require.ErrorIs(t, err, ErrClosed)
			require.Zero(t, b.Publish())
			require.NoError(t, b.Close())
			require.Equal(t, group, b.Group())
		})
	}
}

func TestBufRingOfAnotherThread(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 4, 64)
	done := make(chan error)
	go func() {
		_, err := b.Withdraw(nil)
		done <- errors.Join(err, b.Close(), b.Reset())
	}()
	require.ErrorIs(t, <-done, ErrNotOwner)
	require.NoError(t, b.Close())
}

// addStream fills count buffers from first on with the bytes of the test stream from pos on, and publishes them.
func addStream(t testing.TB, b *BufRing, first, count, size, pos int) {
	t.Helper()
	for i := range count {
		p, err := b.Buffer(uint16(first + i))
		require.NoError(t, err)
		fillStream(p[:size], pos+i*size)
	}
	require.NoError(t, b.AddRange(uint16(first), count, size))
	require.Equal(t, count, b.Publish())
}

// bundleAndSettle sends what is published and settles its completions.
func bundleAndSettle(t testing.TB, r *Ring, fd int, b *BufRing) (sent int, all bool) {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepSendBundle(fd, b.Group(), 0))
	for more := true; more; {
		_, err := r.SubmitAndWaitTimeout(context.Background(), 1, hangLimit)
		require.NoError(t, err)
		for c := range r.Completions() {
			require.NoError(t, c.Err())
			sent += int(c.Res)
			all, err = b.Settle(c)
			require.NoError(t, err)
			more = c.More()
		}
	}
	return sent, all
}

// TestRunsComeBackAsAWhole sends the same and different ranges over and over, so that runs begin everywhere in the
// ring and its positions wrap, and entries are left as they are or written anew.
func TestRunsComeBackAsAWhole(t *testing.T) {
	tests := []struct {
		name          string
		entries, size int
		ranges        [][3]int // first, count, length
	}{
		{"the whole ring", 64, 64, [][3]int{{0, 64, 64}}},
		{"part of the ring", 64, 64, [][3]int{{0, 48, 64}}},
		{"in turns", 16, 100, [][3]int{{0, 16, 100}, {3, 5, 100}, {3, 5, 99}, {15, 1, 1}, {0, 16, 7}}},
		{"one buffer", 1, 10, [][3]int{{0, 1, 10}}},
		{"more than a completion covers", 1024, 32, [][3]int{{0, 1024, 32}, {1, 1000, 31}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := newTestRing(t, 4)
			needs(t, CanSendBundle)
			a, peer := testutil.SocketPair(t, "tcp4")
			b := newTestBufRing(t, r, tt.entries, tt.size)
			pos := 0
			for round := range testutil.Fewer(200, 20) {
				x := tt.ranges[round%len(tt.ranges)]
				addStream(t, b, x[0], x[1], x[2], pos)
				require.Equal(t, x[1], b.Lent())
				require.ErrorIs(t, b.AddRange(uint16(x[0]), x[1], x[2]), ErrBufferOwned)
				if round%3 == 0 { // looking at a single buffer ends the account as a whole, not its truth
					_, err := b.Buffer(uint16(x[0] + x[1] - 1))
					require.ErrorIs(t, err, ErrBufferOwned)
				}
				sent, all := bundleAndSettle(t, r, a, b)
				require.Equal(t, x[1]*x[2], sent)
				require.True(t, all)
				require.Zero(t, b.Lent())
				want := make([]byte, sent)
				fillStream(want, pos)
				require.Equal(t, want, readAll(t, peer, sent))
				pos += sent
			}
		})
	}
}

// TestRunThatEndsShort has a bundle cancelled halfway: what Settle and Withdraw say is, together, every byte once.
func TestRunThatEndsShort(t *testing.T) {
	for _, count := range []int{256, 2048} {
		r := newTestRing(t, 4)
		needs(t, CanSendBundle)
		a, peer := testutil.SocketPair(t, "tcp4")
		const size = 8192
		b := newTestBufRing(t, r, 2048, size)
		require.NoError(t, unix.SetsockoptInt(a, unix.SOL_SOCKET, unix.SO_SNDBUF, 20_000))
		addStream(t, b, 0, count, size, 0)
		s, err := r.SQE()
		require.NoError(t, err)
		require.NoError(t, s.PrepSendBundle(a, b.Group(), 0))
		id, sent, over := s.ID(), 0, false
		for !over {
			if _, err = r.SubmitAndWaitTimeout(context.Background(), 1, 20*time.Millisecond); err != nil {
				cancel, err := r.SQE()
				require.NoError(t, err)
				require.NoError(t, cancel.PrepCancel(id, 0))
			}
			for c := range r.Completions() {
				if c.ID == id {
					all, err := b.Settle(c)
					require.NoError(t, err)
					require.False(t, all)
					sent, over = sent+max(int(c.Res), 0), !c.More()
				}
			}
		}
		require.NotZero(t, sent)
		rest, err := b.Withdraw(nil)
		require.NoError(t, err)
		require.Zero(t, b.Lent())
		unsent := 0
		for i, p := range rest {
			require.EqualValues(t, count-len(rest)+i, p.Buffer)
			unsent += p.Len
		}
		partial := (size - sent%size) % size // of the buffer that left in part
		require.Equal(t, count*size, sent+partial+unsent)
		require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
		want := make([]byte, sent)
		fillStream(want, 0)
		require.Equal(t, want, readToEnd(t, peer))
	}
}

// hangLimit is generous: it ends tests whose completions never come.
const hangLimit = 30 * time.Second

// newTestBufRing returns a buffer ring that ends with the test's Ring. The test is skipped where the kernel has
// none.
func newTestBufRing(t testing.TB, r *Ring, entries, size int, opts ...BufRingOption) *BufRing {
	t.Helper()
	b, err := r.NewBufRing(entries, size, opts...)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	return b
}

// transfer is a send or receive whose memory comes from a buffer group.
type transfer struct {
	op     uint8
	fd     int
	group  uint16
	len    int
	flags  int    // MSG_
	ioprio uint16 // RecvSendBundle, RecvMultishot
	sqe    SQEFlags
}

// queue fills an SQE with the transfer.
func (x transfer) queue(t testing.TB, r *Ring) OpID {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	if x.op == cring.OpSend {
		err = s.PrepSend(x.fd, nil, x.flags)
	} else {
		err = s.PrepRecv(x.fd, nil, x.flags)
	}
	require.NoError(t, err)
	s.BufferSelect(x.group)
	require.NoError(t, s.SetIOPrio(x.ioprio))
	require.NoError(t, s.SetLen(x.len))
	require.NoError(t, s.SetFlags(x.sqe))
	return s.ID()
}

func queueBundle(t testing.TB, r *Ring, fd int, b *BufRing, flags int) OpID {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepSendBundle(fd, b.Group(), flags))
	return s.ID()
}

func queueRecv(t testing.TB, r *Ring, fd int, b *BufRing, ioprio uint16) OpID {
	t.Helper()
	return transfer{op: cring.OpRecv, fd: fd, group: b.Group(), ioprio: ioprio}.queue(t, r)
}

func queueCancel(t testing.TB, r *Ring, id OpID) {
	t.Helper()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepCancel(id, 0))
}

// wait submits and returns the completions that are there once n of them are.
func wait(t testing.TB, r *Ring, n int) []CQE {
	t.Helper()
	_, err := r.SubmitAndWaitTimeout(context.Background(), n, hangLimit)
	require.NoError(t, err)
	return reaped(t, r)
}

// reaped returns the completions that are there.
func reaped(t testing.TB, r *Ring) []CQE {
	t.Helper()
	var got []CQE
	for c := range r.Completions() {
		got = append(got, c)
	}
	return got
}

// finish submits and waits until the operation is over, and returns its completions.
func finish(t testing.TB, r *Ring, id OpID) []CQE {
	t.Helper()
	var got []CQE
	for {
		for _, c := range wait(t, r, 1) {
			if c.ID == id {
				got = append(got, c)
			}
		}
		if len(got) > 0 && !got[len(got)-1].More() {
			return got
		}
	}
}

// settle submits and lets the kernel do what can be done at once. It returns what completed.
func settle(t testing.TB, r *Ring) []CQE {
	t.Helper()
	_, err := r.SubmitAndWaitTimeout(context.Background(), 1, 20*time.Millisecond)
	if !errors.Is(err, errTimeout) {
		require.NoError(t, err)
	}
	return reaped(t, r)
}

// fill gives buffers 0 to n-1 to the kernel, each full of bytes of the test stream from position at on, and returns
// those.
func fill(t testing.TB, b *BufRing, n, at int) []byte {
	t.Helper()
	var all []byte
	for id := range uint16(n) {
		p, err := b.Buffer(id)
		require.NoError(t, err)
		fillStream(p, at+len(all))
		all = append(all, p...)
		require.NoError(t, b.Add(id, len(p)))
	}
	b.Publish()
	return all
}

// drain reads what waits in a socket, without blocking.
func drain(t testing.TB, fd int) []byte {
	t.Helper()
	var all []byte
	p := make([]byte, 1<<16)
	for {
		n, _, err := unix.Recvfrom(fd, p, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) || n == 0 && err == nil {
			return all
		}
		require.NoError(t, err)
		all = append(all, p[:n]...)
	}
}

// narrow makes the socket's send buffer as small as the kernel allows.
func narrow(t testing.TB, fd int) {
	t.Helper()
	require.NoError(t, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1))
}
