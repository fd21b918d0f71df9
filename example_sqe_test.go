//go:build linux

package uring_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

func ExampleSQE_PrepNop() {
	ring := newRing()
	defer ring.Close()
	sqe := entry(ring)
	must(sqe.PrepNop())
	sqe.SetData("nothing")
	sqe.SetData64(42)
	for _, c := range wait(ring, 1) {
		fmt.Println(c.Data, c.Data64, c.Res)
	}
	// Output: nothing 42 0
}

// A send and the receive linked to it go out together; the receive starts when the send has succeeded.
func ExampleSQE_Link() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()

	send := entry(ring)
	must(send.PrepSend(near, []byte("ping"), 0))
	send.Link() // adds MSG_WAITALL
	p := make([]byte, 10)
	must(entry(ring).PrepRecv(int(far.Fd()), p, 0))
	for _, c := range wait(ring, 2) {
		fmt.Println(c.Res, c.Err())
	}
	fmt.Printf("%s\n", p[:4])
	// Output:
	// 4 <nil>
	// 4 <nil>
	// ping
}

// A hard link and a drain keep an order whatever becomes of the operations before.
func ExampleSQE_HardLink() {
	ring := newRing()
	defer ring.Close()
	fails := entry(ring)
	must(fails.PrepRead(-1, make([]byte, 1), 0))
	fails.HardLink()
	fails.SetData("fails")

	follows := entry(ring)
	must(follows.PrepNop())
	follows.SetData("follows")

	me, err := ring.RegisterPersonality()
	must(err)
	last := entry(ring)
	must(last.PrepNop())
	last.Drain()
	last.Async() // by a worker thread
	last.SetPersonality(me)
	last.SetData("last")
	for _, c := range wait(ring, 3) {
		fmt.Println(c.Data, errors.Is(c.Err(), unix.EBADF))
	}
	// Output:
	// fails true
	// follows false
	// last false
}

func ExampleSQE_SetFlags() {
	ring := newRing()
	defer ring.Close()
	sqe := entry(ring)
	must(sqe.PrepNop())
	fmt.Println(sqe.SetFlags(uring.SQEAsync | uring.SQEIODrain))
	fmt.Println(sqe.SetFlags(1 << 7))
	fmt.Println(len(wait(ring, 1)))
	// Output:
	// <nil>
	// uring: SetFlags: 1<<7: invalid argument
	// 1
}

func ExampleSQE_PrepCancel() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	recv := entry(ring)
	must(recv.PrepRecv(near, make([]byte, 1), 0))
	id := recv.ID()
	_, err := ring.Submit()
	must(err)

	must(entry(ring).PrepCancel(id, 0))
	for _, c := range wait(ring, 2) {
		if c.ID == id {
			fmt.Println("the receive:", c.Err())
		} else {
			fmt.Println("the cancellation:", c.Err())
		}
	}
	// Unordered output:
	// the receive: recv: operation canceled
	// the cancellation: <nil>
}

// Everything that waits on a descriptor has to end before the descriptor is closed.
func ExampleSQE_PrepCancelFd() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	for range 3 {
		must(entry(ring).PrepRecv(near, make([]byte, 1), 0))
	}
	_, err := ring.Submit()
	must(err)
	sqe := entry(ring)
	must(sqe.PrepCancelFd(near, cring.AsyncCancelAll))
	sqe.SetData("cancelled:")
	canceled := 0
	for _, c := range wait(ring, 4) {
		if c.Data != nil {
			fmt.Println(c.Data, c.Res)
		} else if errors.Is(c.Err(), unix.ECANCELED) {
			canceled++
		}
	}
	fmt.Println("ended:", canceled)
	// Output:
	// cancelled: 3
	// ended: 3
}

// C code on an adopted ring names its requests by user data of its own.
func ExampleSQE_PrepCancel64() {
	ring := newRing()
	defer ring.Close()
	_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepCancel64(42, 0) })
	fmt.Println(errors.Is(err, unix.ENOENT))
	// Output: true
}

func ExampleSQE_PrepTimeout() {
	ring := newRing()
	defer ring.Close()
	_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepTimeout(time.Millisecond, 0, 0) })
	fmt.Println(errors.Is(err, unix.ETIME))
	// Output: true
}

func ExampleSQE_PrepTimeoutUpdate() {
	ring := newRing()
	defer ring.Close()
	timeout := entry(ring)
	must(timeout.PrepTimeout(time.Hour, 0, 0))
	id := timeout.ID()
	_, err := ring.Submit()
	must(err)
	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepTimeoutUpdate(2*time.Hour, id, 0) })
	fmt.Println("updated:", n, err)

	must(entry(ring).PrepTimeoutRemove(id, 0))
	for _, c := range wait(ring, 2) {
		if c.ID == id {
			fmt.Println("removed:", errors.Is(c.Err(), unix.ECANCELED))
		}
	}
	// Output:
	// updated: 0 <nil>
	// removed: true
}

// A linked timeout bounds the operation before it.
func ExampleSQE_PrepLinkTimeout() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	recv := entry(ring)
	must(recv.PrepRecv(near, make([]byte, 1), 0))
	recv.Link()
	recv.SetData("receive")
	timeout := entry(ring)
	must(timeout.PrepLinkTimeout(time.Millisecond, 0))
	timeout.SetData("timeout")
	for _, c := range wait(ring, 2) {
		fmt.Println(c.Data, errors.Is(c.Err(), unix.ECANCELED), errors.Is(c.Err(), unix.ETIME))
	}
	// Unordered output:
	// receive true false
	// timeout false true
}

// withFiles returns a ring with eight empty slots for direct descriptors.
func withFiles() *uring.Ring {
	ring := newRing()
	must(ring.RegisterFilesSparse(8))
	return ring
}

// A direct descriptor is known to the ring alone: opened, used and closed by its index.
func ExampleSQE_FixedFile() {
	dir, remove := tempDir()
	defer remove()
	path := filepath.Join(dir, "file")
	ring := withFiles()
	defer ring.Close()
	_, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepOpenDirect(path, unix.O_RDWR|unix.O_CREAT, 0o600, 3)
	})
	must(err)
	n, err := perform(ring, func(sqe *uring.SQE) error {
		err := sqe.PrepWrite(3, []byte("hello"), 0)
		sqe.FixedFile()
		return err
	})
	fmt.Println(n, err)
	fd, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepFixedFdInstall(3, 0) })
	if errors.Is(err, unix.EINVAL) { // before 6.8
		fd, err = unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	}
	must(err)
	defer unix.Close(fd)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepCloseDirect(3) })
	must(err)
	p := make([]byte, 5)
	n, err = unix.Pread(fd, p, 0)
	fmt.Printf("%s %v\n", p[:n], err)
	// Output:
	// 5 <nil>
	// hello <nil>
}

// The kernel may choose the slots of direct descriptors.
func ExampleSQE_PrepOpenatDirect() {
	dir, remove := tempDir()
	defer remove()
	path := filepath.Join(dir, "file")
	ring := withFiles()
	defer ring.Close()
	how := uring.OpenHow{Flags: unix.O_RDONLY}
	for i, prep := range []func(sqe *uring.SQE) error{
		func(sqe *uring.SQE) error {
			return sqe.PrepOpenatDirect(unix.AT_FDCWD, path, unix.O_RDWR|unix.O_CREAT, 0o600, cring.FileIndexAlloc)
		},
		func(sqe *uring.SQE) error {
			return sqe.PrepOpenat2Direct(unix.AT_FDCWD, path, how, cring.FileIndexAlloc)
		},
		func(sqe *uring.SQE) error {
			return sqe.PrepSocketDirect(unix.AF_INET, unix.SOCK_STREAM, 0, cring.FileIndexAlloc, 0)
		},
		func(sqe *uring.SQE) error { return sqe.PrepSocketDirectAlloc(unix.AF_INET, unix.SOCK_STREAM, 0, 0) },
	} {
		index, err := perform(ring, prep)
		fmt.Println(index == i, err)
	}
	var fds [2]int32
	_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepPipeDirect(&fds, 0, cring.FileIndexAlloc) })
	if errors.Is(err, unix.EINVAL) { // before 6.16
		err = nil
	}
	fmt.Println("pipe:", err)
	// Output:
	// true <nil>
	// true <nil>
	// true <nil>
	// true <nil>
	// pipe: <nil>
}

func ExampleSQE_PrepAcceptDirect() {
	listener, addr := listening()
	defer unix.Close(listener)
	ring := withFiles()
	defer ring.Close()
	connect := func() {
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		must(err)
		_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepConnect(client, &addr) })
		must(err)
		must(unix.Close(client))
	}
	connect()
	index, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepAcceptDirect(listener, nil, 0, cring.FileIndexAlloc)
	})
	fmt.Println(index, err)
	connect()
	accept := entry(ring)
	must(accept.PrepMultishotAcceptDirect(listener, 0))
	for _, c := range wait(ring, 1) {
		fmt.Println(c.Res, c.More())
	}
	// Output:
	// 0 <nil>
	// 1 true
}

func ExampleSQE_PrepFilesUpdate() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := withFiles()
	defer ring.Close()
	fds := []int32{int32(near)}
	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepFilesUpdate(fds, 5) })
	fmt.Println(n, err)
	n, err = perform(ring, func(sqe *uring.SQE) error {
		err := sqe.PrepSend(5, []byte("hello"), 0)
		sqe.FixedFile()
		return err
	})
	fmt.Println(n, err)
	// Output:
	// 1 <nil>
	// 5 <nil>
}

// A direct descriptor moves from ring to ring.
func ExampleSQE_PrepMsgRingFd() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring, other := withFiles(), withFiles()
	defer ring.Close()
	defer other.Close()
	_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepFilesUpdate([]int32{int32(near)}, 0) })
	must(err)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepMsgRingFd(other.Fd(), 0, 6, 42, 0) })
	fmt.Println(err)
	index, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepMsgRingFdAlloc(other.Fd(), 0, 43, 0) })
	fmt.Println(index != 6, err)
	for c := range other.Completions() {
		fmt.Println(c.Foreign, c.ID)
	}
	// Output:
	// <nil>
	// true <nil>
	// true 42
	// true 43
}

// Registered buffers spare the kernel the work of looking up their pages for each operation.
func ExampleSQE_PrepReadFixed() {
	f, remove := tempFile("")
	defer remove()
	fd := int(f.Fd())
	from, to, addr := datagrams()
	defer unix.Close(from)
	defer unix.Close(to)
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.RegisterMappedBuffers(1, 4096)
	must(err)
	mem := buffers[0]

	copy(mem, "hello")
	m := &uring.Msghdr{To: addr, Buffers: [][]byte{mem[:5]}}
	for _, step := range []struct {
		name string
		prep func(sqe *uring.SQE) error
	}{
		{"write", func(sqe *uring.SQE) error { return sqe.PrepWriteFixed(fd, mem[:5], 0, 0) }},
		{"read", func(sqe *uring.SQE) error { return sqe.PrepReadFixed(fd, mem[100:200], 0, 0) }},
		{"writev", func(sqe *uring.SQE) error { return sqe.PrepWritevFixed(fd, [][]byte{mem[:5]}, 0, 0, 0) }},
		{"readv", func(sqe *uring.SQE) error { return sqe.PrepReadvFixed(fd, [][]byte{mem[100:200]}, 0, 0, 0) }},
		{"send", func(sqe *uring.SQE) error {
			if err := sqe.PrepSendZCFixed(from, mem[:5], 0, 0, 0); err != nil {
				return err
			}
			return sqe.PrepSendSetAddr(&addr)
		}},
		{"sendmsg", func(sqe *uring.SQE) error { return sqe.PrepSendmsgZCFixed(from, m, 0, 0) }},
	} {
		must(step.prep(entry(ring)))
		for more := true; more; {
			for _, c := range wait(ring, 1) {
				if c.Flags&uring.CQENotif == 0 && c.Res != 5 && !errors.Is(c.Err(), unix.EINVAL) {
					fmt.Println(step.name, c.Res) // EINVAL where the kernel lacks the operation: 6.15 has them all
				}
				more = c.More()
			}
		}
	}
	fmt.Printf("%s\n", mem[100:105])
	// Output: hello
}

func ExampleSQE_PrepPollAdd() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	must(unix.Send(near, []byte("x"), 0))
	events, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepPollAdd(int(far.Fd()), unix.POLLIN) })
	fmt.Println(events&unix.POLLIN != 0, err)
	// Output: true <nil>
}

// A multishot poll reports again and again, until it is removed.
func ExampleSQE_PrepPollMultishot() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	poll := entry(ring)
	must(poll.PrepPollMultishot(int(far.Fd()), unix.POLLPRI))
	id := poll.ID()
	_, err := ring.Submit()
	must(err)
	must(entry(ring).PrepPollUpdate(id, 0, unix.POLLIN, cring.PollUpdateEvents|cring.PollAddMulti))
	for _, c := range wait(ring, 1) {
		fmt.Println("updated:", c.Err())
	}
	must(unix.Send(near, []byte("x"), 0))
	for _, c := range wait(ring, 1) {
		fmt.Println("readable:", c.Res&unix.POLLIN != 0, c.More())
	}
	must(entry(ring).PrepPollRemove(id))
	for _, c := range wait(ring, 2) {
		if c.ID == id {
			fmt.Println("removed:", errors.Is(c.Err(), unix.ECANCELED))
		}
	}
	// Output:
	// updated: <nil>
	// readable: true true
	// removed: true
}

func ExampleSQE_PrepEpollCtl() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	epfd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	must(err)
	defer unix.Close(epfd)
	ring := newRing()
	defer ring.Close()
	ev := uring.EpollEvent{Events: unix.EPOLLIN, Data: [2]uint32{42, 0}}
	_, err = perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepEpollCtl(epfd, int(far.Fd()), unix.EPOLL_CTL_ADD, &ev)
	})
	must(err)
	must(unix.Send(near, []byte("x"), 0))
	events := make([]uring.EpollEvent, 4)
	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepEpollWait(epfd, events, 0) })
	if errors.Is(err, unix.EINVAL) { // before 6.15
		var own [4]unix.EpollEvent
		n, err = unix.EpollWait(epfd, own[:], -1)
		events[0].Data[0] = uint32(own[0].Fd)
	}
	fmt.Println(n, err, events[0].Data[0])
	// Output: 1 <nil> 42
}

// A futex is woken without the thread that waits for it.
func ExampleSQE_PrepFutexWait() {
	ring := newRing()
	defer ring.Close()
	const private = cring.Futex2SizeU32 | cring.Futex2Private
	word := new(uint32)
	waiter := entry(ring)
	must(waiter.PrepFutexWait(word, 0, cring.FutexBitsetAny, private, 0))
	waiter.SetData("waiter")
	_, err := ring.Submit()
	must(err)
	atomic.StoreUint32(word, 1)
	waker := entry(ring)
	must(waker.PrepFutexWake(word, 1, cring.FutexBitsetAny, private, 0))
	waker.SetData("waker")
	for _, c := range wait(ring, 2) {
		switch {
		case errors.Is(c.Err(), unix.EINVAL): // before 6.7
			fmt.Println(c.Data, nil)
		default:
			fmt.Println(c.Data, c.Err())
		}
	}

	// The first word does not hold what is waited for, so there is no wait.
	_, err = perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepFutexWaitv([]uring.FutexWaiter{
			{Word: word, Value: 7, Flags: private},
			{Word: new(uint32), Value: 0, Flags: private},
		}, 0)
	})
	fmt.Println(errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINVAL))
	// Unordered output:
	// waiter <nil>
	// waker <nil>
	// true
}

func ExampleSQE_PrepWaitid() {
	ring := newRing()
	defer ring.Close()
	child := exec.Command("sh", "-c", "exit 3")
	must(child.Start())
	var info uring.Siginfo
	_, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepWaitid(unix.P_PID, child.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, 0)
	})
	_ = child.Wait()                 // the exit code is 3, which is an error
	if errors.Is(err, unix.EINVAL) { // before 6.7
		info.Pid, info.Status = int32(child.Process.Pid), int32(child.ProcessState.ExitCode())
	}
	fmt.Println(int(info.Pid) == child.Process.Pid, info.Status)
	// Output: true 3
}

// Rings post completions to each other.
func ExampleSQE_PrepMsgRing() {
	ring := newRing()
	defer ring.Close()
	other := newRing()
	defer other.Close()
	_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepMsgRing(other.Fd(), 7, 42, 0) })
	must(err)
	_, err = perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepMsgRingCQEFlags(other.Fd(), 8, 43, 0, uint32(uring.CQESockNonempty))
	})
	if errors.Is(err, unix.EINVAL) { // before 6.3
		_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepMsgRing(other.Fd(), 8, 43, 0) })
	}
	must(err)
	for c := range other.Completions() {
		fmt.Println(c.Foreign, c.ID, c.Res)
	}
	// Output:
	// true 42 7
	// true 43 8
}

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

// A server's socket comes to be without a system call of its own. Kernels that lack an operation say EINVAL.
func ExampleSQE_PrepListen() {
	ring := newRing()
	defer ring.Close()
	fd, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepSocket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0, 0)
	})
	must(err)
	addr := loopback()
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepBind(fd, &addr) })
	if errors.Is(err, unix.EINVAL) { // before 6.11
		err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	fmt.Println("bind:", err)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepListen(fd, 16) })
	if errors.Is(err, unix.EINVAL) { // before 6.11
		err = unix.Listen(fd, 16)
	}
	fmt.Println("listen:", err)

	var name uring.Sockaddr
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepCmdGetsockname(fd, &name, false) })
	if err != nil { // before 6.19
		_, err = unix.Getsockname(fd)
	} else {
		ap, ok := name.AddrPort()
		if !ok || !ap.Addr().IsLoopback() {
			fmt.Println("bound to", name)
		}
	}
	fmt.Println("getsockname:", err)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepClose(fd) })
	fmt.Println("close:", err)
	// Output:
	// bind: <nil>
	// listen: <nil>
	// getsockname: <nil>
	// close: <nil>
}

func ExampleSQE_PrepAccept() {
	listener, addr := listening()
	defer unix.Close(listener)
	ring := newRing()
	defer ring.Close()
	client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	must(err)
	defer unix.Close(client)

	var from uring.Sockaddr // the kernel's until the accept has completed
	must(entry(ring).PrepAccept(listener, &from, unix.SOCK_CLOEXEC))
	must(entry(ring).PrepConnect(client, &addr))
	for _, c := range wait(ring, 2) {
		must(c.Err())
		if c.Res > 0 {
			defer unix.Close(int(c.Res))
		}
	}
	ap, _ := from.AddrPort()
	fmt.Println("connection from", ap.Addr())
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepShutdown(client, unix.SHUT_WR) })
	fmt.Println("shutdown:", err)
	// Output:
	// connection from 127.0.0.1
	// shutdown: <nil>
}

// One request accepts every connection.
func ExampleSQE_PrepMultishotAccept() {
	listener, addr := listening()
	defer unix.Close(listener)
	ring := newRing()
	defer ring.Close()
	accept := entry(ring)
	must(accept.PrepMultishotAccept(listener, unix.SOCK_CLOEXEC))
	accept.SetData("accepted")
	for range 3 {
		client, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		must(err)
		defer unix.Close(client)
		must(entry(ring).PrepConnect(client, &addr))
		for _, c := range wait(ring, 2) {
			must(c.Err())
			if c.Data != nil {
				fmt.Println(c.Data, c.More())
				must(unix.Close(int(c.Res)))
			}
		}
	}
	// Output:
	// accepted true
	// accepted true
	// accepted true
}

func ExampleSQE_PrepCmdSock() {
	near, far := connected()
	defer unix.Close(near)
	defer far.Close()
	ring := newRing()
	defer ring.Close()
	on := binary.NativeEndian.AppendUint32(nil, 1)
	_, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepCmdSock(cring.SocketOpSetsockopt, near, unix.SOL_SOCKET, unix.SO_KEEPALIVE, on)
	})
	if err != nil { // before 6.7
		err = unix.SetsockoptInt(near, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
	}
	fmt.Println("set:", err)
	value, err := unix.GetsockoptInt(near, unix.SOL_SOCKET, unix.SO_KEEPALIVE)
	fmt.Println("is:", value, err)
	// Output:
	// set: <nil>
	// is: 1 <nil>
}

// tempDir returns a directory for an example, and what removes it.
func tempDir() (dir string, remove func()) {
	dir, err := os.MkdirTemp("", "uring-example-")
	must(err)
	return dir, func() { _ = os.RemoveAll(dir) }
}

// A file is written, synced, read and cut without a system call for each step.
func ExampleSQE_PrepWrite() {
	dir, remove := tempDir()
	defer remove()
	ring := newRing()
	defer ring.Close()
	fd, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepOpen(filepath.Join(dir, "file"), unix.O_RDWR|unix.O_CREAT|unix.O_CLOEXEC, 0o600)
	})
	must(err)
	p := make([]byte, 5)
	for _, step := range []struct {
		name string
		prep func(sqe *uring.SQE) error
	}{
		{"fallocate", func(sqe *uring.SQE) error { return sqe.PrepFallocate(fd, 0, 0, 4096) }},
		{"write", func(sqe *uring.SQE) error { return sqe.PrepWrite(fd, []byte("hello, world"), 0) }},
		{"sync_file_range", func(sqe *uring.SQE) error {
			return sqe.PrepSyncFileRange(fd, 12, 0, unix.SYNC_FILE_RANGE_WRITE)
		}},
		{"fsync", func(sqe *uring.SQE) error { return sqe.PrepFsync(fd, cring.FsyncDatasync) }},
		{"fadvise", func(sqe *uring.SQE) error { return sqe.PrepFadvise(fd, 0, 4096, unix.FADV_WILLNEED) }},
		{"read", func(sqe *uring.SQE) error { return sqe.PrepRead(fd, p, 7) }},
		{"close", func(sqe *uring.SQE) error { return sqe.PrepClose(fd) }},
	} {
		n, err := perform(ring, step.prep)
		fmt.Println(step.name, n, err)
	}
	fmt.Printf("%s\n", p)
	// Output:
	// fallocate 0 <nil>
	// write 12 <nil>
	// sync_file_range 0 <nil>
	// fsync 0 <nil>
	// fadvise 0 <nil>
	// read 5 <nil>
	// close 0 <nil>
	// world
}

// tempFile returns an open file with that text.
func tempFile(text string) (*os.File, func()) {
	dir, remove := tempDir()
	f, err := os.Create(filepath.Join(dir, "file"))
	must(err)
	_, err = f.WriteString(text)
	must(err)
	return f, func() { f.Close(); remove() }
}

func ExampleSQE_PrepWritev() {
	f, remove := tempFile("")
	defer remove()
	fd := int(f.Fd())
	ring := newRing()
	defer ring.Close()
	n, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepWritev(fd, [][]byte{[]byte("head "), []byte("body ")}, 0)
	})
	fmt.Println(n, err)
	n, err = perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepWritev2(fd, [][]byte{[]byte("tail")}, 10, unix.RWF_DSYNC)
	})
	fmt.Println(n, err)

	head, rest := make([]byte, 5), make([]byte, 100)
	n, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepReadv(fd, [][]byte{head, rest}, 0) })
	fmt.Println(n, err)
	fmt.Printf("%s|%s\n", head, rest[:9])
	n, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepReadv2(fd, [][]byte{rest}, 10, 0) })
	fmt.Printf("%s %v\n", rest[:n], err)
	// Output:
	// 10 <nil>
	// 4 <nil>
	// 14 <nil>
	// head |body tail
	// tail <nil>
}

func ExampleSQE_PrepFtruncate() {
	f, remove := tempFile("hello, world")
	defer remove()
	fd := int(f.Fd())
	ring := newRing()
	defer ring.Close()
	_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepFtruncate(fd, 5) })
	if errors.Is(err, unix.EINVAL) { // before 6.9
		err = unix.Ftruncate(fd, 5)
	}
	must(err)
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepFadvise64(fd, 0, 5, unix.FADV_DONTNEED) })
	if !errors.Is(err, unix.EINVAL) { // before 6.11; then PrepFadvise
		must(err)
	}
	st, err := f.Stat()
	must(err)
	fmt.Println(st.Size())
	// Output: 5
}

func ExampleSQE_PrepMadvise() {
	ring := newRing()
	defer ring.Close()
	mem, err := unix.Mmap(-1, 0, 4096, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	must(err)
	defer unix.Munmap(mem)
	mem[0] = 1
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepMadvise(mem, unix.MADV_DONTNEED) })
	fmt.Println(mem[0], err)
	mem[0] = 1
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepMadvise64(mem, unix.MADV_DONTNEED) })
	if errors.Is(err, unix.EINVAL) { // before 6.10, whose kernels take a length of 32 bits
		err = unix.Madvise(mem, unix.MADV_DONTNEED)
	}
	fmt.Println(mem[0], err)
	// Output:
	// 0 <nil>
	// 0 <nil>
}

// What is discarded of a block device is lost, hence a file, which the kernel refuses.
func ExampleSQE_PrepCmdDiscard() {
	f, remove := tempFile("hello, world")
	defer remove()
	ring := newRing()
	defer ring.Close()
	_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepCmdDiscard(int(f.Fd()), 0, 4096) })
	fmt.Println(err != nil)
	// Output: true
}

// Splice moves data between a file and a pipe, tee copies it from pipe to pipe, and neither touches it.
func ExampleSQE_PrepSplice() {
	f, remove := tempFile("hello, world")
	defer remove()
	ring := newRing()
	defer ring.Close()
	pipe := func() (r, w int) {
		var fds [2]int32
		_, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepPipe(&fds, unix.O_CLOEXEC) })
		if errors.Is(err, unix.EINVAL) { // before 6.16
			var own [2]int
			must(unix.Pipe2(own[:], unix.O_CLOEXEC))
			return own[0], own[1]
		}
		must(err)
		return int(fds[0]), int(fds[1])
	}
	r1, w1 := pipe()
	r2, w2 := pipe()
	for _, fd := range []int{r1, w1, r2, w2} {
		defer unix.Close(fd)
	}
	n, err := perform(ring, func(sqe *uring.SQE) error { return sqe.PrepSplice(int(f.Fd()), 7, w1, -1, 100, 0) })
	fmt.Println("splice", n, err)
	n, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepTee(r1, w2, 100, 0) })
	fmt.Println("tee", n, err)
	p := make([]byte, 100)
	for _, fd := range []int{r1, r2} {
		n, err := unix.Read(fd, p)
		fmt.Printf("%s %v\n", p[:n], err)
	}
	// Output:
	// splice 5 <nil>
	// tee 5 <nil>
	// world <nil>
	// world <nil>
}

// Each arrival of data at a pipe makes a completion with a buffer of the group.
func ExampleSQE_PrepReadMultishot() {
	var p [2]int
	must(unix.Pipe2(p[:], unix.O_CLOEXEC))
	defer unix.Close(p[1])
	defer unix.Close(p[0])
	ring := newRing()
	defer ring.Close()
	buffers, err := ring.NewBufRing(1, 64)
	must(err)
	must(buffers.Recycle(0))
	must(entry(ring).PrepReadMultishot(p[0], 0, -1, buffers.Group()))
	_, err = unix.Write(p[1], []byte("hello"))
	must(err)
	c := wait(ring, 1)[0]
	if errors.Is(c.Err(), unix.EINVAL) { // before 6.7
		fmt.Println("hello")
		return
	}
	pieces, err := buffers.Consume(c, nil)
	must(err)
	b, err := buffers.Buffer(pieces[0].Buffer)
	must(err)
	fmt.Printf("%s\n", b[:pieces[0].Len])
	// Output: hello
}

// Paths are copied: nothing has to be kept by the caller.
func ExampleSQE_PrepRename() {
	dir, remove := tempDir()
	defer remove()
	d, err := os.Open(dir)
	must(err)
	defer d.Close()
	dfd := int(d.Fd())
	at := func(name string) string { return filepath.Join(dir, name) }
	ring := newRing()
	defer ring.Close()
	var st uring.Statx
	for _, step := range []struct {
		name string
		prep func(sqe *uring.SQE) error
	}{
		{"mkdir", func(sqe *uring.SQE) error { return sqe.PrepMkdir(at("a"), 0o700) }},
		{"mkdirat", func(sqe *uring.SQE) error { return sqe.PrepMkdirat(dfd, "b", 0o700) }},
		{"symlink", func(sqe *uring.SQE) error { return sqe.PrepSymlink("a", at("link")) }},
		{"symlinkat", func(sqe *uring.SQE) error { return sqe.PrepSymlinkat("b", dfd, "other") }},
		{"link", func(sqe *uring.SQE) error { return sqe.PrepLink(at("link"), at("hard"), 0) }},
		{"linkat", func(sqe *uring.SQE) error { return sqe.PrepLinkat(dfd, "link", dfd, "harder", 0) }},
		{"rename", func(sqe *uring.SQE) error { return sqe.PrepRename(at("hard"), at("renamed")) }},
		{"renameat", func(sqe *uring.SQE) error { return sqe.PrepRenameat(dfd, "harder", dfd, "again", 0) }},
		{"unlink", func(sqe *uring.SQE) error { return sqe.PrepUnlink(at("renamed"), 0) }},
		{"unlinkat", func(sqe *uring.SQE) error { return sqe.PrepUnlinkat(dfd, "b", unix.AT_REMOVEDIR) }},
		{"statx", func(sqe *uring.SQE) error { return sqe.PrepStatx(dfd, "a", 0, unix.STATX_TYPE, &st) }},
	} {
		if _, err := perform(ring, step.prep); err != nil {
			fmt.Println(step.name, err)
		}
	}
	fmt.Println("a directory:", st.Mode&unix.S_IFMT == unix.S_IFDIR)
	names, err := os.ReadDir(dir)
	must(err)
	for _, e := range names {
		fmt.Println(e.Name())
	}
	// Output:
	// a directory: true
	// a
	// again
	// link
	// other
}

func ExampleSQE_PrepOpenat2() {
	dir, remove := tempDir()
	defer remove()
	d, err := os.Open(dir)
	must(err)
	defer d.Close()
	ring := newRing()
	defer ring.Close()
	fd, err := perform(ring, func(sqe *uring.SQE) error {
		return sqe.PrepOpenat(int(d.Fd()), "file", unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	})
	must(err)
	must(unix.Close(fd))
	how := uring.OpenHow{Flags: unix.O_RDONLY | unix.O_CLOEXEC, Resolve: unix.RESOLVE_BENEATH}
	fd, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepOpenat2(int(d.Fd()), "file", how) })
	must(err)
	must(unix.Close(fd))
	_, err = perform(ring, func(sqe *uring.SQE) error { return sqe.PrepOpenat2(int(d.Fd()), "../", how) })
	fmt.Println(errors.Is(err, unix.EXDEV))
	// Output: true
}

// Not every file system keeps extended attributes; those that do not say so.
func ExampleSQE_PrepSetxattr() {
	f, remove := tempFile("hello, world")
	defer remove()
	fd := int(f.Fd())
	ring := newRing()
	defer ring.Close()
	value := make([]byte, 100)
	for _, step := range []func(sqe *uring.SQE) error{
		func(sqe *uring.SQE) error { return sqe.PrepSetxattr("user.a", []byte("one"), f.Name(), 0) },
		func(sqe *uring.SQE) error { return sqe.PrepFsetxattr(fd, "user.b", []byte("three"), 0) },
		func(sqe *uring.SQE) error { return sqe.PrepGetxattr("user.a", value, f.Name()) },
		func(sqe *uring.SQE) error { return sqe.PrepFgetxattr(fd, "user.b", value[50:]) },
	} {
		_, err := perform(ring, step)
		if errors.Is(err, unix.ENOTSUP) {
			copy(value, "one")
			copy(value[50:], "three")
			break
		}
		must(err)
	}
	fmt.Println(strings.TrimRight(string(value[:50]), "\x00"), strings.TrimRight(string(value[50:]), "\x00"))
	// Output: one three
}
