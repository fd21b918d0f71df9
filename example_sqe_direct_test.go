//go:build linux

package uring_test

import (
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

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
