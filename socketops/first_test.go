//go:build linux

package socketops

import (
	"context"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestMain(m *testing.M) { testutil.Main(m) }

func TestFirst(t *testing.T) {
	e, err := New()
	require.NoError(t, err)
	defer e.Close()
	ctx := context.Background()
	l, err := e.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	require.NoError(t, err)
	require.NoError(t, l.Bind(IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	require.NoError(t, l.Listen(5))
	_, _, err = l.TryAccept()
	require.ErrorIs(t, err, ErrWouldBlock)
	at, err := l.LocalAddr()
	require.NoError(t, err)
	c, err := e.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	require.NoError(t, err)
	got := make(chan *Socket)
	l.GoAccept(func(s *Socket, from Addr, err error) { got <- s })
	require.NoError(t, c.Connect(ctx, at))
	s := <-got
	b := make([]byte, 10)
	_, err = s.TryRecv(b, 0)
	require.ErrorIs(t, err, ErrWouldBlock)
	require.NoError(t, s.SetReadDeadline(time.Now().Add(20*time.Millisecond)))
	_, err = s.Recv(ctx, b, 0)
	require.ErrorIs(t, err, ErrTimeout)
	require.NoError(t, s.SetReadDeadline(time.Time{}))
	n, err := c.Send(ctx, []byte("hello"), 0)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	n, err = s.Recv(ctx, b, 0)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b[:n]))
	big := make([]byte, 20<<20)
	done := make(chan int)
	s.GoSend(big, 0, func(n int, err error) { done <- n })
	for got := 0; got < len(big); {
		n, err := c.Recv(ctx, big[:100000], 0)
		require.NoError(t, err)
		got += n
	}
	require.Equal(t, len(big), <-done)
	ctx2, cancel := context.WithCancel(ctx)
	go func() { time.Sleep(5 * time.Millisecond); cancel() }()
	_, err = s.Recv(ctx2, b, 0)
	require.ErrorIs(t, err, context.Canceled)
	op := s.GoRecv(b, 0, func(n int, err error) { require.ErrorIs(t, err, ErrCanceled); done <- n })
	op.Cancel()
	require.Zero(t, <-done)
	s.GoRecv(b, 0, func(n int, err error) { require.ErrorIs(t, err, ErrClosed); done <- n })
	require.NoError(t, s.Close())
	<-done
	_, err = c.Recv(ctx, b, 0)
	require.ErrorIs(t, err, unix.ECONNRESET)
}

func BenchmarkTry(b *testing.B) {
	e, _ := New()
	defer e.Close()
	x, y, err := e.SocketPair(unix.SOCK_STREAM)
	require.NoError(b, err)
	p := make([]byte, 64)
	fx, fy := x.current.Load().fd, y.current.Load().fd
	b.Run("socketops", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x.TrySend(p, 0); err != nil {
				b.Fatal(err)
			}
			if _, err := y.TryRecv(p, 0); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("bare", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if err := unix.Send(fx, p, unix.MSG_NOSIGNAL); err != nil {
				b.Fatal(err)
			}
			if _, err := unix.Read(fy, p); err != nil {
				b.Fatal(err)
			}
		}
	})
}
