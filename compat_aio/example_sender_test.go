//go:build linux

package aio_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	aio "github.com/sockring/uring/compat_aio"
)

// newSender returns a Sender and the far end of its socket.
func newSender(b *aio.Batcher, opts ...aio.SenderOption) (*aio.Sender, *os.File) {
	socket, far := connected(b)
	s, err := socket.NewSender(opts...)
	sure(err)
	return s, far
}

// drop closes a Sender, what it has not sent included, and its socket.
func drop(s *aio.Sender, far *os.File) {
	var unsent *aio.UnsentError
	if err := s.Close(); !errors.As(err, &unsent) {
		sure(err)
	}
	release(s.Socket(), far)
}

// Many Senders share a Batcher, and one system call sends what all of them have queued.
func ExampleSender() {
	b := newBatcher()
	defer b.Close()
	var senders []*aio.Sender
	var peers []*os.File
	for range 3 {
		s, far := newSender(b)
		defer drop(s, far)
		senders, peers = append(senders, s), append(peers, far)
	}
	for i, s := range senders {
		fmt.Fprintf(s, "message %d ", i)
		fmt.Fprint(s, "and one more")
	}
	sure(b.Submit())
	for _, far := range peers {
		p := make([]byte, 100)
		n, _ := far.Read(p)
		fmt.Printf("%s\n", p[:n])
	}
	stats, err := b.Stats()
	sure(err)
	fmt.Println("submissions:", stats.Submits)
	// Output:
	// message 0 and one more
	// message 1 and one more
	// message 2 and one more
	// submissions: 1
}

func ExampleSender_HandOver() {
	b := newBatcher()
	defer b.Close()
	s, far := newSender(b)
	defer drop(s, far)
	p, err := s.Reserve(64) // room in the queue itself
	sure(err)
	header := fmt.Appendf(p[:0], "%d bytes: ", 31)
	sure(s.Commit(len(header)))
	body := []byte("a large body that is not copied")
	sure(s.HandOver(body, func(sent int, err error) {
		fmt.Println("released after", sent, "bytes, error", err)
	}))
	sure(s.Writev([][]byte{[]byte(", and "), []byte("more")}))
	sure(b.Flush(context.Background()))
	got := make([]byte, 100)
	n, _ := far.Read(got)
	fmt.Printf("%s\n", got[:n])
	// Output:
	// released after 31 bytes, error <nil>
	// 31 bytes: a large body that is not copied, and more
}

// A peer that does not read lets the deadline pass. The Sender knows exactly how far it came, and goes on from there.
func ExampleSender_SetDeadline() {
	b := newBatcher()
	defer b.Close()
	s, far := newSender(b, aio.WithLimit(8<<20))
	defer drop(s, far)
	_, err := s.Write(make([]byte, 4<<20))
	sure(err)
	s.SetDeadline(time.Now().Add(20 * time.Millisecond))
	err = s.Flush(context.Background())
	fmt.Println("deadline exceeded:", errors.Is(err, os.ErrDeadlineExceeded))
	messages, partial := s.Progress()
	fmt.Println("messages that left:", messages, "some of the next:", partial > 0 && uint64(partial) == s.Sent())
	fmt.Println("accounts add up:", s.Accepted() == s.Sent()+uint64(s.Buffered()), s.Err())
	// Output:
	// deadline exceeded: true
	// messages that left: 0 some of the next: true
	// accounts add up: true <nil>
}

func ExampleSender_TryWrite() {
	b := newBatcher()
	defer b.Close()
	s, far := newSender(b, aio.WithLimit(10), aio.WithBatch(1000))
	defer drop(s, far)
	fmt.Println(s.TryWrite([]byte("12345678")))
	fmt.Println(errors.Is(s.TryWrite([]byte("9012")), unix.EAGAIN))

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	n, err := s.WriteContext(ctx, []byte("9012")) // sends to make room
	fmt.Println(n, err)

	var unsent *aio.UnsentError
	if errors.As(s.Close(), &unsent) {
		fmt.Println("unsent:", unsent.Bytes, "bytes of", unsent.Messages, "message")
	}
	// Output:
	// <nil>
	// true
	// 4 <nil>
	// unsent: 4 bytes of 1 message
}
