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

// One request sends every message that lies in the ring of provided buffers.
func ExampleRing_SendBundle() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 64)
	must(err)
	for id := range uint16(4) {
		p, err := buffers.Buffer(id)
		must(err)
		n := copy(p, fmt.Sprintf("message %d;", id))
		must(buffers.Add(id, n))
	}
	buffers.Publish()
	n, err := ring.SendBundle(context.Background(), fd, buffers, 0)
	must(err)
	p := make([]byte, 100)
	m, _ := far.Read(p)
	fmt.Println(n, string(p[:m]))
	// Output: 40 message 0;message 1;message 2;message 3;
}

func ExampleRing_Send() {
	fd, far := connected()
	defer unix.Close(fd)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	n, err := ring.Send(context.Background(), fd, []byte("hello"), 0)
	fmt.Println(n, err)
	// Output: 5 <nil>
}

func ExampleRing_SendTo() {
	from, to, addr := datagrams()
	defer unix.Close(from)
	defer unix.Close(to)
	ring := newRing()
	defer ring.Close()
	_, err := ring.SendTo(context.Background(), from, []byte("datagram"), 0, &addr)
	must(err)
	p := make([]byte, 100)
	n, _, err := unix.Recvfrom(to, p, 0)
	fmt.Println(string(p[:n]), err)
	// Output: datagram <nil>
}

// SendZC returns when the kernel has let go of the memory. On loopback it copies after all, and says so.
func ExampleRing_SendZC() {
	listener, addr := listening()
	defer unix.Close(listener)
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	defer unix.Close(fd)
	ring := newRing()
	defer ring.Close()
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepConnect(fd, &addr) })
	must(err)
	n, copied, err := ring.SendZC(context.Background(), fd, make([]byte, 10_000), unix.MSG_WAITALL)
	fmt.Println(n, copied, err)
	// Output: 10000 true <nil>
}

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

// receive receives into the next buffer of a group and returns where the data lies.
func receive(ring *uring.Ring, buffers *uring.BufRing, fd int) uring.Piece {
	recv := entry(ring)
	must(recv.PrepRecv(fd, nil, 0))
	recv.BufferSelect(buffers.Group())
	c := wait(ring, 1)[0]
	must(c.Err())
	pieces, err := buffers.Consume(c, nil)
	must(err)
	return pieces[0]
}

// A group id of one's own is for code that learns it elsewhere, such as C code on the same ring.
func ExampleWithGroup() {
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 64, uring.WithGroup(100))
	must(err)
	fmt.Println(buffers.Group(), buffers.Entries(), buffers.Size())
	// Output: 100 4 64
}

// A single large buffer serves many small receives.
func ExampleWithIncremental() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(1, 4096, uring.WithIncremental())
	if lacking(err) {
		buffers, err = ring.NewBufRing(4, 4096) // before kernel 6.12 each receive takes a whole buffer
		must(err)
	}
	for id := range buffers.Entries() {
		must(buffers.Recycle(uint16(id)))
	}
	for _, text := range []string{"one", "two", "three"} {
		must(unix.Send(near, []byte(text), 0))
		p, err := buffers.Data(receive(ring, buffers, int(far.Fd())))
		must(err)
		fmt.Printf("%s\n", p)
	}
	// Output:
	// one
	// two
	// three
}

// A producer that fills its buffers evenly lends them as a range: where one bundle sends them all, that costs no more
// than a single buffer does.
func ExampleBufRing_AddRange() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 8)
	must(err)
	for id := range uint16(4) {
		p, err := buffers.Buffer(id)
		must(err)
		copy(p, fmt.Sprintf("entry %d;", id))
	}
	must(buffers.AddRange(0, buffers.Entries(), buffers.Size()))
	fmt.Println("lent:", buffers.Lent(), "published:", buffers.Publish())

	if ring.Features()&uring.FeatRecvSendBundle != 0 {
		must(entry(ring).PrepSendBundle(near, buffers.Group(), 0))
		for all := false; !all; {
			for _, c := range wait(ring, 1) {
				must(c.Err())
				all, err = buffers.Settle(c)
				must(err)
			}
		}
	} else { // before kernel 6.10 the application sends each buffer, once it has it back
		must(buffers.Reset())
		for id := range uint16(4) {
			p, err := buffers.Buffer(id)
			must(err)
			must(unix.Send(near, p, 0))
		}
	}
	p := make([]byte, 100)
	n, err := far.Read(p)
	fmt.Printf("lent: %d, received: %s %v\n", buffers.Lent(), p[:n], err)
	// Output:
	// lent: 4 published: 4
	// lent: 0, received: entry 0;entry 1;entry 2;entry 3; <nil>
}

// What a receive leaves of its buffer serves the next one, so that a message lies in one piece however it arrives.
func ExampleBufRing_AddPiece() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(1, 64)
	must(err)
	must(buffers.Recycle(0))

	must(unix.Send(near, []byte("half a "), 0))
	first := receive(ring, buffers, int(far.Fd()))
	must(buffers.AddPiece(first.Rest()))
	buffers.Publish()
	must(unix.Send(near, []byte("message"), 0))
	second := receive(ring, buffers, int(far.Fd()))

	message := uring.Piece{Buffer: first.Buffer, Off: first.Off, Len: first.Len + second.Len}
	p, err := buffers.Data(message)
	fmt.Printf("%s %v, room left: %d\n", p, err, second.Left)
	// Output: half a message <nil>, room left: 50
}

// What was published and is not to be sent after all is taken back, and says itself what it was.
func ExampleBufRing_Withdraw() {
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 64)
	must(err)
	var added []uring.Piece
	for id, text := range []string{"one", "two", "three"} {
		p, err := buffers.Buffer(uint16(id))
		must(err)
		piece := uring.Piece{Buffer: uint16(id), Len: copy(p, text)}
		must(buffers.AddPiece(piece))
		added = append(added, piece)
	}
	buffers.Publish()

	unsent, err := buffers.Withdraw(nil)
	if lacking(err) {
		must(buffers.Reset()) // before kernel 6.8 only the application can know
		unsent = added
	}
	for _, piece := range unsent {
		p, err := buffers.Data(piece)
		must(err)
		fmt.Printf("%s\n", p)
	}
	fmt.Println("lent:", buffers.Lent())
	// Output:
	// one
	// two
	// three
	// lent: 0
}

// A receiver that watches what the kernel has left adds buffers before a burst of messages finds none.
func ExampleBufRing_Status() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 64)
	must(err)
	must(buffers.AddRange(0, 2, 64))
	buffers.Publish()
	must(unix.Send(near, []byte("hello"), 0))
	receive(ring, buffers, int(far.Fd()))

	status, err := buffers.Status()
	if lacking(err) {
		status.Available = buffers.Lent() // before kernel 6.8 only completions say what was taken
	}
	fmt.Println("available:", status.Available)
	must(buffers.Recycle(2))
	fmt.Println("lent:", buffers.Lent(), "of", buffers.Entries())
	// Output:
	// available: 1
	// lent: 2 of 4
}

// Buffers that were filled for one connection must not go out on the next.
func ExampleBufRing_Reset() {
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 64)
	must(err)
	must(buffers.AddRange(0, 4, 64))
	buffers.Publish()
	fmt.Println("lent:", buffers.Lent())
	must(buffers.Reset())
	fmt.Println("lent:", buffers.Lent())
	// Output:
	// lent: 4
	// lent: 0
}
