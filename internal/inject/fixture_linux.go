package main

import (
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// fixtures are what a driver needs and the library does not make. It is made without the calls that fail.
type fixtures struct {
	dir   string
	event int

	mu  sync.Mutex
	tcp [][2]int // connections that were made before
}

var fixture fixtures

// prepare makes what takes the calls that will fail, and has the runtime get the memory and the threads that it needs:
// it cannot live with refusals of those.
func (x *fixtures) prepare(dir string) error {
	x.dir = dir
	event, err := unix.Eventfd(0, unix.EFD_CLOEXEC)
	if err != nil {
		return os.NewSyscallError("eventfd", err)
	}
	x.event = event

	ballast := make([][]byte, 64)
	for i := range ballast {
		ballast[i] = make([]byte, 1<<20)
	}
	runtime.KeepAlive(ballast)
	ballast = nil
	runtime.GC()

	const threads = 24
	var begun, done group
	begun.Add(threads)
	for range threads {
		done.Go(func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			begun.Done()
			begun.Wait()
		})
	}
	done.Wait()
	return nil
}

// replenish makes the memory and the connections that a run takes.
func (x *fixtures) replenish() error {
	runtime.GC() // The next run shall have the memory of the last one.
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.tcp) < 4 {
		a, b, err := connect()
		if err != nil {
			return os.NewSyscallError("connect", err)
		}
		x.tcp = append(x.tcp, [2]int{a, b})
	}
	return nil
}

// connection returns a TCP connection that does not wait.
func (x *fixtures) connection() (a, b int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	c := x.tcp[len(x.tcp)-1]
	x.tcp = x.tcp[:len(x.tcp)-1]
	return c[0], c[1]
}

// pair returns a pair of unix sockets that do not wait.
func (x *fixtures) pair() (a, b int) {
	fds, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		panic(err)
	}
	if err := unix.SetsockoptInt(fds[0], unix.SOL_SOCKET, unix.SO_SNDBUF, 4096); err != nil {
		panic(err)
	}
	return fds[0], fds[1]
}

// file makes a file without a name that has the bytes of a flow.
func (x *fixtures) file(f *flow) *os.File {
	fd, err := unix.Open(x.dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, 0o600)
	if err != nil {
		panic(err)
	}
	file := os.NewFile(uintptr(fd), "flow")
	if f != nil {
		b := make([]byte, f.size)
		f.fill(b, 0)
		if _, err := file.Write(b); err != nil {
			panic(err)
		}
	}
	return file
}

// connect makes a TCP connection on loopback.
func connect() (a, b int, err error) {
	const kind = unix.SOCK_STREAM | unix.SOCK_CLOEXEC
	l, err := unix.Socket(unix.AF_INET, kind, 0)
	if err != nil {
		return 0, 0, err
	}
	defer unix.Close(l)
	if err := unix.Bind(l, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return 0, 0, err
	}
	if err := unix.Listen(l, 1); err != nil {
		return 0, 0, err
	}
	at, err := unix.Getsockname(l)
	if err != nil {
		return 0, 0, err
	}
	if a, err = unix.Socket(unix.AF_INET, kind, 0); err != nil {
		return 0, 0, err
	}
	if err := unix.Connect(a, at); err != nil {
		return 0, 0, err
	}
	if b, _, err = unix.Accept4(l, unix.SOCK_CLOEXEC); err != nil {
		return 0, 0, err
	}
	for _, fd := range []int{a, b} {
		if err := unix.SetNonblock(fd, true); err != nil {
			return 0, 0, err
		}
	}
	return a, b, nil
}
