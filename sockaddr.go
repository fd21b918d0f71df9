package uring

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/sockring/uring/internal/unix"
)

// Linux's address families and structs, spelled out so that the encoding is the same wherever the package compiles.
const (
	familyUnspec = 0
	familyUnix   = 1
	familyInet   = 2
	familyInet6  = 10
	familyPacket = 17
	familyVsock  = 40

	sockaddrMax      = 128 // struct sockaddr_storage
	sockaddrInetLen  = 16
	sockaddrInet6Len = 28
	sockaddrLLLen    = 20
	sockaddrVMLen    = 16
	sunPathOffset    = 2
	sunPathLen       = 108
)

// Sockaddr is a socket address in the kernel's own encoding. The zero value is no address. It is a plain value: copy
// it, compare it with ==, use it as a map key.
//
// Ownership: where a Prep method takes a *Sockaddr for the kernel to fill, the memory is the kernel's until the
// terminal CQE; where it takes one to read, the Prep method copies it.
type Sockaddr struct {
	raw [sockaddrMax]byte
	n   uint32 // bytes in use, a socklen_t that the kernel writes where it fills the address
}

// SockaddrInet returns the address of an IPv4 or IPv6 socket. The zone of an IPv6 address is the name or the number
// of a network interface. An invalid address and an unknown zone are unix.EINVAL.
func SockaddrInet(ap netip.AddrPort) (Sockaddr, error) {
	ip := ap.Addr()
	switch {
	case ip.Is4():
		var a Sockaddr
		a.setFamily(familyInet, sockaddrInetLen)
		binary.BigEndian.PutUint16(a.raw[2:], ap.Port())
		four := ip.As4()
		copy(a.raw[4:], four[:])
		return a, nil
	case ip.Is6():
		scope, err := scopeOf(ip.Zone())
		if err != nil {
			return Sockaddr{}, err
		}
		var a Sockaddr
		a.setFamily(familyInet6, sockaddrInet6Len)
		binary.BigEndian.PutUint16(a.raw[2:], ap.Port())
		sixteen := ip.As16()
		copy(a.raw[8:], sixteen[:])
		binary.NativeEndian.PutUint32(a.raw[24:], scope)
		return a, nil
	}
	return Sockaddr{}, fmt.Errorf("uring: address %v: %w", ap, unix.EINVAL)
}

// scopeOf returns the interface index that a zone stands for.
func scopeOf(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	ifi, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, fmt.Errorf("uring: zone %q: %w: %w", zone, unix.EINVAL, err)
	}
	return uint32(ifi.Index), nil
}

// SockaddrUnix returns the address of a unix socket in the file system, or for the empty path that of an unnamed
// one, to which bind(2) answers with a name of the kernel's choice. At most 107 bytes and no NUL fit; otherwise the
// error is unix.ENAMETOOLONG or unix.EINVAL.
func SockaddrUnix(path string) (Sockaddr, error) {
	for i := range len(path) {
		if path[i] == 0 {
			return Sockaddr{}, fmt.Errorf("uring: unix socket path with a NUL byte: %w", unix.EINVAL)
		}
	}
	if len(path) >= sunPathLen {
		return Sockaddr{}, fmt.Errorf("uring: unix socket path of %d bytes, at most %d: %w",
			len(path), sunPathLen-1, unix.ENAMETOOLONG)
	}
	var a Sockaddr
	n := sunPathOffset
	if path != "" {
		n += len(path) + 1
	}
	a.setFamily(familyUnix, n)
	copy(a.raw[sunPathOffset:], path)
	return a, nil
}

// SockaddrAbstract returns the address of a unix socket in the abstract namespace, without the leading NUL. Any bytes
// may be in the name, at most 107.
func SockaddrAbstract(name string) (Sockaddr, error) {
	if len(name) >= sunPathLen {
		return Sockaddr{}, fmt.Errorf("uring: abstract socket name of %d bytes, at most %d: %w",
			len(name), sunPathLen-1, unix.ENAMETOOLONG)
	}
	var a Sockaddr
	a.setFamily(familyUnix, sunPathOffset+1+len(name))
	copy(a.raw[sunPathOffset+1:], name)
	return a, nil
}

// SockaddrVsock returns the address of a vsock(7) socket.
func SockaddrVsock(cid, port uint32) Sockaddr {
	var a Sockaddr
	a.setFamily(familyVsock, sockaddrVMLen)
	binary.NativeEndian.PutUint32(a.raw[4:], port)
	binary.NativeEndian.PutUint32(a.raw[8:], cid)
	return a
}

// PacketAddr is the address of a packet(7) socket, in host byte order.
type PacketAddr struct {
	Protocol uint16  // ETH_P_*
	Ifindex  int32   // interface
	Hatype   uint16  // ARPHRD_*; the kernel fills it
	Pkttype  uint8   // PACKET_*; the kernel fills it
	Halen    uint8   // bytes of Addr in use
	Addr     [8]byte // link-layer address
}

// SockaddrPacket returns the address of a packet socket. A Halen above 8 is unix.EINVAL.
func SockaddrPacket(p PacketAddr) (Sockaddr, error) {
	if int(p.Halen) > len(p.Addr) {
		return Sockaddr{}, fmt.Errorf("uring: link-layer address of %d bytes, at most %d: %w",
			p.Halen, len(p.Addr), unix.EINVAL)
	}
	var a Sockaddr
	a.setFamily(familyPacket, sockaddrLLLen)
	binary.BigEndian.PutUint16(a.raw[2:], p.Protocol)
	binary.NativeEndian.PutUint32(a.raw[4:], uint32(p.Ifindex))
	binary.NativeEndian.PutUint16(a.raw[8:], p.Hatype)
	a.raw[10], a.raw[11] = p.Pkttype, p.Halen
	copy(a.raw[12:], p.Addr[:p.Halen])
	return a, nil
}

// SockaddrRaw returns an address of any family from its struct sockaddr of 2 to 128 bytes. Other lengths are
// unix.EINVAL.
func SockaddrRaw(b []byte) (Sockaddr, error) {
	if len(b) < sunPathOffset || len(b) > sockaddrMax {
		return Sockaddr{}, fmt.Errorf("uring: socket address of %d bytes, want 2 to %d: %w",
			len(b), sockaddrMax, unix.EINVAL)
	}
	a := Sockaddr{n: uint32(len(b))}
	copy(a.raw[:], b)
	return a, nil
}

func (a *Sockaddr) setFamily(family uint16, n int) {
	binary.NativeEndian.PutUint16(a.raw[:], family)
	a.n = uint32(n)
}

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
