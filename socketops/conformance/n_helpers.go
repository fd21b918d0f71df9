//go:build linux

package conformance

import (
	"net/netip"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// nNamed keeps the networks of those names.
func nNamed(names ...string) func(n network) bool {
	return func(n network) bool { return slices.Contains(names, n.name) }
}

// nFd is the descriptor of a socket, which is Exposed from then on.
func nFd(t *T, s *socketops.Socket) int {
	t.Helper()
	fd, err := s.Fd()
	t.ok(err)
	return fd
}

// nUntil yields until cond holds, for what the kernel or another goroutine brings about in its own time.
func nUntil(t *T, what string, cond func() bool) {
	t.Helper()
	ctx := t.Late()
	for !cond() {
		t.that(ctx.Err() == nil, "%s, in the end", what)
		runtime.Gosched()
	}
}

// nReady waits until a socket is ready.
func nReady(t *T, s *socketops.Socket, mode socketops.PollMode) {
	t.Helper()
	ready, err := s.Poll(t.Late(), mode, -1)
	t.ok(err)
	t.that(ready, "the socket is ready")
}

// nSend sends all of a text.
func nSend(t *T, s *socketops.Socket, text string) {
	t.Helper()
	n, err := s.Send(t.Late(), []byte(text), 0)
	t.ok(err)
	t.equal(len(text), n)
}

// nAddr is an address of IP.
func nAddr(ap string) socketops.Addr { return socketops.IPAddr(netip.MustParseAddrPort(ap)) }

// nAt is another host at the port of an address.
func nAt(ip string, a socketops.Addr) socketops.Addr {
	return socketops.IPAddr(netip.AddrPortFrom(netip.MustParseAddr(ip), a.AddrPort().Port()))
}

// nLocal is the address that a socket has.
func nLocal(t *T, s *socketops.Socket) socketops.Addr {
	t.Helper()
	a, err := s.LocalAddr()
	t.ok(err)
	return a
}

// nAccept accepts a connection, which the test's end closes.
func nAccept(t *T, l *socketops.Socket) *socketops.Socket {
	t.Helper()
	c, _, err := l.Accept(t.Late())
	t.ok(err)
	t.Cleanup(func() { c.Close() })
	return c
}

// nSysctl is the number that the kernel has at a path below /proc/sys.
func nSysctl(t *T, path string) int {
	t.Helper()
	b, err := os.ReadFile("/proc/sys/" + path)
	t.ok(err)
	v, err := strconv.Atoi(strings.TrimSpace(string(b)))
	t.ok(err)
	return v
}

// nTooMuch is how many bytes do not fit between two sockets of which nSmall was asked, and nobody receives.
const nTooMuch = 4 << 20

// nSmall has what a stream sends find little room. The receiving end of TCP is left alone, which gets slow otherwise.
func nSmall(t *T, s *socketops.Socket) {
	t.Helper()
	size := 1
	if s.Family() != unix.AF_UNIX {
		size = 1 << 16
	}
	t.ok(s.SetSendBuffer(size))
}

// nRefused makes a socket of UDP that has sent an x to an address where nobody is, and heard of that.
func nRefused(t *T, prepare func(s *socketops.Socket)) (s *socketops.Socket, nobody socketops.Addr) {
	t.Helper()
	gone, nobody := t.bound(kind("udp4"))
	s, _ = t.bound(kind("udp4"))
	prepare(s)
	t.ok(s.Connect(t.Late(), nobody))
	t.ok(gone.Close())
	nUntil(t, "the refusal is there", func() bool {
		_, _ = s.TrySend([]byte("x"), 0) // again, since the kernel may have sent too many refusals of late
		ready, err := s.Poll(t.Late(), socketops.PollError, 50*time.Millisecond)
		t.ok(err)
		return ready
	})
	return s, nobody
}
