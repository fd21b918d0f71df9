//go:build linux

package uring_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

// A privileged server keeps its credentials for the few operations that need them after it has dropped them.
func ExampleRing_UnregisterPersonality() {
	ring := newRing()
	defer ring.Close()
	before, err := ring.RegisterPersonality()
	must(err)
	nop := func(sqe *uring.SQE) error {
		err := sqe.PrepNop()
		sqe.SetPersonality(before)
		return err
	}
	_, err = perform(ring, nop)
	fmt.Println(err)
	must(ring.UnregisterPersonality(before))
	_, err = perform(ring, nop)
	fmt.Println(err)
	// Output:
	// <nil>
	// nop: invalid argument
}

// A ring that goes to less trusted code can do what it is for, and nothing else.
func ExampleRing_RegisterRestrictions() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring, err := uring.New(8, uring.WithDisabled())
	must(err)
	defer ring.Close()
	must(ring.RegisterRestrictions(
		uring.AllowOp(cring.OpSend),
		uring.AllowSQEFlags(uring.SQEIOLink),
		uring.AllowRegister(cring.RegisterEnableRings),
	))
	must(ring.EnableRings())

	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepSend(near, []byte("hello"), 0) })
	fmt.Println(n, err)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepRecv(near, make([]byte, 1), 0) })
	fmt.Println(err)
	// Output:
	// 5 <nil>
	// recv: permission denied
}

// A ring that demands registered files reaches no descriptor but those that were chosen for it.
func ExampleRequireSQEFlags() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring, err := uring.New(8, uring.WithDisabled())
	must(err)
	defer ring.Close()
	must(ring.RegisterFiles([]int{near}))
	must(ring.RegisterRestrictions(
		uring.AllowOp(cring.OpSend),
		uring.RequireSQEFlags(uring.SQEFixedFile),
		uring.AllowRegister(cring.RegisterEnableRings),
	))
	must(ring.EnableRings())

	n, err := perform(ring, func(sqe *uring.SQE) error {
		err := sqe.PrepSend(0, []byte("hello"), 0) // the table's index 0
		sqe.FixedFile()
		return err
	})
	fmt.Println(n, err)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepSend(near, []byte("hello"), 0) })
	fmt.Println(err)
	// Output:
	// 5 <nil>
	// send: permission denied
}

// usableCPU returns a processor that the calling thread may run on.
func usableCPU() int {
	var set unix.CPUSet
	must(unix.SchedGetaffinity(0, &set))
	cpu := 0
	for !set.IsSet(cpu) {
		cpu++
	}
	return cpu
}

// A program with a processor of its own keeps the kernel's worker threads on it too.
func ExampleRing_RegisterIOWQAff() {
	ring := newRing()
	defer ring.Close()
	bound := !lacking(ring.RegisterIOWQAff(usableCPU())) // before kernel 5.14 they run wherever there is room
	_, err := perform(ring, func(sqe *uring.SQE) error {
		err := sqe.PrepNop()
		sqe.Async() // by a worker
		return err
	})
	fmt.Println(err)
	if bound {
		must(ring.UnregisterIOWQAff())
	}
	// Output: <nil>
}

// A limit keeps a burst of slow operations from making a thread for each of them.
func ExampleRing_RegisterIOWQMaxWorkers() {
	ring := newRing()
	defer ring.Close()
	bounded, unbounded, err := ring.RegisterIOWQMaxWorkers(2, 0) // as many unbounded ones as before
	limited := !lacking(err)                                     // before kernel 5.15 RLIMIT_NPROC alone limits them
	_, err = perform(ring, func(sqe *uring.SQE) error {
		err := sqe.PrepNop()
		sqe.Async()
		return err
	})
	fmt.Println(err)
	if limited {
		_, _, err = ring.RegisterIOWQMaxWorkers(bounded, unbounded) // the limits are the thread's, beyond this ring
		must(err)
	}
	// Output: <nil>
}

// Where latency is worth a processor, waits poll the network device instead of sleeping until its interrupt.
func ExampleRing_RegisterNAPI() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	mine := uring.NAPI{BusyPoll: 50 * time.Microsecond, PreferBusyPoll: true}
	_, err := ring.RegisterNAPI(mine)
	polls := !lacking(err) // before kernel 6.9, or without busy-polling built in, waits sleep
	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepSend(near, []byte("hello"), 0) })
	fmt.Println(n, err)
	if polls {
		was, err := ring.UnregisterNAPI()
		must(err)
		if was != mine {
			log.Fatal("waits polled otherwise: ", was)
		}
	}
	// Output: 5 <nil>
}

// A lease that runs out while the machine is suspended is timed by a clock that goes on meanwhile.
func ExampleRing_RegisterClock() {
	ring := newRing()
	defer ring.Close()
	if lacking(ring.RegisterClock(unix.CLOCK_BOOTTIME)) { // before kernel 6.12
		log.Print("leases are longer by the time that the machine is suspended")
	}
	_, err := ring.SubmitAndWaitTimeout(context.Background(), 1, time.Millisecond)
	fmt.Println(errors.Is(err, os.ErrDeadlineExceeded))
	// Output: true
}

// What the kernel names it has, although this process may be kept from using it: see the function Probe.
func ExampleRing_Probe() {
	ring := newRing()
	defer ring.Close()
	known, err := ring.Probe()
	must(err)
	fmt.Println("send:", known.Has(cring.OpSend), "made up:", known.Has(250))
	for opcode := range known.All() {
		fmt.Println("first:", opcode == cring.OpNop)
		break
	}
	// Output:
	// send: true made up: false
	// first: true
}

// A buffer that serves many requests is registered once, and the kernel need not look its pages up for each of them.
func ExampleRing_RegisterBuffers() {
	f, remove := tempFile("")
	defer remove()
	ring := newRing()
	defer ring.Close()
	buffer := []byte("hello")
	must(ring.RegisterBuffers([][]byte{buffer}))
	for _, at := range []int64{0, 5} {
		n, err := perform(ring, func(sqe *uring.SQE) error {
			return sqe.PrepWriteFixed(int(f.Fd()), buffer, at, 0)
		})
		fmt.Println(n, err)
	}
	must(ring.UnregisterBuffers())
	// Output:
	// 5 <nil>
	// 5 <nil>
}

// A server gives each session an index of the table for the time that it lasts.
func ExampleRing_UpdateBuffers() {
	f, remove := tempFile("")
	defer remove()
	ring := newRing()
	defer ring.Close()
	if lacking(ring.RegisterBuffersSparse(2)) {
		must(ring.RegisterBuffers([][]byte{nil, nil})) // before kernel 5.19
	}
	session := []byte("session")
	n, err := ring.UpdateBuffers(1, [][]byte{session})
	fmt.Println("updated:", n, err)
	n, err = perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepWriteFixed(int(f.Fd()), session, 0, 1)
	})
	fmt.Println("written:", n, err)
	n, err = ring.UpdateBuffers(1, [][]byte{nil})
	fmt.Println("updated:", n, err)
	// Output:
	// updated: 1 <nil>
	// written: 7 <nil>
	// updated: 1 <nil>
}

// Rings of several threads share one table of buffers, and what the kernel knows of their pages.
func ExampleRing_CloneBuffers() {
	f, remove := tempFile("")
	defer remove()
	first := newRing()
	defer first.Close()
	second := newRing()
	defer second.Close()
	buffers := [][]byte{[]byte("shared")}
	must(first.RegisterBuffers(buffers))
	if lacking(second.CloneBuffers(first)) {
		must(second.RegisterBuffers(buffers)) // before kernel 6.12 each ring knows the pages for itself
	}
	n, err := perform(second, func(sqe *uring.SQE) error {
		return sqe.PrepWriteFixed(int(f.Fd()), buffers[0], 0, 0)
	})
	fmt.Println(n, err)
	// Output: 6 <nil>
}

// Sockets that live long are registered, and the kernel need not look their descriptors up for each request.
func ExampleRing_RegisterFiles() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	next, nextFar := connected()
	defer unix.Close(next)
	defer nextFar.Close()
	ring := newRing()
	defer ring.Close()
	send := func(text string) (int, error) {
		return perform(ring, func(sqe *uring.SQE) error {
			err := sqe.PrepSend(0, []byte(text), 0) // the table's index 0
			sqe.FixedFile()
			return err
		})
	}
	must(ring.RegisterFiles([]int{near, uring.FilesEmpty}))
	fmt.Println(send("hello"))
	n, err := ring.UpdateFiles(0, []int{next}) // a connection takes the place of one that ended
	fmt.Println("updated:", n, err)
	fmt.Println(send("and again"))
	must(ring.UnregisterFiles())
	// Output:
	// 5 <nil>
	// updated: 1 <nil>
	// 9 <nil>
}

// A server that keeps the first indexes for its listeners leaves the kernel only the others for what it accepts.
func ExampleRing_RegisterFileAllocRange() {
	listener, addr := listening()
	defer unix.Close(listener)
	ring := withFiles() // eight of them
	defer ring.Close()
	ranged := !lacking(ring.RegisterFileAllocRange(4, 4))

	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	defer unix.Close(client)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepConnect(client, &addr) })
	must(err)
	index, err := perform(ring, func(sqe *uring.SQE) error {
		if !ranged { // before kernel 6.0 the application chooses them all
			return sqe.PrepAcceptDirect(listener, nil, 0, 4)
		}
		return sqe.PrepAcceptDirect(listener, nil, 0, cring.FileIndexAlloc)
	})
	if !ranged {
		index = 4
	}
	fmt.Println(index, err)
	// Output: 4 <nil>
}
