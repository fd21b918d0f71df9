//go:build linux

package socketops

import (
	"slices"

	"golang.org/x/sys/unix"
)

// protocols are those that the managed runtimes know, by family; of all others only 0 is known (N01).
var protocols = map[Family][]Protocol{
	unix.AF_INET: {0, unix.IPPROTO_ICMP, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_IGMP, unix.IPPROTO_RAW},
	unix.AF_INET6: {
		0, unix.IPPROTO_ICMP, unix.IPPROTO_ICMPV6, unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_IGMP,
		unix.IPPROTO_RAW, unix.IPPROTO_DSTOPTS, unix.IPPROTO_NONE, unix.IPPROTO_ROUTING, unix.IPPROTO_FRAGMENT,
	},
	unix.AF_CAN: {0, unix.CAN_RAW},
}

// knownProtocol returns the protocol as the kernel knows it, or the errno that the table of N01 has for what is not in
// it.
func knownProtocol(f Family, t Type, p Protocol) (Protocol, error) {
	switch f {
	case unix.AF_UNSPEC, unix.AF_UNIX, unix.AF_INET, unix.AF_INET6, unix.AF_PACKET, unix.AF_CAN:
	default:
		return 0, unix.EAFNOSUPPORT
	}
	switch t {
	case unix.SOCK_STREAM, unix.SOCK_DGRAM, unix.SOCK_RAW, unix.SOCK_RDM, unix.SOCK_SEQPACKET:
	default:
		return 0, unix.EPROTOTYPE
	}
	switch {
	case f == unix.AF_PACKET && p >= 0 && p <= 0xffff:
		return p<<8&0xff00 | p>>8, nil // in network order
	case f == unix.AF_INET6 && p == unix.IPPROTO_ICMP:
		return unix.IPPROTO_ICMPV6, nil
	case p == 0, slices.Contains(protocols[f], p):
		return p, nil
	}
	return 0, unix.EPROTONOSUPPORT
}
