//go:build linux

package socketops

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var loopback = IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))

func TestProtocolTable(t *testing.T) { // N01, A10
	e := engine(t)
	for _, tt := range []struct {
		family Family
		typ    Type
		proto  Protocol
		want   error
	}{
		{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP, nil},
		{unix.AF_INET, unix.SOCK_DGRAM, 0, nil},
		{unix.AF_UNIX, unix.SOCK_SEQPACKET, 0, nil},
		{unix.AF_VSOCK, unix.SOCK_STREAM, 0, unix.EAFNOSUPPORT},
		{unix.AF_INET, unix.SOCK_DCCP, 0, unix.EPROTOTYPE},
		{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_SCTP, unix.EPROTONOSUPPORT},
		{unix.AF_UNIX, unix.SOCK_STREAM, unix.IPPROTO_TCP, unix.EPROTONOSUPPORT},
		{unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_ICMPV6, unix.EPROTONOSUPPORT},
	} {
		s, err := e.Socket(tt.family, tt.typ, tt.proto)
		if tt.want != nil {
			require.ErrorIs(t, err, tt.want)
			continue
		}
		require.NoError(t, err)
		require.Equal(t, []any{tt.family, tt.typ, tt.proto}, []any{s.Family(), s.Type(), s.Protocol()})
		require.NoError(t, s.control("fcntl", func(fd int) error {
			flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
			require.NotZero(t, flags&unix.FD_CLOEXEC, "N02")
			return err
		}))
	}
}

func TestConnectionsAreAcceptedInOrder(t *testing.T) { // A23, A44, B25, B26, N42
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, n := range networks {
			t.Run(n.name, func(t *testing.T) {
				l, at := n.listen(t, e, 10)
				_, _, err := l.TryAccept()
				require.ErrorIs(t, err, ErrWouldBlock)
				told := make(chan *Socket, 3)
				for range 3 {
					l.GoAccept(func(c *Socket, _ Addr, err error) {
						if err != nil {
							t.Error(err)
						}
						told <- c
					})
				}
				for i := range 3 {
					c := n.socket(t, e)
					require.NoError(t, c.Connect(t.Context(), at))
					require.True(t, c.Connected())
					_, err := c.Send(t.Context(), []byte{byte(i)}, 0)
					require.NoError(t, err)
					got := <-told
					require.Equal(t, []any{n.family, n.typ, n.proto}, []any{got.Family(), got.Type(), got.Protocol()})
					p := make([]byte, 1)
					_, err = got.Recv(t.Context(), p, 0)
					require.NoError(t, err)
					require.EqualValues(t, i, p[0])
					here, err := c.LocalAddr()
					require.NoError(t, err)
					there, err := got.PeerAddr()
					require.NoError(t, err)
					require.Equal(t, here, there)
					require.NoError(t, got.Close())
				}
				told2 := make(chan error, 1)
				l.GoAccept(func(_ *Socket, _ Addr, err error) { told2 <- err })
				require.NoError(t, l.Close())
				require.ErrorIs(t, <-told2, ErrClosed)
			})
		}
	})
}

func TestConnectIsRefused(t *testing.T) { // A24 to A26, A45, N44
	onEngines(t, func(t *testing.T, e *Engine) {
		n := networks[0]
		l, at := n.listen(t, e, 1)
		require.NoError(t, l.Close())
		c := n.socket(t, e)
		require.ErrorIs(t, c.Connect(t.Context(), at), unix.ECONNREFUSED)
		c = n.socket(t, e)
		err := c.TryConnect(at)
		for errors.Is(err, ErrInProgress) {
			err = c.TryFinishConnect()
		}
		require.ErrorIs(t, err, unix.ECONNREFUSED)
		_, err = n.socket(t, e).PeerAddr()
		require.ErrorIs(t, err, unix.ENOTCONN, "A41")
		require.ErrorIs(t, n.socket(t, e).TryConnect(Addr{}), unix.EDESTADDRREQ)
		missing := UnixAddr(t.TempDir() + "/none")
		require.ErrorIs(t, networks[2].socket(t, e).Connect(t.Context(), missing), unix.ENOENT)
	})
}

func TestTryConnectFinishes(t *testing.T) { // A24, A26, A88
	onEngines(t, func(t *testing.T, e *Engine) {
		n := networks[0]
		_, at := n.listen(t, e, 1)
		c := n.socket(t, e)
		err := c.TryConnect(at)
		for errors.Is(err, ErrInProgress) {
			err = c.TryFinishConnect()
		}
		require.NoError(t, err)
		require.ErrorIs(t, c.TryConnect(at), unix.EISCONN)
	})
}

func TestFullBacklogOfAUnixSocket(t *testing.T) { // N43
	onEngines(t, func(t *testing.T, e *Engine) {
		n := networks[2]
		l, at := n.listen(t, e, 0)
		require.NoError(t, n.socket(t, e).TryConnect(at))
		late := n.socket(t, e)
		require.ErrorIs(t, late.TryConnect(at), ErrWouldBlock)
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		defer cancel()
		require.ErrorIs(t, late.Connect(ctx, at), context.DeadlineExceeded)
		over := make(chan error)
		go func() { over <- late.Connect(context.Background(), at) }()
		for range 2 {
			c, _, err := l.Accept(t.Context())
			require.NoError(t, err)
			require.NoError(t, c.Close())
		}
		require.NoError(t, <-over)
	})
}

func TestUnixPathIsRemoved(t *testing.T) { // N53, A42
	e := engine(t)
	l, at := networks[2].listen(t, e, 1)
	path, ok := at.UnixName()
	require.True(t, ok)
	require.FileExists(t, path)
	require.ErrorIs(t, networks[2].socket(t, e).Bind(at), unix.EADDRINUSE)
	require.NoError(t, l.Close())
	_, err := os.Stat(path)
	require.ErrorIs(t, err, os.ErrNotExist)
}

func TestShutdownOfTheUnconnected(t *testing.T) { // A83, N37
	onEngines(t, func(t *testing.T, e *Engine) {
		require.ErrorIs(t, networks[0].socket(t, e).Shutdown(ShutBoth), unix.ENOTCONN)
		a, b := networks[0].pair(t, e)
		require.ErrorIs(t, a.Shutdown(0), unix.EINVAL)
		require.ErrorIs(t, a.Shutdown(4), unix.EINVAL)
		require.NoError(t, a.Shutdown(ShutBoth))
		require.NoError(t, b.Shutdown(ShutBoth))
		require.NoError(t, a.Shutdown(ShutBoth))
	})
}

func TestAvailableAndTheMark(t *testing.T) { // A39, A40
	onEngines(t, func(t *testing.T, e *Engine) {
		l, _ := networks[0].listen(t, e, 1)
		_, err := l.Available()
		require.ErrorIs(t, err, unix.EINVAL)
		a, b := networks[0].pair(t, e)
		k, err := b.Available()
		require.NoError(t, err)
		require.Zero(t, k)
		_, err = a.Send(t.Context(), []byte("a"), 0)
		require.NoError(t, err)
		_, err = a.Send(t.Context(), []byte("!"), OOB)
		require.NoError(t, err)
		_, err = b.Recv(t.Context(), nil, 0)
		require.NoError(t, err)
		k, err = b.Available()
		require.NoError(t, err)
		require.Positive(t, k)
		at, err := b.AtOutOfBandMark()
		require.NoError(t, err)
		require.False(t, at)
		p := make([]byte, 1)
		_, err = b.Recv(t.Context(), p, 0)
		require.NoError(t, err)
		require.Eventually(t, func() bool {
			at, err := b.AtOutOfBandMark()
			require.NoError(t, err)
			return at
		}, hangLimit, time.Millisecond)
		k, err = b.TryRecv(p, OOB)
		require.NoError(t, err)
		require.Equal(t, "!", string(p[:k]))
	})
}

func TestFromFD(t *testing.T) { // A87
	onEngines(t, func(t *testing.T, e *Engine) {
		fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		a, err := e.FromFD(fds[0])
		require.NoError(t, err)
		b, err := e.FromFD(fds[1])
		require.NoError(t, err)
		require.Equal(t, Type(unix.SOCK_DGRAM), a.Type())
		_, err = a.Send(t.Context(), []byte("x"), 0)
		require.NoError(t, err)
		_, err = b.Recv(t.Context(), make([]byte, 1), 0)
		require.NoError(t, err)
		file, err := os.Open(os.DevNull)
		require.NoError(t, err)
		defer file.Close()
		_, err = e.FromFD(int(file.Fd()))
		require.ErrorIs(t, err, unix.ENOTSOCK)
		_, err = e.FromFD(-1)
		require.ErrorIs(t, err, unix.EBADF)
	})
}
