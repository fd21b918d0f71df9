//go:build linux

package aio

import (
	"bytes"
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/sendertest"
	"github.com/sockring/uring/internal/testutil"
)

// newSender returns a Sender and the socket that its stream comes out of.
func newSender(t testing.TB, b *Batcher, network string, opts ...SenderOption) (*Sender, int) {
	t.Helper()
	socket, peer := pairOf(t, b, network)
	s, err := socket.NewSender(opts...)
	require.NoError(t, err)
	return s, peer
}

func TestManySendersLeaveWithOneSubmission(t *testing.T) {
	bothMovers(t, 64, func(t *testing.T, b *Batcher) {
		var senders []*Sender
		var peers []int
		for range 64 {
			s, peer := newSender(t, b, "unix")
			senders, peers = append(senders, s), append(peers, peer)
		}
		for i, s := range senders {
			_, err := s.Write([]byte{byte(i), 'a'})
			require.NoError(t, err)
			require.NoError(t, s.HandOver([]byte{byte(i), 'b'}, nil))
		}
		require.NoError(t, b.Submit())
		require.Equal(t, BatchStats{Submits: 1, Transfers: 64}, stats(t, b))
		for i, peer := range peers {
			require.Equal(t, []byte{byte(i), 'a', byte(i), 'b'}, readFull(t, peer, 4))
			require.Zero(t, senders[i].Buffered())
		}
		require.NoError(t, b.Flush(context.Background()))
		require.EqualValues(t, 64, stats(t, b).Transfers, "nothing is left to flush")
	})
}

// TestFlushStopsAtTheDeadlineAndGoesOnFromTheExactByte (SPEC C14, C27): neither early nor never.
func TestFlushStopsAtTheDeadlineAndGoesOnFromTheExactByte(t *testing.T) {
	bothMovers(t, 4, func(t *testing.T, b *Batcher) {
		testutil.Timeout(t, time.Minute)
		for _, network := range []string{"tcp4", "unix"} {
			s, peer := newSender(t, b, network, WithLimit(16<<20))
			message := make([]byte, 12<<20)
			sendertest.FillStream(message, 0)
			require.NoError(t, s.HandOver(message[:1000], nil))
			_, err := s.Write(message[1000:])
			require.NoError(t, err)

			start := time.Now()
			s.SetDeadline(start.Add(10 * time.Millisecond))
			require.ErrorIs(t, s.Flush(context.Background()), os.ErrDeadlineExceeded)
			require.GreaterOrEqual(t, time.Since(start), 10*time.Millisecond)
			sent := s.Sent()
			require.NotZero(t, sent)
			require.Less(t, sent, s.Accepted())
			messages, partial := s.Progress()
			require.EqualValues(t, 1, messages)
			require.EqualValues(t, sent-1000, partial)
			require.ErrorIs(t, s.Flush(context.Background()), os.ErrDeadlineExceeded)
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			require.ErrorIs(t, s.Flush(ctx), context.Canceled)

			s.SetDeadline(time.Time{})
			done := make(chan []byte)
			go func() { done <- readFull(t, peer, len(message)) }()
			require.NoError(t, s.Flush(context.Background()))
			require.Equal(t, message, <-done)
		}
	})
}

func TestSenderReportsWhatAResetLeftUnsent(t *testing.T) {
	bothMovers(t, 4, func(t *testing.T, b *Batcher) {
		s, peer := newSender(t, b, "tcp4", WithBatch(1<<30))
		var told error
		kept := make([]byte, 300_000)
		require.NoError(t, s.HandOver(kept, func(_ int, err error) { told = err }))
		require.NoError(t, unix.SetsockoptLinger(peer, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
		require.NoError(t, unix.Close(peer))
		for i := 0; s.Err() == nil && i < 1000; i++ {
			_, _ = s.Write(make([]byte, 100_000))
			_ = s.Flush(context.Background())
		}
		require.Error(t, s.Err())
		require.True(t, errors.Is(s.Err(), unix.EPIPE) || errors.Is(s.Err(), unix.ECONNRESET), "%v", s.Err())
		require.Equal(t, s.Err(), told)
		_, err := s.Write([]byte("more"))
		require.Equal(t, s.Err(), err)
		require.Equal(t, s.Err(), s.Flush(context.Background()))
		require.NoError(t, s.Close())
	})
}

// TestAFailedSenderHoldsUpNobody (SPEC C24).
func TestAFailedSenderHoldsUpNobody(t *testing.T) {
	b := newBatcher(t, 4)
	bad, far := newSender(t, b, "unix")
	good, peer := newSender(t, b, "unix")
	require.NoError(t, unix.Close(far))
	require.NoError(t, bad.TryWrite([]byte("to nobody")))
	require.NoError(t, good.TryWrite([]byte("hello")))
	require.NoError(t, b.Flush(context.Background()))
	require.ErrorIs(t, bad.Err(), unix.EPIPE)
	require.NoError(t, good.Err())
	require.Equal(t, "hello", string(readFull(t, peer, 5)))
}

func TestCloseOfTheBatcherEndsItsSenders(t *testing.T) {
	b, err := NewBatcher(4, WithSyscalls())
	require.NoError(t, err)
	s, _ := newSender(t, b, "unix")
	var sent int
	var told error
	require.NoError(t, s.HandOver(make([]byte, 800_000), func(n int, err error) { sent, told = n, err }))
	require.NoError(t, b.Submit())
	require.NotZero(t, s.Sent())
	require.NoError(t, b.Close())
	require.ErrorIs(t, told, ErrClosed)
	require.EqualValues(t, s.Sent(), sent)
	_, err = s.Write([]byte("late"))
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, s.Flush(context.Background()), ErrClosed)
	require.NoError(t, s.Close())
	requireIdle(t, b)
}

func TestReleaseMayWriteButNotWait(t *testing.T) {
	b := newBatcher(t, 4)
	s, peer := newSender(t, b, "unix", WithBatch(1), WithLimit(100))
	var errs []error
	release := func(int, error) {
		_, err := s.Write([]byte("two"))
		require.NoError(t, err)
		require.NoError(t, s.HandOver(nil, func(int, error) { require.NoError(t, s.TryWrite([]byte("three"))) }))
		_, err = s.Write(make([]byte, 93)) // there is no room for it
		errs = append(errs, err, s.Flush(context.Background()), b.Submit(), s.Close(), s.Socket().Close())
	}
	require.NoError(t, s.HandOver([]byte("one"), release))
	for _, err := range errs {
		require.ErrorIs(t, err, ErrBusy)
	}
	require.Len(t, errs, 5)
	require.NoError(t, b.Flush(context.Background()))
	require.Equal(t, "onetwothree", string(readFull(t, peer, 11)))
}

// TestAReleaseThatPanicsLeavesTheAccountsRight: what left with it has left.
func TestAReleaseThatPanicsLeavesTheAccountsRight(t *testing.T) {
	b := newBatcher(t, 4)
	first, _ := newSender(t, b, "unix")
	second, peer := newSender(t, b, "unix")
	require.NoError(t, first.HandOver([]byte("a"), func(int, error) { panic("in a release") }))
	require.NoError(t, second.TryWrite([]byte("b")))
	require.PanicsWithValue(t, "in a release", func() { _ = b.Submit() })
	require.EqualValues(t, 1, first.Sent())
	require.EqualValues(t, 1, second.Sent())
	require.NoError(t, second.TryWrite([]byte("c")))
	require.NoError(t, first.TryWrite([]byte("c")))
	require.NoError(t, b.Flush(context.Background()))
	require.Equal(t, "bc", string(readFull(t, peer, 2)))
	require.NoError(t, first.Close())
}

// TestAReleaseThatPanicsHoldsUpNobody: with fewer slots than Senders, those behind it have not had their turn.
func TestAReleaseThatPanicsHoldsUpNobody(t *testing.T) { // found 3
	for _, slots := range []int{1, 2, 4} {
		bothMovers(t, slots, func(t *testing.T, b *Batcher) {
			first, _ := newSender(t, b, "unix")
			require.NoError(t, first.HandOver([]byte("a"), func(int, error) { panic("in a release") }))
			var peers []int
			for range 4 {
				s, peer := newSender(t, b, "unix")
				require.NoError(t, s.TryWrite([]byte("b")))
				peers = append(peers, peer)
			}
			require.PanicsWithValue(t, "in a release", func() { _ = b.Submit() })
			require.NoError(t, b.Flush(context.Background()))
			for _, peer := range peers {
				require.Equal(t, "b", string(readFull(t, peer, 1)))
			}
		})
	}
}

// TestReleasesThatPanicDoNotKeepTheBatcherOpen.
func TestReleasesThatPanicDoNotKeepTheBatcherOpen(t *testing.T) { // found 3
	bothMovers(t, 4, func(t *testing.T, b *Batcher) {
		told := 0
		for range 3 {
			s, _ := newSender(t, b, "unix")
			for range 2 {
				require.NoError(t, s.HandOver([]byte("a"), func(_ int, err error) {
					require.ErrorIs(t, err, ErrClosed)
					told++
					panic("in a release")
				}))
			}
		}
		require.Panics(t, func() { _ = b.Close() })
		require.Equal(t, 6, told)
		require.NoError(t, b.Close())
		require.Empty(t, b.sockets)
		require.Empty(t, b.senders)
		if m, ok := b.mover.(*contextMover); ok {
			require.NoError(t, m.ctx.Close(), "it is closed")
			_, err := m.ctx.IOCB()
			require.ErrorIs(t, err, ErrClosed)
		}
	})
}

func TestTryWriteRefusesAtTheLimit(t *testing.T) {
	b := newBatcher(t, 4)
	s, _ := newSender(t, b, "unix", WithLimit(10))
	require.NoError(t, s.TryWrite([]byte("12345678")))
	require.ErrorIs(t, s.TryWrite([]byte("345")), unix.EAGAIN)
	require.ErrorIs(t, s.TryWrite(make([]byte, 11)), unix.EMSGSIZE)
	require.ErrorIs(t, s.Writev([][]byte{make([]byte, 6), make([]byte, 6)}), unix.EMSGSIZE)
	require.Equal(t, 8, s.Buffered())
	var unsent *UnsentError
	require.ErrorAs(t, s.Close(), &unsent)
	require.Equal(t, UnsentError{Messages: 1, Bytes: 8}, *unsent)
	require.Contains(t, unsent.Error(), "8 bytes")
}

func TestWriteSendsABatchByItself(t *testing.T) {
	b := newBatcher(t, 4)
	s, peer := newSender(t, b, "unix", WithBatch(100))
	other, otherPeer := newSender(t, b, "unix")
	require.NoError(t, other.TryWrite([]byte("along")))
	for i := range 3 {
		_, err := s.Write(make([]byte, 40))
		require.NoError(t, err)
		if i < 2 {
			require.Zero(t, stats(t, b).Submits)
		}
	}
	require.EqualValues(t, 1, stats(t, b).Submits)
	require.Len(t, readFull(t, peer, 120), 120)
	require.Equal(t, "along", string(readFull(t, otherPeer, 5)), "the others' bytes leave with it")
}

// TestWriteGoesOnWhenTheSocketHasRoomAgain: a full socket is looked at each time that another batch is queued, and no
// more often.
func TestWriteGoesOnWhenTheSocketHasRoomAgain(t *testing.T) {
	b := newBatcher(t, 4)
	s, peer := newSender(t, b, "unix", WithBatch(1000), WithLimit(8<<20))
	fill := func() {
		for before := uint64(0); s.Buffered() == 0 || s.Sent() != before; {
			before = s.Sent()
			require.NoError(t, s.TryWrite(make([]byte, 100_000)))
		}
	}
	fill()
	sent, transfers := s.Sent(), stats(t, b).Transfers
	for range 100 {
		require.NoError(t, s.TryWrite(make([]byte, 5)))
	}
	require.Equal(t, transfers, stats(t, b).Transfers)
	readFull(t, peer, int(sent))
	require.NoError(t, s.TryWrite(make([]byte, 2000)))
	require.Greater(t, s.Sent(), sent)
}

func TestSendersThatDoNotFitAreRefused(t *testing.T) {
	b := newBatcher(t, 4)
	socket, _ := pairOf(t, b, "unix")
	_, err := socket.NewSender(WithBatch(0))
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = socket.NewSender(WithLimit(0))
	require.ErrorIs(t, err, unix.EINVAL)
	s, err := socket.NewSender()
	require.NoError(t, err)
	_, err = socket.NewSender()
	require.ErrorIs(t, err, ErrBusy)
	require.ErrorIs(t, socket.Close(), ErrBusy)
	out, err := b.TrySend([]Op{{Socket: socket, Bufs: [][]byte{{1}}}}, nil)
	require.NoError(t, err)
	require.ErrorIs(t, out[0].Err, ErrBusy)
	out, err = b.TryRecv([]Op{{Socket: socket, Bufs: [][]byte{{1}}}}, out)
	require.NoError(t, err)
	require.Equal(t, ErrWouldBlock, out[0].Err, "a Sender has the sending direction only")
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	_, err = socket.NewSender()
	require.NoError(t, err)
	closed, _ := pairOf(t, b, "unix")
	require.NoError(t, closed.Close())
	_, err = closed.NewSender()
	require.ErrorIs(t, err, ErrClosed)
}

func TestSenderAllocatesNothing(t *testing.T) {
	if race.Enabled {
		t.Skip("the race detector allocates")
	}
	bothMovers(t, 8, func(t *testing.T, b *Batcher) {
		s, peer := newSender(t, b, "unix")
		message, sink := make([]byte, 100), make([]byte, 1<<16)
		bufs := [][]byte{message, message}
		ctx := context.Background()
		note := func(err error) {
			if err != nil {
				t.Fatal(err)
			}
		}
		round := func() {
			for range 8 {
				_, err := s.Write(message)
				note(err)
				note(s.TryWrite(message))
				note(s.Writev(bufs))
				note(s.HandOver(message, nil))
				_, err = s.Reserve(10)
				note(err)
				note(s.Commit(10))
			}
			note(s.Flush(ctx))
			_, err := unix.Read(peer, sink)
			note(err)
		}
		for range 100 {
			round()
		}
		require.Zero(t, testing.AllocsPerRun(500, round))
	})
}

// BenchmarkSenderWrite is the cost of queueing a message and its share of the sends, 64 messages of 64 bytes a send.
func BenchmarkSenderWrite(b *testing.B) {
	batcher := newBatcher(b, 8)
	s, peer := newSender(b, batcher, "unix")
	message, sink := make([]byte, 64), make([]byte, 1<<16)
	b.ReportAllocs()
	b.SetBytes(64)
	for i := 0; b.Loop(); i++ {
		if _, err := s.Write(message); err != nil {
			b.Fatal(err)
		}
		if i%64 == 63 {
			if err := s.Flush(context.Background()); err != nil {
				b.Fatal(err)
			}
			if _, err := unix.Read(peer, sink); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// TestNothingLeaksOverManyBatchers holds that closing gives back descriptors, mappings and requests, whatever was under
// way.
func TestNothingLeaksOverManyBatchers(t *testing.T) {
	before := inUse(t)
	kept := 0 // pieces of memory that were there after Close: the runtime may map something at their place meanwhile
	turn := func() {
		b, err := NewBatcher(64)
		testutil.SkipIfUnsupported(t, err)
		require.NoError(t, err)
		full, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
		require.NoError(t, err)
		defer unix.Close(full[0])
		defer unix.Close(full[1])
		s, err := socketOf(t, b, full[0]).NewSender(WithLimit(8 << 20))
		require.NoError(t, err)
		s.SetDeadline(time.Now().Add(time.Millisecond))
		_, err = s.Write(make([]byte, 4<<20))
		require.NoError(t, err)
		require.ErrorIs(t, s.Flush(context.Background()), os.ErrDeadlineExceeded)
		pieces := slices.Clone(b.mover.(*contextMover).ctx.arena.pieces)
		require.NotEmpty(t, pieces)
		require.Equal(t, len(pieces), countMapped(pieces))
		require.NoError(t, b.Close())
		kept += countMapped(pieces)
		require.ErrorIs(t, s.Err(), ErrClosed)
	}
	turn() // the runtime's own descriptors
	turns := testutil.Fewer(20, 5)
	contexts, files := countContexts(t), countFiles(t)
	for range turns {
		turn()
	}
	require.Less(t, kept, turns, "pieces of memory")
	require.Equal(t, contexts, countContexts(t), "contexts that are mapped")
	require.Equal(t, files, countFiles(t), "descriptors")
	requireNoMoreInUse(t, before)
}

// countMapped returns how many pieces have memory: msync(2) has ENOMEM for what is not mapped.
func countMapped(pieces [][]byte) int {
	n := 0
	for _, mem := range pieces {
		if unix.Msync(mem, unix.MS_ASYNC) == nil {
			n++
		}
	}
	return n
}

// countContexts returns how many AIO contexts the process has, each of which is a mapping with a name.
func countContexts(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/maps")
	require.NoError(t, err)
	return bytes.Count(text, []byte("/[aio]"))
}

func countFiles(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(names)
}

// refusingMover has the kernel refuse transfers that it has room for, until that is over, and tell of no change.
type refusingMover struct {
	mover
	refused int
	over    bool
}

func (m *refusingMover) move(window []*task) (int, error) {
	if m.over {
		return m.mover.move(window)
	}
	m.refused++
	for _, t := range window {
		t.res = -int64(unix.EAGAIN)
	}
	return len(window), nil
}

// TestAWaitThatHasEndedIsNoReasonToWait: the kernel says EAGAIN of a socket that has room, so no event follows. The
// wait ends by its deadline or context, and the next call attempts the socket again.
func TestAWaitThatHasEndedIsNoReasonToWait(t *testing.T) {
	const wait = 20 * time.Millisecond
	within := func(flush func(ctx context.Context) error) error {
		ctx, cancel := context.WithTimeout(t.Context(), wait)
		defer cancel()
		return flush(ctx)
	}
	for name, wait := range map[string]func(b *Batcher, s *Sender) error{
		"deadline": func(_ *Batcher, s *Sender) error {
			s.SetDeadline(time.Now().Add(wait))
			defer s.SetDeadline(time.Time{})
			return s.Flush(t.Context())
		},
		"context": func(_ *Batcher, s *Sender) error { return within(s.Flush) },
		"batcher": func(b *Batcher, _ *Sender) error { return within(b.Flush) },
	} {
		t.Run(name, func(t *testing.T) {
			bothMovers(t, 4, func(t *testing.T, b *Batcher) {
				s, peer := newSender(t, b, "unix")
				refusing := &refusingMover{mover: b.mover}
				b.mover = refusing
				_, err := s.Write([]byte("here"))
				require.NoError(t, err)
				// The poller tells, soon or late, of a socket that it comes to know, and may need another wait for that.
				for refusing.refused < 2 {
					require.Error(t, wait(b, s))
				}
				refusing.over = true
				require.NoError(t, b.Submit())
				require.Equal(t, "here", string(readFull(t, peer, 4)))
			})
		})
	}
}
