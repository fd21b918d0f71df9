//go:build linux

package uring_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
)

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
