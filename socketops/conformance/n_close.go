//go:build linux

package conformance

import (
	"net"
	"os"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// nIsClosed requires an error to be that of a closed socket, as everybody knows it.
func nIsClosed(t *T, err error) {
	t.Helper()
	t.is(err, socketops.ErrClosed)
	t.is(err, net.ErrClosed)
	t.equal(socketops.ClassOperationAborted, socketops.Classify(err))
}

func nClosed(t *T) { // N39
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		if n.stream() {
			nSmall(t, a)
			t.fill(a)
		}
		told, results := outcomes(4)
		p := make([]byte, 10)
		want := 2
		a.GoRecv(p, 0, told)
		a.GoRecv(p, 0, told)
		if n.stream() {
			want += 2
			a.GoSend(make([]byte, nTooMuch), 0, told)
			a.GoSend([]byte("behind it"), 0, told)
		}
		t.ok(a.Close())
		for range want {
			nIsClosed(t, (<-results).err)
		}
		_, err := a.TryRecv(p, 0)
		nIsClosed(t, err)
		_, err = a.Recv(t.Late(), p, 0)
		nIsClosed(t, err)
		_, err = a.TrySend(p, 0)
		nIsClosed(t, err)
		_, err = a.Send(t.Late(), p, 0)
		nIsClosed(t, err)
		a.GoSend(p, 0, told)
		nIsClosed(t, (<-results).err)
		_, err = a.Poll(t.Late(), socketops.PollRead, -1)
		nIsClosed(t, err)
		_, err = a.LocalAddr()
		nIsClosed(t, err)
		nIsClosed(t, a.Shutdown(socketops.ShutBoth))
		nIsClosed(t, a.SetNoDelay(true))
		t.ok(a.Close())
	})
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		errs := make(chan error, 1)
		l.GoAccept(func(_ *socketops.Socket, _ socketops.Addr, err error) { errs <- err })
		t.ok(l.Close())
		nIsClosed(t, <-errs)
		_, _, err := l.TryAccept()
		nIsClosed(t, err)
		s := t.socket(n.client())
		t.ok(s.Close())
		nIsClosed(t, s.Connect(t.Late(), at))
		nIsClosed(t, s.TryConnect(at))
	})
	t.Sub("connect in flight", nClosedWhileConnecting)
}

// nClosedWhileConnecting closes sockets whose connect waits: for a queue that is full.
func nClosedWhileConnecting(t *T) {
	_, at := t.listening(kind("unix"), 0)
	t.ok(t.socket(kind("unix")).TryConnect(at))
	s := t.socket(kind("unix"))
	errs := make(chan error, 1)
	go func() { errs <- s.Connect(t.Late(), at) }()
	t.ok(s.Close())
	nIsClosed(t, <-errs)
}

func nBrokenPipe(t *T) { // N40
	file := t.file(pattern(100))
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.ok(b.Close())
		broken := func(send func() error) {
			t.Helper()
			var err error
			nUntil(t, "the other end's going is noticed", func() bool {
				err = send()
				return err != nil
			})
			if n.tcp() && socketops.Classify(err) == socketops.ClassConnectionReset {
				err = send() // The kernel tells of the reset once, and then of the pipe.
			}
			t.is(err, unix.EPIPE)
			t.equal(socketops.ClassShutdown, socketops.Classify(err))
		}
		// A signal would end the process: it is nobody's whom the runtime does not know.
		broken(func() error { _, err := a.TrySend([]byte("x"), 0); return err })
		broken(func() error { _, err := a.Send(t.Late(), []byte("x"), 0); return err })
		broken(func() error { _, err := a.Sendv(t.Late(), [][]byte{{1}, {2}}, 0); return err })
		broken(func() error { _, err := a.SendFile(t.Late(), file, 0, -1); return err })
		told, results := outcomes(1)
		broken(func() error { a.GoSend([]byte("x"), 0, told); return (<-results).err })
		broken(func() error { a.GoSendvTo([][]byte{{1}}, 0, socketops.Addr{}, told); return (<-results).err })
	})
}

// nEnd receives what a peer has left behind, and returns how much that is and why there is no more.
func nEnd(t *T, s *socketops.Socket) (n int, err error) {
	t.Helper()
	p := make([]byte, 1<<16)
	for {
		k, err := s.Recv(t.Late(), p, 0)
		if n += k; k == 0 || err != nil {
			return n, err
		}
	}
}

func nCloseWakes(t *T) { // N50
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		shared, err := unix.Dup(nFd(t, a)) // so that the descriptor's end is not the connection's
		t.ok(err)
		defer unix.Close(shared)
		p := make([]byte, 8)
		told, results := outcomes(2)
		a.GoRecv(p, 0, told)
		errs := make(chan error, 2)
		go func() {
			_, err := a.Poll(t.Late(), socketops.PollError, -1)
			errs <- err
		}()
		go func() {
			_, err := a.Recv(t.Late(), p, 0)
			errs <- err
		}()
		t.ok(a.Close())
		nIsClosed(t, (<-results).err)
		nIsClosed(t, <-errs)
		nIsClosed(t, <-errs)
		copy(p, "the kernel is done with it")
		if !n.stream() {
			return
		}
		_, err = nEnd(t, b)
		if n.tcp() {
			t.is(err, unix.ECONNRESET)
		} else {
			t.ok(err)
		}
	})
	t.Sub("listening", func(t *T) {
		l, at := t.listening(kind("tcp4"), 1)
		shared, err := unix.Dup(nFd(t, l))
		t.ok(err)
		errs := make(chan error, 1)
		l.GoAccept(func(_ *socketops.Socket, _ socketops.Addr, err error) { errs <- err })
		t.ok(l.Close())
		nIsClosed(t, <-errs)
		again, err := t.Engine.FromFD(shared) // Whoever else has it goes on.
		t.ok(err)
		t.ok(t.socket(kind("tcp4")).Connect(t.Late(), at))
		nAccept(t, again)
	})
}

func nAbortiveClose(t *T) { // N51
	for _, tt := range []struct {
		name            string
		cut, shut, wait bool
		reset           bool
	}{
		{name: "nothing cut off"},
		{name: "a receive cut off", cut: true, reset: true},
		{name: "a send cut off", wait: true, reset: true},
		{name: "a receive cut off after a shutdown", cut: true, shut: true},
	} {
		t.Sub(tt.name, func(t *T) {
			t.onPairs(network.tcp, func(t *T, n network, a, b *socketops.Socket) {
				told, results := outcomes(2)
				if tt.shut {
					t.ok(a.Shutdown(socketops.ShutWrite))
				}
				if tt.cut {
					a.GoRecv(make([]byte, 1), 0, told)
				}
				if tt.wait {
					nSmall(t, a)
					a.GoSend(make([]byte, nTooMuch), 0, told)
				}
				t.ok(a.Close())
				_, err := nEnd(t, b)
				if tt.reset {
					t.is(err, unix.ECONNRESET)
				} else {
					t.ok(err)
				}
				if tt.cut || tt.wait {
					nIsClosed(t, (<-results).err)
				}
			})
		})
	}
}

func nLingeringClose(t *T) { // N52
	t.onPairs(nNamed("tcp4", "tcp6"), func(t *T, n network, a, b *socketops.Socket) {
		sent := t.fill(a)
		t.ok(a.SetLinger(socketops.Linger{Enabled: true, Seconds: int(late.Seconds())}))
		var reads atomic.Bool
		closed := make(chan error, 1)
		go func() {
			err := a.Close()
			if !reads.Load() {
				t.Error("a close that lingers returned before anything was read")
			}
			closed <- err
		}()
		nUntil(t, "the socket is being closed", func() bool {
			_, err := a.TryRecv(nil, 0)
			return socketops.Classify(err) == socketops.ClassOperationAborted
		})
		reads.Store(true)
		got, err := nEnd(t, b)
		t.ok(err)
		t.equal(sent, got)
		t.ok(<-closed)
	})
	t.onPairs(nNamed("tcp4"), func(t *T, n network, a, b *socketops.Socket) {
		t.ok(a.SetLinger(socketops.Linger{Enabled: true}))
		t.ok(a.Close())
		_, err := nEnd(t, b)
		t.is(err, unix.ECONNRESET)
		t.ok(b.Close()) // A reset connection closes well.
	})
}

func nPathIsRemoved(t *T) { // N53
	there := func(t *T, path string) bool {
		_, err := os.Lstat(path)
		return err == nil
	}
	for _, name := range []string{"unix", "unixgram", "unixpacket"} {
		t.Sub(name, func(t *T) {
			n := kind(name)
			s, at := t.bound(n)
			path, _ := at.UnixName()
			if n.listens() { // Those that are accepted have the name, and not the path.
				t.ok(s.Listen(1))
				t.ok(t.socket(n).Connect(t.Late(), at))
				c := nAccept(t, s)
				t.equal(at, nLocal(t, c))
				t.ok(c.Close())
			}
			t.that(there(t, path), "a bound path exists")
			t.ok(s.Close())
			t.that(!there(t, path), "Close removes the path")

			s = t.socket(n)
			t.ok(s.Bind(at))
			t.ok(s.SetUnlinkOnClose(false))
			t.ok(s.Close())
			t.that(there(t, path), "Close leaves the path where it was told so")
			nIsClosed(t, s.SetUnlinkOnClose(true))

			s = t.socket(n)
			t.is(s.Bind(at), unix.EADDRINUSE)
			t.ok(s.Close())
			t.that(there(t, path), "Close leaves a path that is not the socket's")

			t.ok(os.Remove(path))
			s = t.socket(n)
			t.ok(s.Bind(at))
			t.ok(os.Remove(path))
			t.ok(s.Close()) // It is no error that somebody was faster.
		})
	}
}
