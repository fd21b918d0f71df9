//go:build linux

package uring_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// Many Senders share a ring, and one system call sends what all of them have queued.
func Example() {
	var near [3]int
	var far [3]*os.File
	for i := range far {
		near[i], far[i] = connected()
		defer unix.Close(near[i])
		defer far[i].Close()
	}
	ring, err := uring.New(64)
	if err != nil {
		log.Fatal(err)
	}
	defer ring.Close() // before the sockets: close(2) does not end a request

	for i, fd := range near {
		s, err := ring.NewSender(fd)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(s, "message %d ", i)
		fmt.Fprint(s, "and one more")
	}
	if err := ring.Flush(context.Background()); err != nil {
		log.Fatal(err)
	}
	for _, f := range far {
		p := make([]byte, 100)
		n, _ := f.Read(p)
		fmt.Printf("%s\n", p[:n])
	}
	fmt.Println("system calls:", ring.Stats().Enters)
	// Output:
	// message 0 and one more
	// message 1 and one more
	// message 2 and one more
	// system calls: 1
}

func ExampleSender_HandOver() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close() // before the sockets: close(2) does not end a request
	s, err := ring.NewSender(fd)
	must(err)

	body := []byte("a large body that is not copied")
	_, err = s.Write([]byte("header: "))
	must(err)
	err = s.HandOver(body, func(sent int, err error) {
		fmt.Println("released after", sent, "bytes, error", err)
	})
	must(err)
	must(s.Flush(context.Background()))
	p := make([]byte, 100)
	n, _ := far.Read(p)
	fmt.Printf("%s\n", p[:n])
	// Output:
	// released after 31 bytes, error <nil>
	// header: a large body that is not copied
}

func ExampleSender_Reserve() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close() // before the sockets: close(2) does not end a request
	s, err := ring.NewSender(fd)
	must(err)

	p, err := s.Reserve(64) // room in the queue itself
	must(err)
	line := fmt.Appendf(p[:0], "the answer is %d", 42)
	must(s.Commit(len(line)))
	must(s.Writev([][]byte{[]byte(", "), []byte("as ever")}))
	must(s.Flush(context.Background()))
	got := make([]byte, 100)
	n, _ := far.Read(got)
	fmt.Printf("%s\n", got[:n])
	// Output: the answer is 42, as ever
}

// A peer that does not read lets the deadline pass. The Sender knows exactly how far it came, and goes on from there.
func ExampleSender_SetDeadline() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close() // before the sockets: close(2) does not end a request
	s, err := ring.NewSender(fd, uring.WithLimit(8<<20))
	must(err)
	_, err = s.Write(make([]byte, 4<<20))
	must(err)
	s.SetDeadline(time.Now().Add(20 * time.Millisecond))
	err = s.Flush(context.Background())
	fmt.Println("deadline exceeded:", errors.Is(err, os.ErrDeadlineExceeded))
	_, partial := s.Progress()
	fmt.Println("some of it left:", partial > 0 && uint64(partial) == s.Sent())

	received := make(chan int64)
	go func() {
		n, _ := io.CopyN(io.Discard, far, 4<<20)
		received <- n
	}()
	s.SetDeadline(time.Time{})
	must(s.Flush(context.Background()))
	fmt.Println("received:", <-received, "of", s.Accepted(), "buffered:", s.Buffered(), "failed:", s.Err())
	// Output:
	// deadline exceeded: true
	// some of it left: true
	// received: 4194304 of 4194304 buffered: 0 failed: <nil>
}

func ExampleSender_TryWrite() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close() // before the sockets: close(2) does not end a request
	s, err := ring.NewSender(fd, uring.WithLimit(10), uring.WithSendmsg())
	must(err)
	fmt.Println(s.TryWrite([]byte("12345678")))
	fmt.Println(errors.Is(s.TryWrite([]byte("9012")), unix.EAGAIN))

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n, err := s.WriteContext(ctx, []byte("9012")) // sends to make room
	fmt.Println(n, err)

	var unsent *uring.UnsentError
	if errors.As(s.Close(), &unsent) {
		fmt.Println("unsent:", unsent.Bytes, "bytes of", unsent.Messages, "message")
	}
	// Output:
	// <nil>
	// true
	// 4 <nil>
	// unsent: 4 bytes of 1 message
}

// A larger batch is fewer and longer sends: what does not fill it waits for Flush or Ring.Submit.
func ExampleWithBatch() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	s, err := ring.NewSender(fd, uring.WithBatch(12))
	must(err)
	for _, text := range []string{"one ", "two ", "three", " and more"} {
		_, err := s.Write([]byte(text))
		must(err)
		fmt.Println("submissions:", ring.Stats().Enters)
	}
	p := make([]byte, 100)
	n, err := far.Read(p)
	fmt.Printf("%s %v\n", p[:n], err)
	must(s.Flush(context.Background()))
	// Output:
	// submissions: 0
	// submissions: 0
	// submissions: 1
	// submissions: 1
	// one two three <nil>
}

// Messages that have left are released at once, though the last of the bundle is too long for a full socket.
func ExampleWithPromptRelease() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	s, err := ring.NewSender(fd, uring.WithLimit(1<<30), uring.WithPromptRelease())
	must(err)
	must(s.HandOver([]byte("short"), func(n int, err error) { fmt.Println("short:", n, err) }))
	long := make([]byte, 64<<20)
	must(s.HandOver(long, func(n int, err error) { fmt.Println("long:", n < len(long), errors.Is(err, uring.ErrClosed)) }))
	_, err = ring.SubmitAndWait(context.Background(), 1)
	must(err)
	ring.Ready()
	fmt.Println("and now the Sender is closed")
	s.Close()
	// Output:
	// short: 5 <nil>
	// and now the Sender is closed
	// long: true true
}
