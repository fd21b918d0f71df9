//go:build linux

package socketops

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// maker makes connections of package net, or of an engine, so that a test can hold the one to the other.
type maker struct {
	engine *Engine // nil for package net
}

// onMakers runs a test with package net, which shows that the test is right, and then with every engine.
func onMakers(t *testing.T, test func(t *testing.T, m maker)) {
	t.Run("net", func(t *testing.T) {
		testutil.Timeout(t, hangLimit)
		test(t, maker{})
	})
	onEngines(t, func(t *testing.T, e *Engine) { test(t, maker{e}) })
}

// onMakersAndNetworks is onMakers with each of the networks.
func onMakersAndNetworks(t *testing.T, networks []string, test func(t *testing.T, m maker, network string)) {
	onMakers(t, func(t *testing.T, m maker) {
		for _, n := range networks {
			t.Run(n, func(t *testing.T) { test(t, m, n) })
		}
	})
}

// socket makes one for a network by its name in package net.
func (m maker) socket(t testing.TB, network string) *Socket {
	t.Helper()
	f, typ, p := Family(unix.AF_UNIX), Type(unix.SOCK_STREAM), Protocol(0)
	switch network {
	case "tcp":
		f, p = unix.AF_INET, unix.IPPROTO_TCP
	case "udp":
		f, typ, p = unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP
	case "unixpacket":
		typ = unix.SOCK_SEQPACKET
	case "unixgram":
		typ = unix.SOCK_DGRAM
	}
	s, err := m.engine.Socket(f, typ, p)
	require.NoError(t, err)
	keep(t, s)
	return s
}

// newAddress returns an address to listen at.
func newAddress(t testing.TB, network string) string {
	if strings.HasPrefix(network, "unix") {
		return filepath.Join(t.TempDir(), "s")
	}
	return "127.0.0.1:0"
}

// asAddr is a text as the address of a socket.
func asAddr(text string) Addr {
	if ap, err := netip.ParseAddrPort(text); err == nil {
		return IPAddr(ap)
	}
	return UnixAddr(text)
}

func (m maker) listen(t testing.TB, network string) net.Listener {
	t.Helper()
	at := newAddress(t, network)
	var l net.Listener
	if m.engine == nil {
		var err error
		l, err = net.Listen(network, at)
		require.NoError(t, err)
	} else {
		s := m.socket(t, network)
		require.NoError(t, s.Bind(asAddr(at)))
		require.NoError(t, s.Listen(16))
		l = s.Listener()
	}
	t.Cleanup(func() { l.Close() })
	return l
}

func (m maker) dial(t testing.TB, to net.Addr) net.Conn {
	t.Helper()
	var c net.Conn
	if m.engine == nil {
		var err error
		c, err = net.Dial(to.Network(), to.String())
		require.NoError(t, err)
	} else {
		s := m.socket(t, to.Network())
		require.NoError(t, s.Connect(lateContext(t), asAddr(to.String())))
		c = s.Conn()
	}
	t.Cleanup(func() { c.Close() })
	return c
}

// accepted returns a connection that a listener of the maker has accepted, and its peer, which is of package net.
func (m maker) accepted(t testing.TB, network string) (c, peer net.Conn) {
	t.Helper()
	l := m.listen(t, network)
	peer = maker{}.dial(t, l.Addr())
	c, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	return c, peer
}

// dialed returns a connection that the maker has made to a listener of package net, and its peer.
func (m maker) dialed(t testing.TB, network string) (c, peer net.Conn) {
	t.Helper()
	l := maker{}.listen(t, network)
	c = m.dial(t, l.Addr())
	peer, err := l.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { peer.Close() })
	return c, peer
}

// socketOf is the Socket of a connection of an engine.
func socketOf(c net.Conn) *Socket {
	switch c := c.(type) {
	case *tcpConn:
		return c.s
	case *packetConn:
		return c.s
	case *conn:
		return c.s
	}
	return nil
}

// startReading has a goroutine wait in Read, and tells how that has ended.
func startReading(t testing.TB, c net.Conn) <-chan error {
	t.Helper()
	ended, begins := make(chan error, 1), make(chan struct{})
	go func() {
		close(begins)
		_, err := c.Read(make([]byte, 1))
		ended <- err
	}()
	<-begins
	if s := socketOf(c); s != nil {
		for deadline := time.Now().Add(late); s.Stats().Received.Queued == 0; {
			require.True(t, time.Now().Before(deadline), "nobody waits to read")
			time.Sleep(time.Millisecond)
		}
	}
	return ended
}

// fillConn writes until the socket takes no more, and returns how much it has taken.
func fillConn(t testing.TB, c net.Conn) (n int) {
	t.Helper()
	b := make([]byte, 64<<10)
	for idle := 0; idle < 3; idle++ { // TCP takes some more in a moment.
		require.NoError(t, c.SetWriteDeadline(time.Now().Add(soon)))
		for {
			k, err := c.Write(b)
			n += k
			if k > 0 {
				idle = 0
			}
			if err != nil {
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				break
			}
		}
	}
	require.NoError(t, c.SetWriteDeadline(time.Time{}))
	return n
}

// streams are the networks whose connections are streams.
var streams = []string{"tcp", "unix"}

func TestCloseDeliversWhatWriteHasTaken(t *testing.T) { // found 20
	t.Run("G02, G03", func(t *testing.T) {
		onMakersAndNetworks(t, streams, func(t *testing.T, m maker, network string) {
			t.Run("full", func(t *testing.T) {
				c, peer := m.accepted(t, network)
				taken := fillConn(t, c)
				closeAndReadRest(t, c, peer, taken)
			})
			t.Run("after CloseWrite", func(t *testing.T) {
				c, peer := m.dialed(t, network)
				taken := fillConn(t, c)
				reading := startReading(t, c)
				require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
				require.NoError(t, c.Close())
				require.ErrorIs(t, <-reading, net.ErrClosed)
				readRest(t, peer, taken)
			})
			t.Run("while a Write waits", func(t *testing.T) {
				c, peer := m.dialed(t, network)
				taken := fillConn(t, c)
				wrote := make(chan outcome, 1)
				go func() {
					n, err := c.Write(make([]byte, 16<<20))
					wrote <- outcome{n, err}
				}()
				reading := startReading(t, c)
				require.NoError(t, c.Close())
				require.ErrorIs(t, <-reading, net.ErrClosed)
				r := <-wrote
				require.ErrorIs(t, r.err, net.ErrClosed)
				readRest(t, peer, taken+r.n)
			})
			t.Run("2 MB", func(t *testing.T) {
				for range testutil.Fewer(10, 3) {
					c, peer := m.accepted(t, network)
					reading := startReading(t, c)
					got := startReadingAll(peer)
					n, err := c.Write(make([]byte, 2<<20))
					require.NoError(t, err)
					require.NoError(t, c.Close())
					require.ErrorIs(t, <-reading, net.ErrClosed)
					require.Equal(t, outcome{n, nil}, <-got)
				}
			})
		})
	})
}

// closeAndReadRest closes a connection that somebody reads, and has the peer read what was taken, and the end.
func closeAndReadRest(t *testing.T, c, peer net.Conn, taken int) {
	t.Helper()
	reading := startReading(t, c)
	require.NoError(t, c.Close())
	require.ErrorIs(t, <-reading, net.ErrClosed)
	readRest(t, peer, taken)
}

func readRest(t *testing.T, peer net.Conn, want int) {
	t.Helper()
	require.Equal(t, outcome{want, nil}, <-startReadingAll(peer))
}

// startReadingAll reads until the end, and tells how much came and whether it was the end.
func startReadingAll(c net.Conn) <-chan outcome {
	got := make(chan outcome, 1)
	go func() {
		n, err := io.Copy(io.Discard, struct{ io.Reader }{c})
		got <- outcome{int(n), err}
	}()
	return got
}

func TestCloseResetsAsTheKernelDoes(t *testing.T) { // found 20
	t.Run("G02", func(t *testing.T) {
		onMakers(t, func(t *testing.T, m maker) {
			t.Run("unread data", func(t *testing.T) {
				c, peer := m.accepted(t, "tcp")
				_, err := peer.Write([]byte("never read"))
				require.NoError(t, err)
				one := make([]byte, 1)
				_, err = c.Read(one)
				require.NoError(t, err)
				require.NoError(t, c.Close())
				_, err = peer.Read(one)
				require.ErrorIs(t, err, unix.ECONNRESET)
			})
			t.Run("linger of nothing", func(t *testing.T) {
				c, peer := m.accepted(t, "tcp")
				require.NoError(t, c.(interface{ SetLinger(sec int) error }).SetLinger(0))
				require.NoError(t, c.Close())
				_, err := peer.Read(make([]byte, 1))
				require.ErrorIs(t, err, unix.ECONNRESET)
			})
		})
	})
}

// A proxy of two goroutines that copy, and closes both connections as soon as one of them has ended, is how many are
// written.
func TestTwoCopiesAndAClose(t *testing.T) { // found 20
	onMakersAndNetworks(t, streams, func(t *testing.T, m maker, network string) {
		const size = 1 << 20
		front, back := m.listen(t, network), maker{}.listen(t, network)
		for range testutil.Fewer(20, 5) {
			client := maker{}.dial(t, front.Addr())
			a, err := front.Accept()
			require.NoError(t, err)
			b := m.dial(t, back.Addr())
			server, err := back.Accept()
			require.NoError(t, err)
			copies := make(chan error, 2)
			for _, pair := range [][2]net.Conn{{a, b}, {b, a}} {
				go func() {
					_, err := io.Copy(pair[0], pair[1])
					copies <- err
				}()
			}
			got := startReadingAll(client)
			_, err = server.Write(make([]byte, size))
			require.NoError(t, err)
			require.NoError(t, server.Close())
			require.NoError(t, <-copies)
			require.NoError(t, errors.Join(a.Close(), b.Close()))
			require.Equal(t, outcome{size, nil}, <-got)
			require.Error(t, <-copies)
			require.NoError(t, client.Close())
		}
	})
}

func TestHijackedConnectionIsClosedQuietly(t *testing.T) { // found 20
	t.Run("G03", func(t *testing.T) {
		onMakersAndNetworks(t, streams, func(t *testing.T, m maker, network string) {
			text := bytes.Repeat([]byte("hijacked"), 1<<18)
			failed := make(chan error, 1)
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				c, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					failed <- err
					return
				}
				var read sync.WaitGroup
				read.Add(1)
				go func() {
					defer read.Done()
					_, _ = c.Read(make([]byte, 1))
				}()
				_, err = c.Write(text)
				failed <- errors.Join(err, c.Close())
				read.Wait()
			})}
			l := m.listen(t, network)
			served := make(chan error, 1)
			go func() { served <- server.Serve(l) }()
			for range 3 {
				c := maker{}.dial(t, l.Addr())
				_, err := c.Write([]byte("GET / HTTP/1.1\r\nHost: x\r\n\r\n"))
				require.NoError(t, err)
				got, err := io.ReadAll(c)
				require.NoError(t, err)
				require.NoError(t, <-failed)
				require.True(t, bytes.Equal(text, got), "%d bytes of %d", len(got), len(text))
			}
			require.NoError(t, server.Close())
			require.ErrorIs(t, <-served, http.ErrServerClosed)
		})
	})
}

// What is left when an engine ends was made for package net, or was not.
func TestEngineCloseResetsNoConnections(t *testing.T) { // found 20
	onEngines(t, func(t *testing.T, shared *Engine) {
		e, err := New(WithBackend(shared.Backend()))
		require.NoError(t, err)
		c, peer := maker{e}.accepted(t, "tcp")
		reading := startReading(t, c)
		taken := fillConn(t, c)
		require.NoError(t, e.Close())
		require.ErrorIs(t, <-reading, net.ErrClosed)
		readRest(t, peer, taken)
	})
}

// netOptions are those that package net sets or has setters for.
var netOptions = map[string]kernelOption{
	"TCP_NODELAY":   {unix.IPPROTO_TCP, unix.TCP_NODELAY},
	"SO_KEEPALIVE":  {unix.SOL_SOCKET, unix.SO_KEEPALIVE},
	"TCP_KEEPIDLE":  {unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
	"TCP_KEEPINTVL": {unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
	"TCP_KEEPCNT":   {unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
	"SO_BROADCAST":  {unix.SOL_SOCKET, unix.SO_BROADCAST},
	"SO_RCVBUF":     {unix.SOL_SOCKET, unix.SO_RCVBUF},
	"SO_SNDBUF":     {unix.SOL_SOCKET, unix.SO_SNDBUF},
	"SO_LINGER":     {unix.SOL_SOCKET, unix.SO_LINGER},
}

// optionsOf reads the options of a connection of package net or of an engine, as far as it has them.
func optionsOf(t *testing.T, c any) map[string][]uint32 {
	t.Helper()
	got := map[string][]uint32{}
	for name, o := range netOptions {
		b := make([]byte, 8)
		var n int
		err := control(t, c, func(fd int) (err error) {
			n, err = sysGetsockopt(fd, o, b)
			return err
		})
		if err != nil {
			continue
		}
		for b := b[:n]; len(b) > 0; b = b[4:] {
			got[name] = append(got[name], binary.NativeEndian.Uint32(b))
		}
	}
	require.NotEmpty(t, got)
	return got
}

func control(t *testing.T, c any, call func(fd int) error) error {
	t.Helper()
	switch c := c.(type) {
	case net.Conn:
		if s := socketOf(c); s != nil {
			return s.control("getsockopt", call)
		}
	}
	raw, err := c.(syscall.Conn).SyscallConn()
	require.NoError(t, err)
	var result error
	require.NoError(t, raw.Control(func(fd uintptr) { result = call(int(fd)) }))
	return result
}

// setters are those of *net.TCPConn.
type setters interface {
	SetNoDelay(noDelay bool) error
	SetKeepAlive(keepalive bool) error
	SetKeepAlivePeriod(d time.Duration) error
	SetKeepAliveConfig(config net.KeepAliveConfig) error
	SetLinger(sec int) error
	SetReadBuffer(bytes int) error
	SetWriteBuffer(bytes int) error
}

func TestOptionsAreThoseOfPackageNet(t *testing.T) { // found 22
	want := map[string][]map[string][]uint32{}
	t.Run("G04, G13", func(t *testing.T) {
		onMakers(t, func(t *testing.T, m maker) {
			compare := func(t *testing.T, key string, got ...map[string][]uint32) {
				t.Helper()
				if m.engine == nil {
					want[key] = got
					return
				}
				require.Equal(t, want[key], got)
			}
			for side, pair := range map[string]func(testing.TB, string) (c, peer net.Conn){
				"accepted": m.accepted, "dialed": m.dialed,
			} {
				t.Run(side, func(t *testing.T) {
					for _, network := range []string{"tcp", "unix", "unixpacket"} {
						c, _ := pair(t, network)
						compare(t, side+network, optionsOf(t, c))
					}
					c, _ := pair(t, "tcp")
					var got []map[string][]uint32
					s := c.(setters)
					for _, set := range []func() error{
						func() error { return s.SetNoDelay(false) },
						func() error { return s.SetKeepAlive(false) },
						func() error { return s.SetKeepAlivePeriod(1500 * time.Millisecond) },
						func() error { return s.SetKeepAlivePeriod(-1) },
						func() error { return s.SetKeepAlivePeriod(0) },
						func() error {
							return s.SetKeepAliveConfig(net.KeepAliveConfig{
								Enable: true, Idle: 7 * time.Second, Interval: 6 * time.Second, Count: 5,
							})
						},
						func() error {
							return s.SetKeepAliveConfig(net.KeepAliveConfig{Idle: -1, Interval: -1, Count: -1})
						},
						func() error { return s.SetKeepAliveConfig(net.KeepAliveConfig{}) },
						func() error { return s.SetLinger(9) },
						func() error { return s.SetLinger(-1) },
						func() error { return s.SetReadBuffer(10_000) },
						func() error { return s.SetWriteBuffer(10_000) },
					} {
						require.NoError(t, set())
						got = append(got, optionsOf(t, c))
					}
					compare(t, side+" set", got...)
					require.NoError(t, c.Close())
					require.ErrorIs(t, s.SetNoDelay(true), net.ErrClosed)
					require.ErrorIs(t, s.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true}), net.ErrClosed)
				})
			}
			for _, network := range []string{"udp", "unixgram"} {
				c := m.listenPacket(t, network)
				compare(t, network, optionsOf(t, c))
				s := c.(interface {
					SetReadBuffer(bytes int) error
					SetWriteBuffer(bytes int) error
				})
				require.NoError(t, s.SetReadBuffer(10_000))
				require.NoError(t, s.SetWriteBuffer(10_000))
				compare(t, network+" set", optionsOf(t, c))
			}
		})
	})
}

// What the program has said on the socket, or on the one that accepts, is not said over.
func TestOptionsThatWereSetStay(t *testing.T) { // found 22
	onEngines(t, func(t *testing.T, e *Engine) {
		l, at := listeningTCP(t, e)
		require.NoError(t, l.SetKeepAliveIdle(60*time.Second))
		s := freshTCP(t, e)
		require.NoError(t, s.SetNoDelay(false))
		require.NoError(t, s.Connect(lateContext(t), at))
		got := optionsOf(t, s.Conn())
		require.Equal(t, []uint32{0}, got["TCP_NODELAY"])
		require.Equal(t, []uint32{1}, got["SO_KEEPALIVE"])
		require.False(t, s.Exposed())
		c, err := l.Listener().Accept()
		require.NoError(t, err)
		defer c.Close()
		got = optionsOf(t, c)
		require.Equal(t, []uint32{60}, got["TCP_KEEPIDLE"])
		require.Equal(t, []uint32{15}, got["TCP_KEEPINTVL"])
		require.Equal(t, []uint32{1}, got["TCP_NODELAY"])
		accepted, _ := tcpPair(t, e)
		on, err := accepted.NoDelay()
		require.NoError(t, err)
		require.False(t, on, "a Socket has what the kernel has")
	})
}
