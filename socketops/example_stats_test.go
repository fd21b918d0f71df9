//go:build linux

package socketops_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

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
