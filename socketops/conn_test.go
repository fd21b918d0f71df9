//go:build linux

package socketops

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
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
		_, err = cb.Read(p)
		require.Equal(t, io.EOF, err)
		require.NoError(t, cb.(interface{ CloseRead() error }).CloseRead())
		require.NoError(t, cb.Close())
		require.ErrorIs(t, cb.Close(), net.ErrClosed)
		_, err = cb.Read(p)
		require.ErrorIs(t, err, net.ErrClosed)
		require.Equal(t, ca.LocalAddr().String(), cb.RemoteAddr().String())
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
		{&net.UDPAddr{Port: 80}, "0.0.0.0:80"},
	} {
		a, err := addrOf(tt.addr)
		require.NoError(t, err)
		require.Equal(t, tt.want, a.String())
	}
	for _, bad := range []net.Addr{
		nil, &net.IPAddr{IP: net.IP{1, 2, 3}}, &net.IPNet{}, (*net.TCPAddr)(nil), (*net.UDPAddr)(nil), (*net.IPAddr)(nil),
		(*net.UnixAddr)(nil),
		Addr{},
		&net.UDPAddr{IP: net.IP{1}, Port: 1}, &net.TCPAddr{Port: -1},
		&net.TCPAddr{Port: 1 << 16},
	} {
		_, err := addrOf(bad)
		require.ErrorIs(t, err, unix.EINVAL)
	}
}

// facts are what a connection says of itself, as text in which addresses have names.
type facts struct {
	lines []string
	names strings.Replacer
}

// newFacts has addresses called by a name.
func newFacts(pairs ...string) *facts { return &facts{names: *strings.NewReplacer(pairs...)} }

func (f *facts) add(what string, v any) {
	text := fmt.Sprint(v)
	if a, ok := v.(net.Addr); ok {
		text = fmt.Sprintf("%T %s %s", a, a.Network(), a)
	}
	f.lines = append(f.lines, what+": "+f.names.Replace(text))
}

// addErr adds an error with the kinds of those that are in it, and whether it passes.
func (f *facts) addErr(what string, err error) {
	f.add(what, err)
	var op *net.OpError
	if !errors.As(err, &op) {
		return
	}
	kind := fmt.Sprintf("%T", op.Err)
	if errors.Is(err, net.ErrClosed) {
		kind = "closed"
	}
	f.add(what+" is", fmt.Sprintln(op.Op, op.Net, op.Source, op.Addr, kind, op.Timeout(), op.Temporary()))
}

// addresses adds what a connection says its addresses are.
func (f *facts) addresses(when string, c net.Conn) {
	f.add("local "+when, c.LocalAddr())
	f.add("remote "+when, c.RemoteAddr())
}

func TestFactsOfAConnStay(t *testing.T) { // found 21
	want := map[string][]string{}
	t.Run("G01, G08", func(t *testing.T) {
		onMakersAndNetworks(t, []string{"tcp", "unix", "unixpacket"}, func(t *testing.T, m maker, network string) {
			for side, pair := range map[string]func(testing.TB, string) (c, peer net.Conn){
				"accepted": m.accepted, "dialed": m.dialed,
			} {
				t.Run(side, func(t *testing.T) {
					c, peer := pair(t, network)
					got := factsOfAConn(t, c, peer)
					key := network + " " + side
					if m.engine == nil {
						want[key] = got
						return
					}
					require.Equal(t, want[key], got)
				})
			}
			t.Run("listener", func(t *testing.T) {
				l := m.listen(t, network)
				got := factsOfAListener(t, l)
				key := network + " listener"
				if m.engine == nil {
					want[key] = got
					return
				}
				require.Equal(t, want[key], got)
			})
		})
	})
}

// factsOfAConn goes through the life of a connection, which the peer breaks off.
func factsOfAConn(t *testing.T, c, peer net.Conn) []string {
	var pairs []string // The unnamed one, @, has its name.
	for name, a := range map[string]net.Addr{"LOCAL": c.LocalAddr(), "REMOTE": c.RemoteAddr()} {
		if a.String() != "@" {
			pairs = append(pairs, a.String(), name)
		}
	}
	f := newFacts(pairs...)
	f.addresses("at first", c)
	require.NoError(t, c.SetReadDeadline(time.Now().Add(time.Millisecond)))
	b := make([]byte, 1)
	_, err := c.Read(b)
	f.addErr("late", err)
	require.NoError(t, c.SetReadDeadline(time.Time{}))
	if l, ok := peer.(interface{ SetLinger(int) error }); ok {
		require.NoError(t, l.SetLinger(0))
	}
	require.NoError(t, peer.Close())
	_, err = c.Read(b)
	f.addErr("read", err)
	f.addresses("after the end", c)
	_, err = c.Write(b)
	f.addErr("write", err)
	require.NoError(t, c.Close())
	f.addresses("after close", c)
	_, err = c.Read(b)
	f.addErr("read after close", err)
	_, err = c.Write(b)
	f.addErr("write after close", err)
	f.addErr("close after close", c.Close())
	f.addErr("deadline after close", c.SetDeadline(time.Time{}))
	f.addErr("read deadline after close", c.SetReadDeadline(time.Time{}))
	f.addErr("write deadline after close", c.SetWriteDeadline(time.Time{}))
	f.addErr("CloseWrite after close", c.(interface{ CloseWrite() error }).CloseWrite())
	return f.lines
}

func factsOfAListener(t *testing.T, l net.Listener) []string {
	f := newFacts(l.Addr().String(), "AT")
	f.add("at first", l.Addr())
	late := l.(interface{ SetDeadline(time.Time) error })
	require.NoError(t, late.SetDeadline(time.Now().Add(time.Millisecond)))
	_, err := l.Accept()
	f.addErr("late", err)
	require.NoError(t, late.SetDeadline(time.Time{}))
	ended := make(chan error, 1)
	go func() {
		_, err := l.Accept()
		ended <- err
	}()
	require.NoError(t, l.Close())
	f.addErr("accept", <-ended)
	f.add("after close", l.Addr())
	_, err = l.Accept()
	f.addErr("accept after close", err)
	f.addErr("close after close", l.Close())
	f.addErr("deadline after close", late.SetDeadline(time.Time{}))
	return f.lines
}

// A peer can have reset a connection before it is accepted, and before anybody asks for an address.
func TestAddressOfAPeerThatIsGone(t *testing.T) { // found 21
	t.Run("G01", func(t *testing.T) {
		onMakers(t, func(t *testing.T, m maker) {
			l := m.listen(t, "tcp")
			peer := maker{}.dial(t, l.Addr())
			require.NoError(t, peer.(*net.TCPConn).SetLinger(0))
			require.NoError(t, peer.Close())
			c, err := l.Accept()
			require.NoError(t, err)
			defer c.Close()
			require.Equal(t, peer.LocalAddr().String(), c.RemoteAddr().String())
			require.Equal(t, l.Addr().String(), c.LocalAddr().String())
		})
	})
	onEngines(t, func(t *testing.T, e *Engine) {
		l, at := listeningTCP(t, e)
		client := freshTCP(t, e)
		require.NoError(t, client.Connect(lateContext(t), at))
		server, from, err := l.Accept(lateContext(t))
		require.NoError(t, err)
		keep(t, server)
		require.NoError(t, client.SetLinger(Linger{Enabled: true}))
		require.NoError(t, client.Close())
		_, err = server.Recv(lateContext(t), make([]byte, 1), 0)
		require.ErrorIs(t, err, unix.ECONNRESET)
		_, err = server.PeerAddr()
		require.ErrorIs(t, err, unix.ENOTCONN, "a Socket asks the kernel")
		require.Equal(t, from.String(), server.Conn().RemoteAddr().String(), "and its Conn does not")
		require.Equal(t, at.String(), client.Conn().RemoteAddr().String())
		require.NotNil(t, client.Conn().LocalAddr())
		t.Run("made before it is connected", func(t *testing.T) {
			s := freshTCP(t, e)
			c := s.Conn()
			require.NotNil(t, c.LocalAddr())
			require.NotNil(t, c.RemoteAddr())
			require.NoError(t, s.Connect(lateContext(t), at))
			require.Equal(t, at.String(), c.RemoteAddr().String())
			now, err := s.LocalAddr()
			require.NoError(t, err)
			require.Equal(t, now.String(), c.LocalAddr().String())
		})
		t.Run("a descriptor whose peer is gone", func(t *testing.T) {
			a, b := tcpPair(t, e)
			fd, err := b.Fd()
			require.NoError(t, err)
			fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
			require.NoError(t, err)
			require.NoError(t, a.SetLinger(Linger{Enabled: true}))
			require.NoError(t, a.Close())
			_, err = b.Recv(lateContext(t), make([]byte, 1), 0)
			require.ErrorIs(t, err, unix.ECONNRESET)
			s, err := e.FromFD(fd)
			require.NoError(t, err)
			keep(t, s)
			require.NotNil(t, s.Conn().RemoteAddr())
			require.NotNil(t, s.Conn().LocalAddr())
		})
	})
}

func TestPacketConnsAreAsThoseOfPackageNet(t *testing.T) { // found 21 and 22
	want := map[string][]string{}
	t.Run("G01, G06", func(t *testing.T) {
		onMakersAndNetworks(t, []string{"udp", "unixgram"}, func(t *testing.T, m maker, network string) {
			c, at := m.listenPacket(t, network), newAddress(t, network)
			peer, err := net.ListenPacket(network, at)
			require.NoError(t, err)
			defer peer.Close()
			f := newFacts(c.LocalAddr().String(), "LOCAL", peer.LocalAddr().String(), "PEER")
			f.add("local", c.LocalAddr())
			f.add("no peer", c.(net.Conn).RemoteAddr())
			_, err = peer.WriteTo([]byte("one"), c.LocalAddr())
			require.NoError(t, err)
			_, err = peer.WriteTo([]byte("two"), c.LocalAddr())
			require.NoError(t, err)
			n, from, err := c.ReadFrom(nil) // takes the first
			f.add("nothing is read of", fmt.Sprintln(n, from, err))
			f.add("from", from)
			b := make([]byte, 9)
			n, _, err = c.ReadFrom(b)
			f.add("then", fmt.Sprintln(string(b[:n]), err))
			n, err = c.WriteTo([]byte("back"), peer.LocalAddr())
			f.add("back", fmt.Sprintln(n, err))
			require.NoError(t, c.SetReadDeadline(time.Now().Add(-time.Second)))
			_, _, err = c.ReadFrom(b)
			f.addErr("late", err)
			require.NoError(t, c.Close())
			f.add("local after close", c.LocalAddr())
			_, _, err = c.ReadFrom(b)
			f.addErr("read after close", err)
			_, err = c.WriteTo(b, peer.LocalAddr())
			f.addErr("write after close", err)
			f.addErr("close after close", c.Close())
			if m.engine == nil {
				want[network] = f.lines
				return
			}
			require.Equal(t, want[network], f.lines)
		})
	})
}

func (m maker) listenPacket(t testing.TB, network string) net.PacketConn {
	t.Helper()
	at := newAddress(t, network)
	var c net.PacketConn
	if m.engine == nil {
		var err error
		c, err = net.ListenPacket(network, at)
		require.NoError(t, err)
	} else {
		s := m.socket(t, network)
		require.NoError(t, s.Bind(asAddr(at)))
		c = s.PacketConn()
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// A link-local address has the interface by its name in package net, and by its number in the kernel.
func TestZonesAreNames(t *testing.T) { // found 21
	ifi, err := net.InterfaceByIndex(1)
	require.NoError(t, err)
	e := engine(t)
	s := (network{family: unix.AF_INET6, typ: unix.SOCK_STREAM, proto: unix.IPPROTO_TCP}).socket(t, e)
	a := s.netAddr(asAddr("[fe80::1%1]:80"))
	require.Equal(t, "[fe80::1%"+ifi.Name+"]:80", a.String())
	require.Equal(t, "[fe80::1%4294967295]:80", s.netAddr(asAddr("[fe80::1%4294967295]:80")).String())
	back, err := addrOf(a)
	require.NoError(t, err)
	raw, err := back.sockaddr(nil)
	require.NoError(t, err)
	require.Equal(t, "[fe80::1%1]:80", parseAddr(raw).String())
}

func TestEndOfSequencedPackets(t *testing.T) { // found 25
	t.Run("G06", func(t *testing.T) {
		onMakers(t, func(t *testing.T, m maker) {
			for side, pair := range map[string]func(testing.TB, string) (c, peer net.Conn){
				"accepted": m.accepted, "dialed": m.dialed,
			} {
				t.Run(side, func(t *testing.T) {
					c, peer := pair(t, "unixpacket")
					_, err := peer.Write([]byte("last"))
					require.NoError(t, err)
					require.NoError(t, peer.Close())
					got, err := io.ReadAll(c)
					require.NoError(t, err)
					require.Equal(t, "last", string(got))
					_, err = c.Read(make([]byte, 1))
					require.Equal(t, io.EOF, err, "it stays so")
				})
			}
			t.Run("while a Read waits", func(t *testing.T) {
				c, peer := m.accepted(t, "unixpacket")
				reading := startReading(t, c)
				require.NoError(t, peer.Close())
				require.Equal(t, io.EOF, <-reading)
			})
		})
	})
	// Package net takes an empty packet for the end. Its bounds are kept here: only the end is the end.
	t.Run("empty packets", func(t *testing.T) {
		onEngines(t, func(t *testing.T, e *Engine) {
			a, b := unixPair(t, e, unix.SOCK_SEQPACKET)
			for _, text := range []string{"", "", "x", ""} {
				_, err := a.Send(lateContext(t), []byte(text), 0)
				require.NoError(t, err)
			}
			require.NoError(t, a.Close())
			c, p := b.Conn(), make([]byte, 9)
			for _, want := range []string{"", "", "x", ""} {
				n, err := c.Read(p)
				require.NoError(t, err)
				require.Equal(t, want, string(p[:n]))
			}
			for range 3 {
				n, err := c.Read(p)
				require.Equal(t, io.EOF, err)
				require.Zero(t, n)
			}
		})
	})
}

func TestPathIsThisSocket(t *testing.T) { // found 24
	t.Run("G18", func(t *testing.T) {
		onEngines(t, func(t *testing.T, e *Engine) {
			for name, typ := range map[string]Type{
				"stream": unix.SOCK_STREAM, "packets": unix.SOCK_SEQPACKET, "datagrams": unix.SOCK_DGRAM,
			} {
				t.Run(name, func(t *testing.T) { testPathIsThisSocket(t, e, typ) })
			}
		})
	})
}

func testPathIsThisSocket(t *testing.T, e *Engine, typ Type) {
	bind := func(t *testing.T, path string) *Socket {
		t.Helper()
		s, err := e.Socket(unix.AF_UNIX, typ, 0)
		require.NoError(t, err)
		keep(t, s)
		require.NoError(t, s.Bind(UnixAddr(path)))
		return s
	}
	t.Run("another working directory", func(t *testing.T) {
		first, second := t.TempDir(), t.TempDir()
		t.Chdir(first)
		s := bind(t, "app.sock")
		t.Chdir(second)
		bind(t, "app.sock")
		require.NoError(t, s.Close())
		require.NoFileExists(t, filepath.Join(first, "app.sock"))
		require.FileExists(t, filepath.Join(second, "app.sock"))
	})
	t.Run("the path of another", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "app.sock")
		s := bind(t, path)
		require.NoError(t, unix.Unlink(path))
		successor := bind(t, path)
		require.NoError(t, s.Close())
		require.FileExists(t, path)
		require.NoError(t, successor.Close())
		require.NoFileExists(t, path)
	})
	t.Run("moved", func(t *testing.T) {
		dir := t.TempDir()
		path := filepath.Join(dir, "app.sock")
		s := bind(t, path)
		require.NoError(t, unix.Rename(path, filepath.Join(dir, "kept")))
		require.NoError(t, s.Close())
		require.FileExists(t, filepath.Join(dir, "kept"))
	})
}
