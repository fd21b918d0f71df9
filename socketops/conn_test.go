//go:build linux

package socketops

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestHTTPOverSockets(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, n := range networks[:3] {
			t.Run(n.name, func(t *testing.T) {
				l, at := n.listen(t, e, 16)
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					body, err := io.ReadAll(r.Body)
					if err != nil {
						t.Error(err)
					}
					_, _ = w.Write([]byte(strings.ToUpper(string(body))))
				})}
				served := make(chan error)
				go func() { served <- server.Serve(l.Listener()) }()
				client := &http.Client{Transport: &http.Transport{
					DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
						s, err := e.Socket(n.family, n.typ, n.proto)
						if err != nil {
							return nil, err
						}
						if err := s.Connect(ctx, at); err != nil {
							return nil, errors.Join(err, s.Close())
						}
						return s.Conn(), nil
					},
				}}
				for range 5 {
					text := strings.Repeat("abc", 100_000)
					r, err := client.Post("http://server/", "text/plain", strings.NewReader(text))
					require.NoError(t, err)
					body, err := io.ReadAll(r.Body)
					require.NoError(t, err)
					require.Equal(t, strings.ToUpper(text), string(body))
					require.NoError(t, r.Body.Close())
				}
				client.CloseIdleConnections()
				require.NoError(t, server.Shutdown(t.Context()))
				require.ErrorIs(t, <-served, http.ErrServerClosed)
			})
		}
	})
}

func TestConnIsANetConn(t *testing.T) {
	onNetworks(t, func(t *testing.T, n network, a, b *Socket) {
		ca, cb := a.Conn(), b.Conn()
		require.Equal(t, ca.LocalAddr().String(), cb.RemoteAddr().String())
		require.NoError(t, cb.SetReadDeadline(time.Now().Add(time.Millisecond)))
		_, err := cb.Read(make([]byte, 1))
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var netErr net.Error
		require.ErrorAs(t, err, &netErr)
		require.True(t, netErr.Timeout())
		require.NoError(t, cb.SetDeadline(time.Time{}))
		require.NoError(t, cb.SetWriteDeadline(time.Time{}))
		k, err := ca.Write([]byte("hello"))
		require.NoError(t, err)
		require.Equal(t, 5, k)
		p := make([]byte, 10)
		k, err = cb.Read(p)
		require.NoError(t, err)
		require.Equal(t, "hello", string(p[:k]))
		k, err = cb.Read(nil)
		require.NoError(t, err)
		require.Zero(t, k)
		require.NoError(t, ca.(interface{ CloseWrite() error }).CloseWrite())
		if n.typ == unix.SOCK_STREAM {
			_, err = cb.Read(p)
			require.Equal(t, io.EOF, err)
		}
		require.NoError(t, cb.(interface{ CloseRead() error }).CloseRead())
		require.NoError(t, cb.Close())
		require.ErrorIs(t, cb.Close(), net.ErrClosed)
		_, err = cb.Read(p)
		require.ErrorIs(t, err, net.ErrClosed)
		require.Nil(t, cb.RemoteAddr())
	})
}

func TestPacketConnIsANetPacketConn(t *testing.T) {
	onEngines(t, func(t *testing.T, e *Engine) {
		a, _ := udp(t, e)
		b, _ := udp(t, e)
		pa, pb := a.PacketConn(), b.PacketConn()
		k, err := pa.WriteTo([]byte("one"), pb.LocalAddr())
		require.NoError(t, err)
		require.Equal(t, 3, k)
		p := make([]byte, 10)
		k, from, err := pb.ReadFrom(p)
		require.NoError(t, err)
		require.Equal(t, "one", string(p[:k]))
		require.IsType(t, &net.UDPAddr{}, from)
		require.Equal(t, pa.LocalAddr(), from)
		_, err = pb.WriteTo(nil, from)
		require.NoError(t, err)
		k, _, err = pa.ReadFrom(p)
		require.NoError(t, err)
		require.Zero(t, k, "an empty datagram is no end")
		_, err = pa.WriteTo(p, &net.IPNet{})
		require.ErrorIs(t, err, unix.EINVAL)
	})
}

func TestAddressesOfPackageNet(t *testing.T) {
	for _, tt := range []struct {
		addr net.Addr
		want string
	}{
		{&net.TCPAddr{IP: net.IPv4(192, 0, 2, 1), Port: 80}, "192.0.2.1:80"},
		{&net.UDPAddr{IP: net.ParseIP("2001:db8::1"), Port: 80}, "[2001:db8::1]:80"},
		{&net.IPAddr{IP: net.ParseIP("fe80::1"), Zone: "7"}, "[fe80::1%7]:0"},
		{&net.UnixAddr{Name: "@x", Net: "unix"}, "@x"},
		{UnixAddr("/y"), "/y"},
	} {
		a, err := addrOf(tt.addr)
		require.NoError(t, err)
		require.Equal(t, tt.want, a.String())
	}
	for _, bad := range []net.Addr{nil, &net.IPAddr{}, &net.IPNet{}} {
		_, err := addrOf(bad)
		require.ErrorIs(t, err, unix.EINVAL)
	}
}
