//go:build linux

package socketops

import (
	"errors"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// optionSocket makes a socket of an engine of the test's own. Where it is one of IPv6 and the machine has none on
// loopback, the test is skipped.
func optionSocket(t testing.TB, f Family, typ Type, p Protocol) *Socket {
	t.Helper()
	e := engine(t)
	if f == unix.AF_INET6 {
		requireIPv6Loopback(t, e)
	}
	s, err := e.Socket(f, typ, p)
	require.NoError(t, err)
	return s
}

func tcpSocket(t testing.TB) *Socket {
	return optionSocket(t, unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
}

func udpSocket(t testing.TB) *Socket {
	return optionSocket(t, unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
}

func udp6Socket(t testing.TB) *Socket {
	return optionSocket(t, unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
}

func requireIPv6Loopback(t testing.TB, e *Engine) {
	t.Helper()
	s, err := e.Socket(unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	if err == nil {
		err = s.Bind(IPAddr(netip.MustParseAddrPort("[::1]:0")))
		require.NoError(t, s.Close())
	}
	if errors.Is(err, unix.EAFNOSUPPORT) || errors.Is(err, unix.EADDRNOTAVAIL) {
		testutil.Skip(t, testutil.NeedsIPv6, "none on loopback: %v", err)
	}
	require.NoError(t, err)
}

// bindOption binds the socket, and returns the address that it got.
func bindOption(t testing.TB, s *Socket, addr string) Addr {
	t.Helper()
	require.NoError(t, s.Bind(IPAddr(netip.MustParseAddrPort(addr))))
	a, err := s.LocalAddr()
	require.NoError(t, err)
	return a
}

// kernelInt asks the kernel, without the package.
func kernelInt(t testing.TB, s *Socket, level, name int) int {
	t.Helper()
	v, err := unix.GetsockoptInt(s.current.Load().fd, level, name)
	require.NoError(t, err)
	return v
}
