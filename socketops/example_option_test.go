//go:build linux

package socketops_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// socket returns a socket of an engine that lives as long as the example.
func socket(f socketops.Family, t socketops.Type, p socketops.Protocol) (s *socketops.Socket, end func()) {
	engine := must(socketops.New())
	return must(engine.Socket(f, t, p)), func() { check(engine.Close()) }
}

// Options of TCP, and those of all sockets.
func ExampleSocket_SetNoDelay() {
	s, end := socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	defer end()
	check(s.SetNoDelay(true))
	check(s.SetKeepAlive(true))
	check(s.SetKeepAliveIdle(time.Minute))
	check(s.SetKeepAliveInterval(10 * time.Second))
	check(s.SetKeepAliveCount(3))
	check(s.SetReuseAddress(true))
	check(s.SetLinger(socketops.Linger{Enabled: true, Seconds: 5}))
	check(s.SetFastOpen(true))
	check(s.SetReadTimeout(time.Second))
	check(s.SetWriteTimeout(2 * time.Second))
	fmt.Println(must(s.NoDelay()), must(s.KeepAlive()))
	fmt.Println(must(s.KeepAliveIdle()), must(s.KeepAliveInterval()), must(s.KeepAliveCount()))
	fmt.Println(must(s.ReuseAddress()), must(s.ExclusiveAddressUse()), must(s.Linger()))
	fmt.Println(s.FastOpen(), s.ReadTimeout(), s.WriteTimeout(), s.SocketError())
	check(s.SetExclusiveAddressUse(true))
	// Output:
	// true true
	// 1m0s 10s 3
	// true false {true 5}
	// true 1s 2s <nil>
}

// Options of IP.
func ExampleSocket_SetTTL() {
	s, end := socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	defer end()
	check(s.SetTTL(3))
	check(s.SetBroadcast(true))
	check(s.SetDontFragment(true))
	check(s.SetRecvPacketInfo(true))
	check(s.SetSendBuffer(10_000))
	check(s.SetRecvBuffer(20_000))
	fmt.Println(must(s.TTL()), must(s.Broadcast()), must(s.DontFragment()))
	fmt.Println(must(s.SendBuffer()), must(s.RecvBuffer()), "as the kernel doubles them")
	fmt.Println(errors.Is(s.SetIPProtectionLevel(1), errors.ErrUnsupported))
	// Output:
	// 3 true true
	// 20000 40000 as the kernel doubles them
	// true
}

// Sockets of IPv6 take IPv6 alone, until they are told to take both.
func ExampleSocket_SetDualMode() {
	engine := must(socketops.New())
	defer engine.Close()
	s, err := engine.Socket(unix.AF_INET6, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		fmt.Println("true false true") // there is no IPv6 here
		return
	}
	check(err)
	before := must(s.V6Only())
	check(s.SetDualMode(true))
	after := must(s.V6Only())
	fmt.Println(before, after, must(s.DualMode()))
	check(s.SetV6Only(true))
	// Output: true false true
}

// Options by name, for who has names; numbers of the kernel's expose the socket.
func ExampleSocket_SetOptionInt() {
	s, end := socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	defer end()
	check(s.SetOptionInt(socketops.LevelTCP, socketops.OptNoDelay, 1))
	fmt.Println(must(s.OptionInt(socketops.LevelTCP, socketops.OptNoDelay)))
	on := []byte{1, 0, 0, 0}
	check(s.SetOptionBytes(socketops.LevelSocket, socketops.OptKeepAlive, on))
	n := must(s.OptionBytes(socketops.LevelSocket, socketops.OptKeepAlive, on))
	fmt.Println(n, s.Exposed())
	check(s.SetRawOption(unix.SOL_SOCKET, unix.SO_PRIORITY, on))
	fmt.Println(must(s.RawOption(unix.SOL_SOCKET, unix.SO_PRIORITY, on)), s.Exposed())
	fmt.Println(must(s.Fd()) > 2)
	// Output:
	// 1
	// 4 false
	// 4 true
	// true
}

func ExampleSocket_IOControl() {
	s, end := socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	defer end()
	out := make([]byte, 4)
	n := must(s.IOControl(socketops.IOControlFIONREAD, nil, out))
	fmt.Println(n, out)
	// Output: 4 [0 0 0 0]
}

// Groups of multicast.
func ExampleSocket_JoinGroup4() {
	s, end := socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	defer end()
	loopback := netip.MustParseAddr("127.0.0.1")
	check(s.SetMulticastInterface4Addr(loopback))
	check(s.SetMulticastTTL(2))
	check(s.SetMulticastLoopback(true))
	fmt.Println(must(s.MulticastInterface4()), must(s.MulticastTTL()), must(s.MulticastLoopback()))
	group := socketops.MulticastGroup4{Group: netip.MustParseAddr("224.0.0.251"), Local: loopback}
	check(s.JoinGroup4(group))
	check(s.LeaveGroup4(group))
	_, err := s.GroupOption4()
	fmt.Println(err)
	check(s.SetMulticastInterface4(0)) // the system's choice again
	// Output:
	// 127.0.0.1 2 true
	// socketops: getsockopt: protocol not available
}

// Groups of multicast of IPv6.
func ExampleSocket_JoinGroup6() {
	engine := must(socketops.New())
	defer engine.Close()
	s, err := engine.Socket(unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP)
	if errors.Is(err, unix.EAFNOSUPPORT) {
		fmt.Println("0") // there is no IPv6 here
		return
	}
	check(err)
	check(s.SetMulticastInterface6(0))
	fmt.Println(must(s.MulticastInterface6()))
	group := socketops.MulticastGroup6{Group: netip.MustParseAddr("ff02::fb")}
	if s.JoinGroup6(group) == nil { // there is an interface for it
		check(s.LeaveGroup6(group))
	}
	if _, err := s.GroupOption6(); err == nil {
		fmt.Println("memberships can be set only")
	}
	// Output: 0
}

func ExampleSocket_GoRecvMsg() {
	a, b, end := pair(unix.SOCK_DGRAM)
	defer end()
	got := make(chan socketops.Msg)
	buf := make([]byte, 10)
	b.GoRecvMsg([][]byte{buf}, 0, func(m socketops.Msg, err error) {
		check(err)
		got <- m
	})
	must(a.TrySend([]byte("datagram"), 0))
	m := <-got
	fmt.Printf("%s %v\n", buf[:m.N], m.PacketInfo.Addr.IsValid())
	// Output: datagram false
}

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

// A socket counts what it transfers, and the engine what all of its sockets ever did.
func ExampleEngine_Stats() {
	ctx := context.Background()
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	must(a.Send(ctx, []byte("hello"), 0))
	must(b.Recv(ctx, make([]byte, 100), 0))
	_, err := b.TryRecv(make([]byte, 100), 0)
	fmt.Println(err)
	sent, received := a.Stats().Sent, b.Stats().Received
	fmt.Println("sent", sent.Bytes, "bytes by", sent.Operations, "operation")
	fmt.Println("received", received.Bytes, "bytes,", received.WouldBlock, "of", received.Operations, "would block")
	check(a.Close())
	all := b.Engine().Stats()
	fmt.Println(all.Sent == sent, all.SocketsOpen, "of", all.SocketsTotal, "open")
	// Output:
	// socketops: recv: would block
	// sent 5 bytes by 1 operation
	// received 5 bytes, 1 of 2 would block
	// true 1 of 2 open
}

// The logger is told which backend serves, and what goes wrong.
func ExampleWithLogger() {
	withoutTime := func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}
	log := slog.New(slog.NewTextHandler(os.Stdout, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
	engine := must(socketops.New(socketops.WithBackend(socketops.BackendSyscall), socketops.WithLogger(log)))
	check(engine.Close())
	// Output: level=INFO msg="socketops: backend serves" backend=syscall
}
