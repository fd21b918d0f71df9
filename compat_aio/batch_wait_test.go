//go:build linux

package aio

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// TestBlockingSocketsDoNotBlock (SPEC C25; FAULTS 105): they are told not to, where the kernel can be told, and refused
// elsewhere.
func TestBlockingSocketsDoNotBlock(t *testing.T) { // fault 105
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

// TestSocketsThatSomebodyMakesBlocking (SPEC C25; FAULTS 105): a socket that was not blocking when the Batcher came to
// know it is made so by another owner of its open file description. It is told not to wait, or looked at where the
// kernel cannot be told, as before 6.5.
func TestSocketsThatSomebodyMakesBlocking(t *testing.T) { // found 28
	bothMovers(t, 4, func(t *testing.T, b *Batcher) {
		testutil.Timeout(t, time.Minute)
		var ops []Op
		for range 3 {
			s, _ := pairOf(t, b, "unix")
			ops = append(ops, Op{Socket: s, Bufs: [][]byte{make([]byte, 10)}})
		}
		require.NoError(t, unix.SetNonblock(ops[1].Socket.FD(), false))
		for _, older := range []bool{false, true} {
			if m, ok := b.mover.(*contextMover); ok && older {
				m.flags = [directions]uint32{}
			}
			out, err := b.TryRecv(ops, nil)
			require.NoError(t, err)
			for _, r := range out {
				require.Equal(t, Result{Err: ErrWouldBlock}, r)
			}
			_ = fillUp(t, b, ops[1].Socket)
		}
	})
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

// testedSource is a Source and a Sink that notes what it is told.
type testedSource struct {
	socket *Socket
	bufs   [][]byte
	err    error // what Next returns, once
	told   []any
}

func (s *testedSource) Socket() *Socket { return s.socket }

func (s *testedSource) Next() ([][]byte, error) { return s.bufs, s.err }

func (s *testedSource) Advance(n int) { s.told = append(s.told, n) }

func (s *testedSource) Done(err error) { s.told = append(s.told, "done", err) }

func (s *testedSource) WaitWritable() { s.told = append(s.told, "full") }

func (s *testedSource) WaitReadable() { s.told = append(s.told, "empty") }

// TestDriveSends (SPEC C01 to C03, C10, C11, C24): every way that a Source can go, in one queue and one submission.
func TestDriveSends(t *testing.T) {
	bothMovers(t, 16, func(t *testing.T, b *Batcher) {
		broken := errors.New("broken")
		source := func(text string, err error) (*testedSource, int) {
			s, peer := pairOf(t, b, "unix")
			return &testedSource{socket: s, bufs: [][]byte{[]byte(text)}, err: err}, peer
		}
		sends, peer := source("all of it", nil)
		stopped, stoppedPeer := source("nothing of it", ErrStopped)
		failed, _ := source("nothing", broken)
		full, _ := source("no room", nil)
		fillUp(t, b, full.socket)
		short, shortPeer := source("", nil)
		short.bufs = [][]byte{pattern(4<<20, 0)}
		gone, far := source("to nobody", nil)
		require.NoError(t, unix.Close(far))
		closed, _ := source("into nothing", nil)
		empty, _ := source("", nil)
		last, lastPeer := source("the last", nil)
		require.NoError(t, unix.Close(closed.socket.FD()))
		queue := []Source{stopped, sends, failed, full, short, gone, closed, empty, last}

		before := stats(t, b)
		require.NoError(t, b.DriveSends(queue))
		require.Equal(t, before.Submits+1, stats(t, b).Submits)
		require.Equal(t, []any{9}, sends.told)
		require.Equal(t, "all of it", string(readFull(t, peer, 9)))
		require.Equal(t, []any{"done", nil}, stopped.told)
		require.Equal(t, []any{"done", broken}, failed.told)
		require.Equal(t, []any{"full"}, full.told)
		require.Len(t, short.told, 2)
		n := short.told[0].(int)
		require.Less(t, n, 4<<20)
		require.Equal(t, "full", short.told[1])
		require.Equal(t, pattern(4<<20, 0)[:n], readFull(t, shortPeer, n))
		require.Equal(t, "done", gone.told[0])
		require.ErrorIs(t, gone.told[1].(error), unix.EPIPE)
		require.ErrorIs(t, closed.told[1].(error), unix.EBADF)
		require.Equal(t, []any{0}, empty.told)
		require.Equal(t, []any{8}, last.told)
		require.Equal(t, "the last", string(readFull(t, lastPeer, 8)))
		_, _, err := unix.Recvfrom(stoppedPeer, make([]byte, 1), unix.MSG_DONTWAIT)
		require.ErrorIs(t, err, unix.EAGAIN, "nothing is sent for what was stopped")
	})
}

// TestDriveRecvs (SPEC C12, C31): data, the end of a stream, nothing, and what was stopped.
func TestDriveRecvs(t *testing.T) {
	bothMovers(t, 16, func(t *testing.T, b *Batcher) {
		sink := func(err error) (*testedSource, int) {
			s, peer := pairOf(t, b, "unix")
			return &testedSource{socket: s, bufs: [][]byte{make([]byte, 3), make([]byte, 10)}, err: err}, peer
		}
		data, peer := sink(nil)
		_, err := unix.Write(peer, []byte("hello"))
		require.NoError(t, err)
		ended, far := sink(nil)
		require.NoError(t, unix.Close(far))
		nothing, _ := sink(nil)
		stopped, _ := sink(ErrStopped)
		roomless, _ := sink(nil)
		roomless.bufs = nil
		require.NoError(t, b.DriveRecvs([]Sink{data, ended, nothing, stopped, roomless}))
		require.Equal(t, []any{5}, data.told)
		require.Equal(t, "hello", string(data.bufs[0])+string(data.bufs[1][:2]))
		require.Equal(t, []any{"done", io.EOF}, ended.told)
		require.Equal(t, []any{"empty"}, nothing.told)
		require.Equal(t, []any{"done", nil}, stopped.told)
		require.ErrorIs(t, roomless.told[1].(error), ErrInvalid)
	})
}

// TestDriveTwiceInOneQueue (SPEC I7): Sources of one socket keep their order.
func TestDriveTwiceInOneQueue(t *testing.T) {
	b := newBatcher(t, 4)
	s, peer := pairOf(t, b, "unix")
	first := &testedSource{socket: s, bufs: [][]byte{[]byte("first ")}}
	second := &testedSource{socket: s, bufs: [][]byte{[]byte("second")}}
	require.NoError(t, b.DriveSends([]Source{first, second}))
	require.Equal(t, "first second", string(readFull(t, peer, 12)))
}

// meddler calls the Batcher from within a callback.
type meddler struct {
	testedSource
	b    *Batcher
	errs []error
}

func (m *meddler) Next() ([][]byte, error) {
	_, err := m.b.TrySend(nil, nil)
	m.errs = append(m.errs, err, m.b.Submit(), m.b.DriveSends(nil))
	m.errs = append(m.errs, m.b.Close(), m.b.Submit())
	return m.bufs, nil
}

// TestCallbacksCannotStartOver: they would find a batch half made. Close takes effect when the call ends.
func TestCallbacksCannotStartOver(t *testing.T) {
	b := newBatcher(t, 4)
	s, peer := pairOf(t, b, "unix")
	m := &meddler{testedSource: testedSource{socket: s, bufs: [][]byte{[]byte("sent")}}, b: b}
	require.NoError(t, b.DriveSends([]Source{m}))
	require.Equal(t, []any{4}, m.told)
	require.Equal(t, "sent", string(readFull(t, peer, 4)))
	for _, err := range m.errs[:3] {
		require.ErrorIs(t, err, ErrBusy)
	}
	require.NoError(t, m.errs[3])
	require.ErrorIs(t, m.errs[4], ErrClosed)
	require.True(t, b.closed)
}

// TestDrivingAllocatesNothing once all is warm.
func TestDrivingAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	b := newBatcher(t, 4)
	var queue []Source
	var peers []int
	for range 8 {
		s, peer := pairOf(t, b, "unix")
		queue = append(queue, &quietSource{testedSource{socket: s, bufs: [][]byte{make([]byte, 100)}}})
		peers = append(peers, peer)
	}
	sink := make([]byte, 200)
	round := func() {
		if err := b.DriveSends(queue); err != nil {
			t.Fatal(err)
		}
		for _, peer := range peers {
			if n, err := unix.Read(peer, sink); n != 100 {
				t.Fatal(n, err)
			}
		}
	}
	round()
	require.Zero(t, testing.AllocsPerRun(100, round))
}

// quietSource notes nothing.
type quietSource struct{ testedSource }

func (*quietSource) Advance(int) {}

// panickingSource panics over what it is told.
type panickingSource struct{ *testedSource }

func (s panickingSource) Advance(n int) {
	s.testedSource.Advance(n)
	panic("in a Source")
}

// TestEverySourceIsToldWhateverOthersDo: bytes that have left are told to whom they belong, also where another Source
// panics or a Sender's release that came due in the same round.
func TestEverySourceIsToldWhateverOthersDo(t *testing.T) { // found 3
	for _, slots := range []int{1, 4} {
		bothMovers(t, slots, func(t *testing.T, b *Batcher) {
			var all []*testedSource
			source := func() *testedSource {
				s, _ := pairOf(t, b, "unix")
				all = append(all, &testedSource{socket: s, bufs: [][]byte{[]byte("abc")}})
				return all[len(all)-1]
			}
			queue := []Source{source(), panickingSource{source()}, panickingSource{source()}, source()}
			require.Panics(t, func() { _ = b.DriveSends(queue) })
			for _, s := range all {
				require.Equal(t, []any{3}, s.told)
				s.told = nil
			}

			sender, _ := newSender(t, b, "unix")
			require.NoError(t, sender.HandOver([]byte("a"), func(int, error) { panic("in a release") }))
			require.Panics(t, func() { _ = b.DriveSends([]Source{all[0], all[3]}) })
			for _, s := range []*testedSource{all[0], all[3]} {
				if slots == 1 {
					require.Equal(t, []any{"full"}, s.told, "it was not its turn yet")
				} else {
					require.Equal(t, []any{3}, s.told)
				}
			}
		})
	}
}
