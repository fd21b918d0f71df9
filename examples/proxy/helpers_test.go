//go:build linux

package main

//kerneltest:on its engines are tested by socketops

import (
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/enginetest"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// mainVariable has the test binary be the proxy, with its arguments one in a line.
const mainVariable = "PROXY_TEST_MAIN"

func TestMain(m *testing.M) {
	if args := os.Getenv(mainVariable); args != "" {
		os.Args = append([]string{"proxy"}, strings.Split(args, "\n")...)
		main()
		os.Exit(0)
	}
	testutil.Main(m)
}

// hangLimit is how long a test may take that is to find out whether something hangs.
const hangLimit = time.Minute

// patience is how long a test waits for what is to happen soon.
const patience = 20 * time.Second

// networks are what each side of a proxy can be.
var networks = []string{"tcp", "unix"}

// onEngines runs a test on every engine that works here, with both ways to copy.
func onEngines(t *testing.T, test func(t *testing.T, o options)) {
	for _, b := range enginetest.Backends(t) {
		t.Run(string(b), func(t *testing.T) {
			needEngine(t, b)
			for _, mode := range []copyMode{copySplice, copyBuffer} {
				t.Run(string(mode), func(t *testing.T) {
					testutil.Timeout(t, hangLimit)
					test(t, options{engine: b, copy: mode})
				})
			}
		})
	}
}

// needEngine skips the test where an engine does not work.
func needEngine(t *testing.T, b socketops.Backend) {
	t.Helper()
	e, err := socketops.New(socketops.WithBackend(b))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	require.NoError(t, e.Close())
}

// onNetworks is onEngines with each kind of client and of target, together or, in a short test, once at least.
func onNetworks(t *testing.T, test func(t *testing.T, o options, clients, targets string)) {
	onEngines(t, func(t *testing.T, o options) {
		for _, clients := range networks {
			for _, targets := range networks {
				if clients == targets && testing.Short() {
					continue
				}
				t.Run(clients+" to "+targets, func(t *testing.T) { test(t, o, clients, targets) })
			}
		}
	})
}

// server is a target.
type server struct {
	net.Listener
	at endpoint
}

// serve listens as a target.
func serve(t testing.TB, network string) server {
	t.Helper()
	at := "127.0.0.1:0"
	if network == "unix" {
		at = filepath.Join(t.TempDir(), "target")
	}
	l, err := net.Listen(network, at)
	require.NoError(t, err)
	t.Cleanup(func() { l.Close() })
	to, err := parseEndpoint(network + ":" + l.Addr().String())
	require.NoError(t, err)
	return server{l, to}
}

// echo sends back what it receives until the end of that. It does without the splice of package net, which leaves its
// pipes to the collector.
func echo(c net.Conn) {
	defer c.Close()
	_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
}

// running is a proxy that runs.
type running struct {
	*proxy
	signals chan os.Signal
	ended   chan error
}

// start runs a proxy from addresses of a network to a target. What o leaves open is as on a command line that does.
func start(t testing.TB, o options, network string, to endpoint) *running {
	t.Helper()
	at := endpoint{network: "tcp", host: "127.0.0.1"}
	if network == "unix" {
		at = endpoint{network: "unix", path: filepath.Join(t.TempDir(), "proxy")}
	}
	o.listen, o.to = []endpoint{at}, []endpoint{to}
	if o.buffer == 0 {
		o.buffer = 64 << 10
	}
	if o.connectTimeout == 0 {
		o.connectTimeout = patience
	}
	if o.drain == 0 {
		o.drain = patience
	}
	return launch(t, o)
}

// launch runs a proxy.
func launch(t testing.TB, o options) *running {
	t.Helper()
	p, err := newProxy(&o)
	require.NoError(t, err)
	r := &running{proxy: p, signals: make(chan os.Signal, 2), ended: make(chan error, 1)}
	go func() { r.ended <- p.run(r.signals) }()
	t.Cleanup(func() { r.stop() })
	return r
}

// stop ends the proxy, and returns what run has returned.
func (r *running) stop() error {
	r.signals <- unix.SIGTERM
	err := <-r.ended
	r.ended <- err // for whoever stops it again
	return errors.Join(err, r.close())
}

// dial connects a client.
func (r *running) connect(t testing.TB) net.Conn {
	t.Helper()
	return dialTo(t, r.fronts[0].at)
}

func dialTo(t testing.TB, at endpoint) net.Conn {
	t.Helper()
	c, err := net.Dial(at.network, at.String()[len(at.network)+1:])
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// take accepts a connection.
func (s server) take(t testing.TB) net.Conn {
	t.Helper()
	require.NoError(t, s.Listener.(interface{ SetDeadline(time.Time) error }).SetDeadline(time.Now().Add(patience)))
	c, err := s.Accept()
	require.NoError(t, err)
	t.Cleanup(func() { c.Close() })
	require.NoError(t, c.SetDeadline(time.Now().Add(patience)))
	return c
}

// pair returns both ends of a connection through the proxy.
func (r *running) pair(t testing.TB, s server) (client, target net.Conn) {
	t.Helper()
	client = r.connect(t)
	return client, s.take(t)
}

// closeWrite ends a stream in one direction.
func closeWrite(t testing.TB, c net.Conn) {
	t.Helper()
	require.NoError(t, c.(interface{ CloseWrite() error }).CloseWrite())
}

// send and expect are a few bytes.
func send(t testing.TB, c net.Conn, text string) {
	t.Helper()
	_, err := io.WriteString(c, text)
	require.NoError(t, err)
}

func expect(t testing.TB, c net.Conn, text string) {
	t.Helper()
	b := make([]byte, len(text))
	_, err := io.ReadFull(c, b)
	require.NoError(t, err)
	require.Equal(t, text, string(b))
}

// expectEnd is that a stream ends, and not by a reset.
func expectEnd(t testing.TB, c net.Conn) {
	t.Helper()
	n, err := c.Read(make([]byte, 1))
	require.ErrorIs(t, err, io.EOF)
	require.Zero(t, n)
}

// cut ends a connection by a reset.
func cut(t testing.TB, c net.Conn) {
	t.Helper()
	if tcp, ok := c.(*net.TCPConn); ok {
		require.NoError(t, tcp.SetLinger(0))
	}
	require.NoError(t, c.Close())
}

// eventually waits until something holds.
func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	require.Eventually(t, holds, patience, 2*time.Millisecond, what)
}

// errorsOf returns how many errors of a kind were counted.
func (r *running) errorsOf(kind string) int64 { return r.snapshot(nil).Errors[kind] }
