//go:build linux

package faulttest

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// Addresses in the network of a test: from the first nothing comes back, and to the others there is no way.
const (
	silent      = "10.9.9.1"
	blackhole   = "10.9.9.2"
	unreachable = "10.9.9.3"
)

func addr(host string) socketops.Addr {
	return socketops.IPAddr(netip.AddrPortFrom(netip.MustParseAddr(host), 80))
}

// TestConnectThatNobodyAnswers has connects wait for an answer that does not come, and ends them in every way.
func TestConnectThatNobodyAnswers(t *testing.T) { // fault 76
	if !inNetwork(t) {
		return
	}
	addAddress(t, "10.9.9.9")
	addRoute(t, silent, unix.RTN_UNICAST)
	addRoute(t, blackhole, unix.RTN_BLACKHOLE)
	addRoute(t, unreachable, unix.RTN_UNREACHABLE)
	const soon = 50 * time.Millisecond
	onEngines(t, func(t *testing.T, e *socketops.Engine) {
		t.Run("context", func(t *testing.T) {
			ctx, cancel := context.WithTimeout(context.Background(), soon)
			defer cancel()
			err := tcp(t, e).Connect(ctx, addr(silent))
			require.ErrorIs(t, err, socketops.ErrCanceled)
			require.ErrorIs(t, err, context.DeadlineExceeded)
		})
		t.Run("deadline", func(t *testing.T) {
			s := tcp(t, e)
			begun := time.Now()
			require.NoError(t, s.SetWriteDeadline(begun.Add(soon)))
			require.ErrorIs(t, s.Connect(lateContext(t), addr(silent)), socketops.ErrTimeout)
			require.GreaterOrEqual(t, time.Since(begun), soon)
			require.False(t, s.Connected())
		})
		t.Run("close", func(t *testing.T) {
			s := tcp(t, e)
			done := make(chan error, 1)
			require.ErrorIs(t, s.TryConnect(addr(silent)), socketops.ErrInProgress)
			ready, err := s.Poll(context.Background(), socketops.PollWrite, soon)
			require.NoError(t, err)
			require.False(t, ready, "nobody answers")
			go func() {
				_, err := s.Poll(context.Background(), socketops.PollWrite, -1)
				done <- err
			}()
			require.NoError(t, s.Close())
			require.ErrorIs(t, <-done, socketops.ErrClosed)
		})
		t.Run("no way", func(t *testing.T) {
			require.Error(t, tcp(t, e).Connect(lateContext(t), addr(blackhole)))
			require.ErrorIs(t, tcp(t, e).Connect(lateContext(t), addr(unreachable)), unix.EHOSTUNREACH)
		})
		t.Run("next address", func(t *testing.T) {
			l, at := listening(t, e, 1)
			defer l.Close()
			s := tcp(t, e)
			require.NoError(t, s.ConnectAny(lateContext(t), []netip.AddrPort{addr(unreachable).AddrPort(), at.AddrPort()}))
		})
	})
	t.Run("ring", func(t *testing.T) {
		r, err := uring.New(8)
		testutil.SkipIfUnsupported(t, err)
		require.NoError(t, err)
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		defer unix.Close(fd)
		to, err := uring.SockaddrInet(addr(silent).AddrPort())
		require.NoError(t, err)
		s, err := r.SQE()
		require.NoError(t, err)
		require.NoError(t, s.PrepConnect(fd, &to))
		s.Link()
		s.SetData64(1)
		limit, err := r.SQE()
		require.NoError(t, err)
		require.NoError(t, limit.PrepLinkTimeout(soon, 0))
		limit.SetData64(2)
		_, err = r.SubmitAndWaitTimeout(context.Background(), 2, late)
		require.NoError(t, err)
		results := map[uint64]error{}
		for c := range r.Completions() {
			require.NotContains(t, results, c.Data64)
			results[c.Data64] = c.Err()
		}
		require.ErrorIs(t, results[1], unix.ECANCELED)
		require.ErrorIs(t, results[2], unix.ETIME)
		require.NoError(t, r.Close())
	})
}

// TestStreamsThroughABadNetwork has streams go both ways through a network that loses, doubles, delays and reorders
// packets, cuts them small, goes away for a while, or for good: they arrive whole, or end at their deadline.
func TestStreamsThroughABadNetwork(t *testing.T) { // fault 84
	if !inNetwork(t) {
		return
	}
	setWeather(t, weather{}) // skips where there is none
	size := testutil.Fewer(4<<20, 256<<10)
	away := time.Duration(testutil.Fewer(5, 1)) * time.Second
	onEngines(t, func(t *testing.T, e *socketops.Engine) {
		for name, bad := range map[string]struct {
			weather
			mtu  uint32
			away bool
		}{
			"loss":      {weather: weather{loss: 3}, mtu: 1500},
			"reordered": {weather: weather{reorder: 25, delay: 2 * time.Millisecond}, mtu: 1500},
			"doubled":   {weather: weather{double: 20}, mtu: 1500},
			"slow":      {weather: weather{rate: 4 * size}, mtu: 1500},
			"all of it": {weather: weather{2, 5, 10, time.Millisecond, 8 * size}, mtu: 1500},
			"small":     {mtu: 576},
			"link down": {weather: weather{rate: 4 * size}, mtu: 1500, away: true},
		} {
			t.Run(name, func(t *testing.T) {
				setWeather(t, weather{})
				a, b := tcpPair(t, e)
				for _, s := range []*socketops.Socket{a, b} {
					require.NoError(t, s.SetDeadline(time.Now().Add(2*late)))
				}
				setMTU(t, bad.mtu)
				setWeather(t, bad.weather)
				one, other := make(chan transfer, 1), make(chan transfer, 1)
				go func() { one <- stream(a, b, noise(1, size)) }()
				go func() { other <- stream(b, a, noise(2, size)) }()
				if bad.away {
					setLink(t, false)
					time.Sleep(away) // which is the fault
					setLink(t, true)
				}
				require.Equal(t, transfer{whole: true}, <-one)
				require.Equal(t, transfer{whole: true}, <-other)
			})
		}
		t.Run("nothing arrives", func(t *testing.T) {
			setWeather(t, weather{})
			a, b := tcpPair(t, e)
			setWeather(t, weather{loss: 100})
			defer setWeather(t, weather{})
			begun := time.Now()
			limit := time.Second
			for _, s := range []*socketops.Socket{a, b} {
				require.NoError(t, s.SetDeadline(begun.Add(limit)))
			}
			tr := stream(a, b, noise(3, 64<<20))
			require.GreaterOrEqual(t, time.Since(begun), limit)
			require.ErrorIs(t, tr.sendErr, socketops.ErrTimeout)
			require.ErrorIs(t, tr.recvErr, socketops.ErrTimeout)
			ctx, cancel := context.WithTimeout(context.Background(), limit)
			defer cancel()
			fresh := tcp(t, e)
			l, at := listening(t, e, 1)
			defer l.Close()
			require.ErrorIs(t, fresh.Connect(ctx, at), context.DeadlineExceeded)
		})
	})
}

// TestPendingErrorsAndUrgentDataAreSurfacedOnce has each thing that a socket comes to on its own be told, and not
// again.
func TestPendingErrorsAndUrgentDataAreSurfacedOnce(t *testing.T) { // fault 85
	if !inNetwork(t) {
		return
	}
	onEngines(t, func(t *testing.T, e *socketops.Engine) {
		t.Run("refused datagram", func(t *testing.T) {
			gone, err := e.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
			require.NoError(t, err)
			require.NoError(t, gone.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
			to, err := gone.LocalAddr()
			require.NoError(t, err)
			require.NoError(t, gone.Close())
			s, err := e.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
			require.NoError(t, err)
			defer s.Close()
			require.NoError(t, s.Connect(lateContext(t), to))

			_, err = s.Send(lateContext(t), []byte("?"), 0)
			require.NoError(t, err)
			ready, err := s.Poll(lateContext(t), socketops.PollError, late) // the refusal comes by and by
			require.NoError(t, err)
			require.True(t, ready)
			require.ErrorIs(t, s.SocketError(), unix.ECONNREFUSED)
			require.NoError(t, s.SocketError(), "it is told once")

			_, err = s.Send(lateContext(t), []byte("?"), 0)
			require.NoError(t, err)
			_, err = s.Recv(lateContext(t), make([]byte, 8), 0)
			require.ErrorIs(t, err, unix.ECONNREFUSED)
			require.NoError(t, s.SocketError(), "the receive has told it")
			_, err = s.TryRecv(make([]byte, 8), 0)
			require.ErrorIs(t, err, socketops.ErrWouldBlock)
		})
		t.Run("urgent data", func(t *testing.T) {
			a, b := tcpPair(t, e)
			_, err := a.Send(lateContext(t), []byte("abc"), 0)
			require.NoError(t, err)
			_, err = a.Send(lateContext(t), []byte("!"), socketops.OOB)
			require.NoError(t, err)
			_, err = a.Send(lateContext(t), []byte("def"), 0)
			require.NoError(t, err)
			ready, err := b.Poll(lateContext(t), socketops.PollError, late)
			require.NoError(t, err)
			require.True(t, ready)
			one := make([]byte, 8)
			n, err := b.TryRecv(one, socketops.OOB)
			require.NoError(t, err)
			require.Equal(t, "!", string(one[:n]))
			_, err = b.TryRecv(one, socketops.OOB)
			require.ErrorIs(t, err, unix.EINVAL, "it is told once")

			var got []byte
			for len(got) < 6 { // a receive stops at the mark
				n, err := b.Recv(lateContext(t), one, 0)
				require.NoError(t, err)
				got = append(got, one[:n]...)
			}
			require.Equal(t, "abcdef", string(got), "the urgent byte is not in the stream")
		})
		t.Run("TCP_USER_TIMEOUT", func(t *testing.T) {
			a, b := tcpPair(t, e)
			fd, err := a.Fd()
			require.NoError(t, err)
			require.NoError(t, unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 300))
			waiting := make(chan error, 1)
			a.GoRecv(make([]byte, 8), 0, func(_ int, err error) { waiting <- err })
			setLink(t, false)
			defer setLink(t, true)
			_, err = a.Send(lateContext(t), []byte("x"), 0)
			require.NoError(t, err)
			select {
			case err = <-waiting:
				require.True(t, errors.Is(err, unix.ETIMEDOUT) || errors.Is(err, unix.ENETUNREACH), "%v", err)
			case <-time.After(late):
				require.Fail(t, "nothing has told of the time-out")
			}
			require.NoError(t, a.SocketError(), "it is told once")
			n, err := a.TryRecv(make([]byte, 8), 0)
			require.NoError(t, err)
			require.Zero(t, n, "then it is the end")
			_, err = a.Send(lateContext(t), []byte("x"), 0)
			require.ErrorIs(t, err, unix.EPIPE)
			_ = b
		})
	})
}
