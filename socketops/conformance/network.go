//go:build linux

package conformance

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// network is a kind of sockets that can be connected to each other.
type network struct {
	name     string
	family   socketops.Family
	typ      socketops.Type
	proto    socketops.Protocol
	abstract bool // unix sockets without a path
	dual     bool // a client of IPv4 at a server of IPv6
	pair     bool // made by socketpair(2)
	more     bool // left out where tests are to be short: the kernel does with another kind what it does with this
}

// networks are the kinds that every machine has, IPv6 perhaps excepted.
var networks = []network{
	{name: "tcp4", family: unix.AF_INET, typ: unix.SOCK_STREAM, proto: unix.IPPROTO_TCP},
	{name: "tcp6", family: unix.AF_INET6, typ: unix.SOCK_STREAM, proto: unix.IPPROTO_TCP, more: true},
	{name: "tcp dual mode", family: unix.AF_INET6, typ: unix.SOCK_STREAM, proto: unix.IPPROTO_TCP, dual: true, more: true},
	{name: "udp4", family: unix.AF_INET, typ: unix.SOCK_DGRAM, proto: unix.IPPROTO_UDP, more: true},
	{name: "udp6", family: unix.AF_INET6, typ: unix.SOCK_DGRAM, proto: unix.IPPROTO_UDP},
	{name: "udp dual mode", family: unix.AF_INET6, typ: unix.SOCK_DGRAM, proto: unix.IPPROTO_UDP, dual: true, more: true},
	{name: "unix", family: unix.AF_UNIX, typ: unix.SOCK_STREAM},
	{name: "unixgram", family: unix.AF_UNIX, typ: unix.SOCK_DGRAM},
	{name: "unixpacket", family: unix.AF_UNIX, typ: unix.SOCK_SEQPACKET},
	{name: "abstract", family: unix.AF_UNIX, typ: unix.SOCK_STREAM, abstract: true, more: true},
	{name: "abstract unixgram", family: unix.AF_UNIX, typ: unix.SOCK_DGRAM, abstract: true},
	{name: "socketpair", family: unix.AF_UNIX, typ: unix.SOCK_STREAM, pair: true, more: true},
	{name: "socketpair of packets", family: unix.AF_UNIX, typ: unix.SOCK_SEQPACKET, pair: true, more: true},
}

// raws are the kinds that take a privilege. What IPv4 sockets of theirs receive begins with the header of the packet.
var raws = []network{
	{name: "raw4", family: unix.AF_INET, typ: unix.SOCK_RAW, proto: unix.IPPROTO_IGMP},
	{name: "raw6", family: unix.AF_INET6, typ: unix.SOCK_RAW, proto: unix.IPPROTO_NONE},
}

// onRaws is on for the kinds that take a privilege.
func (t *T) onRaws(test func(t *T, n network)) {
	for _, n := range raws {
		t.Sub(n.name, func(t *T) { test(t, n) })
	}
}

func (n network) stream() bool { return n.typ == unix.SOCK_STREAM }

// listens reports whether sockets of the kind listen and accept.
func (n network) listens() bool { return n.typ != unix.SOCK_DGRAM && !n.pair }

// on makes a subtest of every kind of which keep is true.
func (t *T) on(keep func(n network) bool, test func(t *T, n network)) {
	for _, n := range networks {
		if keep(n) && !(n.more && testing.Short()) {
			t.Sub(n.name, func(t *T) { test(t, n) })
		}
	}
}

// onPairs makes a subtest of every kind of which keep is true, with two connected sockets.
func (t *T) onPairs(keep func(n network) bool, test func(t *T, n network, a, b *socketops.Socket)) {
	t.on(keep, func(t *T, n network) {
		a, b := t.pair(n)
		test(t, n, a, b)
	})
}

// every keeps all kinds.
func every(network) bool { return true }

// socket makes a socket, which the test's end closes.
func (t *T) socket(n network) *socketops.Socket {
	t.Helper()
	s, err := t.Engine.Socket(n.family, n.typ, n.proto)
	t.permitted(n, err)
	t.Cleanup(func() { s.Close() })
	if n.dual {
		t.ok(s.SetDualMode(true))
	}
	return s
}

// permitted skips the test where an error says that the machine has no IPv6, or no raw sockets for this user.
func (t *T) permitted(n network, err error) {
	t.Helper()
	switch {
	case n.family == unix.AF_INET6 && (errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL)):
		testutil.Skip(t, testutil.NeedsIPv6, "%v", err)
	case n.typ == unix.SOCK_RAW && errors.Is(err, unix.EPERM):
		testutil.Skip(t, testutil.NeedsPrivilege, "raw sockets: %v", err)
	}
	t.ok(err)
}

// paths and abstracts number the names of unix sockets. The abstract ones are those of the whole machine.
var paths, abstracts atomic.Int64

// anywhere is an address to bind to.
func (t *T) anywhere(n network) socketops.Addr {
	switch {
	case n.family == unix.AF_INET:
		return socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))
	case n.dual:
		return socketops.IPAddr(netip.MustParseAddrPort("[::]:0"))
	case n.family == unix.AF_INET6:
		return socketops.IPAddr(netip.MustParseAddrPort("[::1]:0"))
	case n.abstract:
		return socketops.UnixAddr(fmt.Sprintf("@sockring conformance %d %d", unix.Getpid(), abstracts.Add(1)))
	}
	return socketops.UnixAddr(filepath.Join(t.dir, strconv.FormatInt(paths.Add(1), 10)))
}

// bound makes a socket with an address, and returns the one by which its peers reach it.
func (t *T) bound(n network) (*socketops.Socket, socketops.Addr) {
	t.Helper()
	s := t.socket(n)
	t.permitted(n, s.Bind(t.anywhere(n)))
	at, err := s.LocalAddr()
	t.ok(err)
	if n.dual {
		port := at.AddrPort().Port()
		at = socketops.IPAddr(netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), port))
	}
	return s, at
}

// listening makes a socket that listens, and returns its address.
func (t *T) listening(n network, backlog int) (*socketops.Socket, socketops.Addr) {
	t.Helper()
	l, at := t.bound(n)
	t.ok(l.Listen(backlog))
	return l, at
}

// pair makes two connected sockets. In dual mode the first is of IPv4.
func (t *T) pair(n network) (a, b *socketops.Socket) {
	t.Helper()
	switch {
	case n.pair:
		return t.socketPair(n.typ)
	case !n.listens():
		return t.connectedDatagrams(n)
	}
	l, at := t.listening(n, 1)
	a = t.socket(n.client())
	accepted := make(chan error, 1)
	go func() {
		var err error
		b, _, err = l.Accept(context.Background())
		accepted <- err
	}()
	t.ok(a.Connect(t.Late(), at))
	t.ok(<-accepted)
	t.Cleanup(func() { b.Close() })
	t.ok(l.Close())
	return a, b
}

// client is the kind of those that connect.
func (n network) client() network {
	if !n.dual {
		return n
	}
	i := slices.IndexFunc(networks, func(m network) bool { return m.family == unix.AF_INET && m.typ == n.typ })
	return networks[i]
}

func (t *T) socketPair(typ socketops.Type) (a, b *socketops.Socket) {
	t.Helper()
	a, b, err := t.Engine.SocketPair(typ)
	t.ok(err)
	t.Cleanup(func() { a.Close() })
	t.Cleanup(func() { b.Close() })
	return a, b
}

// connectedDatagrams makes two sockets of datagrams that are connected to each other.
func (t *T) connectedDatagrams(n network) (a, b *socketops.Socket) {
	t.Helper()
	a, atA := t.bound(n.client())
	b, atB := t.bound(n)
	t.ok(a.Connect(t.Late(), atB))
	t.ok(b.Connect(t.Late(), atA))
	return a, b
}
