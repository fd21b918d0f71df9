//go:build linux

package socketops

import (
	"encoding/binary"
	"math"
	"net/netip"

	"golang.org/x/sys/unix"
)

// MulticastGroup4 is a group of IPv4 on an interface, which is given by number, or as 0 by an address of it. Where
// neither is given the routing table says which it is.
type MulticastGroup4 struct {
	Group   netip.Addr
	Local   netip.Addr
	IfIndex int
}

// MulticastGroup6 is a group of IPv6 on an interface, which is given by number, or as 0 by the zone of the group, or
// not at all.
type MulticastGroup6 struct {
	Group   netip.Addr
	IfIndex int
}

// JoinGroup4 has the socket receive what is sent to a group: IP_ADD_MEMBERSHIP. What is not the address of a group is
// EINVAL, no such interface ENODEV, and a group that it is in already EADDRINUSE.
func (s *Socket) JoinGroup4(g MulticastGroup4) error { return s.membership4(OptAddMembership, g) }

// LeaveGroup4 ends JoinGroup4 of the same group: IP_DROP_MEMBERSHIP. A group that the socket is not in is
// EADDRNOTAVAIL.
func (s *Socket) LeaveGroup4(g MulticastGroup4) error { return s.membership4(OptDropMembership, g) }

func (s *Socket) membership4(name Option, g MulticastGroup4) error {
	group, local := g.Group.Unmap(), g.Local.Unmap()
	if !local.IsValid() {
		local = netip.IPv4Unspecified()
	}
	if !group.Is4() || !local.Is4() || !validIfIndex(g.IfIndex) {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	return s.setOption(optionKey{LevelIP, name}, mreqn(group, local, g.IfIndex))
}

// JoinGroup6 is JoinGroup4 for IPv6: IPV6_ADD_MEMBERSHIP.
func (s *Socket) JoinGroup6(g MulticastGroup6) error {
	return s.membership6(OptAddMembership, unix.IPV6_JOIN_GROUP, g)
}

// LeaveGroup6 ends JoinGroup6: IPV6_DROP_MEMBERSHIP.
func (s *Socket) LeaveGroup6(g MulticastGroup6) error {
	return s.membership6(OptDropMembership, unix.IPV6_LEAVE_GROUP, g)
}

func (s *Socket) membership6(name Option, kernelName int, g MulticastGroup6) error {
	if !g.Group.Is6() || !validIfIndex(g.IfIndex) {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	ifindex := uint32(g.IfIndex)
	if ifindex == 0 {
		scope, err := scopeOf(g.Group.Zone())
		if err != nil {
			return s.invalid("setsockopt", err)
		}
		ifindex = scope
	}
	mreq := unix.IPv6Mreq{Multiaddr: g.Group.As16(), Interface: ifindex}
	return s.applyOption(optionKey{LevelIPv6, name}, func(fd int) error {
		return unix.SetsockoptIPv6Mreq(fd, unix.IPPROTO_IPV6, kernelName, &mreq)
	})
}

// GroupOption4 is ENOPROTOOPT: the kernel does not tell which groups a socket is in (A72).
func (s *Socket) GroupOption4() (MulticastGroup4, error) { return MulticastGroup4{}, s.untold() }

// GroupOption6 is ENOPROTOOPT, as GroupOption4.
func (s *Socket) GroupOption6() (MulticastGroup6, error) { return MulticastGroup6{}, s.untold() }

func (s *Socket) untold() error {
	return s.control("getsockopt", func(int) error { return unix.ENOPROTOOPT })
}

// SetMulticastInterface4 sets by number through which interface datagrams to groups of IPv4 leave; 0 is that of the
// routing table: IP_MULTICAST_IF. A number that no interface has is EADDRNOTAVAIL (N54).
func (s *Socket) SetMulticastInterface4(ifindex int) error {
	if !validIfIndex(ifindex) {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	any4 := netip.IPv4Unspecified()
	return s.setOption(optionKey{LevelIP, OptMulticastInterface}, mreqn(any4, any4, ifindex))
}

// SetMulticastInterface4Addr is SetMulticastInterface4 by an address of the interface, which is that of the datagrams
// too.
func (s *Socket) SetMulticastInterface4Addr(a netip.Addr) error {
	if a = a.Unmap(); !a.Is4() {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	return s.setOption(optionKey{LevelIP, OptMulticastInterface}, a.AsSlice())
}

// MulticastInterface4 returns what SetMulticastInterface4Addr has set. It is 0.0.0.0 where nothing was, or a number,
// which the kernel does not tell.
func (s *Socket) MulticastInterface4() (netip.Addr, error) {
	var b [4]byte
	if _, err := s.OptionBytes(LevelIP, OptMulticastInterface, b[:]); err != nil {
		return netip.Addr{}, err
	}
	return netip.AddrFrom4(b), nil
}

// SetMulticastInterface6 sets by number through which interface datagrams to groups of IPv6 leave; 0 is that of the
// routing table: IPV6_MULTICAST_IF. A number that no interface has is ENODEV (N54).
func (s *Socket) SetMulticastInterface6(ifindex int) error {
	if !validIfIndex(ifindex) {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	return s.SetOptionInt(LevelIPv6, OptMulticastInterface, ifindex)
}

// MulticastInterface6 returns what SetMulticastInterface6 sets.
func (s *Socket) MulticastInterface6() (ifindex int, err error) {
	return s.OptionInt(LevelIPv6, OptMulticastInterface)
}

// SetMulticastTTL sets how many routers a datagram to a group passes, 0 to 255; others are EINVAL: IP_MULTICAST_TTL,
// and on sockets of IPv6 IPV6_MULTICAST_HOPS too. At first it is 1.
func (s *Socket) SetMulticastTTL(n int) error {
	if n < 0 || n > math.MaxUint8 {
		return s.invalid("setsockopt", unix.EINVAL)
	}
	return s.setOptionIP(OptMulticastTimeToLive, n)
}

// MulticastTTL returns what SetMulticastTTL sets.
func (s *Socket) MulticastTTL() (int, error) { return s.OptionInt(s.levelIP(), OptMulticastTimeToLive) }

// SetMulticastLoopback says whether this machine receives what it sends to groups that it is in, which it does at
// first: IP_MULTICAST_LOOP, and on sockets of IPv6 IPV6_MULTICAST_LOOP too.
func (s *Socket) SetMulticastLoopback(on bool) error {
	return s.setOptionIP(OptMulticastLoopback, asInt(on))
}

// MulticastLoopback returns what SetMulticastLoopback sets.
func (s *Socket) MulticastLoopback() (bool, error) {
	return s.flag(s.levelIP(), OptMulticastLoopback)
}

// validIfIndex reports whether an interface can have the number, or it is 0 for none.
func validIfIndex(ifindex int) bool { return ifindex >= 0 && ifindex <= math.MaxInt32 }

// mreqn is struct ip_mreqn.
func mreqn(group, local netip.Addr, ifindex int) []byte {
	b := append(group.AsSlice(), local.AsSlice()...)
	return binary.NativeEndian.AppendUint32(b, uint32(ifindex))
}

// multicastInterface is what OptMulticastInterface of LevelIP sets for a number: the four bytes of an address as they
// are in memory, or the number of an interface behind a byte of 0 (A61).
func multicastInterface(v int) ([]byte, error) {
	if int64(v) < math.MinInt32 || int64(v) > math.MaxUint32 {
		return nil, unix.EINVAL
	}
	b := intValue(v)
	if b[0] != 0 {
		return b, nil
	}
	any4 := netip.IPv4Unspecified()
	return mreqn(any4, any4, int(binary.BigEndian.Uint32(b))), nil
}
