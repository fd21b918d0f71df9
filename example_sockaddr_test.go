package uring_test

import (
	"fmt"
	"net/netip"

	"github.com/sockring/uring"
)

func ExampleSockaddrInet() {
	a, err := uring.SockaddrInet(netip.MustParseAddrPort("[2001:db8::1]:443"))
	fmt.Println(a, err)
	ap, ok := a.AddrPort()
	fmt.Println(ap, ok, a.Len(), a.IsZero())
	_, err = uring.SockaddrInet(netip.AddrPort{})
	fmt.Println(err)
	// Output:
	// [2001:db8::1]:443 <nil>
	// [2001:db8::1]:443 true 28 false
	// uring: address invalid AddrPort: invalid argument
}

func ExampleSockaddrUnix() {
	path, err := uring.SockaddrUnix("/run/example.sock")
	fmt.Println(path, err)
	abstract, err := uring.SockaddrAbstract("example")
	fmt.Println(abstract, err)
	for _, a := range []uring.Sockaddr{path, abstract} {
		u, ok := a.Unix()
		fmt.Println(u.Name, u.Abstract, ok, a.Family())
	}
	// Output:
	// /run/example.sock <nil>
	// @example <nil>
	// /run/example.sock false true 1
	// example true true 1
}

func ExampleSockaddrVsock() {
	a := uring.SockaddrVsock(3, 1024)
	cid, port, ok := a.Vsock()
	fmt.Println(a, cid, port, ok)
	// Output: vsock 3:1024 3 1024 true
}

func ExampleSockaddrPacket() {
	a, err := uring.SockaddrPacket(uring.PacketAddr{Protocol: 0x88b5, Ifindex: 2, Halen: 6})
	fmt.Println(a, err)
	p, ok := a.Packet()
	fmt.Println(p.Ifindex, ok)
	// Output:
	// packet 000000000000 interface 2 protocol 0x88b5 <nil>
	// 2 true
}

// An address of a family that has no function of its own passes through as it is.
func ExampleSockaddrRaw() {
	a, err := uring.SockaddrRaw([]byte{38, 0, 1, 2, 3, 4})
	fmt.Println(a.Bytes()[2:], err)
	// Output: [1 2 3 4] <nil>
}
