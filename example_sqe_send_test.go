//go:build linux

package uring_test

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

func ExampleSQE_PrepSend() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	n, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepSend(near, []byte("hello"), unix.MSG_WAITALL)
	})
	fmt.Println(n, err)
	// Output: 5 <nil>
}

func ExampleSQE_PrepSendTo() {
	from, to, addr := datagrams()
	defer unix.Close(from)
	defer unix.Close(to)
	ring := newRing()
	defer ring.Close()
	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepSendTo(from, []byte("one"), 0, &addr) })
	fmt.Println(n, err)
	n, err = perform(ring, func(sqe *uring.SQE) error {
		if err := sqe.PrepSend(from, []byte("two again"), 0); err != nil {
			return err
		}
		return sqe.PrepSendSetAddr(&addr)
	})
	fmt.Println(n, err)
	// Output:
	// 3 <nil>
	// 9 <nil>
}

// A message goes out from several buffers, and PrepRecvmsg says who sent it.
func ExampleSQE_PrepSendmsg() {
	from, to, addr := datagrams()
	defer unix.Close(from)
	defer unix.Close(to)
	ring := newRing()
	defer ring.Close()
	out := &uring.Msghdr{To: addr, Buffers: [][]byte{[]byte("hello, "), []byte("world")}}
	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepSendmsg(from, out, 0) })
	fmt.Println(n, err)

	in := &uring.Msghdr{Buffers: [][]byte{make([]byte, 3), make([]byte, 3)}, Control: make([]byte, 64)}
	n, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepRecvmsg(to, in, 0) })
	fmt.Println(n, err)
	ap, _ := in.From().AddrPort()
	fmt.Printf("%s%s from %v, cut: %t, control data: %d\n", in.Buffers[0], in.Buffers[1], ap.Addr(),
		in.Flags()&unix.MSG_TRUNC != 0, len(in.Received()))
	// Output:
	// 12 <nil>
	// 6 <nil>
	// hello, from 127.0.0.1, cut: true, control data: 0
}

// One request sends all buffers of a group, in the order in which they were added.
func ExampleSQE_PrepSendBundle() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 64)
	must(err)
	for id := range uint16(3) {
		p, err := buffers.Buffer(id)
		must(err)
		must(buffers.Add(id, copy(p, fmt.Sprintf("message %d;", id))))
	}
	buffers.Publish()
	if ring.Features()&uring.FeatRecvSendBundle == 0 {
		fmt.Print("30 bytes\nmessage 0;message 1;message 2;\n") // before 6.10 there are no bundles
		return
	}
	must(entry(ring).PrepSendBundle(near, buffers.Group(), 0, uring.WithFirstRoundLimit(0)))
	sent := 0
	for more := true; more; {
		for _, c := range wait(ring, 1) {
			must(c.Err())
			sent += int(c.Res)
			more = c.More()
		}
	}
	p := make([]byte, 100)
	n, err := far.Read(p)
	must(err)
	fmt.Printf("%d bytes\n%s\n", sent, p[:n])
	// Output:
	// 30 bytes
	// message 0;message 1;message 2;
}

// A send can also take a single provided buffer, or the beginning of it.
func ExampleSQE_BufferSelect() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(1, 64)
	must(err)
	must(buffers.Recycle(0))
	must(unix.Send(near, []byte("hello"), 0))
	n, err := perform(ring, func(sqe *uring.SQE) error {
		if err := sqe.PrepRecv(int(far.Fd()), nil, 0); err != nil {
			return err
		}
		sqe.BufferSelect(buffers.Group())
		if err := sqe.SetIOPrio(cring.RecvSendPollFirst); err != nil {
			return err
		}
		return sqe.SetLen(4)
	})
	fmt.Println(n, err)
	// Output: 4 <nil>
}

// A zero-copy send completes twice: with its result, and when its memory is free again.
func ExampleSQE_PrepSendZC() {
	from, to, addr := datagrams()
	defer unix.Close(from)
	defer unix.Close(to)
	ring := newRing()
	defer ring.Close()
	zeroCopy := func(prep func(sqe *uring.SQE) error) {
		must(prep(entry(ring)))
		for more := true; more; {
			for _, c := range wait(ring, 1) {
				if errors.Is(c.Err(), unix.EINVAL) {
					fmt.Print("sent 5\n") // the kernel does not know the operation
					more = false
					continue
				}
				if c.Flags&uring.CQENotif == 0 {
					fmt.Println("sent", c.Res)
				}
				more = c.More()
			}
		}
	}
	zeroCopy(func(sqe *uring.SQE) error {
		if err := sqe.PrepSendZC(from, []byte("hello"), 0, cring.SendZCReportUsage); err != nil {
			return err
		}
		return sqe.PrepSendSetAddr(&addr)
	})
	m := &uring.Msghdr{To: addr, Buffers: [][]byte{[]byte("hel"), []byte("lo")}}
	zeroCopy(func(sqe *uring.SQE) error { return sqe.PrepSendmsgZC(from, m, 0) })
	// Output:
	// sent 5
	// sent 5
}

// Each arrival of data makes a completion with a buffer of the group.
func ExampleSQE_PrepRecvMultishot() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(4, 64)
	must(err)
	for id := range uint16(4) {
		must(buffers.Recycle(id))
	}
	must(entry(ring).PrepRecvMultishot(int(far.Fd()), buffers.Group(), 0))
	for _, text := range []string{"one", "two", "three"} {
		must(unix.Send(near, []byte(text), 0))
		for _, c := range wait(ring, 1) {
			must(c.Err())
			pieces, err := buffers.Consume(c, nil)
			must(err)
			p, err := buffers.Buffer(pieces[0].Buffer)
			must(err)
			fmt.Printf("%s\n", p[:pieces[0].Len])
			must(buffers.Recycle(pieces[0].Buffer))
		}
	}
	// Output:
	// one
	// two
	// three
}

// A multishot recvmsg lays address, control data and payload into each buffer.
func ExampleParseRecvmsg() {
	from, to, addr := datagrams()
	defer unix.Close(from)
	defer unix.Close(to)
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(2, 256)
	must(err)
	must(buffers.Recycle(0))
	must(buffers.Recycle(1))
	m := &uring.Msghdr{NameRoom: 28}
	must(entry(ring).PrepRecvmsgMultishot(to, m, buffers.Group(), 0))
	_, err = ring.Submit()
	must(err)
	ap, _ := addr.AddrPort()
	must(unix.Sendto(from, []byte("hello"), 0, &unix.SockaddrInet4{Port: int(ap.Port()), Addr: ap.Addr().As4()}))
	for _, c := range wait(ring, 1) {
		must(c.Err())
		pieces, err := buffers.Consume(c, nil)
		must(err)
		p, err := buffers.Buffer(pieces[0].Buffer)
		must(err)
		out, err := uring.ParseRecvmsg(p[:c.Res], m)
		must(err)
		who, _ := out.Name.AddrPort()
		fmt.Printf("%s from %v\n", out.Payload, who.Addr())
	}
	// Output: hello from 127.0.0.1
}

// Provided buffers of the old kind are given and taken by operations; a BufRing is the better way.
func ExampleSQE_PrepProvideBuffers() {
	ring := newRing()
	defer ring.Close()
	mem, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	must(err)
	defer unix.Munmap(mem)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepProvideBuffers(mem, 1024, 4, 7, 0) })
	fmt.Println(err)
	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepRemoveBuffers(4, 7) })
	fmt.Println(n, err)
	// Output:
	// <nil>
	// 4 <nil>
}
