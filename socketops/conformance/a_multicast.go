//go:build linux

package conformance

import (
	"encoding/binary"
	"net"
	"net/netip"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

var (
	anyGroup4 = netip.MustParseAddr("239.255.77.1")
	anyGroup6 = netip.MustParseAddr("ff02::4d:1")
	local4    = netip.MustParseAddr("127.0.0.1")
)

// noInterface is a number that no interface has.
const noInterface = 0xfffffe

// group4 is a group on loopback.
func (t *T) group4() socketops.MulticastGroup4 {
	return socketops.MulticastGroup4{Group: anyGroup4, IfIndex: t.loopback()}
}

// memory is the number whose bytes in memory are those.
func memory(b ...byte) int { return int(int32(binary.NativeEndian.Uint32(b))) }

func multicastInterfaceIsSet(t *T) {
	s, lo := t.socket(udp4), t.loopback()
	set := func(v int) error {
		return s.SetOptionInt(socketops.LevelIP, socketops.OptMulticastInterface, v)
	}
	for _, tt := range []struct {
		set  func() error
		want string // as far as the kernel tells it
	}{
		{func() error { return set(memory(127, 0, 0, 1)) }, "127.0.0.1"},
		{func() error { return set(memory(0, 0, 0, byte(lo))) }, "0.0.0.0"},
		{func() error { return s.SetMulticastInterface4Addr(local4) }, "127.0.0.1"},
		{func() error { return set(0) }, "0.0.0.0"},
		{func() error { return s.SetMulticastInterface4Addr(local4) }, "127.0.0.1"},
		{func() error { return s.SetMulticastInterface4(lo) }, "0.0.0.0"},
	} {
		t.ok(tt.set())
		got, err := s.MulticastInterface4()
		t.ok(err)
		t.equal(tt.want, got.String())
	}
	t.is(set(memory(0, 0xff, 0xff, 0xfe)), unix.EADDRNOTAVAIL)
	t.is(s.SetMulticastInterface4(noInterface), unix.EADDRNOTAVAIL)
	t.is(s.SetMulticastInterface4Addr(netip.MustParseAddr("192.0.2.1")), unix.EADDRNOTAVAIL)
	t.is(s.SetMulticastInterface4Addr(netip.IPv6Loopback()), unix.EINVAL)
	t.Sub("IPv6", func(t *T) {
		s := t.socket(udp6)
		for _, i := range []int{lo, 0} {
			t.ok(s.SetMulticastInterface6(i))
			got, err := s.MulticastInterface6()
			t.ok(err)
			t.equal(i, got)
		}
		t.is(s.SetMulticastInterface6(noInterface), unix.ENODEV)
		t.is(s.SetMulticastInterface6(-1), unix.EINVAL)
	})
}

func groupsOfIPv4(t *T) { // A64
	for name, g := range map[string]socketops.MulticastGroup4{
		"number": t.group4(), "address": {Group: anyGroup4, Local: local4},
	} {
		t.Sub("by "+name, func(t *T) {
			s := t.socket(udp4)
			t.ok(s.JoinGroup4(g))
			t.is(s.JoinGroup4(t.group4()), unix.EADDRINUSE) // It is the same.
			t.ok(s.LeaveGroup4(g))
			t.is(s.LeaveGroup4(g), unix.EADDRNOTAVAIL)
		})
	}
	t.Sub("refused", func(t *T) {
		s, lo := t.socket(udp4), t.loopback()
		for _, g := range []socketops.MulticastGroup4{
			{},
			{Group: anyGroup6, IfIndex: lo},
			{Group: local4, IfIndex: lo},
			{Group: anyGroup4, Local: netip.IPv6Loopback()},
			{Group: anyGroup4, IfIndex: -1},
		} {
			t.is(s.JoinGroup4(g), unix.EINVAL)
		}
		t.is(s.JoinGroup4(socketops.MulticastGroup4{Group: anyGroup4, IfIndex: noInterface}), unix.ENODEV)
		t.is(t.closed(udp4).JoinGroup4(t.group4()), socketops.ErrClosed)
	})
	t.Sub("datagrams arrive", func(t *T) {
		s, from := t.socket(udp4), t.socket(udp4)
		t.ok(s.Bind(ipAddr("0.0.0.0:0")))
		at, err := s.LocalAddr()
		t.ok(err)
		t.ok(s.JoinGroup4(t.group4()))
		t.ok(s.SetRecvPacketInfo(true))
		t.ok(from.SetMulticastInterface4Addr(local4))
		_, err = from.TrySendTo([]byte("to all"), 0, onPort(anyGroup4.String(), at))
		t.ok(err)
		room := make([]byte, 9)
		m, err := s.RecvMsg(t.Late(), [][]byte{room}, 0)
		t.ok(err)
		t.equal("to all", string(room[:m.N]))
		t.equal(socketops.PacketInfo{Addr: anyGroup4, IfIndex: t.loopback()}, m.PacketInfo)
	})
}

func groupsOfIPv6(t *T) { // A65
	lo := t.loopback()
	ifi, err := net.InterfaceByIndex(lo)
	t.ok(err)
	g := socketops.MulticastGroup6{Group: anyGroup6, IfIndex: lo}
	for name, join := range map[string]socketops.MulticastGroup6{
		"number": g, "zone": {Group: anyGroup6.WithZone(ifi.Name)},
	} {
		t.Sub("by "+name, func(t *T) {
			s, _ := t.bound(udp6) // which finds out whether there is IPv6
			t.ok(s.JoinGroup6(join))
			joined, err := os.ReadFile("/proc/self/net/igmp6") // A datagram would need a route.
			t.ok(err)
			t.that(strings.Contains(string(joined), "ff0200000000000000000000004d0001"), "the kernel has the group")
			t.is(s.JoinGroup6(g), unix.EADDRINUSE)
			t.ok(s.LeaveGroup6(g))
			t.is(s.LeaveGroup6(g), unix.EADDRNOTAVAIL)
		})
	}
	t.Sub("refused", func(t *T) {
		s := t.socket(udp6)
		for _, g := range []socketops.MulticastGroup6{
			{}, {Group: anyGroup4}, {Group: netip.IPv6Loopback(), IfIndex: lo}, {Group: anyGroup6, IfIndex: -1},
		} {
			t.is(s.JoinGroup6(g), unix.EINVAL)
		}
		t.is(s.JoinGroup6(socketops.MulticastGroup6{Group: anyGroup6, IfIndex: noInterface}), unix.ENODEV)
		t.is(s.JoinGroup6(socketops.MulticastGroup6{Group: anyGroup6.WithZone("none such")}), unix.ENODEV)
	})
}

func groupsOfIPv4AreNotTold(t *T) { // A72
	s := t.socket(udp4)
	t.ok(s.JoinGroup4(t.group4()))
	g, err := s.GroupOption4()
	t.is(err, unix.ENOPROTOOPT)
	t.equal(socketops.MulticastGroup4{}, g)
	for _, o := range []socketops.Option{socketops.OptAddMembership, socketops.OptDropMembership} {
		_, err := s.OptionBytes(socketops.LevelIP, o, make([]byte, 12))
		t.is(err, unix.ENOPROTOOPT) // as the kernel says
	}
	t.ok(s.Close())
	_, err = s.GroupOption4()
	t.is(err, socketops.ErrClosed)
}

func groupsOfIPv6AreNotTold(t *T) { // A73
	s := t.socket(udp6)
	g, err := s.GroupOption6()
	t.is(err, unix.ENOPROTOOPT)
	t.equal(socketops.MulticastGroup6{}, g)
	for _, name := range []int{unix.IPV6_JOIN_GROUP, unix.IPV6_LEAVE_GROUP} {
		_, err := s.RawOption(unix.IPPROTO_IPV6, name, make([]byte, 20))
		t.is(err, unix.ENOPROTOOPT) // as the kernel says
	}
	t.ok(s.Close())
	_, err = s.GroupOption6()
	t.is(err, socketops.ErrClosed)
}
