//go:build linux

package socketops

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

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
