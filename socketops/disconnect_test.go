//go:build linux

package socketops

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestDisconnectEndsTheConnection(t *testing.T) { onEngines(t, testDisconnectEndsTheConnection) }

func testDisconnectEndsTheConnection(t *testing.T, e *Engine) {
	t.Run("A86 without reuse", func(t *testing.T) {
		a, b := tcpPair(t, e)
		_, to := listeningTCP(t, e)
		require.NoError(t, a.Disconnect(false))
		require.False(t, a.Connected())
		require.Empty(t, receiveAll(t, b, 1))
		require.ErrorIs(t, a.Connect(lateContext(t), to), unix.EISCONN)
		require.ErrorIs(t, a.TryConnect(to), unix.EISCONN)
		require.NoError(t, a.Disconnect(false))
	})
	t.Run("A86 never connected", func(t *testing.T) {
		s := freshTCP(t, e)
		l, to := listeningTCP(t, e)
		for _, reuse := range []bool{false, true} {
			require.ErrorIs(t, s.Disconnect(reuse), unix.ENOTCONN)
		}
		require.NoError(t, s.Connect(lateContext(t), to))
		c, _, err := l.Accept(lateContext(t))
		require.NoError(t, err)
		keep(t, c)
		_, err = s.Send(lateContext(t), []byte("x"), 0)
		require.NoError(t, err)
		require.Len(t, receiveAll(t, c, 1), 1)
	})
	t.Run("A86 closed", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		require.NoError(t, a.Close())
		require.ErrorIs(t, a.Disconnect(true), ErrClosed)
		require.ErrorIs(t, a.replace(), ErrClosed)
	})
	t.Run("A86 with reuse", func(t *testing.T) {
		a, b := tcpPair(t, e)
		for range 3 {
			require.NoError(t, a.Disconnect(true))
			require.False(t, a.Connected())
			require.Empty(t, receiveAll(t, b, 1))
			require.ErrorIs(t, a.Disconnect(true), unix.ENOTCONN, "as if it were new")
			l, to := listeningTCP(t, e)
			require.NoError(t, a.Connect(lateContext(t), to))
			var err error
			b, _, err = l.Accept(lateContext(t))
			require.NoError(t, err)
			_, err = a.Send(lateContext(t), []byte("again"), 0)
			require.NoError(t, err)
			require.Equal(t, "again", string(receiveAll(t, b, 5)))
		}
	})
	t.Run("A86 reuse after one without", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		_, to := listeningTCP(t, e)
		require.NoError(t, a.Disconnect(false))
		require.NoError(t, a.Disconnect(true))
		require.ErrorIs(t, a.TryConnect(to), ErrInProgress)
		ready, err := a.Poll(lateContext(t), PollWrite, -1)
		require.NoError(t, err)
		require.True(t, ready)
		require.NoError(t, a.TryFinishConnect())
	})
	t.Run("A86 no descriptors are left over", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		before := openDescriptors(t)
		require.NoError(t, a.Disconnect(true))
		require.Equal(t, before, openDescriptors(t))
	})
}

func TestDisconnectForReuseEndsWhatWaits(t *testing.T) {
	onEngines(t, testDisconnectForReuseEndsWhatWaits)
}

func testDisconnectForReuseEndsWhatWaits(t *testing.T, e *Engine) {
	t.Run("B38 transfers of both directions, and in turn", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		fill(t, a)
		errs := make(chan error, 8)
		done := func(_ int, err error) { errs <- err }
		for range 2 {
			a.GoRecv(make([]byte, 1), 0, done)
			a.GoSend(make([]byte, 1<<20), 0, done)
		}
		require.NoError(t, a.replace())
		for range 4 {
			require.ErrorIs(t, <-errs, ErrCanceled)
		}
		a.GoRecv(make([]byte, 1), 0, done)
		require.ErrorIs(t, <-errs, unix.ENOTCONN, "of the new descriptor")
	})
	t.Run("B38 what Disconnect finds", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		fill(t, a)
		errs := make(chan error, 2)
		a.GoRecv(make([]byte, 1), 0, func(n int, err error) { errs <- err })
		a.GoSend(make([]byte, 1<<20), 0, func(n int, err error) { errs <- err })
		require.NoError(t, a.Disconnect(true))
		for range 2 { // The shutdown ends them where it comes first: by the end of the stream, and EPIPE.
			if err := <-errs; err != nil && Classify(err) != ClassShutdown {
				require.ErrorIs(t, err, ErrCanceled)
			}
		}
	})
	t.Run("N36 the deadlines stay", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		at := time.Now().Add(soon)
		require.NoError(t, a.SetReadDeadline(at))
		require.NoError(t, a.Disconnect(true))
		_, to := listeningTCP(t, e)
		require.NoError(t, a.Connect(lateContext(t), to))
		_, err := a.Recv(lateContext(t), make([]byte, 1), 0)
		require.ErrorIs(t, err, ErrTimeout)
		require.False(t, time.Now().Before(at))
		require.NoError(t, a.SetWriteDeadline(time.Unix(1, 0)))
		require.NoError(t, a.Disconnect(true))
		require.ErrorIs(t, a.Connect(lateContext(t), to), ErrTimeout)
	})
	t.Run("N35 the options stay as they were asked for", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		require.NoError(t, a.SetNoDelay(true))
		require.NoError(t, a.SetSendBuffer(20_000))
		size, err := a.SendBuffer()
		require.NoError(t, err)
		for range 3 {
			require.NoError(t, a.replace())
			again, err := a.SendBuffer()
			require.NoError(t, err)
			require.Equal(t, size, again)
			on, err := a.NoDelay()
			require.NoError(t, err)
			require.True(t, on)
		}
	})
	t.Run("N36 what it was bound to is lost", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		path := filepath.Join(t.TempDir(), "socket")
		require.NoError(t, a.Bind(UnixAddr(path)))
		require.NoError(t, a.Disconnect(true))
		require.NoFileExists(t, path)
		at, err := a.LocalAddr()
		require.NoError(t, err)
		require.Equal(t, UnixAddr(""), at)
		require.NoError(t, a.Bind(UnixAddr(path)))
		_, err = os.Stat(path)
		require.NoError(t, err)
		require.NoError(t, a.Close())
		require.NoFileExists(t, path)
		require.NoError(t, b.Close())
	})
	t.Run("N36 of the protocol that the kernel knows", func(t *testing.T) {
		s, err := e.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
		require.NoError(t, err)
		_, to := boundUDP(t, e)
		require.NoError(t, s.Connect(lateContext(t), to))
		require.True(t, s.Connected())
		require.NoError(t, s.Disconnect(true))
		require.False(t, s.Connected())
		p, err := unix.GetsockoptInt(s.current.Load().fd, unix.SOL_SOCKET, unix.SO_PROTOCOL)
		require.NoError(t, err)
		require.Equal(t, unix.IPPROTO_UDP, p)
	})
}

func TestReplacingRacesWithEverything(t *testing.T) { onEngines(t, testReplacingRacesWithEverything) }

func testReplacingRacesWithEverything(t *testing.T, e *Engine) {
	t.Run("B38 nothing is lost or left over", func(t *testing.T) {
		a, _ := tcpPair(t, e)
		ctx, cancel := context.WithTimeout(context.Background(), 10*soon)
		defer cancel()
		var wg sync.WaitGroup
		for _, work := range []func(){
			func() { _, _ = a.Recv(ctx, make([]byte, 1), 0) },
			func() { _, _ = a.TrySend([]byte("x"), 0) },
			func() { _, _ = a.Poll(ctx, PollError, time.Millisecond) },
			func() { _ = a.SetDeadline(time.Now().Add(late)) },
			func() { _ = a.replace() },
			func() { a.GoRecv(make([]byte, 1), 0, func(int, error) {}).Cancel() },
		} {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for ctx.Err() == nil {
					work()
				}
			}()
		}
		time.AfterFunc(5*soon, func() { a.Close() })
		wg.Wait()
		require.NoError(t, a.Close())
	})
}

func boundUDP(t testing.TB, e *Engine) (*Socket, Addr) {
	t.Helper()
	s, err := e.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	require.NoError(t, err)
	require.NoError(t, s.Bind(IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	a, err := s.LocalAddr()
	require.NoError(t, err)
	return s, a
}

func TestConnectedIsAdvice(t *testing.T) { onEngines(t, testConnectedIsAdvice) }

func testConnectedIsAdvice(t *testing.T, e *Engine) {
	t.Run("A88 a fresh socket and a listening one", func(t *testing.T) {
		l, to := listeningTCP(t, e)
		s := freshTCP(t, e)
		require.False(t, l.Connected())
		require.False(t, s.Connected())
		require.NoError(t, s.Connect(lateContext(t), to))
		require.True(t, s.Connected())
		c, _, err := l.Accept(lateContext(t))
		require.NoError(t, err)
		keep(t, c)
		require.True(t, c.Connected())
		require.NoError(t, s.Close())
		require.False(t, s.Connected())
	})
	t.Run("A88 a connection that fails, whose error stays", func(t *testing.T) {
		_, nobody := boundTCP(t, e)
		s := freshTCP(t, e)
		require.ErrorIs(t, s.TryConnect(nobody), ErrInProgress)
		_, err := s.Poll(lateContext(t), PollWrite, -1)
		require.NoError(t, err)
		require.False(t, s.Connected())
		require.ErrorIs(t, s.TryFinishConnect(), unix.ECONNREFUSED)
	})
	t.Run("A88 a connection made in the background", func(t *testing.T) {
		_, to := listeningTCP(t, e)
		s := freshTCP(t, e)
		require.ErrorIs(t, s.TryConnect(to), ErrInProgress)
		_, err := s.Poll(lateContext(t), PollWrite, -1)
		require.NoError(t, err)
		require.True(t, s.Connected())
	})
	t.Run("A88 a reset", func(t *testing.T) {
		a, b := tcpPair(t, e)
		b.GoRecv(make([]byte, 1), 0, func(int, error) {})
		require.NoError(t, b.Close()) // which cuts off a receive
		_, err := a.Poll(lateContext(t), PollRead, -1)
		require.NoError(t, err)
		require.False(t, a.Connected())
	})
}
