//go:build linux

package uring

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// publishStream fills every buffer of b with the next bytes of the test stream, and publishes them in an order of ids
// that is not that of the ring.
func publishStream(t testing.TB, b *BufRing, size int) (total int) {
	t.Helper()
	for i := range b.Entries() {
		id := uint16(i*7) & uint16(b.Entries()-1) // 7 is odd: every id once
		p, err := b.Buffer(id)
		require.NoError(t, err)
		fillStream(p[:size], total)
		require.NoError(t, b.Add(id, size))
		total += size
	}
	require.Equal(t, b.Entries(), b.Publish())
	return total
}

func TestSendBundleSendsInRingOrder(t *testing.T) { // FACTS 1, 2, 34; SPEC E14, E16, E10, E11
	needs(t, CanSendBundle)
	for _, network := range []string{"tcp4", "unix"} {
		for _, size := range []int{64, 4096} { // within the socket's room, and far beyond it
			r := newTestRing(t, 8)
			a, peer := testutil.SocketPair(t, network)
			b, err := r.NewBufRing(1024, 4096)
			testutil.SkipIfUnsupported(t, err)
			total := publishStream(t, b, size)
			sum := make(chan [32]byte)
			go func() { sum <- sha256.Sum256(readAll(t, peer, total)) }()
			n, err := r.SendBundle(context.Background(), a, b, 0)
			testutil.SkipIfUnsupported(t, err)
			require.Equal(t, total, n)
			want := make([]byte, total)
			fillStream(want, 0)
			require.Equal(t, sha256.Sum256(want), <-sum)
			require.Zero(t, b.unaccounted())
			require.NoError(t, b.Add(0, 1)) // everything is ours again
		}
	}
}

// untilSome returns a context that ends when something has arrived at a socket.
func untilSome(t *testing.T, fd int) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer cancel()
		for {
			ready := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			if n, err := unix.Poll(ready, -1); n > 0 || !errors.Is(err, unix.EINTR) {
				return
			}
		}
	}()
	t.Cleanup(func() { <-over })
	return ctx
}

func TestSendBundleThatIsCancelledCountsToTheByte(t *testing.T) { // FACTS 4, 5; SPEC E34
	needs(t, CanSendBundle)
	r := newTestRing(t, 8)
	a, peer := testutil.SocketPair(t, "tcp4")
	b, err := r.NewBufRing(4096, 4096)
	testutil.SkipIfUnsupported(t, err)
	total := publishStream(t, b, 4096)
	ctx := untilSome(t, peer)
	n, err := r.SendBundle(ctx, a, b, 0)
	require.ErrorIs(t, err, context.Canceled)
	require.NotZero(t, n)
	require.Less(t, n, total)
	require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
	got, want := readToEnd(t, peer), make([]byte, n)
	fillStream(want, 0)
	require.Equal(t, want, got)
	for id := range b.Entries() {
		require.NoError(t, b.Add(uint16(id), 1), "buffer %d is not ours again", id)
	}
}

func readToEnd(t testing.TB, fd int) []byte {
	t.Helper()
	var all []byte
	p := make([]byte, 1<<16)
	for {
		n, err := unix.Read(fd, p)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		require.NoError(t, err)
		if n == 0 {
			return all
		}
		all = append(all, p[:n]...)
	}
}

func TestSendBundleRefusals(t *testing.T) { // SPEC E24
	needs(t, CanSendBundle)
	r := newTestRing(t, 8)
	b, err := r.NewBufRing(4, 16)
	testutil.SkipIfUnsupported(t, err)
	dgram, _ := testutil.SocketPair(t, "udp4")
	_, err = r.SendBundle(context.Background(), dgram, b, 0)
	require.ErrorIs(t, err, unix.EPROTOTYPE) // FACTS 9: it would join them
	_, err = r.SendBundle(context.Background(), -1, b, 0)
	require.ErrorIs(t, err, unix.EBADF)

	a, peer := testutil.SocketPair(t, "unix")
	n, err := r.SendBundle(context.Background(), a, b, 0)
	require.NoError(t, err, "nothing published is nothing to send")
	require.Zero(t, n)
	require.NoError(t, unix.Close(peer))
	publishStream(t, b, 16)
	_, err = r.SendBundle(context.Background(), a, b, 0)
	require.ErrorIs(t, err, unix.EPIPE) // FACTS 7
	require.Zero(t, b.unaccounted())
}

func TestSend(t *testing.T) { // SPEC E04
	r := newTestRing(t, 8)
	a, peer := testutil.SocketPair(t, "unix")
	n, err := r.Send(context.Background(), a, []byte("hello"), 0)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.Equal(t, "hello", string(readAll(t, peer, 5)))
}

func TestSendTo(t *testing.T) { // SPEC E05, E06
	needs(t, CanSendTo)
	r := newTestRing(t, 8)
	loopback := [4]byte{127, 0, 0, 1}
	var fds [2]int
	for i := range fds {
		var err error
		fds[i], err = unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fds[i])
		require.NoError(t, unix.Bind(fds[i], &unix.SockaddrInet4{Addr: loopback}))
	}
	name, err := unix.Getsockname(fds[1])
	require.NoError(t, err)
	port := uint16(name.(*unix.SockaddrInet4).Port)
	addr, err := SockaddrInet(netip.AddrPortFrom(netip.AddrFrom4(loopback), port))
	require.NoError(t, err)
	n, err := r.SendTo(context.Background(), fds[0], []byte("datagram"), 0, &addr)
	require.NoError(t, err)
	require.Equal(t, 8, n)
	require.Equal(t, "datagram", string(readAll(t, fds[1], 8)))
}

func TestSendEndsWithItsContextAndCountsWhatLeft(t *testing.T) {
	r := newTestRing(t, 8)
	if !r.countsCancelledSends() {
		testutil.SkipIfUnsupported(t, &UnsupportedError{
			Name: "count of a cancelled send", Missing: "the kernel forgets what had left", SinceMajor: 6, SinceMinor: 1,
		})
	}
	a, peer := testutil.SocketPair(t, "tcp4")
	p := make([]byte, 16<<20)
	fillStream(p, 0)
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	n, err := r.Send(ctx, a, p, unix.MSG_WAITALL)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, n, len(p))
	require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
	require.Equal(t, p[:n], readToEnd(t, peer))
	_, err = r.Send(ctx, a, p, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded, "over before it began")
}

func TestSendZCWaitsForTheNotification(t *testing.T) { // SPEC E36, E22, FACTS 30
	needs(t, CanSendZC)
	r := newTestRing(t, 8)
	a, peer := testutil.SocketPair(t, "tcp4")
	p := make([]byte, 100_000)
	fillStream(p, 0)
	got := make(chan []byte)
	go func() { got <- readAll(t, peer, len(p)) }()
	n, copied, err := r.SendZC(context.Background(), a, p, unix.MSG_WAITALL)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	require.Equal(t, len(p), n)
	require.True(t, copied, "loopback copies")
	require.Zero(t, r.slots.live, "the notification is in")
	want := make([]byte, len(p))
	fillStream(want, 0)
	require.Equal(t, want, <-got)

	local, _ := testutil.SocketPair(t, "unix")
	_, _, err = r.SendZC(context.Background(), local, p, 0)
	require.ErrorIs(t, err, unix.EOPNOTSUPP) // fault 87
	require.Zero(t, r.slots.live)
}

// newTestSender returns a Sender and the socket that its stream comes out of.
func newTestSender(t testing.TB, r *Ring, network string, opts ...SenderOption) (*Sender, int) {
	t.Helper()
	a, b := testutil.SocketPair(t, network)
	s, err := r.NewSender(a, opts...)
	require.NoError(t, err)
	return s, b
}

// senders returns the Senders of a ring.
func senders(t require.TestingT, r *Ring) *senderSet {
	set, err := r.senderSet()
	require.NoError(t, err)
	return set
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

// leave is how user code may fail to return.
var leave = map[string]func(){
	"panics":         func() { panic("in a release") },
	"ends goroutine": runtime.Goexit,
}

// elsewhere runs f on a goroutine of its own and reports whether it returned. What f does to its ring is done when
// elsewhere returns: its thread may end a moment later.
func elsewhere(f func()) (returned bool) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		panics(func() {
			f()
			returned = true
		})
	}()
	<-done
	return returned
}

// panics calls f and reports whether it panicked.
func panics(f func()) (did bool) {
	defer func() { did = recover() != nil }()
	f()
	return false
}

// TestReleaseThatPanicsLeavesNothingHalfDone has the first release of a Sender panic, which the program survives:
// the request that it came with is over, the others are told, and the Sender goes on.
func TestReleaseThatPanicsLeavesNothingHalfDone(t *testing.T) { // fault 35; found 3
	testutil.Timeout(t, time.Minute)
	for name, opts := range map[string][]SenderOption{"bundle": nil, "sendmsg": {WithSendmsg()}} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 8)
			s, peer := newTestSender(t, r, "unix", opts...)
			other, otherPeer := newTestSender(t, r, "unix", opts...)
			var told []int
			require.NoError(t, s.HandOver([]byte("ab"), func(int, error) { panic("in a release") }))
			require.NoError(t, s.HandOver([]byte("cde"), func(n int, _ error) { told = append(told, n); panic("and another") }))
			require.NoError(t, s.HandOver([]byte("f"), func(n int, _ error) { told = append(told, n) }))
			require.NoError(t, other.HandOver([]byte("x"), func(n int, _ error) { told = append(told, 10*n) }))
			require.Panics(t, func() { _ = r.Flush(context.Background()) })
			require.NoError(t, r.Flush(context.Background()))
			require.Equal(t, []int{3, 1, 10}, told)
			require.Zero(t, s.Buffered())
			require.Zero(t, r.Stats().InFlight)

			_, err := s.Write([]byte("g"))
			require.NoError(t, err)
			require.NoError(t, s.Flush(context.Background()))
			require.Equal(t, "abcdefg", string(readAll(t, peer, 7)))
			require.Equal(t, "x", string(readAll(t, otherPeer, 1)))
			require.NoError(t, s.Close())
			require.Zero(t, senders(t, r).slab.Stats().Out)
		})
	}
}

// TestReleaseThatPanicsWhileASenderEnds is for what comes of a failure and of Close.
func TestReleaseThatPanicsWhileASenderEnds(t *testing.T) { // fault 35; found 3
	testutil.Timeout(t, time.Minute)
	for name, end := range map[string]func(r *Ring, s *Sender, peer int){
		"failure": func(_ *Ring, s *Sender, peer int) {
			require.NoError(t, unix.Shutdown(peer, unix.SHUT_RDWR))
			_ = s.Flush(context.Background())
		},
		"close": func(_ *Ring, s *Sender, _ int) { _ = s.Close() },
		"close with a request in flight": func(r *Ring, s *Sender, _ int) {
			_, err := r.Submit()
			require.NoError(t, err)
			_ = s.Close()
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 8)
			s, peer := newTestSender(t, r, "unix", WithBatch(1<<30))
			told := 0
			require.NoError(t, s.HandOver(make([]byte, 4<<10), func(int, error) { panic("in a release") }))
			for range 2 {
				require.NoError(t, s.HandOver(make([]byte, 400<<10), func(int, error) { told++; panic("in a release") }))
			}
			require.Panics(t, func() { end(r, s, peer) })
			for tries := 0; panics(func() { _ = s.Close() }); tries++ {
				require.Less(t, tries, 3, "a Close that a release breaks off goes on with the next")
			}
			require.Equal(t, 2, told)
			require.NotContains(t, senders(t, r).all, s)
			require.Error(t, s.Err())
			reapAll(r) // serves what was taken together with the completion whose release panicked
			require.Zero(t, r.Stats().InFlight)
			if s.group != nil {
				require.True(t, s.group.closed())
			}
			_, err := s.Write([]byte("late"))
			require.ErrorIs(t, err, s.Err())
		})
	}
}

// TestReleaseThatDoesNotReturnDoesNotKeepTheRingOpen: Close has several Senders, all of whose releases leave, and
// requests in flight.
func TestReleaseThatDoesNotReturnDoesNotKeepTheRingOpen(t *testing.T) { // fault 35; found 3
	testutil.Timeout(t, time.Minute)
	needs(t, CanSetup)
	for name, out := range leave {
		t.Run(name, func(t *testing.T) {
			var r *Ring
			told := 0
			returned := elsewhere(func() {
				var err error
				r, err = New(8)
				require.NoError(t, err)
				for range 3 {
					s, _ := newTestSender(t, r, "unix")
					for range 3 {
						require.NoError(t, s.HandOver(make([]byte, 300<<10), func(int, error) { told++; out() }))
					}
				}
				_, err = r.Submit()
				require.NoError(t, err)
				_ = r.Close()
			})
			require.False(t, returned)
			require.NoError(t, r.Close(), "the ring was closed, whatever the releases did")
			require.Equal(t, 9, told)
			require.Empty(t, r.slots.blocks)
			require.Equal(t, -1, r.Fd())
			require.Zero(t, senders(t, r).slab.Stats().Out)
		})
	}
}

// TestReleaseThatEndsTheOwner: the goroutine that owns the ring ends within a release, and Close from elsewhere finds
// every account in order.
func TestReleaseThatEndsTheOwner(t *testing.T) { // found 3
	testutil.Timeout(t, time.Minute)
	needs(t, CanSetup)
	var r *Ring
	var s *Sender
	var peer int
	var told []error
	returned := elsewhere(func() {
		var err error
		r, err = New(8)
		require.NoError(t, err)
		s, peer = newTestSender(t, r, "unix", WithPromptRelease(), WithBatch(1<<30))
		require.NoError(t, s.HandOver([]byte("ab"), func(int, error) { runtime.Goexit() }))
		for range 3 {
			require.NoError(t, s.HandOver(make([]byte, 300<<10), func(_ int, err error) { told = append(told, err) }))
		}
		_ = r.Flush(context.Background())
	})
	require.False(t, returned)
	require.Equal(t, "ab", string(readAll(t, peer, 2)))
	require.NoError(t, r.Close())
	require.Len(t, told, 3)
	require.ErrorIs(t, told[2], ErrClosed)
	require.Zero(t, senders(t, r).sending)
	require.Empty(t, senders(t, r).all)
	require.Zero(t, senders(t, r).slab.Stats().Out)
}

// TestLoopOverCompletionsThatDoesNotReturn loses the completion that its body had, and no other.
func TestLoopOverCompletionsThatDoesNotReturn(t *testing.T) { // found 3
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 8)
	for i := range uint64(3) {
		nop(t, r, i)
	}
	_, err := r.SubmitAndWait(context.Background(), 3)
	require.NoError(t, err)
	require.Panics(t, func() {
		for c := range r.Completions() {
			require.Zero(t, c.Data64)
			panic("in the loop")
		}
	})
	require.Zero(t, r.Stats().InFlight)
	got := reapAll(r)
	require.Len(t, got, 2)
	require.EqualValues(t, 1, got[0].Data64)
}

// TestWaitCountsWhatAPanicHasLeft: completions that were taken in one batch with the one whose release panicked are
// there for the next wait, which the kernel would have wait for others.
func TestWaitCountsWhatAPanicHasLeft(t *testing.T) { // found 3
	testutil.Timeout(t, time.Minute)
	ctx := context.Background()
	r := newTestRing(t, 8)
	s, _ := newTestSender(t, r, "unix")
	require.NoError(t, s.HandOver([]byte("x"), func(int, error) { panic("in a release") }))
	_, err := r.Submit() // the Sender's request completes first
	require.NoError(t, err)
	nop(t, r, 1)
	nop(t, r, 2)
	_, err = r.Submit()
	require.NoError(t, err)
	require.Panics(t, func() { r.Ready() })

	_, err = r.SubmitAndWaitTimeout(ctx, 2, 10*time.Second)
	require.NoError(t, err)
	require.Equal(t, 2, r.Ready())
	require.Len(t, reapAll(r), 2)
	_, err = r.SubmitAndWait(ctx, 1)
	require.ErrorIs(t, err, ErrIdle)
}
