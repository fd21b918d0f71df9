//go:build linux

package socketops

import (
	"fmt"
	"io"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// The load of BenchmarkQueuedSends: what the sockets send in one operation of the benchmark.
const (
	benchSockets  = 64
	benchMessages = 8
	benchBytes    = 64
)

// BenchmarkQueuedSends compares queued sends of many sockets, which leave together, with a writev(2) for each socket.
// An operation is benchSockets x benchMessages messages.
func BenchmarkQueuedSends(b *testing.B) {
	message := make([]byte, benchBytes)
	for _, backend := range backends {
		b.Run(string(backend.name), func(b *testing.B) {
			e, err := New(WithBackend(backend.name))
			if err != nil {
				b.Skip(err)
			}
			defer e.Close()
			var sockets []*Socket
			for range benchSockets {
				s, err := e.FromFD(drained(b))
				require.NoError(b, err)
				sockets = append(sockets, s)
			}
			var pending sync.WaitGroup
			done := func(n int, err error) {
				if n != benchBytes || err != nil {
					b.Error(n, err)
				}
				pending.Done()
			}
			b.ReportAllocs()
			for b.Loop() {
				pending.Add(benchSockets * benchMessages)
				for _, s := range sockets {
					for range benchMessages {
						s.GoSend(message, 0, done)
					}
				}
				pending.Wait()
			}
		})
	}
	b.Run("writev", func(b *testing.B) {
		var fds []int
		for range benchSockets {
			fd := drained(b)
			defer unix.Close(fd)
			fds = append(fds, fd)
		}
		var iov [][]byte
		for range benchMessages {
			iov = append(iov, message)
		}
		for b.Loop() {
			for _, fd := range fds {
				n, err := unix.Writev(fd, iov)
				if err != nil || n != benchBytes*benchMessages {
					b.Fatal(n, err)
				}
			}
		}
	})
}

// drained returns a blocking stream socket whose peer is read by somebody.
func drained(b *testing.B) (fd int) {
	b.Helper()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(b, err)
	require.NoError(b, unix.SetNonblock(fds[1], true))
	peer := os.NewFile(uintptr(fds[1]), fmt.Sprint("drained ", fds[1]))
	go func() {
		_, _ = io.Copy(io.Discard, peer)
		peer.Close()
	}()
	return fds[0]
}
