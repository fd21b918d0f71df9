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
