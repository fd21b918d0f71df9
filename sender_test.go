//go:build linux

package uring

import (
	"context"
	"errors"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// newTestSender returns a Sender and the socket that its stream comes out of.
func newTestSender(t testing.TB, r *Ring, network string, opts ...SenderOption) (*Sender, int) {
	t.Helper()
	a, b := testutil.SocketPair(t, network)
	s, err := r.NewSender(a, opts...)
	require.NoError(t, err)
	return s, b
}

// readAll takes n bytes from a socket.
func readAll(t testing.TB, fd, n int) []byte {
	t.Helper()
	p := make([]byte, n)
	for got := 0; got < n; {
		k, err := unix.Read(fd, p[got:])
		if errors.Is(err, unix.EINTR) {
			continue
		}
		require.NoError(t, err)
		require.NotZero(t, k)
		got += k
	}
	return p
}

func TestManySendersLeaveWithOneSubmission(t *testing.T) {
	for name, opts := range map[string][]SenderOption{"bundle": nil, "sendmsg": {WithSendmsg()}} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 64)
			var senders []*Sender
			var peers []int
			for range 64 {
				s, peer := newTestSender(t, r, "unix", opts...)
				senders, peers = append(senders, s), append(peers, peer)
			}
			round := func() {
				for i, s := range senders {
					_, err := s.Write([]byte{byte(i), 'a'})
					require.NoError(t, err)
					require.NoError(t, s.HandOver([]byte{byte(i), 'b'}, nil))
				}
			}
			round()
			n, err := r.Submit() // the first round makes the groups
			require.NoError(t, err)
			require.Equal(t, 64, n)
			r.Ready()
			round()
			before, calls := r.Stats().Enters, r.c.Calls()
			_, err = r.Submit()
			require.NoError(t, err)
			require.Zero(t, r.Ready(), "completions of Senders are their own")
			require.EqualValues(t, 1, r.Stats().Enters-before)
			require.LessOrEqual(t, r.c.Calls()-calls, uint64(1), "calls into C must not grow with the Senders")
			for i, peer := range peers {
				require.Equal(t, []byte{byte(i), 'a', byte(i), 'b', byte(i), 'a', byte(i), 'b'}, readAll(t, peer, 8))
				require.Zero(t, senders[i].Buffered())
			}
		})
	}
}

func TestFlushStopsAtTheDeadlineAndGoesOnFromTheExactByte(t *testing.T) {
	for _, network := range []string{"tcp4", "unix"} {
		r := newTestRing(t, 8)
		s, peer := newTestSender(t, r, network, WithLimit(16<<20))
		message := make([]byte, 12<<20)
		fillStream(message, 0)
		require.NoError(t, s.HandOver(message[:1000], nil)) // two pieces: a bundle
		_, err := s.Write(message[1000:])
		require.NoError(t, err)

		s.SetDeadline(time.Now().Add(10 * time.Millisecond))
		require.ErrorIs(t, s.Flush(context.Background()), os.ErrDeadlineExceeded)
		sent := s.Sent()
		require.NotZero(t, sent)
		require.Less(t, sent, s.Accepted())
		messages, partial := s.Progress()
		require.EqualValues(t, 1, messages)
		require.EqualValues(t, sent-1000, partial)

		s.SetDeadline(time.Time{})
		done := make(chan []byte)
		go func() { done <- readAll(t, peer, len(message)) }()
		require.NoError(t, s.Flush(context.Background()))
		require.Equal(t, message, <-done)
	}
}

func TestSenderReportsWhatAResetLeftUnsent(t *testing.T) {
	r := newTestRing(t, 8)
	s, peer := newTestSender(t, r, "tcp4", WithBatch(1<<30))
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
	require.NoError(t, s.Close())
}

func TestCloseOfTheRingEndsItsSenders(t *testing.T) {
	r := newTestRing(t, 8)
	s, _ := newTestSender(t, r, "unix")
	var sent int
	var told error
	require.NoError(t, s.HandOver(make([]byte, 800_000), func(n int, err error) { sent, told = n, err }))
	_, err := r.Submit()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.ErrorIs(t, told, ErrClosed)
	require.EqualValues(t, s.Sent(), sent)
	_, err = s.Write([]byte("late"))
	require.ErrorIs(t, err, ErrClosed)
	require.ErrorIs(t, s.Close(), nil)
}

func TestReleaseMayWriteButNotWait(t *testing.T) {
	r := newTestRing(t, 8)
	s, peer := newTestSender(t, r, "unix")
	var waited error
	require.NoError(t, s.HandOver([]byte("one"), func(int, error) {
		_, err := s.Write([]byte("two"))
		require.NoError(t, err)
		waited = s.Flush(context.Background())
	}))
	require.NoError(t, s.Flush(context.Background()))
	require.ErrorIs(t, waited, errServing)
	require.NoError(t, r.Flush(context.Background()))
	require.Equal(t, "onetwo", string(readAll(t, peer, 6)))
}

func TestTryWriteRefusesAtTheLimit(t *testing.T) {
	r := newTestRing(t, 8)
	s, _ := newTestSender(t, r, "unix", WithLimit(10))
	require.NoError(t, s.TryWrite([]byte("12345678")))
	require.ErrorIs(t, s.TryWrite([]byte("345")), unix.EAGAIN)
	require.ErrorIs(t, s.Writev([][]byte{make([]byte, 6), make([]byte, 6)}), unix.EMSGSIZE)
	require.Equal(t, 8, s.Buffered())
	var unsent *UnsentError
	require.ErrorAs(t, s.Close(), &unsent)
	require.Equal(t, UnsentError{Messages: 1, Bytes: 8}, *unsent)
}

func TestWriteSendsABatchByItself(t *testing.T) {
	r := newTestRing(t, 8)
	s, peer := newTestSender(t, r, "unix", WithBatch(100))
	other, otherPeer := newTestSender(t, r, "unix")
	_, err := other.Write([]byte("along"))
	require.NoError(t, err)
	for i := range 3 {
		_, err := s.Write(make([]byte, 40))
		require.NoError(t, err)
		if i < 2 {
			require.Zero(t, r.Stats().Enters)
		}
	}
	require.EqualValues(t, 1, r.Stats().Enters)
	require.Zero(t, s.Buffered())
	require.Len(t, readAll(t, peer, 120), 120)
	require.Equal(t, "along", string(readAll(t, otherPeer, 5)), "the others' bytes leave with it")
	_, err = r.NewSender(0, WithBatch(0))
	require.Error(t, err)
}

func TestSenderAllocatesNothing(t *testing.T) {
	if race.Enabled {
		testutil.Skip(t, testutil.NeedsNoRace, "the race detector allocates")
	}
	for name, opts := range map[string][]SenderOption{"bundle": nil, "sendmsg": {WithSendmsg()}} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 8)
			s, peer := newTestSender(t, r, "unix", opts...)
			message, sink := make([]byte, 100), make([]byte, 1<<16)
			ctx := context.Background()
			round := func() {
				for range 8 {
					if _, err := s.Write(message); err != nil {
						t.Fatal(err)
					}
					if err := s.HandOver(message, nil); err != nil {
						t.Fatal(err)
					}
				}
				if err := s.Flush(ctx); err != nil {
					t.Fatal(err)
				}
				if _, err := unix.Read(peer, sink); err != nil {
					t.Fatal(err)
				}
			}
			for range 100 {
				round()
			}
			require.Zero(t, testing.AllocsPerRun(1000, round))
		})
	}
}

// BenchmarkSenderWrite is the cost of queueing a message and its share of the sends, 64 messages of 64 bytes a
// send.
func BenchmarkSenderWrite(b *testing.B) {
	r := newTestRing(b, 8)
	s, peer := newTestSender(b, r, "unix")
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
