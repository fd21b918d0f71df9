//go:build linux

package aio

import (
	"context"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// TestBlockingSocketsDoNotBlock (SPEC C25; FAULTS 105): they are told not to, where the kernel can be told, and refused
// elsewhere.
func TestBlockingSocketsDoNotBlock(t *testing.T) {
	bothMovers(t, 4, func(t *testing.T, b *Batcher) {
		testutil.Timeout(t, time.Minute)
		if b.refuseBlocking {
			testutil.SkipIfUnsupported(t, &UnsupportedError{Name: "RWF_NOWAIT on sockets", SinceMajor: 6, SinceMinor: 5})
		}
		near, _ := testutil.SocketPair(t, "tcp4")
		s := socketOf(t, b, near)
		out, err := b.TryRecv([]Op{{Socket: s, Bufs: [][]byte{make([]byte, 10)}}}, nil)
		require.NoError(t, err)
		require.Equal(t, []Result{{Err: ErrWouldBlock}}, out)
		require.NotZero(t, fillUp(t, b, s))
	})
	b := newBatcher(t, 4)
	b.refuseBlocking = true // as before 6.5
	near, far := testutil.SocketPair(t, "unix")
	_, err := b.Socket(near)
	require.ErrorIs(t, err, ErrInvalid)
	require.NoError(t, unix.SetNonblock(far, true))
	socketOf(t, b, far)
}

// TestSendOutlastsAnyNumberOfFullSockets (SPEC C32): a socket that is full again and again is waited for.
func TestSendOutlastsAnyNumberOfFullSockets(t *testing.T) {
	bothMovers(t, 4, func(t *testing.T, b *Batcher) {
		testutil.Timeout(t, time.Minute)
		s, peer := pairOf(t, b, "unix")
		require.NoError(t, unix.SetsockoptInt(s.FD(), unix.SOL_SOCKET, unix.SO_SNDBUF, 1))
		want := pattern(1<<20, 3)
		got := make(chan []byte)
		go func() { got <- readFull(t, peer, len(want)) }()
		out, err := b.Send(context.Background(), []Op{{Socket: s, Bufs: [][]byte{want[:1000], want[1000:]}}}, nil)
		require.NoError(t, err)
		require.Equal(t, []Result{{N: len(want)}}, out)
		require.Equal(t, want, <-got)
		require.Greater(t, stats(t, b).Transfers, uint64(10))
	})
}

// TestRecvTellsDataFromTheEndFromNothing (SPEC C12, C31): whatever the mix, everybody gets his own, and the end of a
// stream ends.
func TestRecvTellsDataFromTheEndFromNothing(t *testing.T) {
	bothMovers(t, 4, func(t *testing.T, b *Batcher) {
		var ops []Op
		for i := range 30 {
			s, peer := pairOf(t, b, "tcp4")
			switch i % 3 {
			case 0:
				_, err := unix.Write(peer, pattern(20+i, i))
				require.NoError(t, err)
			case 1:
				require.NoError(t, unix.Close(peer))
			}
			ops = append(ops, Op{Socket: s, Bufs: [][]byte{make([]byte, 15), make([]byte, 100)}, Token: uint64(i)})
		}
		for _, op := range ops {
			if op.Token%3 < 2 {
				awaitReadable(t, op.Socket.FD())
			}
		}
		out, err := b.TryRecv(ops, nil)
		require.NoError(t, err)
		for i, r := range out {
			switch i % 3 {
			case 0:
				require.Equal(t, Result{Token: uint64(i), N: 20 + i}, r)
				require.Equal(t, pattern(20+i, i), slices.Concat(ops[i].Bufs...)[:r.N])
			case 1:
				require.Equal(t, Result{Token: uint64(i)}, r, "the end of the stream")
			case 2:
				require.Equal(t, Result{Token: uint64(i), Err: ErrWouldBlock}, r)
			}
		}
		out, err = b.TryRecv([]Op{{Socket: ops[0].Socket, Bufs: [][]byte{nil, {}}}}, out)
		require.NoError(t, err)
		require.ErrorIs(t, out[0].Err, ErrInvalid, "no room would look like the end of the stream")
	})
}

// awaitReadable waits until there is something to read.
func awaitReadable(t testing.TB, fd int) {
	t.Helper()
	n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 10_000)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

// TestOneSocketKeepsItsOrder (SPEC I3, I7): transfers on one socket are made one after the other, and the first that
// ends short ends those behind it.
func TestOneSocketKeepsItsOrder(t *testing.T) {
	bothMovers(t, 8, func(t *testing.T, b *Batcher) {
		testutil.Timeout(t, time.Minute)
		s, peer := pairOf(t, b, "unix")
		other, otherPeer := pairOf(t, b, "unix")
		var ops []Op
		for _, text := range []string{"one ", "two ", "", "three"} {
			ops = append(ops, Op{Socket: s, Bufs: [][]byte{[]byte(text)}})
		}
		ops = slices.Insert(ops, 2, Op{Socket: other, Bufs: [][]byte{[]byte("other")}})
		out, err := b.TrySend(ops, nil)
		require.NoError(t, err)
		require.Equal(t, []Result{{N: 4}, {N: 4}, {N: 5}, {}, {N: 5}}, out)
		require.Equal(t, "one two three", string(readFull(t, peer, 13)))
		require.Equal(t, "other", string(readFull(t, otherPeer, 5)))

		big := pattern(4<<20, 0)
		ops = []Op{
			{Socket: s, Bufs: [][]byte{big}},
			{Socket: s, Bufs: [][]byte{[]byte("behind")}},
			{Socket: other, Bufs: [][]byte{[]byte("aside")}},
			{Socket: s},
		}
		out, err = b.TrySend(ops, out)
		require.NoError(t, err)
		sent := out[0].N
		require.NotZero(t, sent)
		require.Less(t, sent, len(big))
		require.Equal(t, []Result{{N: sent, Err: ErrWouldBlock}, {Err: ErrWouldBlock}, {N: 5}, {Err: ErrWouldBlock}}, out)
		require.Equal(t, big[:sent], readFull(t, peer, sent))
		n, _, err := unix.Recvfrom(peer, make([]byte, 10), unix.MSG_DONTWAIT)
		require.ErrorIs(t, err, unix.EAGAIN, "%d bytes of what was behind", n)
	})
}

// TestContextEndsAWait: before, during and after, with the bytes so far.
func TestContextEndsAWait(t *testing.T) {
	bothMovers(t, 4, func(t *testing.T, b *Batcher) {
		testutil.Timeout(t, time.Minute)
		s, peer := pairOf(t, b, "unix")
		quick, _ := pairOf(t, b, "unix")
		big := pattern(4<<20, 0)
		ops := []Op{{Socket: s, Bufs: [][]byte{big}, Token: 7}, {Socket: quick, Bufs: [][]byte{[]byte("quick")}}}

		ctx, cancel := context.WithCancel(context.Background())
		cancel()
		out, err := b.Send(ctx, ops, nil)
		require.ErrorIs(t, err, context.Canceled)
		require.Equal(t, []Result{{Token: 7, Err: context.Canceled}, {Err: context.Canceled}}, out)

		ctx, cancel = context.WithTimeout(context.Background(), 20*time.Millisecond)
		defer cancel()
		out, err = b.Send(ctx, ops, out)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, out[0].Err, context.DeadlineExceeded)
		require.Equal(t, Result{N: 5}, out[1])
		sent := out[0].N
		require.Equal(t, big[:sent], readFull(t, peer, sent))

		out, err = b.Recv(ctx, []Op{{Socket: s, Bufs: [][]byte{make([]byte, 1)}}}, out)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, out[0].Err, context.DeadlineExceeded)

		go func() {
			readFull(t, peer, len(big)-sent)
			unix.Write(peer, []byte("x"))
		}()
		out, err = b.Send(context.Background(), []Op{{Socket: s, Bufs: [][]byte{big[sent:]}}}, out)
		require.NoError(t, err)
		require.Equal(t, []Result{{N: len(big) - sent}}, out)
		out, err = b.Recv(context.Background(), []Op{{Socket: s, Bufs: [][]byte{make([]byte, 9)}}}, out)
		require.NoError(t, err)
		require.Equal(t, []Result{{N: 1}}, out)
	})
}

// TestCloseEndsWhatWaits (SPEC C15, C16, I6; FAULTS 104): it comes from another goroutine, and returns once all is
// given back.
func TestCloseEndsWhatWaits(t *testing.T) {
	testutil.Timeout(t, time.Minute)
	before := inUse(t)
	b, err := NewBatcher(4)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	s, _ := pairOf(t, b, "unix")
	ended := make(chan error)
	go func() {
		_, err := b.Recv(context.Background(), []Op{{Socket: s, Bufs: [][]byte{make([]byte, 1)}}}, nil)
		ended <- err
	}()
	require.Eventually(t, func() bool { return b.waker.Load() != nil }, 10*time.Second, time.Millisecond)
	_, err = b.TrySend(nil, nil)
	require.ErrorIs(t, err, ErrBusy)
	require.NoError(t, b.Close())
	require.ErrorIs(t, <-ended, ErrClosed)
	require.NoError(t, b.Close())
	_, err = b.TrySend([]Op{{Socket: s}}, nil)
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, b.Submit(), os.ErrClosed)
	_, err = b.Socket(s.FD())
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, s.Close())
	requireIdle(t, b)
	requireNoMoreInUse(t, before)
}

// TestSendThatTookNothingEnds holds that a kernel that takes nothing and says nothing is not asked for ever.
func TestSendThatTookNothingEnds(t *testing.T) {
	b := newBatcher(t, 1)
	s, _ := pairOf(t, b, "unix")
	real := b.mover
	defer func() { b.mover = real }()
	b.mover = takesNothing{}
	out, err := b.Send(context.Background(), []Op{{Socket: s, Bufs: [][]byte{{1}}}}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, out[0].Err, io.ErrNoProgress)
}

type takesNothing struct{}

func (takesNothing) slots() int                       { return 1 }
func (takesNothing) move(window []*task) (int, error) { return len(window), nil }
func (takesNothing) close() error                     { return nil }
