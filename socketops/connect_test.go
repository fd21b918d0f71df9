//go:build linux

package socketops

import (
	"context"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// failAccepts has as many calls of accept4(2) that would bring a connection fail as there are errors, in their order,
// and tells how many have. The connection is gone with that. Engines that are used meanwhile are made later.
func failAccepts(t *testing.T, errs ...unix.Errno) *atomic.Int64 {
	t.Helper()
	t.Cleanup(func() { sysAccept = accept4 })
	failed := new(atomic.Int64)
	sysAccept = func(fd int, m *message) int {
		n, i := accept4(fd, m), failed.Load()
		if n < 0 || i == int64(len(errs)) {
			return n
		}
		failed.Add(1)
		unix.Close(n)
		return -int(errs[i])
	}
	return failed
}

// ofOneConnection are the errors by which accept(2) says that the connection is broken that it would have brought.
var ofOneConnection = []unix.Errno{
	unix.ECONNABORTED, unix.ECONNRESET, unix.EPROTO, unix.ENOPROTOOPT, unix.ETIMEDOUT, unix.ENETDOWN, unix.ENETUNREACH,
	unix.EHOSTDOWN, unix.EHOSTUNREACH, unix.ENONET,
}

func TestAcceptAgain(t *testing.T) { // found 23
	for _, tt := range []struct {
		errs         []unix.Errno
		again, pause bool
	}{
		{ofOneConnection, true, false},
		{[]unix.Errno{unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM, unix.EPERM, unix.EACCES}, true, true},
		{[]unix.Errno{unix.EBADF, unix.EINVAL, unix.ENOTSOCK, unix.EOPNOTSUPP, unix.EFAULT, unix.EAGAIN}, false, false},
	} {
		for _, errno := range tt.errs {
			for _, err := range []error{errno, opError("accept4", errno), &net.OpError{Op: "accept", Err: errno}} {
				again, pause := AcceptAgain(err)
				require.Equal(t, tt.again, again, err)
				require.Equal(t, tt.pause, pause, err)
			}
		}
	}
	for _, err := range []error{nil, io.EOF, ErrClosed, ErrTimeout, ErrWouldBlock, errCanceled} {
		again, _ := AcceptAgain(err)
		require.False(t, again, err)
	}
}

func TestServerOutlivesConnectionsThatAreAborted(t *testing.T) { // found 23
	t.Run("G05", func(t *testing.T) {
		onEngines(t, func(t *testing.T, shared *Engine) {
			errs := slices.Concat(ofOneConnection, []unix.Errno{unix.EMFILE, unix.ENOMEM, unix.EPERM})
			failed := failAccepts(t, errs...)
			e, err := New(WithBackend(shared.Backend()))
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, e.Close()) })
			l := maker{e}.listen(t, "tcp")
			handler := func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("served")) }
			server := &http.Server{Handler: http.HandlerFunc(handler), ErrorLog: log.New(io.Discard, "", 0)}
			served := make(chan error, 1)
			go func() { served <- server.Serve(l) }()
			for range errs { // each takes a connection with it
				c := maker{}.dial(t, l.Addr())
				_, err := io.ReadAll(c)
				require.True(t, err == nil || errors.Is(err, unix.ECONNRESET), "%v", err)
			}
			require.EqualValues(t, len(errs), failed.Load())
			response, err := http.Get("http://" + l.Addr().String())
			require.NoError(t, err)
			defer response.Body.Close()
			body, err := io.ReadAll(response.Body)
			require.NoError(t, err)
			require.Equal(t, "served", string(body))
			require.NoError(t, server.Close())
			require.ErrorIs(t, <-served, http.ErrServerClosed)
		})
	})
}

// What does not go away is told to the caller, at once.
func TestAcceptEndsWithOtherErrors(t *testing.T) { // found 23
	onEngines(t, func(t *testing.T, shared *Engine) {
		failAccepts(t, unix.EMFILE, unix.ENFILE, unix.EPERM, unix.EINVAL)
		e, err := New(WithBackend(shared.Backend()))
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, e.Close()) })
		l := maker{e}.listen(t, "tcp")
		for _, tt := range []struct {
			errno     unix.Errno
			temporary bool
		}{{unix.EMFILE, true}, {unix.ENFILE, true}, {unix.EPERM, true}, {unix.EINVAL, false}} {
			maker{}.dial(t, l.Addr())
			_, err := l.Accept()
			require.ErrorIs(t, err, tt.errno)
			var failed *net.OpError
			require.ErrorAs(t, err, &failed)
			require.Equal(t, tt.temporary, failed.Temporary())
			require.False(t, failed.Timeout())
			require.Equal(t, l.Addr(), failed.Addr)
		}
		udp, _ := udp(t, e)
		_, err = udp.Listener().Accept()
		require.ErrorIs(t, err, unix.EOPNOTSUPP)
	})
}

func TestConnectAnyTriesEachAddress(t *testing.T) { onEngines(t, testConnectAnyTriesEachAddress) }

func testConnectAnyTriesEachAddress(t *testing.T, e *Engine) {
	_, nobody := boundTCP(t, e)
	_, somebody := listeningTCP(t, e)
	t.Run("B19 a new descriptor after a connect that failed", func(t *testing.T) {
		s := freshTCP(t, e)
		require.ErrorIs(t, s.Connect(lateContext(t), nobody), unix.ECONNREFUSED)
		first := s.current.Load()
		require.NoError(t, s.ConnectAny(lateContext(t), []netip.AddrPort{somebody.AddrPort()}))
		require.NotSame(t, first, s.current.Load())
	})
	t.Run("B19 a new descriptor after a Try form that failed", func(t *testing.T) {
		s := freshTCP(t, e)
		require.ErrorIs(t, s.TryConnect(nobody), ErrInProgress)
		_, err := s.Poll(lateContext(t), PollWrite, -1)
		require.NoError(t, err)
		require.ErrorIs(t, s.TryFinishConnect(), unix.ECONNREFUSED)
		first := s.current.Load()
		require.NoError(t, s.ConnectAny(lateContext(t), []netip.AddrPort{somebody.AddrPort()}))
		require.NotSame(t, first, s.current.Load())
	})
	t.Run("B19 a connection is left alone", func(t *testing.T) {
		a, b := tcpPair(t, e)
		require.ErrorIs(t, a.ConnectAny(lateContext(t), []netip.AddrPort{somebody.AddrPort(), nobody.AddrPort()}),
			unix.EISCONN)
		require.ErrorIs(t, a.ConnectAny(lateContext(t), []netip.AddrPort{somebody.AddrPort(), nobody.AddrPort()}),
			unix.EISCONN)
		_, err := a.Send(lateContext(t), []byte("x"), 0)
		require.NoError(t, err)
		require.Len(t, receiveAll(t, b, 1), 1)
	})
	t.Run("N35 no descriptors are left over", func(t *testing.T) {
		s := freshTCP(t, e)
		before := openDescriptors(t)
		require.ErrorIs(t, s.ConnectAny(lateContext(t), []netip.AddrPort{nobody.AddrPort(), nobody.AddrPort()}),
			unix.ECONNREFUSED)
		require.Equal(t, before, openDescriptors(t))
	})
	t.Run("N35 an exposed socket", func(t *testing.T) {
		s := freshTCP(t, e)
		_, err := s.Fd()
		require.NoError(t, err)
		err = s.ConnectAny(lateContext(t), []netip.AddrPort{nobody.AddrPort(), somebody.AddrPort()})
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.NoError(t, s.ConnectAny(lateContext(t), []netip.AddrPort{somebody.AddrPort()}))
	})
}

func TestConnectDataConnectsAndSends(t *testing.T) { onEngines(t, testConnectDataConnectsAndSends) }

func testConnectDataConnectsAndSends(t *testing.T, e *Engine) {
	big := pattern(4 << 20)
	for _, tt := range []struct {
		name string
		fast bool
		data []byte
	}{
		{"A25 a little", false, []byte("hello")},
		{"A25 nothing", false, nil},
		{"A25 a lot", false, big},
		{"N32 fast open, a little", true, []byte("hello")},
		{"N32 fast open, nothing", true, nil},
		{"N32 fast open, a lot", true, big},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l, to := listeningTCP(t, e)
			allowFastOpen(t, l)
			for range 2 { // The second time the kernel can know the peer.
				s := freshTCP(t, e)
				if tt.fast {
					allowFastOpen(t, s)
				}
				require.Equal(t, tt.fast, s.hasFastOpen())
				sent := make(chan outcome)
				go func() {
					n, err := s.ConnectData(lateContext(t), to, tt.data)
					sent <- outcome{n, err}
				}()
				c, _, err := l.Accept(lateContext(t))
				require.NoError(t, err)
				keep(t, c)
				require.Equal(t, string(tt.data), string(receiveAll(t, c, len(tt.data))))
				require.Equal(t, outcome{len(tt.data), nil}, <-sent)
				require.True(t, s.Connected())
			}
		})
	}
	t.Run("N32 data that goes with the request", func(t *testing.T) {
		l, to := listeningTCP(t, e)
		s := freshTCP(t, e)
		needNoCookie(t, s)
		n, err := s.connect(lateContext(t), to, []byte("early"), false)
		require.NoError(t, err)
		require.Equal(t, early(t, 5), n)
		_, err = s.Send(lateContext(t), []byte("earlylate")[n:], 0)
		require.NoError(t, err)
		c, _, err := l.Accept(lateContext(t))
		require.NoError(t, err)
		keep(t, c)
		require.Equal(t, "earlylate", string(receiveAll(t, c, 9)))
	})
	t.Run("N32 data that goes, and nobody waits", func(t *testing.T) {
		l, to := listeningTCP(t, e)
		s := freshTCP(t, e)
		needNoCookie(t, s)
		require.NoError(t, s.SetBlocking(false))
		n, err := s.ConnectData(lateContext(t), to, []byte("early"))
		require.ErrorIs(t, err, ErrInProgress)
		require.Equal(t, early(t, 5), n, "is on its way")
		c, _, err := l.Accept(lateContext(t))
		require.NoError(t, err)
		keep(t, c)
		require.Equal(t, "early"[:n], string(receiveAll(t, c, n)))
	})
	for name, prepare := range map[string]func(testing.TB, *Socket){
		"A25 refused":                          func(testing.TB, *Socket) {},
		"N32 fast open, refused":               allowFastOpen,
		"N32 fast open, refused with the data": needNoCookie,
	} {
		t.Run(name, func(t *testing.T) {
			_, nobody := boundTCP(t, e)
			s := freshTCP(t, e)
			prepare(t, s)
			n, err := s.ConnectData(lateContext(t), nobody, []byte("hello"))
			require.Equal(t, &OpError{"connect", unix.ECONNREFUSED}, err)
			require.Zero(t, n)
		})
	}
	t.Run("N32 other sockets have no fast open", func(t *testing.T) {
		s, err := e.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		require.NoError(t, err)
		require.False(t, s.hasFastOpen())
	})
}

func allowFastOpen(t testing.TB, s *Socket) {
	t.Helper()
	require.NoError(t, s.control("setsockopt", func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN, 5)
	}))
}

// needNoCookie has the first data already go with the connection request. Since 4.15.
func needNoCookie(t testing.TB, s *Socket) {
	t.Helper()
	allowFastOpen(t, s)
	require.NoError(t, s.control("setsockopt", func(fd int) error {
		return unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_FASTOPEN_NO_COOKIE, 1)
	}))
}

// early is how many of n bytes go with a connection request: all, or none where the system does not allow that.
func early(t testing.TB, n int) int {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/net/ipv4/tcp_fastopen")
	require.NoError(t, err)
	mode, err := strconv.ParseUint(strings.TrimSpace(string(b)), 0, 32)
	require.NoError(t, err)
	if mode&1 == 0 {
		return 0
	}
	return n
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
