//go:build linux

package faulttest

import (
	"context"
	"crypto/sha256"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/enginetest"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

//kerneltest:on its tests are about the machine and not about what is refused

func TestMain(m *testing.M) { testutil.Main(m) }

// late is how long nothing ever takes that does not hang, not even in an emulated guest under load.
const late = time.Minute

// lateContext ends when a test has hung.
func lateContext(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), late)
	t.Cleanup(cancel)
	return ctx
}

// onEngines runs a test on every engine that works here.
func onEngines(t *testing.T, test func(t *testing.T, e *socketops.Engine)) {
	for _, backend := range enginetest.Backends(t) {
		t.Run(string(backend), func(t *testing.T) {
			testutil.Timeout(t, 5*time.Minute)
			e, err := socketops.New(socketops.WithBackend(backend))
			testutil.SkipIfUnsupported(t, err)
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, e.Close()) })
			test(t, e)
		})
	}
}

// tcp makes a TCP socket.
func tcp(t testing.TB, e *socketops.Engine) *socketops.Socket {
	t.Helper()
	s, err := e.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	require.NoError(t, err)
	t.Cleanup(func() { s.Close() })
	return s
}

// listening makes a TCP socket that listens.
func listening(t testing.TB, e *socketops.Engine, backlog int) (*socketops.Socket, socketops.Addr) {
	t.Helper()
	l := tcp(t, e)
	require.NoError(t, l.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	require.NoError(t, l.Listen(backlog))
	at, err := l.LocalAddr()
	require.NoError(t, err)
	return l, at
}

// tcpPair makes two TCP sockets that are connected to each other.
func tcpPair(t testing.TB, e *socketops.Engine) (client, server *socketops.Socket) {
	t.Helper()
	l, at := listening(t, e, 1)
	client = tcp(t, e)
	require.NoError(t, client.Connect(lateContext(t), at))
	server, _, err := l.Accept(lateContext(t))
	require.NoError(t, err)
	t.Cleanup(func() { server.Close() })
	require.NoError(t, l.Close())
	return client, server
}

// noise is random bytes, the same for the same seed.
func noise(seed, n int) []byte {
	b := make([]byte, n)
	random := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)})
	random.Read(b)
	return b
}

// transfer is how a stream went one way.
type transfer struct {
	sendErr, recvErr error
	whole            bool // all has arrived as it was
}

// stream sends data from one socket to the other, both of which have deadlines, and ends the direction.
func stream(from, to *socketops.Socket, data []byte) transfer {
	var tr transfer
	sent := make(chan struct{})
	go func() {
		defer close(sent)
		if _, tr.sendErr = from.Send(context.Background(), data, 0); tr.sendErr == nil {
			tr.sendErr = from.Shutdown(socketops.ShutWrite)
		}
	}()
	hash, n := sha256.New(), 0
	for buffer := make([]byte, 32<<10); ; {
		k, err := to.Recv(context.Background(), buffer, 0)
		hash.Write(buffer[:k])
		n += k
		if err != nil || k == 0 {
			tr.recvErr = err
			break
		}
	}
	<-sent
	tr.whole = n == len(data) && [sha256.Size]byte(hash.Sum(nil)) == sha256.Sum256(data)
	return tr
}
