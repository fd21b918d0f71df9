//go:build linux

package uring

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

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
