//go:build linux

package socketops_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

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
