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

// must ends an example that cannot go on.
func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// temporary returns an empty file that is gone once it is closed.
func temporary() *os.File {
	f, err := os.CreateTemp("", "aio")
	must(err)
	must(os.Remove(f.Name()))
	return f
}

// pair returns two connected sockets that do not block.
func pair() (a, b int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	must(err)
	return fds[0], fds[1]
}

// A Queue writes to a file, flushes it and reads it back.
func Example() {
	f := temporary()
	defer f.Close()
	q, err := aio.NewQueue(16)
	must(err)
	defer q.Close()

	file, done := aio.FileOf(f), make([]*aio.Request, 2)
	var hello, world, sync, read aio.Request
	must(hello.PrepareWrite(file, 0, []byte("hello, "), nil))
	must(world.PrepareWritev(file, 7, [][]byte{[]byte("wor"), []byte("ld")}, nil))
	_, err = q.Submit(&hello, &world)
	must(err)
	_, err = q.Wait(context.Background(), 2, done)
	must(err)

	must(sync.PrepareFsync(file, nil)) // not before the writes have completed: nothing orders requests
	b := make([]byte, 12)
	must(read.PrepareRead(file, 0, b, "greeting"))
	_, err = q.Submit(&sync, &read)
	must(err)
	_, err = q.Wait(context.Background(), 2, done)
	must(err)
	n, err := read.Result()
	must(err)
	fmt.Printf("%s: %s\n", read.User(), b[:n])
	// Output: greeting: hello, world
}

// A Context submits for many sockets at once, and reads the events without a system call.
func ExampleContext() {
	c, err := aio.NewContext(8, aio.WithSyscallReap()) // without the option events come from the mapped ring
	must(err)
	a, b := pair()
	defer unix.Close(a)
	defer unix.Close(b)

	iocbs := make([]*aio.IOCB, 3)
	n, err := c.IOCBs(iocbs)
	must(err)
	must(iocbs[0].PrepPwrite(a, []byte("one"), 0))
	must(iocbs[1].PrepPwritev(a, [][]byte{[]byte("tw"), []byte("o")}, 0))
	iocbs[1].SetData("two")
	buf := make([]byte, 6)
	must(iocbs[2].PrepPread(b, buf, 0))
	iocbs[2].SetData64(3)
	_, err = c.Submit(iocbs[:n]...)
	must(err)

	events := make([]aio.Event, 3)
	n, err = c.Reap(events)
	must(err)
	for i := range events[:n] {
		n, err := events[i].Result()
		fmt.Println(n, err, events[i].Data, events[i].Data64)
	}
	fmt.Printf("%s %+v of %d\n", buf, c.Stats(), c.MaxRequests())
	must(c.Close())
	// Output:
	// 3 <nil> <nil> 0
	// 3 <nil> two 0
	// 6 <nil> <nil> 3
	// onetwo {InFlight:0 Held:0 Stale:0} of 8
}

// Polls wait: for a thread in GetEvents and PGetEvents, or for nothing but a goroutine in Await.
func ExampleContext_Await() {
	c, err := aio.NewContext(2)
	must(err)
	a, b := pair()
	defer unix.Close(a)
	defer unix.Close(b)
	ready, err := c.IOCB()
	must(err)
	must(ready.PrepPoll(a, unix.POLLIN))
	must(ready.Notify())
	never, err := c.IOCB()
	must(err)
	must(never.PrepPoll(b, unix.POLLIN))
	id := never.ID()
	_, err = c.Submit(ready, never)
	must(err)

	events := make([]aio.Event, 1)
	_, err = c.GetEvents(1, events, time.Millisecond)
	fmt.Println(err)
	_, err = c.PGetEvents(1, events, time.Millisecond, unix.SIGUSR1)
	fmt.Println(err)
	_, err = unix.Write(b, []byte("x"))
	must(err)
	n, err := c.Await(context.Background(), 1, events)
	fmt.Println(n, err)

	must(c.Cancel(id))
	_, err = c.GetEvents(1, events, -1)
	must(err)
	_, err = events[0].Result()
	fmt.Println(err)
	must(c.Close())
	// Output:
	// aio: timed out
	// aio: timed out
	// 1 <nil>
	// aio: request was cancelled
}

// What the kernel refuses stays the caller's.
func ExampleIOCB() {
	c, err := aio.NewContext(1)
	must(err)
	f := temporary()
	defer f.Close()
	cb, err := c.IOCB()
	must(err)
	fd := int(f.Fd())
	must(cb.PrepPreadv(fd, [][]byte{make([]byte, 1)}, 0))
	must(cb.SetIOPrio(0))
	must(cb.SetRWFlags(1 << 30))
	n, err := c.Submit(cb)
	fmt.Println(n, err)
	must(cb.PrepFdsync(fd))
	must(cb.PrepFsync(fd)) // the last one counts
	must(cb.Release())
	must(c.Close())
	// Output: 0 io_submit: operation not supported
}

// A wait ends by Wakeup, by a time-out, and when nothing is in flight.
func ExampleQueue() {
	q, err := aio.NewQueue(4, aio.WithWaitWithoutRequests())
	must(err)
	done := make([]*aio.Request, 4)
	must(q.Wakeup())
	_, err = q.Wait(context.Background(), 1, done)
	fmt.Println(err)
	n, err := q.WaitTimeout(time.Millisecond, 1, done)
	fmt.Println(n, err)
	n, err = q.Poll(done)
	fmt.Println(n, err, q.InFlight(), "of", q.MaxRequests())

	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	must(q.CloseNow(ctx))
	must(q.Close())
	// Output:
	// aio: woken up
	// 0 aio: timed out
	// 0 <nil> 0 of 4
}

// A poll waits for a descriptor, and can be cancelled.
func ExampleRequest() {
	q, err := aio.NewQueue(4)
	must(err)
	defer q.Close()
	a, b := pair()
	defer unix.Close(a)
	defer unix.Close(b)
	f := temporary()
	defer f.Close()

	var r aio.Request
	must(r.PreparePoll(aio.FD(a), unix.POLLIN, nil))
	fmt.Println(r.State())
	_, err = q.Submit(&r)
	must(err)
	must(r.Cancel())
	done := make([]*aio.Request, 1)
	_, err = q.Wait(context.Background(), 1, done)
	must(err)
	_, err = done[0].Result()
	fmt.Println(r.State(), err)

	must(r.PrepareReadv(aio.FileOf(f), 0, [][]byte{make([]byte, 4)}, nil))
	must(r.PrepareFdsync(aio.FileOf(f), nil)) // the last one counts
	// Output:
	// prepared
	// completed aio: request was cancelled
}

func ExampleGetLimits() {
	limits, err := aio.GetLimits()
	must(err)
	fmt.Println(limits.Free() <= limits.Max)
	// Output: true
}

func ExampleFileAlignment() {
	f := temporary()
	defer f.Close()
	alignment, err := aio.FileAlignment(f)
	if errors.Is(err, errors.ErrUnsupported) {
		alignment = aio.Alignment{Memory: 4096, Offset: 4096} // to go on without O_DIRECT
	} else {
		must(err)
	}
	fmt.Println(len(alignment.Buffer(alignment.Offset)) == alignment.Offset)
	// Output: true
}

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

// Transfers on sockets are told not to wait, whatever the mode of their descriptors, where the kernel can be told that.
func ExampleContext_SocketFlags() {
	c, err := aio.NewContext(1)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	flags, err := c.SocketFlags()
	const rwfNowait = 8 // of <linux/fs.h>
	fmt.Println(flags.NoWait() == (flags.Send&rwfNowait != 0), err)
	// Output: true <nil>
}

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
