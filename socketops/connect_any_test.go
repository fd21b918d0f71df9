//go:build linux

package socketops

import (
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

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
