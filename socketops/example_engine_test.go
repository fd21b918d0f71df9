//go:build linux

package socketops_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// A datagram that does not fit is an error, instead of a flag that only some receives have.
func ExampleWithTruncError() {
	engine := must(socketops.New(socketops.WithTruncError()))
	defer engine.Close()
	a, b, err := engine.SocketPair(unix.SOCK_DGRAM)
	check(err)
	must(a.Send(context.Background(), []byte("hello"), 0))
	p := make([]byte, 2)
	n, err := b.Recv(context.Background(), p, 0)
	fmt.Printf("%s %t\n", p[:n], errors.Is(err, unix.EMSGSIZE))
	check(errors.Join(a.Close(), b.Close()))
	// Output: he true
}

// A socket of IPv6 tells addresses of IPv4 as the kernel has them.
func ExampleWithUnmap() {
	engine := must(socketops.New(socketops.WithUnmap(false)))
	defer engine.Close()
	s := must(engine.Socket(unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP))
	check(s.SetDualMode(true))
	check(s.Connect(context.Background(), socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:53"))))
	fmt.Println(must(s.PeerAddr()))
	check(s.Close())
	// Output: [::ffff:127.0.0.1]:53
}
