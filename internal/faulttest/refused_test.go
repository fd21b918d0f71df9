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

	"github.com/sockring/uring/socketops"
)

// TestAcceptWhereNobodyCanConnect accepts on sockets that do not listen, in every form: that is an error at once, and
// no wait. The socket can be made to listen afterwards.
func TestAcceptWhereNobodyCanConnect(t *testing.T) { // fault 75
	onEngines(t, func(t *testing.T, e *socketops.Engine) {
		datagrams, err := e.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		require.NoError(t, err)
		defer datagrams.Close()
		idle := tcp(t, e)
		for s, want := range map[*socketops.Socket]unix.Errno{idle: unix.EINVAL, datagrams: unix.EOPNOTSUPP} {
			none, _, err := s.TryAccept()
			require.ErrorIs(t, err, want)
			require.Nil(t, none)
			none, _, err = s.Accept(lateContext(t))
			require.ErrorIs(t, err, want)
			require.Nil(t, none)
			for range 3 { // each is told
				ended := make(chan error, 1)
				s.GoAccept(func(c *socketops.Socket, _ socketops.Addr, err error) {
					if c != nil {
						err = nil
					}
					ended <- err
				})
				require.ErrorIs(t, within(t, ended), want)
			}
		}
		require.NoError(t, idle.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
		require.NoError(t, idle.Listen(1))
		at, err := idle.LocalAddr()
		require.NoError(t, err)
		require.NoError(t, tcp(t, e).Connect(lateContext(t), at))
		c, _, err := idle.Accept(lateContext(t))
		require.NoError(t, err)
		require.NoError(t, c.Close())
	})
}

// TestConnectThatIsRefused connects to nobody, and to addresses that are none for the socket, in every form: each says
// why, and a socket that was not asked to connect anywhere can be used.
func TestConnectThatIsRefused(t *testing.T) { // fault 76
	onEngines(t, func(t *testing.T, e *socketops.Engine) {
		l, at := listening(t, e, 1)
		gone, nobody := listening(t, e, 1)
		require.NoError(t, gone.Close())
		s := tcp(t, e)
		require.ErrorIs(t, s.Connect(lateContext(t), nobody), unix.ECONNREFUSED)
		require.False(t, s.Connected())
		s = tcp(t, e)
		if err := s.TryConnect(nobody); !errors.Is(err, unix.ECONNREFUSED) {
			require.ErrorIs(t, err, socketops.ErrInProgress)
			ready, err := s.Poll(lateContext(t), socketops.PollWrite, -1)
			require.NoError(t, err)
			require.True(t, ready)
			require.ErrorIs(t, s.TryFinishConnect(), unix.ECONNREFUSED)
		}
		s = tcp(t, e)
		for name, to := range map[string]socketops.Addr{
			"of no IP":        socketops.UnixAddr("/no address of IP"),
			"of another IP":   socketops.IPAddr(netip.MustParseAddrPort("[::1]:80")),
			"of no family":    {},
			"of another kind": socketops.UnixAddr("@abstract"),
		} {
			err := s.Connect(lateContext(t), to)
			require.Error(t, err, name)
			require.NotErrorIs(t, err, context.DeadlineExceeded, name)
			require.NotErrorIs(t, err, unix.ECONNREFUSED, name)
			require.False(t, s.Connected(), name)
		}
		require.NoError(t, s.Connect(lateContext(t), at))
		c, _, err := l.Accept(lateContext(t))
		require.NoError(t, err)
		require.NoError(t, c.Close())
	})
}

// within returns what comes before the test has hung.
func within[T any](t *testing.T, from <-chan T) (v T) {
	t.Helper()
	select {
	case v = <-from:
	case <-time.After(late):
		require.Fail(t, "nothing came")
	}
	return v
}
