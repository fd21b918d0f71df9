//go:build linux

package uring_test

import (
	"errors"
	"fmt"
	"os/exec"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

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
