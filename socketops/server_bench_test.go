//go:build linux

package socketops

import (
	"bufio"
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
