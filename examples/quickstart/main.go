//go:build linux

// Quickstart is the program of the README: three connections, six messages, one system call. It falls back to
// sendmsg(2) requests by itself where the kernel has no bundles (before 6.10). Run it with
//
//	go run ./examples/quickstart
package main

import (
	"context"
	"fmt"
	"log"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

func main() {
	ring, err := uring.New(64) // its owner is this goroutine
	if err != nil {
		log.Fatal(err) // says what refuses io_uring here: kernel, sysctl, seccomp ...
	}
	defer ring.Close()

	var peers [3]int
	for i := range peers {
		pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM, 0)
		if err != nil {
			log.Fatal(err)
		}
		sender, err := ring.NewSender(pair[0])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(sender, "Hello, peer %d, ", i) // queued, in order
		fmt.Fprint(sender, "all in one send.")
		peers[i] = pair[1]
	}
	if err := ring.Flush(context.Background()); err != nil { // sends for all of them
		log.Fatal(err)
	}

	for _, peer := range peers {
		message := make([]byte, 64)
		n, _ := unix.Read(peer, message)
		fmt.Printf("%s\n", message[:n])
	}
	fmt.Println("system calls:", ring.Stats().Enters)
}
