//go:build linux

package socketops

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Addr is the address of a socket: a value, comparable, and a net.Addr. The zero Addr is none, such as that of who sent
// on a connected stream.
type Addr struct {
	family uint16
	ip     netip.AddrPort // of AF_INET and AF_INET6
	data   string         // of AF_UNIX the name as the kernel has it, of others what follows the family
}

// IPAddr is the address of an IP socket. The zone of an IPv6 address is an interface, by name or number.
func IPAddr(ap netip.AddrPort) Addr {
	switch {
	case ap.Addr().Is4():
		return Addr{family: unix.AF_INET, ip: ap}
	case ap.Addr().Is6():
		return Addr{family: unix.AF_INET6, ip: ap}
	}
	return Addr{}
}

// UnixAddr is the address of a unix socket: a path, or with a leading @ or NUL byte a name in the abstract namespace.
// The empty name is that of unnamed sockets; to bind to it is to ask the kernel for a name.
func UnixAddr(name string) Addr {
	if strings.HasPrefix(name, "@") {
		name = "\x00" + name[1:]
	}
	return Addr{family: unix.AF_UNIX, data: name}
}

// VsockAddr is the address of a socket of vsock(7): a context and a port.
func VsockAddr(cid, port uint32) Addr {
	var b [14]byte // svm_reserved1, svm_port, svm_cid, svm_zero
	binary.NativeEndian.PutUint32(b[2:], port)
	binary.NativeEndian.PutUint32(b[6:], cid)
	return Addr{family: unix.AF_VSOCK, data: string(b[:])}
}

// PacketAddr is the address of a socket of packet(7): a protocol as on the wire, an interface, and a hardware address
// of at most 8 bytes.
func PacketAddr(protocol uint16, ifindex int, hardware net.HardwareAddr) (Addr, error) {
	if len(hardware) > 8 || ifindex < 0 || int64(ifindex) > math.MaxInt32 {
		return Addr{}, opError("address", unix.EINVAL)
	}
	var b [18]byte // sll_protocol, sll_ifindex, sll_hatype, sll_pkttype, sll_halen, sll_addr
	binary.BigEndian.PutUint16(b[:], protocol)
	binary.NativeEndian.PutUint32(b[2:], uint32(ifindex))
	b[9] = byte(len(hardware))
	copy(b[10:], hardware)
	return Addr{family: unix.AF_PACKET, data: string(b[:])}, nil
}

// RawAddr is an address of any family, data being what follows the family in the kernel's structure: at most 126 bytes.
// Less than the structure of an IP address has is EINVAL, and so is data without a family.
func RawAddr(family uint16, data []byte) (Addr, error) {
	least := map[uint16]int{unix.AF_INET: unix.SizeofSockaddrInet4 - 2, unix.AF_INET6: unix.SizeofSockaddrInet6 - 2}
	if len(data) > MaxAddrLen-2 || len(data) < least[family] || family == unix.AF_UNSPEC && len(data) > 0 {
		return Addr{}, opError("address", unix.EINVAL)
	}
	raw := binary.NativeEndian.AppendUint16(nil, family)
	return parseAddr(append(raw, data...)), nil
}

// Family returns the address family, AF_UNSPEC (0) of the zero Addr.
func (a Addr) Family() Family { return Family(a.family) }

// IsZero reports whether there is no address.
func (a Addr) IsZero() bool { return a == Addr{} }

// AddrPort returns the address and port of an IP socket, and the zero AddrPort of others.
func (a Addr) AddrPort() netip.AddrPort { return a.ip }

// UnixName returns the name of a unix socket, with a leading @ where it is abstract, and whether it is one.
func (a Addr) UnixName() (string, bool) {
	if a.family != unix.AF_UNIX {
		return "", false
	}
	if strings.HasPrefix(a.data, "\x00") {
		return "@" + a.data[1:], true
	}
	return a.data, true
}

// Vsock returns the context and port of a vsock(7) address, and whether it is one.
func (a Addr) Vsock() (cid, port uint32, ok bool) {
	if a.family != unix.AF_VSOCK || len(a.data) < 10 {
		return 0, 0, false
	}
	b := []byte(a.data[:10])
	return binary.NativeEndian.Uint32(b[6:]), binary.NativeEndian.Uint32(b[2:]), true
}

// Raw returns what follows the family in the kernel's structure.
func (a Addr) Raw() []byte {
	b, err := a.sockaddr(nil)
	if err != nil || len(b) < 2 {
		return nil
	}
	return b[2:]
}

// Network returns ip, unix, vsock, packet, or a number for other families. Whether it is that of a stream the address
// does not know.
func (a Addr) Network() string {
	switch a.family {
	case unix.AF_UNSPEC:
		return "none"
	case unix.AF_INET, unix.AF_INET6:
		return "ip"
	case unix.AF_UNIX:
		return "unix"
	case unix.AF_VSOCK:
		return "vsock"
	case unix.AF_PACKET:
		return "packet"
	}
	return "family " + strconv.Itoa(int(a.family))
}

// String returns the address in the usual notation.
func (a Addr) String() string {
	switch a.family {
	case unix.AF_UNSPEC:
		return ""
	case unix.AF_INET, unix.AF_INET6:
		return a.ip.String()
	case unix.AF_UNIX:
		name, _ := a.UnixName()
		return name
	case unix.AF_VSOCK:
		if cid, port, ok := a.Vsock(); ok {
			return fmt.Sprintf("%d:%d", cid, port)
		}
	}
	return hex.EncodeToString([]byte(a.data))
}

// sockaddr appends the kernel's structure to b. The zero Addr has none.
func (a Addr) sockaddr(b []byte) ([]byte, error) {
	switch a.family {
	case unix.AF_UNSPEC:
		return b, unix.EDESTADDRREQ
	case unix.AF_INET:
		if !a.ip.IsValid() { // of what the kernel has cut off
			return b, unix.EINVAL
		}
		ip := a.ip.Addr().As4()
		b = binary.NativeEndian.AppendUint16(b, unix.AF_INET)
		b = binary.BigEndian.AppendUint16(b, a.ip.Port())
		b = append(b, ip[:]...)
		return append(b, make([]byte, 8)...), nil
	case unix.AF_INET6:
		if !a.ip.IsValid() {
			return b, unix.EINVAL
		}
		scope, err := scopeOf(a.ip.Addr().Zone())
		if err != nil {
			return b, err
		}
		ip := a.ip.Addr().As16()
		b = binary.NativeEndian.AppendUint16(b, unix.AF_INET6)
		b = binary.BigEndian.AppendUint16(b, a.ip.Port())
		b = append(b, 0, 0, 0, 0)
		b = append(b, ip[:]...)
		return binary.NativeEndian.AppendUint32(b, scope), nil
	case unix.AF_UNIX:
		return a.sockaddrUnix(b)
	}
	b = binary.NativeEndian.AppendUint16(b, a.family)
	return append(b, a.data...), nil
}

// unixPathMax is the room for a name in struct sockaddr_un. A path needs a NUL byte behind it there.
const unixPathMax = 108

func (a Addr) sockaddrUnix(b []byte) ([]byte, error) {
	abstract := strings.HasPrefix(a.data, "\x00")
	switch {
	case abstract && len(a.data) > unixPathMax, !abstract && len(a.data) >= unixPathMax:
		return b, unix.ENAMETOOLONG
	case !abstract && strings.Contains(a.data, "\x00"):
		return b, unix.EINVAL
	}
	b = binary.NativeEndian.AppendUint16(b, unix.AF_UNIX)
	b = append(b, a.data...)
	if a.data != "" && !abstract {
		b = append(b, 0)
	}
	return b, nil
}

// scopeOf returns the number of an interface that a zone names.
func scopeOf(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	ifi, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, unix.ENODEV
	}
	return uint32(ifi.Index), nil
}

// parseAddr reads the kernel's structure. A zone comes as the interface's number.
func parseAddr(b []byte) Addr {
	if len(b) < 2 {
		return Addr{}
	}
	family := binary.NativeEndian.Uint16(b)
	switch {
	case family == unix.AF_INET && len(b) >= unix.SizeofSockaddrInet4:
		return IPAddr(netip.AddrPortFrom(netip.AddrFrom4([4]byte(b[4:8])), binary.BigEndian.Uint16(b[2:])))
	case family == unix.AF_INET6 && len(b) >= unix.SizeofSockaddrInet6:
		ip := netip.AddrFrom16([16]byte(b[8:24]))
		if scope := binary.NativeEndian.Uint32(b[24:]); scope != 0 {
			ip = ip.WithZone(strconv.FormatUint(uint64(scope), 10))
		}
		return IPAddr(netip.AddrPortFrom(ip, binary.BigEndian.Uint16(b[2:])))
	case family == unix.AF_UNIX:
		name := b[2:]
		if len(name) > 0 && name[0] != 0 {
			name = name[:clen(name)]
		}
		return Addr{family: family, data: string(name)}
	}
	return Addr{family: family, data: string(b[2:])}
}

// clen is how many bytes are before the first NUL byte.
func clen(b []byte) int {
	for i, c := range b {
		if c == 0 {
			return i
		}
	}
	return len(b)
}

// PacketInfo says how a packet came: the address that it was sent to, and the interface. The zero PacketInfo is that
// nothing was said.
type PacketInfo struct {
	Addr    netip.Addr
	IfIndex int
}

// parsePacketInfo reads control data (A09). A packet of IPv4 on a dual-mode socket brings both kinds, of which the one
// of IPv4 says more (N16).
func parsePacketInfo(control []byte) (info PacketInfo) {
	const header = unix.SizeofCmsghdr
	for len(control) >= header {
		// SAFETY: control data is aligned as the header needs it, and long enough.
		h := (*unix.Cmsghdr)(unsafe.Pointer(&control[0]))
		size := int(h.Len)
		if size < header || size > len(control) {
			return info
		}
		data := control[header:size]
		switch {
		case h.Level == unix.IPPROTO_IP && h.Type == unix.IP_PKTINFO && len(data) >= unix.SizeofInet4Pktinfo:
			return PacketInfo{netip.AddrFrom4([4]byte(data[8:12])), int(binary.NativeEndian.Uint32(data))}
		case h.Level == unix.IPPROTO_IPV6 && h.Type == unix.IPV6_PKTINFO && len(data) >= unix.SizeofInet6Pktinfo:
			info = PacketInfo{netip.AddrFrom16([16]byte(data[:16])), int(binary.NativeEndian.Uint32(data[16:]))}
		}
		control = control[min(unix.CmsgSpace(size-header), len(control)):]
	}
	return info
}

// Whether the kernel was told to say how packets come.
const (
	packetInfoUnset = iota // RecvMsg will tell it
	packetInfoOn
	packetInfoOff // by SetRecvPacketInfo, and RecvMsg leaves it at that
)

// SetRecvPacketInfo says whether the kernel is to tell how packets come, which RecvMsg has it do from its first use
// on unless it was told before. Of packets that came earlier the interface can be missing, as 0. Sockets that are not
// of IP have EOPNOTSUPP.
func (s *Socket) SetRecvPacketInfo(on bool) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := s.control("setsockopt", func(fd int) error { return s.tellPacketInfo(fd, on) })
	switch {
	case err != nil:
	case on:
		s.packetInfo.Store(packetInfoOn)
	default:
		s.packetInfo.Store(packetInfoOff)
	}
	return err
}

// needPacketInfo tells the kernel that packet information is wanted, where it was told nothing yet (N17). A stream
// has no packets to tell about.
func (s *Socket) needPacketInfo() error {
	if s.packetInfo.Load() != packetInfoUnset || s.isStream() || s.family != unix.AF_INET && s.family != unix.AF_INET6 {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.packetInfo.Load() != packetInfoUnset {
		return nil
	}
	err := s.control("recvmsg", func(fd int) error { return s.tellPacketInfo(fd, true) })
	if err == nil {
		s.packetInfo.Store(packetInfoOn)
	}
	return err
}

// tellPacketInfo says to the kernel whether packet information is wanted. Sockets of IPv6 say it for the packets of
// IPv4 too, whether they take them now or not: dual mode can come later (A67). Raw sockets of IPv6 never take them,
// and have no options of IPv4.
func (s *Socket) tellPacketInfo(fd int, on bool) error {
	if s.family == unix.AF_INET6 {
		err := unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, asInt(on))
		if err != nil || s.typ == unix.SOCK_RAW {
			return err
		}
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, asInt(on))
}

// checkDualModePacketInfo returns why packet information of IPv4 cannot be had on sockets of IPv6, which Linux can
// always tell (A08).
func checkDualModePacketInfo() error { return nil }

// told is an address of the kernel as the Engine's sockets tell it, see WithUnmap.
func (e *Engine) told(a Addr) Addr {
	if e == nil || e.keepMapped { // e is nil of the zero Socket, which is told nothing
		return a
	}
	return unmapped(a)
}

// unmapped is an IPv4 address as it is outside of IPv6 sockets (N57), and any other address as it is.
func unmapped(a Addr) Addr {
	if a.family != unix.AF_INET6 || !a.ip.Addr().Is4In6() {
		return a
	}
	return IPAddr(netip.AddrPortFrom(a.ip.Addr().Unmap(), a.ip.Port()))
}
