//go:build linux

package uring_test

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

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
