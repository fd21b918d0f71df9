// Command server is a program outside of the repository that uses the library.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/socketops"
)

func main() {
	if err := nop(); errors.Is(err, errors.ErrUnsupported) {
		fmt.Println("uring: unsupported:", err)
	} else if err != nil {
		log.Fatal(err)
	}
	if err := hello(); err != nil {
		log.Fatal(err)
	}
}

// nop has the kernel do nothing, and says that it did.
func nop() error {
	ring, err := uring.New(8)
	if err != nil {
		return err
	}
	defer ring.Close()
	sqe, err := ring.SQE()
	if err != nil {
		return err
	}
	if err := sqe.PrepNop(); err != nil {
		return err
	}
	if _, err := ring.SubmitAndWait(context.Background(), 1); err != nil {
		return err
	}
	fmt.Println("uring: works")
	return nil
}

// hello sends a message by whichever engine works.
func hello() error {
	engine, err := socketops.New()
	if err != nil {
		return err
	}
	defer engine.Close()
	a, b, err := engine.SocketPair(unix.SOCK_STREAM)
	if err != nil {
		return err
	}
	if _, err := a.Send(context.Background(), []byte("hello"), 0); err != nil {
		return err
	}
	message := make([]byte, 16)
	n, err := b.Recv(context.Background(), message, 0)
	fmt.Printf("socketops: %s\n", message[:n])
	return err
}
