//go:build linux

package aio

import (
	"context"
	"errors"
	"math"
	"os"
	"os/signal"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// stats returns what the Batcher counts.
func stats(t testing.TB, b *Batcher) BatchStats {
	t.Helper()
	s, err := b.Stats()
	require.NoError(t, err)
	return s
}

// TestBatchIsOneSubmission (SPEC C01, C04, C05, C11): many sockets, one system call, results in the order of the batch.
func TestBatchIsOneSubmission(t *testing.T) {
	b := newBatcher(t, 64)
	var ops []Op
	var peers []int
	for i := range 64 {
		s, peer := pairOf(t, b, "unix")
		ops = append(ops, Op{Socket: s, Bufs: [][]byte{{byte(i)}, nil, []byte("message")}, Token: uint64(1000 + i)})
		peers = append(peers, peer)
	}
	out, err := b.TrySend(ops, nil)
	require.NoError(t, err)
	require.Equal(t, BatchStats{Submits: 1, Transfers: 64}, stats(t, b))
	for i, peer := range peers {
		require.Equal(t, Result{Token: uint64(1000 + i), N: 8}, out[i])
		require.Equal(t, append([]byte{byte(i)}, "message"...), readFull(t, peer, 8))
	}
}

// TestBatchIsLongerThanItsSlots (SPEC C01, I2): no more requests are in flight than the Batcher was made for.
func TestBatchIsLongerThanItsSlots(t *testing.T) {
	bothMovers(t, 3, func(t *testing.T, b *Batcher) {
		var ops []Op
		var peers []int
		for i := range 10 {
			s, peer := pairOf(t, b, "unix")
			ops = append(ops, Op{Socket: s, Bufs: [][]byte{pattern(100, i)}})
			peers = append(peers, peer)
		}
		out, err := b.TrySend(ops, nil)
		require.NoError(t, err)
		require.Equal(t, BatchStats{Submits: 4, Transfers: 10}, stats(t, b))
		for i, peer := range peers {
			require.Equal(t, Result{N: 100}, out[i])
			require.Equal(t, pattern(100, i), readFull(t, peer, 100))
		}
	})
	needAIO(t)
	m, err := newContextMover(3)
	require.NoError(t, err)
	defer m.close()
	require.Equal(t, 3, m.ctx.MaxRequests(), "the kernel would take more, and is not asked")
}

// TestFailureConcernsItsSocketAlone (SPEC C07, C08, C17, C19, C24; FAULTS 98): descriptors that are bad at the first,
// a middle and the last place cut io_submit short, and cost nobody else anything.
func TestFailureConcernsItsSocketAlone(t *testing.T) {
	bothMovers(t, 8, func(t *testing.T, b *Batcher) {
		var ops []Op
		var peers []int
		bad := []int{0, 3, 4, 7}
		for i := range 8 {
			s, peer := pairOf(t, b, "unix")
			ops = append(ops, Op{Socket: s, Bufs: [][]byte{pattern(50, i)}})
			peers = append(peers, peer)
		}
		for _, i := range bad {
			require.NoError(t, unix.Close(ops[i].Socket.FD()))
		}
		out, err := b.TrySend(ops, nil)
		require.NoError(t, err)
		for i, r := range out {
			if slices.Contains(bad, i) {
				require.Zero(t, r.N)
				require.ErrorIs(t, r.Err, unix.EBADF)
				continue
			}
			require.Equal(t, Result{N: 50}, r)
			require.Equal(t, pattern(50, i), readFull(t, peers[i], 50))
		}
	})
}

// TestResultsFindTheirTransfersInAnyOrder (SPEC C09, C20, C30): events name their transfer, so that their order does
// not matter.
func TestResultsFindTheirTransfersInAnyOrder(t *testing.T) {
	window := make([]*task, 100)
	var events []Event
	for i := range window {
		window[i] = new(task)
		events = append(events, Event{Data64: uint64(i), Res: int64(i * i), op: opPwritev})
	}
	slices.Reverse(events)
	deliver(window, events)
	for i, tr := range window {
		require.EqualValues(t, i*i, tr.res)
	}
}

// TestBuffersStayPinnedUntilTheEvent (SPEC C06, C21, I1, I5): after the submission, and until the event was read, the
// buffers are pinned and the slot is not used again.
func TestBuffersStayPinnedUntilTheEvent(t *testing.T) {
	b := newBatcher(t, 1)
	m := b.mover.(*contextMover)
	s, _ := pairOf(t, b, "unix")
	tr := &task{socket: s, bufs: [][]byte{make([]byte, 10), make([]byte, 10)}}
	n, err := m.prepare([]*task{tr})
	require.NoError(t, err)
	require.Equal(t, 1, n)
	cb := m.iocbs[0]
	before := cb.ID()
	n, err = m.ctx.Submit(cb)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, 2, cb.pins, "the bytes have left, and the event was not read")
	_, err = m.ctx.IOCB()
	require.ErrorIs(t, err, ErrInsufficientResources)
	require.NoError(t, m.collect([]*task{tr}, 1))
	require.EqualValues(t, 20, tr.res)
	require.Zero(t, cb.pins)
	again := taken(t, m.ctx)
	require.Same(t, cb, again)
	require.NotEqual(t, before, again.ID())
	require.NoError(t, again.Release())
}

// TestEverySlotTakesManyPieces (SPEC C22): slots times vectors, and one transfer of more vectors than the kernel takes
// at once, with empty ones among them.
func TestEverySlotTakesManyPieces(t *testing.T) {
	bothMovers(t, 16, func(t *testing.T, b *Batcher) {
		var ops []Op
		var peers []int
		for i := range 16 {
			s, peer := pairOf(t, b, "unix")
			var bufs [][]byte
			for j := range 200 + i*200 {
				bufs = append(bufs, []byte{byte(i + j)}, nil)
			}
			ops = append(ops, Op{Socket: s, Bufs: bufs})
			peers = append(peers, peer)
		}
		out, err := b.TrySend(ops, nil)
		require.NoError(t, err)
		for i, peer := range peers {
			n := 200 + i*200
			require.Equal(t, Result{N: n}, out[i])
			for j, c := range readFull(t, peer, n) {
				require.Equal(t, byte(i+j), c)
			}
		}
	})
}

// TestNothingIsLeftInTheRing (SPEC C23, C29): after batches that fail in every way the next finds its own results only.
func TestNothingIsLeftInTheRing(t *testing.T) {
	b := newBatcher(t, 4)
	good, peer := pairOf(t, b, "unix")
	gone, far := pairOf(t, b, "unix")
	closed, _ := pairOf(t, b, "unix")
	full, _ := pairOf(t, b, "unix")
	fillUp(t, b, full)
	require.NoError(t, unix.Close(far))
	require.NoError(t, unix.Close(closed.FD()))
	bufs := [][]byte{[]byte("abc")}
	var out []Result
	for range 500 { // the ring wraps around
		var err error
		out, err = b.TrySend([]Op{
			{Socket: gone, Bufs: bufs, Token: 1},
			{Socket: closed, Bufs: bufs, Token: 2},
			{Socket: good, Bufs: bufs, Token: 3},
			{Socket: full, Bufs: bufs, Token: 4},
			{Bufs: bufs, Token: 5},
		}, out)
		require.NoError(t, err)
		require.ErrorIs(t, out[0].Err, unix.EPIPE)
		require.ErrorIs(t, out[1].Err, unix.EBADF)
		require.Equal(t, Result{Token: 3, N: 3}, out[2])
		require.Equal(t, Result{Token: 4, Err: ErrWouldBlock}, out[3])
		require.ErrorIs(t, out[4].Err, ErrInvalid)
		require.Equal(t, "abc", string(readFull(t, peer, 3)))
		require.Equal(t, Stats{}, b.mover.(*contextMover).ctx.Stats())
	}
}

// TestBrokenPipeRaisesNoSignal (SPEC C26).
func TestBrokenPipeRaisesNoSignal(t *testing.T) {
	bothMovers(t, 4, func(t *testing.T, b *Batcher) {
		if m, ok := b.mover.(*contextMover); ok && m.flags[sending]&rwfNosignal == 0 {
			testutil.SkipIfUnsupported(t, &UnsupportedError{Name: "RWF_NOSIGNAL", SinceMajor: 6, SinceMinor: 18})
		}
		signals := make(chan os.Signal, 1)
		signal.Notify(signals, unix.SIGPIPE)
		defer signal.Stop(signals)
		s, peer := pairOf(t, b, "unix")
		require.NoError(t, unix.Close(peer))
		out, err := b.TrySend([]Op{{Socket: s, Bufs: [][]byte{{1}}}}, nil)
		require.NoError(t, err)
		require.ErrorIs(t, out[0].Err, unix.EPIPE)

		// A signal that was raised would be delivered before this one.
		later := make(chan os.Signal, 1)
		signal.Notify(later, unix.SIGUSR1)
		defer signal.Stop(later)
		require.NoError(t, unix.Kill(os.Getpid(), unix.SIGUSR1))
		<-later
		require.Empty(t, signals)
	})
}

// TestLengthsAreNotCut (SPEC C33, C34): one transfer of more than 16 MiB, and one of more than 4 GiB, of which the
// kernel takes 0x7ffff000 bytes at a time at most.
func TestLengthsAreNotCut(t *testing.T) {
	b := newBatcher(t, 4)
	s, peer := pairOf(t, b, "unix")
	want := pattern(testutil.Fewer(40, 17)<<20, 1)
	got := make(chan []byte)
	go func() { got <- readFull(t, peer, len(want)) }()
	out, err := b.Send(context.Background(), []Op{{Socket: s, Bufs: [][]byte{want}}}, nil)
	require.NoError(t, err)
	require.Equal(t, []Result{{N: len(want)}}, out)
	require.True(t, slices.Equal(want, <-got))

	huge := slices.Repeat([][]byte{make([]byte, 8<<20)}, 600)
	if strconv.IntSize == 32 { // The sum of buffers that overlap is more than an int counts.
		out, err = b.TrySend([]Op{{Socket: s, Bufs: huge}}, out)
		require.NoError(t, err)
		require.ErrorIs(t, out[0].Err, ErrInvalid)
		return
	}
	tr := task{socket: s, bufs: huge, left: size(huge)}
	require.Len(t, tr.pieces(new([][]byte)), 600)
	require.Equal(t, transferMax, tr.asked)
	step := uint(math.MaxUint32)
	tr.advance(int(step))
	require.Equal(t, size(huge)-int(step), tr.left)
	require.Equal(t, [2]int{511, 8<<20 - 1}, [2]int{tr.first, tr.skip})
	out, err = b.TrySend([]Op{{Socket: s, Bufs: huge}}, out)
	require.NoError(t, err)
	require.NotZero(t, out[0].N)
	require.Equal(t, ErrWouldBlock, out[0].Err)
}

// TestSocketsThatDoNotFitAreRefused (SPEC C15): each descriptor once, streams only, and not a closed one.
func TestSocketsThatDoNotFitAreRefused(t *testing.T) {
	b := newBatcher(t, 4)
	for _, network := range []string{"udp4", "unixgram", "unixpacket"} {
		fd, _ := testutil.SocketPair(t, network)
		_, err := b.Socket(fd)
		require.ErrorIs(t, err, unix.EPROTOTYPE, network)
	}
	_, err := b.Socket(int(newFile(t).Fd()))
	require.ErrorIs(t, err, unix.ENOTSOCK)
	_, err = b.Socket(-1)
	require.ErrorIs(t, err, unix.EBADF)
	s, _ := pairOf(t, b, "unix")
	_, err = b.Socket(s.FD())
	require.ErrorIs(t, err, unix.EEXIST)
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	again := socketOf(t, b, s.FD())
	other := newBatcher(t, 1)
	out, err := other.TrySend([]Op{{Socket: again}, {}}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, out[0].Err, ErrInvalid)
	require.ErrorIs(t, out[1].Err, ErrInvalid)
	out, err = b.TrySend([]Op{{Socket: s}, {Socket: again}}, out)
	require.NoError(t, err)
	require.ErrorIs(t, out[0].Err, ErrClosed)
	require.NoError(t, out[1].Err)
	for _, slots := range []int{0, -1, slotsMax + 1} {
		_, err := NewBatcher(slots)
		require.ErrorIs(t, err, ErrOutOfRange)
	}
}

// TestEventsAreReadEitherWay (SPEC C13, C28): from the ring that the kernel maps, over its end and in order, and by
// system call.
func TestEventsAreReadEitherWay(t *testing.T) {
	bothWays(t, func(t *testing.T, opts ...Option) {
		m, err := newContextMover(5, opts...)
		testutil.SkipIfUnsupported(t, err)
		require.NoError(t, err)
		b := newBatcher(t, 5, WithSyscalls())
		b.mover = m
		var sends, recvs []Op
		for range 5 {
			s, peer := pairOf(t, b, "unix")
			require.NoError(t, unix.SetNonblock(peer, true))
			sends = append(sends, Op{Socket: s})
			recvs = append(recvs, Op{Socket: socketOf(t, b, peer), Bufs: [][]byte{make([]byte, 100)}})
		}
		for round := range 300 {
			for i := range sends {
				sends[i].Bufs = [][]byte{pattern(20+i, round+i)}
			}
			out, err := b.TrySend(sends, nil)
			require.NoError(t, err)
			out, err = b.TryRecv(recvs, out)
			require.NoError(t, err)
			for i, r := range out {
				require.Equal(t, Result{N: 20 + i}, r)
				require.Equal(t, pattern(20+i, round+i), recvs[i].Bufs[0][:r.N])
			}
		}
	})
}

// TestBatchesAllocateNothing holds that a transfer costs no garbage once all is warm.
func TestBatchesAllocateNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	bothMovers(t, 16, func(t *testing.T, b *Batcher) {
		var sends, recvs []Op
		for range 32 { // in two turns
			s, peer := pairOf(t, b, "unix")
			require.NoError(t, unix.SetNonblock(peer, true))
			bufs := slices.Repeat([][]byte{make([]byte, 64)}, 20)
			sends = append(sends, Op{Socket: s, Bufs: bufs})
			recvs = append(recvs, Op{Socket: socketOf(t, b, peer), Bufs: [][]byte{make([]byte, 2000)}})
		}
		var out []Result
		ctx := context.Background()
		round := func() {
			var err error
			if out, err = b.TrySend(sends, out); err != nil || out[0].Err != nil {
				t.Fatal(err, out[0])
			}
			if out, err = b.Recv(ctx, recvs, out); err != nil || out[0].N != 20*64 {
				t.Fatal(err, out[0])
			}
			if out, err = b.TryRecv(recvs, out); err != nil || out[0].Err != ErrWouldBlock {
				t.Fatal(err, out[0])
			}
		}
		for range 10 {
			round()
		}
		require.Zero(t, testing.AllocsPerRun(100, round))
	})
}

// newBatcher returns a Batcher that is closed at the end of the test.
func newBatcher(t testing.TB, slots int, opts ...BatchOption) *Batcher {
	t.Helper()
	b, err := NewBatcher(slots, opts...)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, b.Close()) })
	return b
}

// bothMovers runs the test with AIO and with system calls instead.
func bothMovers(t *testing.T, slots int, test func(t *testing.T, b *Batcher)) {
	t.Helper()
	t.Run("io_submit", func(t *testing.T) { test(t, newBatcher(t, slots)) })
	t.Run("sendmsg", func(t *testing.T) { test(t, newBatcher(t, slots, WithSyscalls())) })
}

// pairOf returns a socket of the Batcher that does not block, and the descriptor at the other end.
func pairOf(t testing.TB, b *Batcher, network string) (*Socket, int) {
	t.Helper()
	near, far := testutil.SocketPair(t, network)
	require.NoError(t, unix.SetNonblock(near, true))
	return socketOf(t, b, near), far
}

// socketOf makes a descriptor known to the Batcher.
func socketOf(t testing.TB, b *Batcher, fd int) *Socket {
	t.Helper()
	s, err := b.Socket(fd)
	require.NoError(t, err)
	return s
}

// fillUp sends on the socket until it is full, and returns how many bytes it took.
func fillUp(t testing.TB, b *Batcher, s *Socket) (n int) {
	t.Helper()
	p := make([]byte, 1<<16)
	for {
		out, err := b.TrySend([]Op{{Socket: s, Bufs: [][]byte{p}}}, nil)
		require.NoError(t, err)
		n += out[0].N
		if out[0].Err != nil {
			require.ErrorIs(t, out[0].Err, ErrWouldBlock)
			return n
		}
	}
}

// readFull takes n bytes from a socket.
func readFull(t testing.TB, fd, n int) []byte {
	t.Helper()
	p := make([]byte, n)
	for got := 0; got < n; {
		k, err := unix.Read(fd, p[got:])
		if err == unix.EINTR {
			continue
		}
		require.NoError(t, err)
		require.NotZero(t, k)
		got += k
	}
	return p
}

// inChild runs the test in a process of its own, where system calls can be refused.
func inChild(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if testutil.InChild() {
		test(t)
		return
	}
	child := testutil.ReExec(t, t.Name())
	require.Zero(t, child.ExitCode, child.Output)
}

// TestRefusedSetUpIsAnError (SPEC C35; FAULTS 97): the constructor says so, and system calls serve instead.
func TestRefusedSetUpIsAnError(t *testing.T) {
	inChild(t, func(t *testing.T) {
		testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_SETUP)
		_, err := NewBatcher(4)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		var unsupported *UnsupportedError
		require.ErrorAs(t, err, &unsupported)
		require.Equal(t, "io_setup", unsupported.Feature())

		b := newBatcher(t, 4, WithSyscalls())
		s, peer := pairOf(t, b, "unix")
		out, err := b.Send(context.Background(), []Op{{Socket: s, Bufs: [][]byte{[]byte("hello")}}}, nil)
		require.NoError(t, err)
		require.Equal(t, []Result{{N: 5}}, out)
		require.Equal(t, "hello", string(readFull(t, peer, 5)))
	})
}

// TestRefusedSubmissionIsAnError (SPEC C07, C19; FAULTS 98): where io_submit is refused while the Batcher is in use,
// every transfer gets the error, and what Senders hold stays with them.
func TestRefusedSubmissionIsAnError(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		t.Run(errno.Error(), func(t *testing.T) {
			inChild(t, func(t *testing.T) {
				b := newBatcher(t, 1)
				s, _ := pairOf(t, b, "unix")
				other, _ := pairOf(t, b, "unix")
				queued, _ := pairOf(t, b, "unix")
				sender, err := queued.NewSender()
				require.NoError(t, err)
				testutil.RefuseSyscalls(t, errno, unix.SYS_IO_SUBMIT)
				ops := []Op{{Socket: s, Bufs: [][]byte{{1}}}, {Socket: other, Bufs: [][]byte{{1}}}, {Socket: s}}
				for _, call := range []func() ([]Result, error){
					func() ([]Result, error) { return b.TrySend(ops, nil) },
					func() ([]Result, error) { return b.Send(context.Background(), ops, nil) },
				} {
					out, err := call()
					require.ErrorIs(t, err, errno)
					for _, r := range out {
						require.ErrorIs(t, r.Err, errno)
					}
				}
				require.NoError(t, sender.TryWrite([]byte("kept")))
				require.ErrorIs(t, b.Submit(), errno)
				require.ErrorIs(t, sender.Flush(context.Background()), errno)
				require.NoError(t, sender.Err())
				require.Equal(t, 4, sender.Buffered())
				var unsent *UnsentError
				require.ErrorAs(t, sender.Close(), &unsent)
				require.Equal(t, UnsentError{Messages: 1, Bytes: 4}, *unsent)
				require.Equal(t, Stats{}, b.mover.(*contextMover).ctx.Stats())
			})
		})
	}
}

// TestKernelOutOfRoomIsWaitedFor (SPEC C19, C32): EAGAIN of io_submit is no socket's. Try gives up, and Send asks again
// until its context ends.
func TestKernelOutOfRoomIsWaitedFor(t *testing.T) {
	inChild(t, func(t *testing.T) {
		b := newBatcher(t, 4)
		s, _ := pairOf(t, b, "unix")
		ops := []Op{{Socket: s, Bufs: [][]byte{{1}}}, {Socket: s, Bufs: [][]byte{{2}}}}
		testutil.RefuseSyscalls(t, unix.EAGAIN, unix.SYS_IO_SUBMIT)
		out, err := b.TrySend(ops, nil)
		require.NoError(t, err)
		for _, r := range out {
			require.ErrorIs(t, r.Err, ErrInsufficientResources)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		before := stats(t, b).Submits
		_, err = b.Send(ctx, ops, out)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Greater(t, stats(t, b).Submits, before+1, "it asks more than once")
		require.Less(t, stats(t, b).Submits, before+50, "and not all the time")
		require.Equal(t, Stats{}, b.mover.(*contextMover).ctx.Stats())
	})
}

// TestRefusalInAWindow (SPEC C19, C24): the kernel runs out of room, or finds a bad request, behind transfers that it
// took.
func TestRefusalInAWindow(t *testing.T) {
	b := newBatcher(t, 4)
	var ops []Op
	var peers []int
	for range 4 {
		s, peer := pairOf(t, b, "unix")
		ops, peers = append(ops, Op{Socket: s, Bufs: [][]byte{[]byte("abc")}}), append(peers, peer)
	}
	m := b.mover.(*contextMover)
	held := []*IOCB{taken(t, m.ctx), taken(t, m.ctx), taken(t, m.ctx)}
	out, err := b.TrySend(ops, nil)
	require.NoError(t, err)
	for i, peer := range peers {
		require.Equal(t, Result{N: 3}, out[i])
		require.Equal(t, "abc", string(readFull(t, peer, 3)))
	}
	require.EqualValues(t, 4, stats(t, b).Submits, "there was room for one at a time")
	for _, cb := range held {
		require.NoError(t, cb.Release())
	}
}
