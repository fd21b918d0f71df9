//go:build linux

package socketops

import (
	"context"
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

var (
	group4 = netip.MustParseAddr("239.255.77.1")
	group6 = netip.MustParseAddr("ff02::4d:1")
	local4 = netip.MustParseAddr("127.0.0.1")
)

// noInterface is a number that no interface has.
const noInterface = 0xfffffe

// loopbackOf returns the number of the loopback interface.
func loopbackOf(t testing.TB) int {
	t.Helper()
	all, err := net.Interfaces()
	require.NoError(t, err)
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Index
		}
	}
	require.Fail(t, "no loopback interface")
	return 0
}

// networkOrder is the number whose bytes in memory are those.
func networkOrder(b ...byte) int { return int(int32(binary.NativeEndian.Uint32(b))) }

func TestMulticastInterface4(t *testing.T) {
	s, lo := udpSocket(t), loopbackOf(t)
	require.Less(t, lo, 256)
	is := func(t *testing.T, want string) {
		t.Helper()
		got, err := s.MulticastInterface4()
		require.NoError(t, err)
		require.Equal(t, want, got.String())
	}
	t.Run("A61 multicast interface by address", func(t *testing.T) {
		require.NoError(t, s.SetOptionInt(LevelIP, OptMulticastInterface, networkOrder(127, 0, 0, 1)))
		is(t, "127.0.0.1")
		v, err := s.OptionInt(LevelIP, OptMulticastInterface)
		require.NoError(t, err)
		require.Equal(t, networkOrder(127, 0, 0, 1), v, "A69")
	})
	t.Run("A61 multicast interface by number", func(t *testing.T) {
		require.NoError(t, s.SetOptionInt(LevelIP, OptMulticastInterface, networkOrder(0, 0, 0, byte(lo))))
		is(t, "0.0.0.0")
	})
	t.Run("N54 helpers", func(t *testing.T) {
		require.NoError(t, s.SetMulticastInterface4Addr(local4))
		is(t, "127.0.0.1")
		require.NoError(t, s.SetMulticastInterface4(lo))
		is(t, "0.0.0.0")
	})
	t.Run("N54 0 is the default", func(t *testing.T) {
		for _, reset := range []func() error{
			func() error { return s.SetOptionInt(LevelIP, OptMulticastInterface, 0) },
			func() error { return s.SetMulticastInterface4(0) },
			func() error { return s.SetMulticastInterface4Addr(netip.IPv4Unspecified()) },
		} {
			require.NoError(t, s.SetMulticastInterface4Addr(local4))
			require.NoError(t, reset())
			is(t, "0.0.0.0")
		}
	})
	t.Run("N54 no such interface", func(t *testing.T) {
		unknown := networkOrder(0, 0xff, 0xff, 0xfe)
		require.ErrorIs(t, s.SetOptionInt(LevelIP, OptMulticastInterface, unknown), unix.EADDRNOTAVAIL)
		require.ErrorIs(t, s.SetMulticastInterface4(noInterface), unix.EADDRNOTAVAIL)
		require.ErrorIs(t, s.SetMulticastInterface4Addr(netip.MustParseAddr("192.0.2.1")), unix.EADDRNOTAVAIL)
	})
	t.Run("N54 not of IPv4", func(t *testing.T) {
		require.ErrorIs(t, s.SetMulticastInterface4Addr(netip.IPv6Loopback()), unix.EINVAL)
		require.ErrorIs(t, s.SetMulticastInterface4Addr(netip.Addr{}), unix.EINVAL)
		require.ErrorIs(t, s.SetMulticastInterface4(-1), unix.EINVAL)
	})
}

func TestMulticastInterface6(t *testing.T) {
	s, lo := udp6Socket(t), loopbackOf(t)
	t.Run("N54 IPv6 by number", func(t *testing.T) {
		require.NoError(t, s.SetMulticastInterface6(lo))
		got, err := s.MulticastInterface6()
		require.NoError(t, err)
		require.Equal(t, lo, got)
		require.NoError(t, s.SetMulticastInterface6(0))
		got, err = s.MulticastInterface6()
		require.NoError(t, err)
		require.Zero(t, got)
	})
	t.Run("N54 IPv6 no such interface", func(t *testing.T) {
		require.ErrorIs(t, s.SetMulticastInterface6(noInterface), unix.ENODEV)
		require.ErrorIs(t, s.SetMulticastInterface6(-1), unix.EINVAL)
	})
}

func TestMulticastTTLAndLoopback(t *testing.T) {
	for name, open := range map[string]func(testing.TB) *Socket{"IPv4": udpSocket, "IPv6": udp6Socket} {
		t.Run("A61 multicast TTL of "+name, func(t *testing.T) {
			s := open(t)
			n, err := s.MulticastTTL()
			require.NoError(t, err)
			require.Equal(t, 1, n)
			for _, n := range []int{0, 7, 255} {
				require.NoError(t, s.SetMulticastTTL(n))
				got, err := s.MulticastTTL()
				require.NoError(t, err)
				require.Equal(t, n, got)
				require.Equal(t, n, kernelInt(t, s, unix.IPPROTO_IP, unix.IP_MULTICAST_TTL))
			}
			require.ErrorIs(t, s.SetMulticastTTL(-1), unix.EINVAL)
			require.ErrorIs(t, s.SetMulticastTTL(256), unix.EINVAL)
		})
		t.Run("A61 multicast loopback of "+name, func(t *testing.T) {
			s := open(t)
			for _, on := range []bool{false, true} {
				require.NoError(t, s.SetMulticastLoopback(on))
				got, err := s.MulticastLoopback()
				require.NoError(t, err)
				require.Equal(t, on, got)
				require.Equal(t, asInt(on), kernelInt(t, s, unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP))
			}
		})
	}
}

func TestMulticastGroup4(t *testing.T) {
	lo := loopbackOf(t)
	t.Run("A64 join by number and leave", func(t *testing.T) {
		s, g := udpSocket(t), MulticastGroup4{Group: group4, IfIndex: lo}
		require.NoError(t, s.JoinGroup4(g))
		require.ErrorIs(t, s.JoinGroup4(g), unix.EADDRINUSE)
		require.NoError(t, s.LeaveGroup4(g))
		require.ErrorIs(t, s.LeaveGroup4(g), unix.EADDRNOTAVAIL)
	})
	t.Run("A64 join by address", func(t *testing.T) {
		s, g := udpSocket(t), MulticastGroup4{Group: group4, Local: local4}
		require.NoError(t, s.JoinGroup4(g))
		require.ErrorIs(t, s.JoinGroup4(MulticastGroup4{Group: group4, IfIndex: lo}), unix.EADDRINUSE, "it is the same")
		require.NoError(t, s.LeaveGroup4(g))
	})
	t.Run("A64 refused", func(t *testing.T) {
		s := udpSocket(t)
		for _, g := range []MulticastGroup4{
			{},
			{Group: group6, IfIndex: lo},
			{Group: local4, IfIndex: lo},
			{Group: group4, Local: netip.IPv6Loopback()},
			{Group: group4, IfIndex: -1},
		} {
			require.ErrorIs(t, s.JoinGroup4(g), unix.EINVAL, g)
		}
		require.ErrorIs(t, s.JoinGroup4(MulticastGroup4{Group: group4, IfIndex: noInterface}), unix.ENODEV)
		require.False(t, s.Exposed())
	})
	t.Run("A64 datagram to the group arrives", func(t *testing.T) {
		s := udpSocket(t)
		at := bindOption(t, s, "0.0.0.0:0")
		require.NoError(t, s.JoinGroup4(MulticastGroup4{Group: group4, IfIndex: lo}))
		require.True(t, s.Exposed(), "N34")
		from := udpSocket(t)
		require.NoError(t, from.SetMulticastInterface4Addr(local4))
		to := IPAddr(netip.AddrPortFrom(group4, at.AddrPort().Port()))
		arrives(t, s, from, to, PacketInfo{group4, lo})
	})
	t.Run("A72 groups are not told", func(t *testing.T) {
		s := udpSocket(t)
		g, err := s.GroupOption4()
		require.ErrorIs(t, err, unix.ENOPROTOOPT)
		require.Zero(t, g)
		for _, name := range []Option{OptAddMembership, OptDropMembership} {
			_, err := s.OptionBytes(LevelIP, name, make([]byte, 12))
			require.ErrorIs(t, err, unix.ENOPROTOOPT, "what the kernel says")
		}
		require.NoError(t, s.Close())
		_, err = s.GroupOption4()
		require.ErrorIs(t, err, ErrClosed)
	})
}

// arrives sends a datagram and requires that it arrives with that packet information.
func arrives(t *testing.T, s, from *Socket, to Addr, info PacketInfo) {
	t.Helper()
	require.NoError(t, s.SetRecvPacketInfo(true))
	require.NoError(t, s.SetReadTimeout(10*time.Second))
	_, err := from.TrySendTo([]byte("to all"), 0, to)
	require.NoError(t, err)
	b := make([]byte, 16)
	m, err := s.RecvMsg(context.Background(), [][]byte{b}, 0)
	require.NoError(t, err)
	require.Equal(t, "to all", string(b[:m.N]))
	require.Equal(t, info, m.PacketInfo)
}

func TestMulticastGroup6(t *testing.T) {
	lo := loopbackOf(t)
	t.Run("A65 join by number and leave", func(t *testing.T) {
		s, g := udp6Socket(t), MulticastGroup6{Group: group6, IfIndex: lo}
		require.NoError(t, s.JoinGroup6(g))
		require.True(t, s.Exposed(), "N34")
		require.ErrorIs(t, s.JoinGroup6(g), unix.EADDRINUSE)
		require.NoError(t, s.LeaveGroup6(g))
		require.ErrorIs(t, s.LeaveGroup6(g), unix.EADDRNOTAVAIL)
	})
	t.Run("A65 join by zone", func(t *testing.T) {
		s := udp6Socket(t)
		ifi, err := net.InterfaceByIndex(lo)
		require.NoError(t, err)
		require.NoError(t, s.JoinGroup6(MulticastGroup6{Group: group6.WithZone(ifi.Name)}))
		require.NoError(t, s.LeaveGroup6(MulticastGroup6{Group: group6, IfIndex: lo}))
		require.ErrorIs(t, s.JoinGroup6(MulticastGroup6{Group: group6.WithZone("none such")}), unix.ENODEV)
	})
	t.Run("A65 refused", func(t *testing.T) {
		s := udp6Socket(t)
		for _, g := range []MulticastGroup6{{}, {Group: group4}, {netip.IPv6Loopback(), lo}, {group6, -1}} {
			require.ErrorIs(t, s.JoinGroup6(g), unix.EINVAL, g)
		}
		require.ErrorIs(t, s.JoinGroup6(MulticastGroup6{group6, noInterface}), unix.ENODEV)
	})
	t.Run("A65 kernel has the group", func(t *testing.T) {
		s, g := udp6Socket(t), MulticastGroup6{netip.MustParseAddr("ff02::4d:2"), lo}
		require.NoError(t, s.JoinGroup6(g))
		joined, err := os.ReadFile("/proc/self/net/igmp6") // a datagram would need a route, which loopback may not have
		require.NoError(t, err)
		require.Contains(t, string(joined), "ff0200000000000000000000004d0002")
	})
	t.Run("A73 groups are not told", func(t *testing.T) {
		g, err := udp6Socket(t).GroupOption6()
		require.ErrorIs(t, err, unix.ENOPROTOOPT)
		require.Zero(t, g)
	})
}
