//go:build linux

package socketops_test

import (
	"context"
	"fmt"
	"log"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// A server and a client on the best engine there is.
func Example() {
	ctx := context.Background()
	engine, err := socketops.New()
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	listener, err := engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	if err != nil {
		log.Fatal(err)
	}
	if err := listener.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))); err != nil {
		log.Fatal(err)
	}
	if err := listener.Listen(16); err != nil {
		log.Fatal(err)
	}
	at, err := listener.LocalAddr()
	if err != nil {
		log.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		conn, _, err := listener.Accept(ctx)
		if err != nil {
			log.Fatal(err)
		}
		defer conn.Close()
		b := make([]byte, 100)
		n, err := conn.Recv(ctx, b, 0)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("server: %s\n", b[:n])
	}()

	client, err := engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	if err != nil {
		log.Fatal(err)
	}
	if err := client.Connect(ctx, at); err != nil {
		log.Fatal(err)
	}
	if _, err := client.Send(ctx, []byte("hello"), 0); err != nil {
		log.Fatal(err)
	}
	<-served
	// Output: server: hello
}

// must returns v, or ends the program: an example has nobody to hand an error to.
func must[T any](v T, err error) T {
	if err != nil {
		log.Fatal(err)
	}
	return v
}

// check ends the program where there is an error.
func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// pair returns two connected sockets of an engine that lives as long as the example.
func pair(typ socketops.Type) (a, b *socketops.Socket, end func()) {
	engine := must(socketops.New())
	a, b, err := engine.SocketPair(typ)
	check(err)
	return a, b, func() { check(engine.Close()) }
}

func ExampleNew() {
	engine, err := socketops.New(socketops.WithBackend(socketops.BackendSyscall))
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	fmt.Println(engine.Backend())
	fmt.Print(engine.Status())
	// Output:
	// syscall
	// backend syscall serves
}

func ExampleStatus() {
	engine, err := socketops.Default()
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close() // at the end of the program, if at all
	status, err := socketops.Status()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(status.Backend == engine.Backend())
	// Output: true
}

// Try forms never wait: whoever has an event loop of his own asks when it is time.
func ExampleSocket_TryRecv() {
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	buf := make([]byte, 10)
	_, err := b.TryRecv(buf, 0)
	fmt.Println(err)
	must(a.TrySend([]byte("now"), 0))
	n, err := b.TryRecv(buf, 0)
	fmt.Println(string(buf[:n]), err)
	// Output:
	// socketops: recv: would block
	// now <nil>
}

// Go forms return at once; sends of one socket leave in the order of the calls.
func ExampleSocket_GoSend() {
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	done := make(chan struct{}, 2)
	for _, part := range []string{"one ", "two"} {
		a.GoSend([]byte(part), 0, func(n int, err error) {
			check(err)
			done <- struct{}{}
		})
	}
	<-done
	<-done
	buf := make([]byte, 7)
	must(b.Recv(context.Background(), buf, socketops.WaitAll))
	fmt.Println(string(buf))
	// Output: one two
}

func ExampleOp_Cancel() {
	_, b, end := pair(unix.SOCK_STREAM)
	defer end()
	over := make(chan error)
	op := b.GoRecv(make([]byte, 10), 0, func(n int, err error) { over <- err })
	op.Cancel()
	fmt.Println(<-over)
	// Output: socketops: recv: operation cancelled: context canceled
}

func ExampleSocket_SetReadDeadline() {
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	check(b.SetReadDeadline(time.Now().Add(time.Millisecond)))
	_, err := b.Recv(context.Background(), make([]byte, 10), 0)
	fmt.Println(err)
	check(b.SetReadDeadline(time.Time{}))
	check(a.SetWriteDeadline(time.Now().Add(time.Hour)))
	check(a.SetDeadline(time.Time{}))
	fmt.Println(a.ReadTimeout(), a.WriteTimeout())
	// Output:
	// socketops: recv: time-out
	// 0s 0s
}

// Many buffers are one transfer.
func ExampleSocket_Sendv() {
	ctx := context.Background()
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	must(a.Sendv(ctx, [][]byte{[]byte("head "), []byte("body")}, 0))
	must(a.TrySendv([][]byte{[]byte(" tail")}, 0))
	one, two := make([]byte, 5), make([]byte, 20)
	n, _, err := b.Recvv(ctx, [][]byte{one, two}, 0)
	check(err)
	fmt.Printf("%s|%s\n", one, two[:n-len(one)])
	_, _, err = b.TryRecvv([][]byte{one}, 0)
	fmt.Println(err)
	// Output:
	// head |body tail
	// socketops: recvmsg: would block
}

// Datagrams go to addresses, and say where they come from.
func ExampleSocket_SendTo() {
	ctx := context.Background()
	engine := must(socketops.New())
	defer engine.Close()
	bound := func() (*socketops.Socket, socketops.Addr) {
		s := must(engine.Socket(unix.AF_INET, unix.SOCK_DGRAM, unix.IPPROTO_UDP))
		check(s.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
		return s, must(s.LocalAddr())
	}
	a, from := bound()
	b, to := bound()
	must(a.SendTo(ctx, []byte("one"), 0, to))
	must(a.TrySendTo([]byte("a longer one"), 0, to))
	must(a.SendvTo(ctx, [][]byte{[]byte("of "), []byte("parts")}, 0, to))
	must(a.TrySendvTo([][]byte{[]byte("last")}, 0, to))
	over := make(chan error)
	a.GoSendvTo([][]byte{[]byte("behind")}, 0, to, func(n int, err error) { over <- err })
	check(<-over)

	buf := make([]byte, 5)
	n, sender, flags, err := b.RecvFrom(ctx, buf, 0)
	check(err)
	fmt.Printf("%q %v %v\n", buf[:n], sender == from, flags&socketops.Truncated != 0)
	n, _, flags, err = b.TryRecvFrom(buf, 0)
	check(err)
	fmt.Printf("%q %v\n", buf[:n], flags&socketops.Truncated != 0)
	m := must(b.RecvMsg(ctx, [][]byte{buf, make([]byte, 10)}, 0))
	fmt.Println(m.N, m.From == from)
	m = must(b.TryRecvMsg([][]byte{buf}, 0))
	fmt.Printf("%q\n", buf[:m.N])
	// Output:
	// "one" true false
	// "a lon" true
	// 8 true
	// "last"
}

// Accept and connect without waiting.
func ExampleSocket_TryConnect() {
	engine := must(socketops.New())
	defer engine.Close()
	listener := must(engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP))
	check(listener.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	check(listener.Listen(16))
	_, _, err := listener.TryAccept()
	fmt.Println(err)
	accepted := make(chan *socketops.Socket)
	listener.GoAccept(func(conn *socketops.Socket, from socketops.Addr, err error) {
		check(err)
		accepted <- conn
	})

	client := must(engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP))
	if err := client.TryConnect(must(listener.LocalAddr())); err != nil {
		for err = client.TryFinishConnect(); err != nil; err = client.TryFinishConnect() {
			time.Sleep(time.Millisecond)
		}
	}
	conn := <-accepted
	fmt.Println(must(conn.PeerAddr()) == must(client.LocalAddr()), must(conn.AtOutOfBandMark()))
	check(client.Shutdown(socketops.ShutWrite))
	n := must(conn.Recv(context.Background(), make([]byte, 1), 0))
	fmt.Println(n, "bytes: the end")
	// Output:
	// socketops: accept4: would block
	// true false
	// 0 bytes: the end
}

// A socket of elsewhere comes into the hands of an engine.
func ExampleEngine_FromFD() {
	engine := must(socketops.New())
	defer engine.Close()
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	check(err)
	a, b := must(engine.FromFD(fds[0])), must(engine.FromFD(fds[1]))
	fmt.Println(a.Family() == unix.AF_UNIX, a.Type() == unix.SOCK_SEQPACKET, a.Protocol(), a.Engine() == engine)
	must(a.Send(context.Background(), []byte("record"), 0))
	fmt.Println(must(b.Available()))
	// Output:
	// true true 0 true
	// 6
}

func ExampleEngine_RawSocket() {
	engine := must(socketops.New())
	defer engine.Close()
	s, err := engine.RawSocket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_ROUTE)
	check(err)
	check(s.SetBlocking(false))
	_, err = s.Recv(context.Background(), make([]byte, 100), 0)
	fmt.Println(s.Blocking(), err)
	// Output: false socketops: recv: would block
}

func ExampleAddr() {
	for _, a := range []socketops.Addr{
		socketops.IPAddr(netip.MustParseAddrPort("[2001:db8::1]:443")),
		socketops.UnixAddr("@hidden"),
		socketops.VsockAddr(2, 1024),
		must(socketops.PacketAddr(0x0800, 1, nil)),
		must(socketops.RawAddr(unix.AF_NETLINK, make([]byte, 10))),
	} {
		name, isUnix := a.UnixName()
		_, port, isVsock := a.Vsock()
		fmt.Println(a.Network(), a.AddrPort().IsValid(), name, isUnix, port, isVsock, len(a.Raw()), a.Family(), a.IsZero())
	}
	// Output:
	// ip true  false 0 false 26 10 false
	// unix false @hidden true 0 false 7 1 false
	// vsock false  false 1024 true 14 40 false
	// packet false  false 0 false 18 17 false
	// family 16 false  false 0 false 10 16 false
}

// Errors say what package net's do.
func ExampleOpError() {
	_, b, end := pair(unix.SOCK_STREAM)
	defer end()
	_, err := b.TryRecv(make([]byte, 1), 0)
	opErr := err.(*socketops.OpError)
	fmt.Println(opErr.Op, opErr.Timeout(), opErr.Temporary())
	// Output: recv true true
}
