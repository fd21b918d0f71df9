//go:build linux

package socketops

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestAddressesComeBackFromTheKernelsForm(t *testing.T) { // A02, N42
	packet, err := PacketAddr(0x0800, 3, []byte{1, 2, 3, 4, 5, 6})
	require.NoError(t, err)
	raw, err := RawAddr(unix.AF_NETLINK, []byte{0, 0, 1, 0, 0, 0, 2, 0, 0, 0})
	require.NoError(t, err)
	for _, tt := range []struct {
		addr          Addr
		network, text string
		size          int
	}{
		{IPAddr(netip.MustParseAddrPort("192.0.2.1:80")), "ip", "192.0.2.1:80", 16},
		{IPAddr(netip.MustParseAddrPort("[2001:db8::1]:443")), "ip", "[2001:db8::1]:443", 28},
		{IPAddr(netip.MustParseAddrPort("[fe80::1%7]:443")), "ip", "[fe80::1%7]:443", 28},
		{UnixAddr("/run/x"), "unix", "/run/x", 2 + 7},
		{UnixAddr("@hidden"), "unix", "@hidden", 2 + 7},
		{UnixAddr(""), "unix", "", 2},
		{VsockAddr(2, 1024), "vsock", "2:1024", 16},
		{packet, "packet", "08000300000000000006010203040506" + "0000", 20},
		{raw, "family 16", "00000100000002000000", 12},
	} {
		b, err := tt.addr.sockaddr(nil)
		require.NoError(t, err)
		require.Len(t, b, tt.size, tt.text)
		require.LessOrEqual(t, len(b), MaxAddrLen)
		require.Equal(t, tt.addr, parseAddr(b))
		require.Equal(t, tt.network, tt.addr.Network())
		require.Equal(t, tt.text, tt.addr.String())
		require.Equal(t, b[2:], tt.addr.Raw())
		require.False(t, tt.addr.IsZero())
	}
	require.True(t, Addr{}.IsZero())
	require.Equal(t, Addr{}, parseAddr(nil))
	require.Equal(t, Addr{}, IPAddr(netip.AddrPort{}))
}

func TestAddressesThatDoNotFit(t *testing.T) {
	for _, tt := range []struct {
		addr Addr
		want error
	}{
		{Addr{}, unix.EDESTADDRREQ},
		{UnixAddr(strings.Repeat("x", 108)), unix.ENAMETOOLONG},
		{UnixAddr("@" + strings.Repeat("x", 108)), unix.ENAMETOOLONG},
		{UnixAddr("a\x00b"), unix.EINVAL},
		{IPAddr(netip.MustParseAddrPort("[fe80::1%no-such-interface]:1")), unix.ENODEV},
	} {
		_, err := tt.addr.sockaddr(nil)
		require.ErrorIs(t, err, tt.want)
	}
	_, err := UnixAddr(strings.Repeat("x", 107)).sockaddr(nil)
	require.NoError(t, err)
	_, err = RawAddr(unix.AF_NETLINK, make([]byte, MaxAddrLen))
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = PacketAddr(0, 0, make([]byte, 9))
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestAddressesDoNotAllocate(t *testing.T) {
	a := IPAddr(netip.MustParseAddrPort("[2001:db8::1]:443"))
	var room [MaxAddrLen]byte
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b, err := a.sockaddr(room[:0])
		if err != nil || parseAddr(b) != a {
			t.Error("changed on its way")
		}
	}))
}
