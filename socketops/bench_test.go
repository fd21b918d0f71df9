//go:build linux

package socketops

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
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

// serverVariable has this program be the server of BenchmarkServer, on the backend that it names.
const serverVariable = "SOCKRING_TEST_SERVER"

// BenchmarkServer has a client of package net send 512 bytes over TCP to a server in a process of its own, which sends
// them back: a goroutine for each connection, on either side. An operation is one message there and back.
func BenchmarkServer(b *testing.B) {
	for _, conns := range []int{1, 16, 256} {
		for _, backend := range []Backend{"net", BackendURing, BackendAIO, BackendSyscall} {
			b.Run(fmt.Sprintf("%d/%s", conns, backend), func(b *testing.B) { askServer(b, startServer(b, backend), conns) })
		}
	}
}

// startServer starts a server, and returns its address.
func startServer(b *testing.B, backend Backend) (address string) {
	b.Helper()
	server := exec.Command(os.Args[0])
	server.Env = append(os.Environ(), serverVariable+"="+string(backend))
	server.Stderr = os.Stderr
	input, err := server.StdinPipe()
	require.NoError(b, err)
	output, err := server.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, server.Start())
	b.Cleanup(func() {
		require.NoError(b, input.Close())
		require.NoError(b, server.Wait())
	})
	address, err = bufio.NewReader(output).ReadString('\n')
	require.NoError(b, err)
	if reason, refused := strings.CutPrefix(address, "refused: "); refused {
		b.Skip(reason)
	}
	return strings.TrimSpace(address)
}

// askServer sends b.N messages on so many connections together.
func askServer(b *testing.B, address string, conns int) {
	var over sync.WaitGroup
	start := make(chan struct{})
	for i := range conns {
		c, err := net.Dial("tcp", address)
		require.NoError(b, err)
		over.Add(1)
		go func() {
			defer over.Done()
			defer c.Close()
			<-start
			p := make([]byte, 512)
			for range (b.N + i) / conns {
				if _, err := c.Write(p); err != nil {
					b.Error(err)
					return
				}
				if _, err := io.ReadFull(c, p); err != nil {
					b.Error(err)
					return
				}
			}
		}()
	}
	b.ResetTimer()
	close(start)
	over.Wait()
}

// serve is the server's process. It ends with its standard input.
func serve(backend Backend) {
	l, err := echoListener(backend)
	if err != nil {
		fmt.Printf("refused: %q\n", err)
		return
	}
	fmt.Println(l.Addr())
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				echoAll(c, make([]byte, 4096))
			}()
		}
	}()
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func echoListener(backend Backend) (net.Listener, error) {
	if backend == "net" {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	e, err := New(WithBackend(backend))
	if err != nil {
		return nil, err
	}
	s, err := e.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	if err != nil {
		return nil, err
	}
	if err := s.Bind(IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))); err != nil {
		return nil, err
	}
	return s.Listener(), s.Listen(512)
}

// echoAll sends back what a connection brings, by a buffer, as package net would splice.
func echoAll(c io.ReadWriter, p []byte) {
	for {
		n, err := c.Read(p)
		if n == 0 || err != nil {
			return
		}
		if _, err := c.Write(p[:n]); err != nil {
			return
		}
	}
}

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
