//go:build linux

package socketops_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/netip"
	"os"
	"path/filepath"
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

// A Go form without a callback is refused by the call.
func ExampleOp_Err() {
	_, b, end := pair(unix.SOCK_STREAM)
	defer end()
	op := b.GoRecv(make([]byte, 1), 0, nil)
	fmt.Println(errors.Is(op.Err(), unix.EINVAL))
	// Output: true
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

// A publisher that does not want to hold more for a slow reader than it must: what goes beyond the limit is refused,
// and AwaitSendRoom says when there is room.
func ExampleSocket_SetSendLimit() {
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	check(a.SetSendLimit(1 << 20))
	fmt.Println(a.SendLimit())
	told := func(int, error) {}
	for a.GoSend(make([]byte, 256<<10), 0, told).Err() == nil { // nobody reads
	}
	fmt.Println(a.QueuedBytes() <= 1<<20)
	go func() {
		p := make([]byte, 64<<10)
		for n := -1; n != 0; n, _ = b.Recv(context.Background(), p, 0) {
		}
	}()
	check(a.AwaitSendRoom(context.Background(), 256<<10))
	fmt.Println(a.GoSend(make([]byte, 256<<10), 0, told).Err())
	// Output:
	// 1048576
	// true
	// <nil>
}

// Poll waits for one socket, Select for many.
func ExampleSocket_Poll() {
	ctx := context.Background()
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	fmt.Println(must(b.Poll(ctx, socketops.PollRead, time.Millisecond)))
	must(a.Send(ctx, []byte("x"), 0))
	fmt.Println(must(b.Poll(ctx, socketops.PollRead, -1)))
	both := []*socketops.Socket{a, b}
	ready := must(a.Engine().Select(ctx, both, both, nil, 0))
	fmt.Println(len(ready.Read), ready.Read[0] == b, len(ready.Write), len(ready.Error))
	// Output:
	// false
	// true
	// 1 true 2 0
}

// RecvReady waits for data without a buffer to receive it into.
func ExampleSocket_RecvReady() {
	ctx := context.Background()
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	must(a.Send(ctx, []byte("five!"), 0))
	check(b.RecvReady(ctx))
	p := make([]byte, must(b.Available()))
	fmt.Println(must(b.Recv(ctx, p, 0)), string(p))
	// Output: 5 five!
}

// The classes of errors are those of the managed runtimes.
func ExampleClassify() {
	_, b, end := pair(unix.SOCK_STREAM)
	defer end()
	_, err := b.TryRecv(make([]byte, 1), 0)
	class := socketops.Classify(err)
	errno, ok := class.Errno()
	fmt.Println(class, errno == unix.EAGAIN, ok)
	// Output: WouldBlock true true
}

// Connected is false once the connection has failed in use, and not for a time-out.
func ExampleSocket_Connected() {
	ctx := context.Background()
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	check(b.SetReadTimeout(time.Millisecond))
	_, err := b.Recv(ctx, make([]byte, 1), 0)
	fmt.Println(socketops.Classify(err), b.Connected())
	check(a.Close())
	_, err = b.Send(ctx, []byte("x"), 0)
	fmt.Println(socketops.Classify(err), b.Connected())
	// Output:
	// TimedOut true
	// Shutdown false
}

// A socket is connected, to the first of some addresses that answers, and disconnected, several times.
func ExampleSocket_ConnectAny() {
	ctx := context.Background()
	engine := must(socketops.New())
	defer engine.Close()
	bound := func() *socketops.Socket {
		s := must(engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP))
		check(s.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
		return s
	}
	deaf, listener := bound(), bound()
	check(listener.Listen(16))
	refuses, answers := must(deaf.LocalAddr()), must(listener.LocalAddr())

	client := must(engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP))
	check(client.ConnectAny(ctx, []netip.AddrPort{refuses.AddrPort(), answers.AddrPort()}))
	fmt.Println(client.Connected(), must(client.PeerAddr()) == answers)
	check(client.Disconnect(true))
	fmt.Println(client.Connected())
	fmt.Println(client.ConnectData(ctx, answers, []byte("hello")))
	// Output:
	// true true
	// false
	// 5 <nil>
}

// What does not leave with the connection request is sent when the connection is made.
func ExampleSocket_TryConnectData() {
	engine := must(socketops.New())
	defer engine.Close()
	listener := must(engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP))
	check(listener.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	check(listener.Listen(16))

	client := must(engine.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP))
	data := []byte("hello")
	n, err := client.TryConnectData(must(listener.LocalAddr()), data)
	fmt.Println(n, errors.Is(err, socketops.ErrInProgress))
	must(client.Poll(context.Background(), socketops.PollWrite, -1))
	check(client.TryFinishConnect())
	fmt.Println(client.TrySend(data[n:], 0))
	// Output:
	// 0 true
	// 5 <nil>
}

// A file leaves in whole or in parts, without passing through the program.
func ExampleSocket_SendFile() {
	ctx := context.Background()
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	f := must(os.CreateTemp("", "example"))
	defer os.Remove(f.Name())
	defer f.Close()
	must(f.WriteString("one two three"))

	fmt.Println(must(a.SendFile(ctx, f, 0, -1)))
	fmt.Println(must(a.TrySendFile(f, 4, 3)))
	over := make(chan error)
	a.GoSendFile(f, 7, 100, func(n int64, err error) {
		fmt.Println(n, "of 100: the file ends there")
		over <- err
	})
	check(<-over)
	buf := make([]byte, 22)
	must(b.Recv(ctx, buf, socketops.WaitAll))
	fmt.Println(string(buf))
	// Output:
	// 13
	// 3
	// 6 of 100: the file ends there
	// one two threetwo three
}

// Memory and files are sent one after the other, and nothing comes in between.
func ExampleSocket_SendPackets() {
	ctx := context.Background()
	a, b, end := pair(unix.SOCK_STREAM)
	defer end()
	f := must(os.CreateTemp("", "example"))
	defer os.Remove(f.Name())
	defer f.Close()
	must(f.WriteString("one two three"))

	fmt.Println(must(a.SendPackets(ctx, []socketops.Packet{
		{Data: []byte("head ")},
		{File: f, Offset: 4, Count: 3},
		{Data: []byte(" tail")},
	}, socketops.PacketsDisconnect)))
	buf := make([]byte, 100)
	n := must(b.Recv(ctx, buf, socketops.WaitAll))
	fmt.Println(string(buf[:n]))
	// Output:
	// 13
	// head two tail
}

// The path of a unix socket can stay behind, for the next server to rename or remove.
func ExampleSocket_SetUnlinkOnClose() {
	engine := must(socketops.New())
	defer engine.Close()
	dir := must(os.MkdirTemp("", "example"))
	defer os.RemoveAll(dir)
	for _, unlink := range []bool{true, false} {
		path := filepath.Join(dir, fmt.Sprint(unlink))
		s := must(engine.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0))
		check(s.Bind(socketops.UnixAddr(path)))
		check(s.SetUnlinkOnClose(unlink))
		check(s.Close())
		_, err := os.Lstat(path)
		fmt.Println(unlink, err == nil)
	}
	// Output:
	// true false
	// false true
}

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

func ExampleAcceptAgain() {
	err := error(&socketops.OpError{Op: "accept4", Err: unix.ECONNABORTED})
	fmt.Println(socketops.AcceptAgain(err)) // That connection is gone, and the next can come.
	err = &socketops.OpError{Op: "accept4", Err: unix.EMFILE}
	fmt.Println(socketops.AcceptAgain(err)) // The server waits until descriptors are closed.
	err = &socketops.OpError{Op: "accept4", Err: socketops.ErrClosed}
	fmt.Println(socketops.AcceptAgain(err)) // The server ends.
	// Output:
	// true false
	// true true
	// false false
}
