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

// TestOutOfBuffers is fault 46: with no buffer left a receive ends, and goes on without loss with the first one
// returned.
func TestOutOfBuffers(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, 8)
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, b.AddRange(0, 2, 8))
	b.Publish()
	want := make([]byte, 24)
	fillStream(want, 0)
	_, err := unix.Write(tx, want)
	require.NoError(t, err)

	var got []byte
	var pieces []Piece
	armed := false
	for len(got) < len(want) {
		if !armed {
			queueRecv(t, r, rx, b, multishot)
			armed = true
		}
		for _, c := range wait(t, r, 1) {
			armed = c.More()
			if c.Res < 0 {
				require.ErrorIs(t, c.Err(), unix.ENOBUFS)
				require.Zero(t, b.Lent())
				require.NoError(t, b.Recycle(pieces[0].Buffer))
				pieces = pieces[1:]
				continue
			}
			pieces, err = b.Consume(c, pieces)
			require.NoError(t, err)
			data, err := b.Data(pieces[len(pieces)-1])
			require.NoError(t, err)
			got = append(got, data...)
		}
	}
	require.Equal(t, want, got)
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

// TestCompletionsOutOfOrder has a request hold its buffers while others go round the ring many times: what Consume
// says of each is what the receiver got.
func TestCompletionsOutOfOrder(t *testing.T) {
	for name, ioprio := range map[string]uint16{"a single send": 0, "a bundle": bundled} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 8)
			needs(t, CanSendBundle)
			b := newTestBufRing(t, r, 4, 4000)
			stuckTx, stuckRx := testutil.SocketPair(t, "unix")
			tx, rx := testutil.SocketPair(t, "unix")
			jammed := jam(t, stuckTx)

			contents := map[uint16][]byte{}
			add := func(id uint16, n int) {
				p, err := b.Buffer(id)
				require.NoError(t, err)
				fillStream(p[:n], int(id)<<16+n)
				contents[id] = append([]byte(nil), p[:n]...)
				require.NoError(t, b.Add(id, n))
				b.Publish()
			}
			consume := func(c CQE) (all []byte, first uint16) {
				pieces, err := b.Consume(c, nil)
				require.NoError(t, err)
				for _, p := range pieces {
					require.Equal(t, len(contents[p.Buffer]), p.Len)
					all = append(all, contents[p.Buffer]...)
				}
				return all, pieces[0].Buffer
			}
			add(2, 1500)
			add(0, 700)
			stuck := transfer{op: cring.OpSend, fd: stuckTx, group: b.Group(), ioprio: ioprio}.queue(t, r)
			require.Empty(t, settle(t, r))

			free := uint16(1)
			for i := range 12 {
				add(free, 1000+i)
				id := transfer{op: cring.OpSend, fd: tx, group: b.Group()}.queue(t, r)
				c := finish(t, r, id)[0]
				var want []byte
				want, free = consume(c)
				require.Equal(t, want, readAll(t, rx, int(c.Res)))
			}

			require.Len(t, readAll(t, stuckRx, jammed), jammed)
			for _, c := range finish(t, r, stuck) {
				want, _ := consume(c)
				require.Equal(t, want, readAll(t, stuckRx, int(c.Res)))
			}
		})
	}
}

// jam fills a socket until it takes nothing more, and returns the number of bytes in it.
func jam(t testing.TB, fd int) int {
	t.Helper()
	narrow(t, fd)
	for all, p := 0, make([]byte, 1000); ; {
		n, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) {
			return all
		}
		require.NoError(t, err)
		all += n
	}
}

// TestBundleReceiveSpansTheWrap is fault 53: a bundle across the end of the ring, with short and shuffled buffers.
func TestBundleReceiveSpansTheWrap(t *testing.T) {
	r := newTestRing(t, 4)
	needs(t, CanSendBundle)
	b := newTestBufRing(t, r, 4, 100)
	tx, rx := testutil.SocketPair(t, "unix")
	sent := 0
	for round, ids := range [][]uint16{{3, 1, 0}, {2, 3, 1}, {0, 2, 3}, {1, 0, 2}} {
		sizes, sum := []int{100, 7, 50}, 130
		for i, id := range ids {
			require.NoError(t, b.Add(id, sizes[i]))
		}
		b.Publish()
		want := make([]byte, sum)
		fillStream(want, sent)
		sent += sum
		_, err := unix.Write(tx, want)
		require.NoError(t, err)
		// Kernels judge by the first buffer how many they need, so there may be more than one bundle.
		var got []byte
		var pieces []Piece
		for len(got) < sum {
			before := len(pieces)
			pieces, err = b.Consume(finish(t, r, queueRecv(t, r, rx, b, bundled))[0], pieces)
			require.NoError(t, err)
			for _, p := range pieces[before:] {
				data, err := b.Data(p)
				require.NoError(t, err)
				got = append(got, data...)
			}
		}
		require.Equal(t, want, got)
		require.Equal(t, []Piece{
			{Buffer: ids[0], Len: 100}, {Buffer: ids[1], Len: 7}, {Buffer: ids[2], Len: 23, Left: 27},
		}, pieces, "round %d", round)
		require.Zero(t, b.Lent())
	}
}

// TestConsumeAfterAShortenedEntry has a bundle with a limit end without the buffer whose entry it shortened.
// Kernels that leave the entry so (liburing's test recv-bundle-buf-len.c) and those that do not are both accounted
// to the byte.
func TestConsumeAfterAShortenedEntry(t *testing.T) {
	const limit = 32
	shorten := map[string]func(*Ring, *BufRing, int){
		"by the kernel, if it does": func(r *Ring, b *BufRing, rx int) {
			id := transfer{op: cring.OpRecv, fd: rx, group: b.Group(), len: limit, ioprio: bundled}.queue(t, r)
			require.Empty(t, settle(t, r))
			queueCancel(t, r, id)
			require.ErrorIs(t, finish(t, r, id)[0].Err(), unix.ECANCELED)
			t.Logf("the entry of 100 bytes has %d now", b.group.entry(0).Len)
		},
		"by hand": func(_ *Ring, b *BufRing, _ int) { b.group.entry(0).Len = limit },
	}
	for name, f := range shorten {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 4)
			needs(t, CanSendBundle)
			b := newTestBufRing(t, r, 4, 100)
			tx, rx := testutil.SocketPair(t, "unix")
			require.NoError(t, b.AddRange(0, 4, 100))
			b.Publish()
			f(r, b, rx)

			want := make([]byte, 250)
			fillStream(want, 0)
			_, err := unix.Write(tx, want)
			require.NoError(t, err)
			var got []byte
			for len(got) < len(want) {
				pieces, err := b.Consume(finish(t, r, queueRecv(t, r, rx, b, bundled))[0], nil)
				require.NoError(t, err)
				for _, p := range pieces {
					data, err := b.Data(p)
					require.NoError(t, err)
					got = append(got, data...)
				}
			}
			require.Equal(t, want, got)
		})
	}
}

// TestReceiversAreServedInTurn is fault 54: a flood on one connection does not keep another's byte waiting.
func TestReceiversAreServedInTurn(t *testing.T) {
	r := newTestRing(t, 8, WithCQEntries(4096))
	b := newTestBufRing(t, r, 256, 1)
	require.NoError(t, b.AddRange(0, 256, 1))
	b.Publish()
	loudTx, loudRx := testutil.SocketPair(t, "unix")
	quietTx, quietRx := testutil.SocketPair(t, "unix")
	const flood = 4096
	_, err := unix.Write(loudTx, make([]byte, flood))
	require.NoError(t, err)
	_, err = unix.Write(quietTx, []byte{1})
	require.NoError(t, err)

	loud, quiet := queueRecv(t, r, loudRx, b, multishot), queueRecv(t, r, quietRx, b, multishot)
	loudBytes, waited := 0, -1
	for loudBytes < flood || waited < 0 { // some kernels serve the loud one first until it is quiet too
		for _, c := range wait(t, r, 1) {
			pieces, err := b.Consume(c, nil)
			require.NoError(t, err)
			for _, p := range pieces {
				require.NoError(t, b.Recycle(p.Buffer))
			}
			switch {
			case c.ID == quiet && c.Res == 1:
				waited = loudBytes
			case c.ID == loud && c.Res > 0:
				loudBytes += int(c.Res)
			}
			if !c.More() && c.ID == loud {
				loud = queueRecv(t, r, loudRx, b, multishot)
			}
			if !c.More() && c.ID == quiet {
				quiet = queueRecv(t, r, quietRx, b, multishot)
			}
		}
	}
	t.Logf("the quiet connection was served after %d of %d bytes of the loud one", waited, flood)
}

// TestIncrementalReceiveCancelledMidway is fault 52: bytes are accounted exactly, and the buffer comes back once.
func TestIncrementalReceiveCancelledMidway(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, 1000, WithIncremental())
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, b.AddRange(0, 2, 1000))
	b.Publish()
	id := queueRecv(t, r, rx, b, multishot)
	for _, want := range []Piece{
		{Buffer: 0, More: true, Len: 400},
		{Buffer: 0, More: true, Off: 400, Len: 500},
		{Buffer: 0, Off: 900, Len: 100},
		{Buffer: 1, More: true, Len: 50},
	} {
		p := make([]byte, want.Len)
		fillStream(p, want.Off)
		_, err := unix.Write(tx, p)
		require.NoError(t, err)
		pieces, err := b.Consume(wait(t, r, 1)[0], nil)
		require.NoError(t, err)
		require.Equal(t, []Piece{want}, pieces)
		data, err := b.Data(want)
		require.NoError(t, err, "what was received may be read while the kernel has the rest")
		require.Equal(t, p, data)
	}
	_, err := b.Data(Piece{Buffer: 1, Len: 51})
	require.ErrorIs(t, err, ErrBufferOwned)
	require.Equal(t, 1, b.Lent())

	queueCancel(t, r, id)
	last := finish(t, r, id)
	require.ErrorIs(t, last[0].Err(), unix.ECANCELED)
	pieces, err := b.Consume(last[0], nil)
	require.NoError(t, err)
	require.Empty(t, pieces)
	pieces, err = b.Withdraw(nil)
	require.NoError(t, err)
	require.Equal(t, []Piece{{Buffer: 1, Off: 50, Len: 950}}, pieces)
	require.Zero(t, b.Lent())
	require.NoError(t, b.AddPiece(pieces[0]))
}

// TestInvalidAddressInARing is fault 42, which needs a hand in the ring: the library adds its own memory only.
func TestInvalidAddressInARing(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, 64)
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, b.Add(0, 64))
	b.group.entry(0).Addr = 8
	b.Publish()
	_, err := unix.Write(tx, []byte("x"))
	require.NoError(t, err)
	c := finish(t, r, queueRecv(t, r, rx, b, 0))[0]
	require.ErrorIs(t, c.Err(), unix.EFAULT)
	_, err = b.Consume(c, nil)
	require.NoError(t, err)
	require.NoError(t, b.Reset())
	require.Zero(t, b.Lent())
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
