//go:build linux

package socketops

import (
	"net"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// isIP reports whether the socket has addresses of IP.
func (s *Socket) isIP() bool { return s.family == unix.AF_INET || s.family == unix.AF_INET6 }

// isTCP reports whether the socket is one of TCP, which MPTCP is too.
func (s *Socket) isTCP() bool {
	if !s.isIP() || !s.isStream() {
		return false
	}
	return s.kernel == 0 || s.kernel == unix.IPPROTO_TCP || s.kernel == unix.IPPROTO_MPTCP
}

// network is the name that package net has for the socket's kind, and where it has none, that of the address family.
func (s *Socket) network() string {
	switch {
	case s.family == unix.AF_UNIX && s.typ == unix.SOCK_STREAM:
		return "unix"
	case s.family == unix.AF_UNIX && s.typ == unix.SOCK_SEQPACKET:
		return "unixpacket"
	case s.family == unix.AF_UNIX:
		return "unixgram"
	case !s.isIP():
		return Addr{family: uint16(s.family)}.Network()
	case s.isTCP():
		return "tcp"
	case s.typ == unix.SOCK_DGRAM:
		return "udp"
	case s.kernel == unix.IPPROTO_SCTP:
		return "sctp"
	}
	return "ip"
}

// netAddr is an address as package net has it, for whoever looks at its type. It is nil where there is none.
func (s *Socket) netAddr(a Addr) net.Addr {
	ap := a.AddrPort()
	switch {
	case a.IsZero():
		return nil
	case a.family == unix.AF_UNIX:
		return &net.UnixAddr{Name: netUnixName(a), Net: s.network()}
	case !ap.IsValid() || s.kernel == unix.IPPROTO_SCTP:
		return a
	}
	ip, zone := net.IP(ap.Addr().AsSlice()), zones.name(ap.Addr().Zone())
	switch {
	case s.isStream():
		return &net.TCPAddr{IP: ip, Port: int(ap.Port()), Zone: zone}
	case s.typ == unix.SOCK_DGRAM:
		return &net.UDPAddr{IP: ip, Port: int(ap.Port()), Zone: zone}
	}
	return &net.IPAddr{IP: ip, Zone: zone}
}

// netUnixName is the name of a unix socket as package net has it, which calls one without a name @.
func netUnixName(a Addr) string {
	if name, _ := a.UnixName(); name != "" {
		return name
	}
	return "@"
}

// noAddr is the address of a stream of which none is known. It is not nil: servers ask their connections for addresses
// and do not look.
func (s *Socket) noAddr() Addr {
	switch {
	case s.family == unix.AF_INET:
		return IPAddr(netip.AddrPortFrom(netip.IPv4Unspecified(), 0))
	case s.family == unix.AF_INET6:
		return IPAddr(netip.AddrPortFrom(netip.IPv6Unspecified(), 0))
	}
	return Addr{family: uint16(s.family)}
}

// localNow is the socket's own address as package net has it.
func (s *Socket) localNow() net.Addr {
	a, err := s.LocalAddr()
	if err != nil {
		a = s.noAddr()
	}
	return s.netAddr(a)
}

// settled reports whether an address is one that the socket keeps: before bind and connect it has none of its own.
func settled(a net.Addr) bool {
	switch a := a.(type) {
	case nil:
		return false
	case *net.TCPAddr:
		return a.Port != 0
	case *net.UDPAddr:
		return a.Port != 0
	case *net.UnixAddr:
		return a.Name != "@"
	}
	return true
}

// keptPeer is the address of the peer: what accept or connect has told, also when there is no connection any more, or
// what the kernel says. It is the zero Addr where there never was a peer.
func (s *Socket) keptPeer() Addr {
	s.mu.Lock()
	a := s.state.peer
	s.mu.Unlock()
	if a.IsZero() {
		a, _ = s.PeerAddr()
	}
	return a
}

// peerNow is keptPeer as package net has it, which is nil for datagram sockets alone.
func (s *Socket) peerNow() net.Addr {
	a := s.keptPeer()
	if a.IsZero() && s.ends() {
		a = s.noAddr()
	}
	return s.netAddr(a)
}

// addrOf is an address of package net as this package has it, for a socket of its family.
func (s *Socket) addrOf(a net.Addr) (Addr, error) {
	known, err := addrOf(a)
	if err == nil && s.family == unix.AF_INET6 && known.ip.Addr() == netip.IPv4Unspecified() {
		known = IPAddr(netip.AddrPortFrom(netip.IPv6Unspecified(), known.ip.Port())) // as package net has it
	}
	return known, err
}

// addrOf is an address of package net as this package has it. It is EINVAL where there is none, or one of another
// package.
func addrOf(a net.Addr) (Addr, error) {
	switch a := a.(type) {
	case Addr:
		if !a.IsZero() {
			return a, nil
		}
	case *net.TCPAddr:
		if a != nil {
			return ipAddr(a.IP, a.Port, a.Zone)
		}
	case *net.UDPAddr:
		if a != nil {
			return ipAddr(a.IP, a.Port, a.Zone)
		}
	case *net.IPAddr:
		if a != nil {
			return ipAddr(a.IP, 0, a.Zone)
		}
	case *net.UnixAddr:
		if a != nil {
			return UnixAddr(a.Name), nil
		}
	}
	return Addr{}, unix.EINVAL
}

// ipAddr is an address of IP by its parts. No IP at all is the unspecified one of IPv4.
func ipAddr(ip net.IP, port int, zone string) (Addr, error) {
	at, ok := netip.AddrFromSlice(ip)
	if len(ip) == 0 {
		at, ok = netip.IPv4Unspecified(), true
	}
	if !ok || port != int(uint16(port)) {
		return Addr{}, unix.EINVAL
	}
	return IPAddr(netip.AddrPortFrom(at.Unmap().WithZone(zone), uint16(port))), nil
}

// zoneNames are the names of interfaces by their numbers, which package net has in its addresses.
type zoneNames struct {
	mu    sync.Mutex // guards what follows
	names map[string]string
	as    time.Time
}

// zoneAge is for how long a name is believed: interfaces can be renamed.
const zoneAge = time.Minute

var zones zoneNames

// name returns the name of the interface with a number, or the number where there is none.
func (z *zoneNames) name(number string) string {
	if number == "" {
		return ""
	}
	z.mu.Lock()
	defer z.mu.Unlock()
	if time.Since(z.as) > zoneAge {
		z.names, z.as = make(map[string]string), time.Now()
	}
	name, ok := z.names[number]
	if !ok {
		name = number
		if i, err := strconv.Atoi(number); err == nil {
			if ifi, err := net.InterfaceByIndex(i); err == nil {
				name = ifi.Name
			}
		}
		z.names[number] = name
	}
	return name
}
