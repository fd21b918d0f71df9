//go:build linux

package socketops_test

import (
	"context"
	"fmt"
	"io"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// A Socket serves where a net.Conn is asked for, or a net.Listener.
func ExampleSocket_Conn() {
	engine := must(socketops.New())
	defer engine.Close()
	s := must(engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP))
	check(s.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	check(s.Listen(16))
	at := must(s.LocalAddr())
	listener := s.Listener()
	defer listener.Close()
	go func() {
		conn := must(listener.Accept())
		fmt.Fprintln(conn, "hello from", listener.Addr().Network())
		check(conn.Close())
	}()
	client := must(engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP))
	check(client.Connect(context.Background(), at))
	conn := client.Conn()
	fmt.Print(string(must(io.ReadAll(conn))))
	check(conn.Close())
	// Output: hello from tcp
}

func ExampleSocket_PacketConn() {
	engine := must(socketops.New())
	defer engine.Close()
	s := must(engine.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP))
	check(s.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	conn := s.PacketConn()
	defer conn.Close()
	must(conn.WriteTo([]byte("to myself"), conn.LocalAddr()))
	buf := make([]byte, 100)
	n, from, err := conn.ReadFrom(buf)
	check(err)
	fmt.Println(string(buf[:n]), from.String() == conn.LocalAddr().String())
	// Output: to myself true
}
