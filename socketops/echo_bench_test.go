//go:build linux

package socketops

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// BenchmarkEcho has pairs of sockets send a message to and fro, each end served by a goroutine of its own, so that
// most receives have to wait. An operation is a message there and back on each pair.
func BenchmarkEcho(b *testing.B) {
	for _, pairs := range []int{1, 16, 256} {
		for _, backend := range backends {
			b.Run(fmt.Sprintf("%d/%s", pairs, backend.name), func(b *testing.B) {
				e, err := New(WithBackend(backend.name))
				if err != nil {
					b.Skip(err)
				}
				defer e.Close()
				echo(b, pairs, func() (here, there io.ReadWriteCloser) {
					x, y, err := e.SocketPair(unix.SOCK_STREAM)
					require.NoError(b, err)
					return echoSocket{x}, echoSocket{y}
				})
			})
		}
		b.Run(fmt.Sprintf("%d/net", pairs), func(b *testing.B) {
			echo(b, pairs, func() (here, there io.ReadWriteCloser) {
				fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
				require.NoError(b, err)
				return netConn(b, fds[0]), netConn(b, fds[1])
			})
		})
	}
}

// echoSocket is a Socket as io has it, without what a Conn adds.
type echoSocket struct{ *Socket }

func (s echoSocket) Read(p []byte) (int, error) { return s.Recv(context.Background(), p, 0) }

func (s echoSocket) Write(p []byte) (int, error) { return s.Send(context.Background(), p, 0) }

// netConn makes a descriptor a connection of package net.
func netConn(b *testing.B, fd int) net.Conn {
	b.Helper()
	file := os.NewFile(uintptr(fd), "")
	defer file.Close()
	c, err := net.FileConn(file)
	require.NoError(b, err)
	return c
}

func echo(b *testing.B, pairs int, pair func() (here, there io.ReadWriteCloser)) {
	var served sync.WaitGroup
	starts := make([]chan int, pairs)
	done := make(chan error, pairs)
	var conns []io.Closer
	for i := range starts {
		starts[i] = make(chan int)
		here, there := pair()
		conns = append(conns, here, there)
		served.Add(2)
		go func() {
			defer served.Done()
			echoAll(there, make([]byte, benchBytes))
		}()
		go func() {
			defer served.Done()
			p := make([]byte, benchBytes)
			for n := range starts[i] {
				var err error
				for ; n > 0 && err == nil; n-- {
					if _, err = here.Write(p); err == nil {
						_, err = here.Read(p)
					}
				}
				done <- err
			}
		}()
	}
	b.ReportAllocs()
	b.ResetTimer()
	for i := range starts {
		starts[i] <- b.N
	}
	for range starts {
		require.NoError(b, <-done)
	}
	b.StopTimer()
	for _, start := range starts {
		close(start)
	}
	for _, c := range conns {
		require.NoError(b, c.Close())
	}
	served.Wait()
}
