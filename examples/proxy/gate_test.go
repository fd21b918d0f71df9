//go:build linux

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// gate is between the proxy and an iperf3 server. A client of iperf3 that has sent everything says by a connection of
// its own that the test is over, and the server then throws away what is still on its way, which over a proxy is a lot.
// The gate holds this message back until nothing is on its way any more. It counts the bytes as well.
type gate struct {
	net.Listener
	server   endpoint
	ports    []uint16      // of the sockets on which bytes can be on their way to the server, or nil to hold nothing back
	count    *atomic.Int64 // bytes that the proxy has passed on
	toServer atomic.Int64
	toProxy  atomic.Int64
	conns    sync.WaitGroup
}

// testEnd is the message that the gate holds back.
const testEnd = 4

func newGate(t *testing.T, server endpoint) *gate {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	g := &gate{Listener: l, server: server}
	t.Cleanup(func() {
		l.Close()
		g.conns.Wait()
	})
	return g
}

// open has the gate accept connections, once its fields are set.
func (g *gate) open() {
	g.conns.Add(1)
	go func() {
		defer g.conns.Done()
		for control := true; ; control = false { // the first connection is the one for messages
			c, err := g.Accept()
			if err != nil {
				return
			}
			g.conns.Add(1)
			go g.serve(c, control)
		}
	}()
}

func (g *gate) at() endpoint {
	return endpoint{network: "tcp", host: "127.0.0.1", port: uint16(g.Addr().(*net.TCPAddr).Port)}
}

// serve passes the bytes of one connection on.
func (g *gate) serve(c net.Conn, control bool) {
	defer g.conns.Done()
	defer c.Close()
	s, err := net.Dial("tcp", g.server.String()[len("tcp:"):])
	if err != nil {
		return
	}
	defer s.Close()
	back := make(chan struct{})
	go func() {
		defer close(back)
		pass(c, s, &g.toProxy, func([]byte) {})
	}()
	pass(s, c, &g.toServer, func(b []byte) {
		if control && g.ports != nil && bytes.Equal(b, []byte{testEnd}) {
			g.awaitQuiet()
		}
	})
	<-back
}

// pass passes bytes and their end on, after before has seen them.
func pass(to, from net.Conn, count *atomic.Int64, before func([]byte)) {
	b := make([]byte, 64<<10)
	for {
		n, err := from.Read(b)
		count.Add(int64(n))
		before(b[:n])
		if _, err := to.Write(b[:n]); err != nil {
			return
		}
		if err != nil {
			if errors.Is(err, io.EOF) {
				to.(*net.TCPConn).CloseWrite()
			}
			return
		}
	}
}

// awaitQuiet waits until nothing is on its way to the server, in three looks in a row. A test that never comes there
// fails by its own limits.
func (g *gate) awaitQuiet() {
	var last int64 = -1
	for deadline, quiet := time.Now().Add(patience), 0; quiet < 3 && time.Now().Before(deadline); quiet++ {
		now := g.toServer.Load() + g.count.Load()
		if now != last || queued(g.ports) != 0 {
			quiet = -1
		}
		last = now
		time.Sleep(5 * time.Millisecond)
	}
}

// queued returns how many bytes are in the queues of sockets of TCP with any of the ports, at either end.
func queued(ports []uint16) (sum int64) {
	text, err := os.ReadFile("/proc/net/tcp")
	if err != nil {
		return -1
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Fields(line)
		for _, port := range ports {
			hex := fmt.Sprintf(":%04X", port)
			if strings.HasSuffix(fields[1], hex) || strings.HasSuffix(fields[2], hex) {
				var sending, receiving int64
				if _, err := fmt.Sscanf(fields[4], "%x:%x", &sending, &receiving); err != nil {
					return -1
				}
				sum += sending + receiving
			}
		}
	}
	return sum
}
