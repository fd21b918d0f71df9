//go:build linux

package uring

import (
	"context"
	"crypto/sha256"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

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

func TestSendBundleSendsInRingOrder(t *testing.T) { // FACTS 1, 2, 34; SPEC E14, E16
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

func TestSendBundleRefusals(t *testing.T) {
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

func TestSend(t *testing.T) {
	r := newTestRing(t, 8)
	a, peer := testutil.SocketPair(t, "unix")
	n, err := r.Send(context.Background(), a, []byte("hello"), 0)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	require.Equal(t, "hello", string(readAll(t, peer, 5)))
}

func TestSendTo(t *testing.T) {
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

func TestSendZCWaitsForTheNotification(t *testing.T) { // SPEC E36, FACTS 30
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
