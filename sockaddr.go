package uring

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"golang.org/x/sys/unix"
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
