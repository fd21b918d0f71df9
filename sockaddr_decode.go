package uring

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net/netip"
	"strconv"
)

// Len returns how many bytes the address has, zero for none. The kernel reports the full length of an address that
// did not fit; what Len returns never exceeds what is there.
func (a Sockaddr) Len() int { return min(int(a.n), sockaddrMax) }

// Bytes returns a copy of the address as a struct sockaddr.
func (a Sockaddr) Bytes() []byte { return bytes.Clone(a.raw[:a.Len()]) }

// Family returns the address family, AF_UNSPEC (0) for no address.
func (a Sockaddr) Family() int {
	if a.Len() < sunPathOffset {
		return familyUnspec
	}
	return int(binary.NativeEndian.Uint16(a.raw[:]))
}

// IsZero reports whether this is no address at all.
func (a Sockaddr) IsZero() bool { return a.n == 0 }

// AddrPort returns an IPv4 or IPv6 address, and whether it is one. The zone is the number of the interface, which
// SockaddrInet takes back; to give it a name is net.InterfaceByIndex's work.
func (a Sockaddr) AddrPort() (netip.AddrPort, bool) {
	port := binary.BigEndian.Uint16(a.raw[2:])
	switch family := a.Family(); {
	case family == familyInet && a.Len() >= sockaddrInetLen:
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte(a.raw[4:8])), port), true
	case family == familyInet6 && a.Len() >= sockaddrInet6Len:
		ip := netip.AddrFrom16([16]byte(a.raw[8:24]))
		if scope := binary.NativeEndian.Uint32(a.raw[24:]); scope != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
		}
		return netip.AddrPortFrom(ip, port), true
	}
	return netip.AddrPort{}, false
}

// UnixName is the name of a unix socket.
type UnixName struct {
	Name     string // the path, or the abstract name without its leading NUL
	Abstract bool   // in the abstract namespace; with neither this nor a Name the socket is unnamed
}

// Unix returns the name of a unix socket, and whether it is one.
func (a Sockaddr) Unix() (UnixName, bool) {
	if a.Family() != familyUnix {
		return UnixName{}, false
	}
	path := a.raw[sunPathOffset:a.Len()]
	switch {
	case len(path) == 0:
		return UnixName{}, true
	case path[0] == 0:
		return UnixName{Name: string(path[1:]), Abstract: true}, true
	}
	path, _, _ = bytes.Cut(path, []byte{0})
	return UnixName{Name: string(path)}, true
}

// Vsock returns a vsock address, and whether it is one.
func (a Sockaddr) Vsock() (cid, port uint32, ok bool) {
	if a.Family() != familyVsock || a.Len() < sockaddrVMLen {
		return 0, 0, false
	}
	return binary.NativeEndian.Uint32(a.raw[8:]), binary.NativeEndian.Uint32(a.raw[4:]), true
}

// Packet returns a link-layer address, and whether it is one. Where the kernel reports a longer hardware address than
// there is room for, Halen is cut to what Addr holds.
func (a Sockaddr) Packet() (PacketAddr, bool) {
	const fixed = 12 // without the hardware address, of which only halen bytes need be there
	if a.Family() != familyPacket || a.Len() < fixed {
		return PacketAddr{}, false
	}
	p := PacketAddr{
		Protocol: binary.BigEndian.Uint16(a.raw[2:]),
		Ifindex:  int32(binary.NativeEndian.Uint32(a.raw[4:])),
		Hatype:   binary.NativeEndian.Uint16(a.raw[8:]),
		Pkttype:  a.raw[10],
	}
	p.Halen = uint8(min(int(a.raw[11]), len(p.Addr), a.Len()-fixed))
	copy(p.Addr[:p.Halen], a.raw[fixed:])
	return p, true
}

// String shows the address for people: "192.0.2.1:80", "/run/x.sock", "@abstract", "vsock 3:1024".
func (a Sockaddr) String() string {
	if ap, ok := a.AddrPort(); ok {
		return ap.String()
	}
	if u, ok := a.Unix(); ok {
		switch {
		case u.Abstract:
			return "@" + u.Name
		case u.Name == "":
			return "unnamed unix socket"
		}
		return u.Name
	}
	if cid, port, ok := a.Vsock(); ok {
		return fmt.Sprintf("vsock %d:%d", cid, port)
	}
	if p, ok := a.Packet(); ok {
		return fmt.Sprintf("packet %x interface %d protocol %#04x", p.Addr[:p.Halen], p.Ifindex, p.Protocol)
	}
	if a.IsZero() {
		return "no address"
	}
	return fmt.Sprintf("address family %d, %d bytes", a.Family(), a.Len())
}
