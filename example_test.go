//go:build linux

package uring_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
)

// must ends an example that cannot go on.
func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// lacking reports whether the kernel lacks what an example asked for; any other error ends the example.
func lacking(err error) bool {
	if errors.Is(err, errors.ErrUnsupported) {
		return true
	}
	must(err)
	return false
}

// newRing returns a ring for an example.
func newRing() *uring.Ring {
	ring, err := uring.New(16)
	must(err)
	return ring
}

// entry returns the next submission entry.
func entry(ring *uring.Ring) *uring.SQE {
	sqe, err := ring.SQE()
	must(err)
	return sqe
}

// wait submits what was prepared, waits for n completions and returns them.
func wait(ring *uring.Ring, n int) []uring.CQE {
	_, err := ring.SubmitAndWait(context.Background(), n)
	must(err)
	var cqes []uring.CQE
	for c := range ring.Completions() {
		cqes = append(cqes, c)
	}
	return cqes
}

// perform runs one operation to its end and returns its result.
func perform(ring *uring.Ring, prep func(sqe *uring.SQE) error) (int, error) {
	if err := prep(entry(ring)); err != nil {
		return 0, err
	}
	c := wait(ring, 1)[0]
	return int(c.Res), c.Err()
}

// connected returns the two ends of a stream, the far end as a file to read.
func connected() (near int, far *os.File) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	return fds[0], os.NewFile(uintptr(fds[1]), "far end")
}

// datagrams returns a UDP socket, and another with its address.
func datagrams() (from, to int, addr uring.Sockaddr) {
	fds := [2]int{}
	for i := range fds {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		must(err)
		must(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
		fds[i] = fd
	}
	name, err := unix.Getsockname(fds[1])
	must(err)
	port := uint16(name.(*unix.SockaddrInet4).Port)
	addr, err = uring.SockaddrInet(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
	must(err)
	return fds[0], fds[1], addr
}

// loopback is 127.0.0.1 with a port of the kernel's choice.
func loopback() uring.Sockaddr {
	addr, err := uring.SockaddrInet(netip.MustParseAddrPort("127.0.0.1:0"))
	must(err)
	return addr
}

// listening returns a socket that listens on loopback, and its address.
func listening() (fd int, addr uring.Sockaddr) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	must(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(unix.Listen(fd, 16))
	name, err := unix.Getsockname(fd)
	must(err)
	port := uint16(name.(*unix.SockaddrInet4).Port)
	addr, err = uring.SockaddrInet(netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), port))
	must(err)
	return fd, addr
}

// Multishot requests make many completions for one submission: their ring needs a queue to match.
func ExampleWithCQEntries() {
	ring, err := uring.New(8, uring.WithCQEntries(1000))
	must(err)
	defer ring.Close()
	fmt.Println(ring.Entries())
	// Output: 8 1024
}

// A size that comes from a configuration is cut to what the kernel allows, instead of being refused.
func ExampleWithClamp() {
	_, err := uring.New(100_000)
	fmt.Println(errors.Is(err, unix.EINVAL))
	ring, err := uring.New(100_000, uring.WithClamp())
	must(err)
	defer ring.Close()
	fmt.Println(ring.Entries())
	// Output:
	// true
	// 32768 65536
}

// A thread of the kernel's own takes submissions, so that a busy ring needs no system call for them.
func ExampleWithSQPoll() {
	ring, err := uring.New(8, uring.WithSQPoll(time.Millisecond, -1))
	if lacking(err) {
		ring = newRing() // before kernel 5.11 without CAP_SYS_NICE
	}
	defer ring.Close()
	result, err := perform(ring, (*uring.SQE).PrepNop)
	fmt.Println(result, err)
	// Output: 0 <nil>
}

// Rings that share their worker threads keep within one limit of them.
func ExampleWithAttachWQ() {
	first := newRing()
	defer first.Close()
	second, err := uring.New(8, uring.WithAttachWQ(first.Fd()))
	must(err)
	defer second.Close()
	fmt.Println(second.Flags()&uring.SetupAttachWQ != 0)
	// Output: true
}

// What a program cannot do without it asks for by WithFlags; everything else New gives up where the kernel refuses.
func ExampleWithFlags() {
	want := uring.SetupSingleIssuer | uring.SetupDeferTaskrun
	ring, err := uring.New(8, uring.WithFlags(want))
	refused := errors.Is(err, unix.EINVAL) // before kernel 6.1
	if refused {
		ring = newRing()
	} else {
		must(err)
	}
	defer ring.Close()
	fmt.Println("granted or refused:", refused || ring.Flags()&want == want)
	// Output: granted or refused: true
}

// A ring whose descriptor another event loop polls posts its completions by itself, and does not wait to be entered.
func ExampleWithoutFlags() {
	ring, err := uring.New(8, uring.WithoutFlags(uring.SetupDeferTaskrun))
	must(err)
	defer ring.Close()
	fmt.Println(ring.Flags()&uring.SetupDeferTaskrun == 0)
	// Output: true
}

// A thread has 16 indexes for the rings that it enters: a ring that is entered seldom can leave them to others.
func ExampleWithPlainFd() {
	ring, err := uring.New(8, uring.WithPlainFd())
	must(err)
	defer ring.Close()
	fmt.Println(ring.FdRegistered())
	// Output: false
}

// A ring that has become busy gets an index after all, and gives it up again.
func ExampleRing_RegisterRingFd() {
	ring, err := uring.New(8, uring.WithPlainFd())
	must(err)
	defer ring.Close()
	registered := !lacking(ring.RegisterRingFd()) // before kernel 5.18 it works as well without
	fmt.Println(ring.FdRegistered() == registered)
	result, err := perform(ring, (*uring.SQE).PrepNop)
	fmt.Println(result, err)
	if registered {
		must(ring.UnregisterRingFd())
	}
	fmt.Println(ring.FdRegistered())
	// Output:
	// true
	// 0 <nil>
	// false
}

// Close cancels what is in flight; a program that has to end in time says how long the kernel may take over that.
func ExampleWithCloseTimeout() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring, err := uring.New(8, uring.WithCloseTimeout(time.Second))
	must(err)
	must(entry(ring).PrepRecv(near, make([]byte, 1), 0))
	_, err = ring.Submit()
	must(err)
	fmt.Println(ring.Close())
	for c := range ring.Completions() {
		fmt.Println(c.Err())
	}
	// Output:
	// <nil>
	// recv: operation canceled
}

// A batch fills the queue and is submitted as a whole: SQE would submit by itself where the queue is full.
func ExampleRing_SQSpace() {
	ring, err := uring.New(8)
	must(err)
	defer ring.Close()
	for ring.SQSpace() > 0 {
		must(entry(ring).PrepNop())
	}
	n, err := ring.Submit()
	fmt.Println(n, err, ring.SQSpace())
	// Output: 8 <nil> 8
}

// Reap fills an array of the caller's; what does not fit comes with the next call.
func ExampleRing_Reap() {
	ring := newRing()
	defer ring.Close()
	for i := range uint64(6) {
		sqe := entry(ring)
		must(sqe.PrepNop())
		sqe.SetData64(i)
	}
	_, err := ring.SubmitAndWait(context.Background(), 6)
	must(err)
	var cqes [4]uring.CQE
	for ring.Ready() > 0 {
		n, err := ring.Reap(cqes[:])
		must(err)
		for _, c := range cqes[:n] {
			fmt.Print(c.Data64, " ")
		}
		fmt.Println("ready:", ring.Ready())
	}
	// Output:
	// 0 1 2 3 ready: 2
	// 4 5 ready: 0
}

// An event loop that has something else to do from time to time bounds its waits.
func ExampleRing_SubmitAndWaitTimeout() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	must(entry(ring).PrepRecv(int(far.Fd()), make([]byte, 10), 0))
	_, err := ring.SubmitAndWaitTimeout(context.Background(), 1, time.Millisecond)
	fmt.Println("nothing came:", errors.Is(err, os.ErrDeadlineExceeded), ring.Ready())

	must(unix.Send(near, []byte("hello"), 0)) // the receive is still there
	_, err = ring.SubmitAndWaitTimeout(context.Background(), 1, time.Minute)
	fmt.Println(ring.Ready(), err)
	// Output:
	// nothing came: true 0
	// 1 <nil>
}

// A server gathers completions for a short while, so that it is woken once for many, and late for none.
func ExampleRing_SubmitAndWaitMinTimeout() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	must(entry(ring).PrepRecv(int(far.Fd()), make([]byte, 10), 0))
	must(unix.Send(near, []byte("hello"), 0))
	_, err := ring.SubmitAndWaitMinTimeout(context.Background(), 4, time.Millisecond, time.Minute)
	if lacking(err) {
		_, err = ring.SubmitAndWait(context.Background(), 1) // before kernel 6.12: woken for each
	}
	fmt.Println(ring.Ready(), err)
	// Output: 1 <nil>
}

// submitReceives starts n receives, from a registered file where fixed is set, and returns the id of the last.
func submitReceives(ring *uring.Ring, n, fd int, fixed bool) (last uring.OpID) {
	for range n {
		recv := entry(ring)
		must(recv.PrepRecv(fd, make([]byte, 1), 0))
		if fixed {
			recv.FixedFile()
		}
		last = recv.ID()
	}
	_, err := ring.Submit()
	must(err)
	return last
}

// Memory that an operation names can be used for something else once the operation was cancelled and reaped.
func ExampleRing_SyncCancel() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	id := submitReceives(ring, 1, near, false)
	ends := 1
	if lacking(ring.SyncCancel(uring.CancelID(id), time.Second)) {
		must(entry(ring).PrepCancel(id, 0)) // before kernel 6.0 by a request, which completes too
		ends++
	}
	for _, c := range wait(ring, ends) {
		if c.ID == id {
			fmt.Println(c.Err())
		}
	}
	// Output: recv: operation canceled
}

// Whatever waits on a socket has to end before its descriptor is closed.
func ExampleCancelFd() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	submitReceives(ring, 3, near, false)
	if lacking(ring.SyncCancel(uring.CancelFd(near).All(), time.Second)) {
		must(unix.Shutdown(near, unix.SHUT_RDWR)) // before kernel 6.0
	}
	fmt.Println("ended:", len(wait(ring, 3)), "in flight:", ring.Stats().InFlight)
	// Output: ended: 3 in flight: 0
}

// A registered file is named by its index, also where the program has no descriptor of it any more.
func ExampleCancelFixedFile() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	must(ring.RegisterFiles([]int{near}))
	submitReceives(ring, 2, 0, true)
	if lacking(ring.SyncCancel(uring.CancelFixedFile(0).All(), time.Second)) {
		must(unix.Shutdown(near, unix.SHUT_RDWR)) // before kernel 6.0
	}
	fmt.Println("ended:", len(wait(ring, 2)), "in flight:", ring.Stats().InFlight)
	// Output: ended: 2 in flight: 0
}

// A worker that is to begin afresh on the same ring ends everything first.
func ExampleCancelAny() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	submitReceives(ring, 2, near, false)
	if lacking(ring.SyncCancel(uring.CancelAny(), time.Second)) {
		must(unix.Shutdown(near, unix.SHUT_RDWR)) // before kernel 6.0
	}
	fmt.Println("ended:", len(wait(ring, 2)), "in flight:", ring.Stats().InFlight)
	// Output: ended: 2 in flight: 0
}

// eventfd returns an eventfd that does not block.
func eventfd() int {
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	must(err)
	return fd
}

// signalled reports whether an eventfd was signalled since the last time.
func signalled(fd int) bool {
	var count [8]byte
	_, err := unix.Read(fd, count[:])
	if errors.Is(err, unix.EAGAIN) {
		return false
	}
	must(err)
	return true
}

// awaitSignal waits as the event loop does that has the eventfd among its descriptors.
func awaitSignal(fd int) {
	end := time.Now().Add(time.Minute)
	for time.Now().Before(end) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 1000)
		if n == 1 {
			return
		}
		if err != nil && !errors.Is(err, unix.EINTR) {
			log.Fatal(err)
		}
	}
	log.Fatal("no signal")
}

// An event loop of another library learns from an eventfd that the ring has completions.
func ExampleRing_RegisterEventfd() {
	ring := newRing()
	defer ring.Close()
	fd := eventfd()
	defer unix.Close(fd)
	must(ring.RegisterEventfd(fd))
	complete := func() {
		must(entry(ring).PrepNop())
		_, err := ring.Submit()
		must(err)
		fmt.Println("completions:", len(wait(ring, 1)), "signalled:", signalled(fd))
	}
	complete()
	must(ring.SetEventfdEnabled(false)) // while the loop looks at the ring anyway
	complete()
	must(ring.SetEventfdEnabled(true))
	complete()
	must(ring.UnregisterEventfd())
	complete()
	// Output:
	// completions: 1 signalled: true
	// completions: 1 signalled: false
	// completions: 1 signalled: true
	// completions: 1 signalled: false
}

// A loop that reaps after each submission needs signals only for what did not complete within it.
func ExampleRing_RegisterEventfdAsync() {
	ring := newRing()
	defer ring.Close()
	fd := eventfd()
	defer unix.Close(fd)
	must(ring.RegisterEventfdAsync(fd))
	_, err := perform(ring, (*uring.SQE).PrepNop)
	fmt.Println(err, "signalled:", signalled(fd))

	sqe := entry(ring)
	must(sqe.PrepNop())
	sqe.Async() // by a worker thread
	_, err = ring.Submit()
	must(err)
	awaitSignal(fd)
	fmt.Println("completions:", len(wait(ring, 1)), "signalled:", signalled(fd))
	// Output:
	// <nil> signalled: false
	// completions: 1 signalled: true
}

// A loop that waits with poll(2) has an eventfd among its descriptors: the ring's own would not wake it.
func ExampleRing_Fd() {
	ring := newRing()
	defer ring.Close()
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	fd := eventfd()
	defer unix.Close(fd)
	must(ring.RegisterEventfd(fd))

	p := make([]byte, 16)
	must(entry(ring).PrepRecv(near, p, 0))
	_, err := ring.Submit()
	must(err)
	go func() {
		_, err := far.WriteString("hello")
		must(err)
	}()
	awaitSignal(fd) // poll(2)
	signalled(fd)   // reads the counter, so that the next poll waits
	for c := range ring.Completions() {
		fmt.Printf("%s %v\n", p[:c.Res], c.Err())
	}
	// Output: hello <nil>
}

// An operation that need not be waited for can do without a completion. Its failure still tells which it was.
func ExampleRing_SkipSuccess() {
	ring := newRing()
	defer ring.Close()
	skip := func(v uint64, prep func(sqe *uring.SQE) error) {
		sqe := entry(ring)
		must(prep(sqe))
		must(ring.SkipSuccess(sqe, v))
	}
	for range 100 {
		skip(0, (*uring.SQE).PrepNop)
	}
	skip(7, func(sqe *uring.SQE) error { return sqe.PrepClose(-1) })
	for _, c := range wait(ring, 1) {
		fmt.Println(c.Data64, c.Err())
	}
	fmt.Println(ring.Stats().Silent, "operations without a completion of success")
	// Output:
	// 7 close: bad file descriptor
	// 101 operations without a completion of success
}
