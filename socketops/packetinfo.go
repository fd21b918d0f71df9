//go:build linux

package socketops

import (
	"net/netip"

	"golang.org/x/sys/unix"
)

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
	if e.keepMapped {
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
