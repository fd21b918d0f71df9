//go:build linux

package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// brief waits are those that are to run out.
const (
	moment   = time.Millisecond
	instants = 5 * time.Millisecond
	aWhile   = 250 * time.Millisecond // in which what can be done at once is done, on slow machines too
)

// kind is the network of a name.
func kind(name string) network {
	return networks[slices.IndexFunc(networks, func(n network) bool { return n.name == name })]
}

var (
	tcp4, tcp6          = kind("tcp4"), kind("tcp6")
	udp4, udp6, udpDual = kind("udp4"), kind("udp6"), kind("udp dual mode")
	unixStream          = kind("unix")
	unixPair            = kind("socketpair")
)

func (n network) datagrams() bool { return n.typ == unix.SOCK_DGRAM }

func (n network) messages() bool { return n.typ != unix.SOCK_STREAM }

func (n network) ip() bool { return n.family == unix.AF_INET || n.family == unix.AF_INET6 }

func (n network) tcp() bool { return n.ip() && n.stream() }

func (n network) udp() bool { return n.ip() && n.datagrams() }

// binds reports whether sockets of the kind are made by socket(2).
func (n network) binds() bool { return !n.pair }

// over is a context that has ended.
func over() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// native is a number as the kernel has it in memory.
func native(v int) []byte { return binary.NativeEndian.AppendUint32(nil, uint32(v)) }

// kernel asks the kernel for an option that is a number.
func (t *T) kernel(s *socketops.Socket, level, name int) int {
	t.Helper()
	var b [4]byte
	n, err := s.RawOption(level, name, b[:])
	t.ok(err)
	t.equal(4, n)
	return int(int32(binary.NativeEndian.Uint32(b[:])))
}

// until tries until something holds that nothing can be waited for by.
func (t *T) until(holds func() bool) {
	t.Helper()
	for start := time.Now(); !holds(); runtime.Gosched() {
		if time.Since(start) > late {
			t.Fatal("it never came to hold")
		}
	}
}

// readable waits until there is something to receive.
func (t *T) readable(s *socketops.Socket) {
	t.Helper()
	ready, err := s.Poll(t.Late(), socketops.PollRead, -1)
	t.ok(err)
	t.equal(true, ready)
}

// finish begins to connect by the Try form, and waits for what comes of it.
func (t *T) finish(s *socketops.Socket, begun error) error {
	t.Helper()
	for err := begun; ; err = s.TryFinishConnect() {
		if !errors.Is(err, socketops.ErrInProgress) {
			return err
		}
		_, err := s.Poll(t.Late(), socketops.PollWrite, -1)
		t.ok(err)
	}
}

// nobody is an address of TCP at which nobody listens, and which nobody else gets.
func (t *T) nobody() socketops.Addr {
	t.Helper()
	_, at := t.bound(tcp4)
	return at
}

// closed makes a socket and closes it.
func (t *T) closed(n network) *socketops.Socket {
	t.Helper()
	s := t.socket(n)
	t.ok(s.Close())
	return s
}

// accept takes a connection, which the test's end closes.
func (t *T) accept(l *socketops.Socket) (*socketops.Socket, socketops.Addr) {
	t.Helper()
	c, from, err := l.Accept(t.Late())
	t.ok(err)
	t.Cleanup(func() { c.Close() })
	return c, from
}

// tight has two connected sockets hold little on their way from the first to the second. Of TCP that is more than a
// segment of loopback, and none of them is held back: otherwise its timers would set the pace.
func (t *T) tight(a, b *socketops.Socket) {
	t.Helper()
	send, receive := 8<<10, 8<<10
	if a.Protocol() == unix.IPPROTO_TCP {
		send, receive = 128<<10, 256<<10
		t.ok(a.SetNoDelay(true))
	}
	t.ok(a.SetSendBuffer(send))
	t.ok(b.SetRecvBuffer(receive))
}

// tooMuch does not fit into sockets that are tight.
const tooMuch = 2 << 20

// file makes a file.
func (t *T) file(data []byte) *os.File {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "file"))
	t.ok(err)
	t.Cleanup(func() { f.Close() })
	_, err = f.Write(data)
	t.ok(err)
	return f
}

// quiet holds that there is nothing to receive.
func (t *T) quiet(s *socketops.Socket) {
	t.Helper()
	_, err := s.TryRecv(make([]byte, 1), 0)
	t.is(err, socketops.ErrWouldBlock)
}

// ends holds that the stream ends here.
func (t *T) ends(s *socketops.Socket) {
	t.Helper()
	n, err := s.Recv(t.Late(), make([]byte, 1), 0)
	t.ok(err)
	t.equal(0, n)
}

// message receives what one receive brings.
func (t *T) message(s *socketops.Socket) string {
	t.Helper()
	b := make([]byte, 1<<16)
	n, err := s.Recv(t.Late(), b, 0)
	t.ok(err)
	return string(b[:n])
}

// works holds that bytes come through a connection in both directions.
func (t *T) works(a, b *socketops.Socket) {
	t.Helper()
	for _, p := range [][2]*socketops.Socket{{a, b}, {b, a}} {
		_, err := p[0].Send(t.Late(), []byte("it works"), 0)
		t.ok(err)
		t.equal("it works", string(t.receive(p[1], 8)))
	}
}

// loopback is the number of the loopback interface.
func (t *T) loopback() int {
	t.Helper()
	all, err := net.Interfaces()
	t.ok(err)
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Index
		}
	}
	t.Fatal("no loopback interface")
	return 0
}

// ipAddr is an address of IP by its text.
func ipAddr(s string) socketops.Addr { return socketops.IPAddr(netip.MustParseAddrPort(s)) }

// onPort is an IP with the port of another address.
func onPort(ip string, a socketops.Addr) socketops.Addr {
	return socketops.IPAddr(netip.AddrPortFrom(netip.MustParseAddr(ip), a.AddrPort().Port()))
}

// descriptors is how many descriptors the process has open.
func (t *T) descriptors() int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	t.ok(err)
	return len(entries)
}

// ready holds that a wait finds a socket ready, or not.
func (t *T) ready(want bool, s *socketops.Socket, mode socketops.PollMode, d time.Duration) {
	t.Helper()
	got, err := s.Poll(t.Late(), mode, d)
	t.ok(err)
	t.equal(want, got)
}
