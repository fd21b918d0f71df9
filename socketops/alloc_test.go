//go:build linux

package socketops

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

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
