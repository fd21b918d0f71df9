//go:build linux

package aio_test

import (
	"context"
	"errors"
	"fmt"
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
