//go:build linux

package socketops

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) {
	if backend := os.Getenv(serverVariable); backend != "" {
		serve(Backend(backend))
		return
	}
	testutil.Main(m)
}

// hangLimit is how long a test may take that is to find out whether something hangs.
const hangLimit = time.Minute

// engine returns an Engine on the best backend there is.
func engine(t testing.TB) *Engine {
	t.Helper()
	e, err := New()
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

// tested returns the backends that a test is to go through, as enginetest.Backends, which tests of this package itself
// cannot import.
func tested(t *testing.T) []candidate {
	t.Helper()
	if !testutil.BestEngineOnly() {
		return backends
	}
	e, err := New()
	require.NoError(t, err)
	defer e.Close()
	return slices.DeleteFunc(slices.Clone(backends), func(b candidate) bool { return b.name != e.Backend() })
}

// onEngines runs a test on every backend that works here.
func onEngines(t *testing.T, test func(t *testing.T, e *Engine)) { onEnginesWith(t, nil, test) }

// onEnginesWith is onEngines with engines that are set up otherwise.
func onEnginesWith(t *testing.T, options []EngineOption, test func(t *testing.T, e *Engine)) {
	for _, b := range tested(t) {
		t.Run(string(b.name), func(t *testing.T) {
			testutil.Timeout(t, hangLimit)
			e, err := New(append(slices.Clone(options), WithBackend(b.name))...)
			testutil.SkipIfUnsupported(t, err)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, e.Close()) })
			test(t, e)
		})
	}
}

// network is a kind of connected sockets.
type network struct {
	name   string
	family Family
	typ    Type
	proto  Protocol
}

var networks = []network{
	{"tcp4", unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP},
	{"tcp6", unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_TCP},
	{"unix", unix.AF_UNIX, unix.SOCK_STREAM, 0},
	{"unixpacket", unix.AF_UNIX, unix.SOCK_SEQPACKET, 0},
}

// onNetworks is onEngines with connected sockets of every kind.
func onNetworks(t *testing.T, test func(t *testing.T, n network, a, b *Socket)) {
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, n := range networks {
			t.Run(n.name, func(t *testing.T) {
				a, b := n.pair(t, e)
				test(t, n, a, b)
			})
		}
	})
}

// listen returns a listening socket.
func (n network) listen(t testing.TB, e *Engine, backlog int) (*Socket, Addr) {
	t.Helper()
	l := n.socket(t, e)
	var at Addr
	switch n.family {
	case unix.AF_INET:
		at = IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))
	case unix.AF_INET6:
		at = IPAddr(netip.MustParseAddrPort("[::1]:0"))
	default:
		at = UnixAddr(filepath.Join(t.TempDir(), "s"))
	}
	if err := l.Bind(at); n.family == unix.AF_INET6 && err != nil {
		testutil.Skip(t, testutil.NeedsIPv6, "%v", err)
	} else {
		require.NoError(t, err)
	}
	require.NoError(t, l.Listen(backlog))
	at, err := l.LocalAddr()
	require.NoError(t, err)
	return l, at
}

func (n network) socket(t testing.TB, e *Engine) *Socket {
	t.Helper()
	s, err := e.Socket(n.family, n.typ, n.proto)
	if n.family == unix.AF_INET6 && err != nil {
		testutil.Skip(t, testutil.NeedsIPv6, "%v", err)
	}
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// pair returns two connected sockets.
func (n network) pair(t testing.TB, e *Engine) (a, b *Socket) {
	t.Helper()
	l, at := n.listen(t, e, 1)
	a = n.socket(t, e)
	accepted := make(chan error, 1)
	go func() {
		var err error
		b, _, err = l.Accept(context.Background())
		accepted <- err
	}()
	require.NoError(t, a.Connect(context.Background(), at))
	require.NoError(t, <-accepted)
	t.Cleanup(func() { b.Close() })
	require.NoError(t, l.Close())
	return a, b
}

// outcome is what a callback was told.
type outcome struct {
	n   int
	err error
}

// outcomes returns a callback and where it tells its results.
func outcomes(room int) (func(n int, err error), <-chan outcome) {
	c := make(chan outcome, room)
	return func(n int, err error) { c <- outcome{n, err} }, c
}

// fill sends until the socket takes no more, and returns how much it took. TCP takes some more in a moment.
func fill(t testing.TB, s *Socket) (n int) {
	t.Helper()
	p := make([]byte, 4096)
	for {
		k, err := s.TrySend(p, 0)
		n += k
		if err != nil {
			require.ErrorIs(t, err, ErrWouldBlock)
			return n
		}
	}
}

// fillUp is fill until TCP, too, takes no more before the peer reads.
func fillUp(t testing.TB, s *Socket) (n int) {
	t.Helper()
	p := make([]byte, 4096)
	n, err := testutil.Fill(func() (int, error) { return s.TrySend(p, 0) }, s.RawOption)
	require.ErrorIs(t, err, ErrWouldBlock)
	return n
}

// smallBuffers makes a socket hold little.
func smallBuffers(t testing.TB, s *Socket) {
	t.Helper()
	require.NoError(t, s.control("setsockopt", func(fd int) error {
		return unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, 1)
	}))
}

// tooMuch is how many bytes do not fit into a full socket, not even where TCP comes to think better of its window.
func (n network) tooMuch() int {
	if n.typ == unix.SOCK_STREAM {
		return testutil.Fewer(64, 16) << 20
	}
	return 10_000
}

// soon is what a wait that is to be ended is given before that, and late what none of them should ever take.
const (
	soon = 20 * time.Millisecond
	late = 20 * time.Second
)

var loopback = IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))

// lateContext ends when a test has hung.
func lateContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), late)
	t.Cleanup(cancel)
	return ctx
}

// keep closes a socket at the test's end, and not before: one that nobody knows is closed any time.
func keep(t testing.TB, sockets ...*Socket) {
	t.Cleanup(func() {
		for _, s := range sockets {
			s.Close()
		}
	})
}

// freshTCP makes a TCP socket of IPv4.
func freshTCP(t testing.TB, e *Engine) *Socket {
	t.Helper()
	s, err := e.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	require.NoError(t, err)
	keep(t, s)
	return s
}

// boundTCP makes a TCP socket with an address, at which it does not listen.
func boundTCP(t testing.TB, e *Engine) (*Socket, Addr) {
	t.Helper()
	s := freshTCP(t, e)
	require.NoError(t, s.Bind(IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	a, err := s.LocalAddr()
	require.NoError(t, err)
	return s, a
}

// listeningTCP is boundTCP that listens.
func listeningTCP(t testing.TB, e *Engine) (*Socket, Addr) {
	t.Helper()
	s, a := boundTCP(t, e)
	require.NoError(t, s.Listen(16))
	return s, a
}

// tcpPair makes two TCP sockets that are connected to each other, the first to a listener.
func tcpPair(t testing.TB, e *Engine) (client, server *Socket) {
	t.Helper()
	l, a := listeningTCP(t, e)
	client = freshTCP(t, e)
	require.NoError(t, client.Connect(lateContext(t), a))
	server, _, err := l.Accept(lateContext(t))
	require.NoError(t, err)
	require.NoError(t, l.Close())
	keep(t, server)
	return client, server
}

// unixPair makes two unix sockets that are connected to each other.
func unixPair(t testing.TB, e *Engine, typ Type) (a, b *Socket) {
	t.Helper()
	a, b, err := e.SocketPair(typ)
	require.NoError(t, err)
	keep(t, a, b)
	return a, b
}

// pattern is data in which every place looks different.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i*7 + i>>8*13 + i>>16*31)
	}
	return b
}

// fileOf makes a file.
func fileOf(t testing.TB, data []byte) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	_, err = f.Write(data)
	require.NoError(t, err)
	return f
}

// receiveAll receives until it has n bytes, or the end of the stream.
func receiveAll(t testing.TB, s *Socket, n int) []byte {
	t.Helper()
	if n == 0 {
		return nil
	}
	b := make([]byte, n)
	got, err := s.Recv(lateContext(t), b, WaitAll)
	require.NoError(t, err)
	return b[:got]
}

// openDescriptors is how many descriptors the process has open.
func openDescriptors(t testing.TB) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	require.NoError(t, err)
	return len(entries)
}

func TestEveryEntryPointHasAnExample(t *testing.T) {
	testutil.InSource(t)
	require.Greater(t, testutil.RequireExamples(t), 50)
}
