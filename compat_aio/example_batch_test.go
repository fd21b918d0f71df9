//go:build linux

package aio_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"golang.org/x/sys/unix"

	aio "github.com/sockring/uring/compat_aio"
)

// sure ends an example that cannot go on.
func sure(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// newBatcher returns a Batcher, without AIO where that is refused.
func newBatcher() *aio.Batcher {
	b, err := aio.NewBatcher(64)
	if errors.Is(err, errors.ErrUnsupported) {
		b, err = aio.NewBatcher(64, aio.WithSyscalls())
	}
	sure(err)
	return b
}

// connected returns a socket of the Batcher and the far end of it.
func connected(b *aio.Batcher) (*aio.Socket, *os.File) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	sure(err)
	s, err := b.Socket(fds[0])
	sure(err)
	return s, os.NewFile(uintptr(fds[1]), "far end")
}

// release closes a socket: first for the Batcher, then for all.
func release(s *aio.Socket, far *os.File) {
	sure(s.Close())
	sure(unix.Close(s.FD()))
	sure(far.Close())
}

// One system call sends on many sockets, and another receives from them.
func ExampleBatcher() {
	b := newBatcher()
	defer b.Close()
	var sends, recvs []aio.Op
	for i := range 3 {
		s, far := connected(b)
		defer release(s, far)
		fmt.Fprintf(far, "question %d", i)
		sends = append(sends, aio.Op{Socket: s, Bufs: [][]byte{[]byte("answer "), {'0' + byte(i)}}})
		recvs = append(recvs, aio.Op{Socket: s, Bufs: [][]byte{make([]byte, 100)}, Token: uint64(i)})
	}
	results, err := b.TryRecv(recvs, nil)
	sure(err)
	for _, r := range results {
		fmt.Printf("%s\n", recvs[r.Token].Bufs[0][:r.N])
	}
	results, err = b.TrySend(sends, results) // in the same memory
	sure(err)
	for _, r := range results {
		fmt.Println("sent", r.N, r.Err)
	}
	stats, err := b.Stats()
	sure(err)
	fmt.Println("submissions:", stats.Submits)
	// Output:
	// question 0
	// question 1
	// question 2
	// sent 8 <nil>
	// sent 8 <nil>
	// sent 8 <nil>
	// submissions: 2
}

// What has to wait does so without holding a thread, until its context ends.
func ExampleBatcher_Recv() {
	b := newBatcher()
	defer b.Close()
	s, far := connected(b)
	defer release(s, far)
	ops := []aio.Op{{Socket: s, Bufs: [][]byte{make([]byte, 100)}}}

	results, err := b.TryRecv(ops, nil)
	sure(err)
	fmt.Println(errors.Is(results[0].Err, aio.ErrWouldBlock))
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	_, err = b.Recv(ctx, ops, results)
	fmt.Println(err)

	time.AfterFunc(10*time.Millisecond, func() { far.Write([]byte("at last")) })
	results, err = b.Recv(context.Background(), ops, results)
	sure(err)
	fmt.Printf("%s\n", ops[0].Bufs[0][:results[0].N])
	// Output:
	// true
	// context deadline exceeded
	// at last
}

// Send goes on until everything has left.
func ExampleBatcher_Send() {
	b := newBatcher()
	defer b.Close()
	s, far := connected(b)
	defer release(s, far)
	received := make(chan int64)
	go func() {
		n, _ := io.CopyN(io.Discard, far, 8<<20)
		received <- n
	}()
	results, err := b.Send(context.Background(), []aio.Op{{Socket: s, Bufs: [][]byte{make([]byte, 8<<20)}}}, nil)
	sure(err)
	fmt.Println(results[0].N, results[0].Err, <-received)
	// Output: 8388608 <nil> 8388608
}

// stream is a Source of one text, and a Sink that prints.
type stream struct {
	socket *aio.Socket
	text   string
	room   [100]byte
}

func (s *stream) Socket() *aio.Socket { return s.socket }
func (s *stream) Done(err error)      { fmt.Println("done:", err) }
func (s *stream) WaitWritable()       { fmt.Println("full") }
func (s *stream) WaitReadable()       { fmt.Println("nothing yet") }

// source sends the text and stops.
type source struct{ stream }

func (s *source) Next() ([][]byte, error) {
	if s.text == "" {
		return nil, aio.ErrStopped
	}
	return [][]byte{[]byte(s.text)}, nil
}

func (s *source) Advance(n int) { s.text = s.text[n:] }

// sink prints what it receives.
type sink struct{ stream }

func (s *sink) Next() ([][]byte, error) { return [][]byte{s.room[:]}, nil }
func (s *sink) Advance(n int)           { fmt.Printf("received %q\n", s.room[:n]) }

// Sources are asked for their bytes, which leave together; one that has no more is done.
func ExampleBatcher_DriveSends() {
	b := newBatcher()
	defer b.Close()
	var queue []aio.Source
	for _, text := range []string{"hello", "world"} {
		s, far := connected(b)
		defer release(s, far)
		queue = append(queue, &source{stream{socket: s, text: text}})
	}
	sure(b.DriveSends(queue))
	sure(b.DriveSends(queue))
	// Output:
	// done: <nil>
	// done: <nil>
}

// Sinks are given what has arrived.
func ExampleBatcher_DriveRecvs() {
	b := newBatcher()
	defer b.Close()
	s, far := connected(b)
	defer release(s, far)
	queue := []aio.Sink{&sink{stream{socket: s}}}
	sure(b.DriveRecvs(queue))
	far.Write([]byte("hello"))
	sure(b.DriveRecvs(queue))
	sure(unix.Shutdown(int(far.Fd()), unix.SHUT_WR))
	sure(b.DriveRecvs(queue))
	// Output:
	// nothing yet
	// received "hello"
	// done: EOF
}
