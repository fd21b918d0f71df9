//go:build linux

package socketops

import (
	"bytes"
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

func TestTryNeverWaits(t *testing.T) { // A29, A33, A35
	onNetworks(t, func(t *testing.T, n network, a, b *Socket) {
		p := make([]byte, 100)
		_, err := b.TryRecv(p, 0)
		require.ErrorIs(t, err, ErrWouldBlock)
		require.ErrorIs(t, err, unix.EAGAIN)
		k, err := a.TrySend([]byte("hello"), 0)
		require.NoError(t, err)
		require.Equal(t, 5, k)
		k, err = b.Recv(t.Context(), p, 0)
		require.NoError(t, err)
		require.Equal(t, "hello", string(p[:k]))
		fill(t, a)
		require.NoError(t, b.Close())
		for err = ErrWouldBlock; errors.Is(err, ErrWouldBlock); time.Sleep(time.Millisecond) {
			_, err = a.TrySend(p, 0) // which says so until the peer's reset has come
		}
		require.Error(t, err)
	})
}

func TestEndOfStream(t *testing.T) { // A29, A83
	onNetworks(t, func(t *testing.T, _ network, a, b *Socket) {
		require.NoError(t, a.Shutdown(ShutWrite))
		k, err := b.Recv(t.Context(), make([]byte, 10), 0)
		require.NoError(t, err)
		require.Zero(t, k)
		k, err = b.Recv(t.Context(), nil, 0)
		require.NoError(t, err)
		require.Zero(t, k)
		_, err = a.Send(t.Context(), []byte("x"), 0)
		require.ErrorIs(t, err, unix.EPIPE)
		k, err = b.Send(t.Context(), []byte("back"), 0)
		require.NoError(t, err, "the other direction is open (B01)")
		require.Equal(t, 4, k)
	})
}

func TestReceiveOfNothingTakesNothing(t *testing.T) { // A29, N15, B20, N60
	onNetworks(t, func(t *testing.T, _ network, a, b *Socket) {
		_, err := b.TryRecv(nil, 0)
		require.ErrorIs(t, err, ErrWouldBlock)
		told, results := outcomes(1)
		b.GoRecv(nil, 0, told)
		_, err = a.Send(t.Context(), []byte("data"), 0)
		require.NoError(t, err)
		require.Equal(t, outcome{}, <-results)
		p := make([]byte, 10)
		k, err := b.TryRecv(p, 0)
		require.NoError(t, err)
		require.Equal(t, "data", string(p[:k]))
	})
}

func TestSendTakesEverything(t *testing.T) { // N12, A46 to A48
	onEngines(t, func(t *testing.T, e *Engine) {
		for _, n := range networks[:3] {
			t.Run(n.name, func(t *testing.T) {
				a, b := n.pair(t, e)
				smallBuffers(t, a)
				data := bytes.Repeat([]byte("0123456789abcdef"), 1<<14)
				got := make(chan []byte)
				go func() {
					p := make([]byte, len(data))
					k, _ := b.Recv(context.Background(), p, WaitAll)
					got <- p[:k]
				}()
				k, err := a.Send(t.Context(), data, 0)
				require.NoError(t, err)
				require.Equal(t, len(data), k)
				require.Equal(t, data, <-got)
			})
		}
	})
}

func TestManyBuffersAreOneStream(t *testing.T) { // A18, A20, A34, A46, A52, N08
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := networks[0].pair(t, e)
		var out [][]byte
		var want []byte
		for i := range 3000 { // more than the kernel takes at once, and empty ones
			p := bytes.Repeat([]byte{byte(i)}, i%50)
			out = append(out, p)
			want = append(want, p...)
		}
		told, results := outcomes(1)
		a.GoSendvTo(out, 0, Addr{}, told)
		var got []byte
		for len(got) < len(want) {
			in := make([][]byte, 20)
			for i := range in {
				in[i] = make([]byte, 100*i)
			}
			k, _, err := b.Recvv(t.Context(), in, 0)
			require.NoError(t, err)
			for _, p := range in {
				p = p[:min(k, len(p))]
				got = append(got, p...)
				k -= len(p)
			}
		}
		require.Equal(t, want, got)
		require.Equal(t, outcome{len(want), nil}, <-results)
	})
}

func TestUnknownFlagsAreRefused(t *testing.T) { // N06
	onEngines(t, func(t *testing.T, e *Engine) {
		a, _ := unixPair(t, e, unix.SOCK_STREAM)
		const unknown = MsgFlags(1 << 20)
		_, err := a.TrySend([]byte("x"), unknown)
		require.ErrorIs(t, err, unix.EOPNOTSUPP)
		_, err = a.Recv(t.Context(), make([]byte, 1), unknown)
		require.ErrorIs(t, err, unix.EOPNOTSUPP)
		told, results := outcomes(1)
		a.GoSend([]byte("x"), unknown, told)
		require.ErrorIs(t, (<-results).err, unix.EOPNOTSUPP)
	})
}

func TestDatagramsKeepTheirBounds(t *testing.T) { // A30, A32, A50, A57, N48
	onEngines(t, func(t *testing.T, e *Engine) {
		a, at := udp(t, e)
		b, bt := udp(t, e)
		for _, text := range []string{"one", "", "three"} {
			k, err := a.SendTo(t.Context(), []byte(text), 0, bt)
			require.NoError(t, err)
			require.Equal(t, len(text), k)
		}
		for _, want := range []struct {
			text string
			flag MsgFlags
		}{{"on", Truncated}, {"", 0}, {"th", Truncated}} {
			p := make([]byte, 2)
			k, from, flags, err := b.RecvFrom(t.Context(), p, 0)
			require.NoError(t, err)
			require.Equal(t, want.text, string(p[:k]))
			require.Equal(t, want.flag, flags)
			require.Equal(t, at, from)
		}
		_, _, _, err := b.TryRecvFrom(make([]byte, 2), 0)
		require.ErrorIs(t, err, ErrWouldBlock)
		_, err = a.SendvTo(t.Context(), [][]byte{[]byte("of "), nil, []byte("parts")}, 0, bt)
		require.NoError(t, err)
		k, from, flags, err := b.RecvFrom(t.Context(), nil, 0)
		require.NoError(t, err)
		require.Equal(t, []any{0, at, Truncated}, []any{k, from, flags}, "and it stays where it is")
		p := make([]byte, 100)
		k, err = b.TryRecv(p, 0)
		require.NoError(t, err)
		require.Equal(t, "of parts", string(p[:k]))
		_, err = a.SendvTo(t.Context(), make([][]byte, iovMax+1), 0, bt)
		require.ErrorIs(t, err, unix.EMSGSIZE)
		_, err = a.SendTo(t.Context(), nil, 0, Addr{})
		require.ErrorIs(t, err, unix.EDESTADDRREQ)
	})
}

// udp returns a bound UDP socket.
func udp(t testing.TB, e *Engine) (*Socket, Addr) {
	t.Helper()
	s := network{"udp4", unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP}.socket(t, e)
	require.NoError(t, s.Bind(loopback))
	at, err := s.LocalAddr()
	require.NoError(t, err)
	return s, at
}

func TestWaitsEnd(t *testing.T) { // B10, B12, B16
	onNetworks(t, func(t *testing.T, _ network, a, b *Socket) {
		p := make([]byte, 10)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		_, err := b.Recv(ctx, p, 0)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.ErrorIs(t, err, ErrCanceled)
		_, err = a.Send(ctx, p, 0)
		require.ErrorIs(t, err, ErrCanceled, "nothing is sent where the context has ended")

		require.NoError(t, b.SetReadDeadline(time.Now().Add(10*time.Millisecond)))
		_, err = b.Recv(t.Context(), p, 0)
		require.ErrorIs(t, err, ErrTimeout)
		require.ErrorIs(t, err, os.ErrDeadlineExceeded)
		var timeout net.Error
		require.ErrorAs(t, err, &timeout)
		require.True(t, timeout.Timeout())
		_, err = b.Recv(t.Context(), p, 0)
		require.ErrorIs(t, err, ErrTimeout, "it stays passed")
		require.NoError(t, b.SetReadDeadline(time.Time{}))

		told, results := outcomes(1)
		b.GoRecv(p, 0, told)
		require.NoError(t, b.SetDeadline(time.Now().Add(-time.Second)), "ends what waits")
		require.ErrorIs(t, (<-results).err, ErrTimeout)
		require.NoError(t, b.SetDeadline(time.Time{}))
		_, err = a.Send(t.Context(), []byte("works"), 0)
		require.NoError(t, err)
		k, err := b.Recv(t.Context(), p, 0)
		require.NoError(t, err)
		require.Equal(t, "works", string(p[:k]))
	})
}

func TestNonBlockingSocketTries(t *testing.T) { // A37, N11
	onNetworks(t, func(t *testing.T, n network, a, b *Socket) {
		require.True(t, b.Blocking())
		require.NoError(t, b.SetBlocking(false))
		require.False(t, b.Blocking())
		_, err := b.Recv(t.Context(), make([]byte, 1), 0)
		require.ErrorIs(t, err, ErrWouldBlock)
		if n.typ != unix.SOCK_STREAM {
			return
		}
		require.NoError(t, a.SetBlocking(false))
		k, err := a.Send(t.Context(), make([]byte, 64<<20), 0)
		require.NoError(t, err)
		require.Positive(t, k)
		require.Less(t, k, 64<<20)
	})
}

// TestErrorBehindAPartialSend has the second of two system calls of a send fail: its buffer may not be read.
func TestErrorBehindAPartialSend(t *testing.T) { // N10, N11, B24
	forbidden, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	require.NoError(t, err)
	defer unix.Munmap(forbidden)
	bufs := make([][]byte, iovMax+1)
	for i := range iovMax {
		bufs[i] = []byte{1}
	}
	bufs[iovMax] = forbidden
	onEngines(t, func(t *testing.T, e *Engine) {
		a, _ := unixPair(t, e, unix.SOCK_STREAM)
		n, err := a.Sendv(t.Context(), bufs, 0)
		require.ErrorIs(t, err, unix.EFAULT, "a send that waits tells both")
		require.Equal(t, iovMax, n)
		for _, blocking := range []bool{true, false} {
			require.NoError(t, a.SetBlocking(blocking))
			send := func(bufs [][]byte) (int, error) { return a.TrySendv(bufs, 0) }
			if !blocking {
				send = func(bufs [][]byte) (int, error) { return a.Sendv(t.Context(), bufs, 0) }
			}
			n, err = send(bufs)
			require.NoError(t, err)
			require.Equal(t, iovMax, n)
			n, err = send(bufs[n:])
			require.ErrorIs(t, err, unix.EFAULT, "the error comes with the next attempt")
			require.Zero(t, n)
		}
	})
}

func TestSendPacketsIsContiguous(t *testing.T) { onEngines(t, testSendPacketsIsContiguous) }

func testSendPacketsIsContiguous(t *testing.T, e *Engine) {
	t.Run("B35", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		data := bytes.Repeat([]byte("p"), 300<<10)
		f := fileOf(t, data)
		const senders, lists = 4, 5
		errs := make(chan error, senders+1)
		go func() {
			var err error
			for range lists {
				_, e := a.SendPackets(lateContext(t), []Packet{{Data: data}, {File: f}, {Data: data}}, 0)
				err = errors.Join(err, e)
			}
			errs <- err
		}()
		const other = 50
		for range senders {
			go func() {
				var err error
				for range other {
					_, e := a.Send(lateContext(t), []byte("other!"), 0)
					err = errors.Join(err, e)
				}
				errs <- err
			}()
		}
		got := receiveAll(t, b, lists*3*len(data)+senders*other*6)
		for range senders + 1 {
			require.NoError(t, <-errs)
		}
		got = bytes.ReplaceAll(got, []byte("other!"), []byte{0})
		runs := bytes.FieldsFunc(got, func(r rune) bool { return r == 0 })
		for _, run := range runs {
			require.Zero(t, len(run)%(3*len(data)), "something came in between")
		}
	})
}

func TestSendFileWaitsUntilAllHasLeft(t *testing.T) { onEngines(t, testSendFileWaitsUntilAllHasLeft) }

func testSendFileWaitsUntilAllHasLeft(t *testing.T, e *Engine) {
	data := pattern(6<<20 + 123)
	f := fileOf(t, data)

	t.Run("B34 the write time-out ends it", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		a.writeTimeout.Store(int64(soon))
		n, err := a.SendFile(lateContext(t), f, 0, -1)
		require.ErrorIs(t, err, ErrTimeout)
		require.Positive(t, n)
		require.Equal(t, data[:n], receiveAll(t, b, int(n)))
	})
	t.Run("A19 read and sent where sendfile does not serve", func(t *testing.T) {
		a, b := tcpPair(t, e)
		o, err := newSendFile(f, 7, -1)
		require.NoError(t, err)
		defer unix.Close(o.fileFD)
		o.copied = make([]byte, copyMax)
		done := make(chan struct{})
		go func() {
			a.perform(lateContext(t), o, 0)
			close(done)
		}()
		require.Equal(t, data[7:], receiveAll(t, b, len(data)-7))
		<-done
		require.NoError(t, o.fault())
		require.Zero(t, o.left)
	})
}

func TestSendFileDoesWithoutTheSystemCall(t *testing.T) {
	if !testutil.InChild() { // The filter stays for the life of the process.
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.RefuseSyscalls(t, unix.ENOSYS, unix.SYS_SENDFILE)
	t.Run("A19 ENOSYS", func(t *testing.T) {
		e := engine(t)
		data := pattern(1 << 20)
		f := fileOf(t, data)
		a, b := tcpPair(t, e)
		sent := make(chan int64, 1)
		a.GoSendFile(f, 0, -1, func(n int64, err error) { sent <- n })
		require.Equal(t, data, receiveAll(t, b, len(data)))
		require.EqualValues(t, len(data), <-sent)
		n, err := a.SendPackets(lateContext(t), []Packet{{File: f, Count: 9}, {File: f, Offset: 1, Count: 9}}, 0)
		require.NoError(t, err)
		require.EqualValues(t, 18, n)
		require.Equal(t, slices.Concat(data[:9], data[1:10]), receiveAll(t, b, 18))
	})
}

func TestGoSendFileCallsBackOnce(t *testing.T) { onEngines(t, testGoSendFileCallsBackOnce) }

func testGoSendFileCallsBackOnce(t *testing.T, e *Engine) {
	data := pattern(4 << 20)

	type result struct {
		n   int64
		err error
	}
	begin := func(s *Socket, f *os.File, off, n int64) (*Op, chan result) {
		results := make(chan result, 2)
		return s.GoSendFile(f, off, n, func(n int64, err error) { results <- result{n, err} }), results
	}
	t.Run("B34 in turn with other sends", func(t *testing.T) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		_, results := begin(a, fileOf(t, data), 0, -1)
		a.GoSend([]byte("behind"), 0, func(int, error) {})
		require.Equal(t, append(data, "behind"...), receiveAll(t, b, len(data)+6))
		require.NoError(t, (<-results).err)
	})
}

func TestTransfersDoNotAllocate(t *testing.T) {
	if race.Enabled {
		testutil.Skip(t, testutil.NeedsNoRace, "pools drop what they keep")
	}
	if cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsNoChecker, "under the address sanitizer large values are copied by way of the heap")
	}
	onEngines(t, func(t *testing.T, e *Engine) {
		a, b := unixPair(t, e, unix.SOCK_STREAM)
		p := make([]byte, 64)
		many := [][]byte{p, p}
		ctx := t.Context()
		for name, transfer := range map[string]func() error{
			"Try": func() error {
				if _, err := a.TrySend(p, 0); err != nil {
					return err
				}
				_, err := b.TryRecv(p, 0)
				return err
			},
			"a Try that would block": func() error {
				if _, err := b.TryRecv(p, 0); err != errRecvWouldBlock {
					return err
				}
				return nil
			},
			"plain": func() error {
				if _, err := a.Send(ctx, p, 0); err != nil {
					return err
				}
				_, err := b.Recv(ctx, p, 0)
				return err
			},
			"many buffers": func() error {
				if _, err := a.Sendv(ctx, many, 0); err != nil {
					return err
				}
				_, _, err := b.Recvv(ctx, many, 0)
				return err
			},
		} {
			require.NoError(t, transfer(), name)
			require.Zero(t, testing.AllocsPerRun(200, func() {
				if err := transfer(); err != nil {
					t.Error(name, err)
				}
			}), name)
		}
	})
}

// BenchmarkTry compares a transfer that completes at once with the bare system calls.
func BenchmarkTry(b *testing.B) {
	x, y, err := engine(b).SocketPair(unix.SOCK_STREAM)
	require.NoError(b, err)
	p := make([]byte, 64)
	b.Run("bare", func(b *testing.B) {
		fx, fy := x.current.Load().fd, y.current.Load().fd
		b.ReportAllocs()
		for b.Loop() {
			if err := unix.Sendto(fx, p, unix.MSG_NOSIGNAL, nil); err != nil {
				b.Fatal(err)
			}
			if n, _, err := unix.Recvfrom(fy, p, unix.MSG_DONTWAIT); err != nil || n != len(p) {
				b.Fatal(n, err)
			}
		}
	})
	b.Run("socketops", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if _, err := x.TrySend(p, 0); err != nil {
				b.Fatal(err)
			}
			if n, err := y.TryRecv(p, 0); err != nil || n != len(p) {
				b.Fatal(n, err)
			}
		}
	})
}
