//go:build linux

package socketops_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

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
