//go:build linux

package uring

import (
	"errors"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

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
