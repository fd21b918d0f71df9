//go:build linux

package conformance

import (
	"context"
	"encoding/binary"
	"errors"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func nConnectData(t *T) { // N32
	data := pattern(1 << 17)
	for _, fast := range []bool{false, true} {
		l, at := t.listening(kind("tcp4"), 4)
		t.ok(l.SetOptionInt(socketops.LevelTCP, socketops.OptFastOpen, 5))
		for _, p := range [][]byte{data, []byte("again"), nil} {
			s := t.socket(kind("tcp4"))
			if fast { // without the cookies that the kernel would ask the peer for at first
				t.ok(s.SetFastOpen(true))
				_ = s.SetRawOption(unix.IPPROTO_TCP, unix.TCP_FASTOPEN_NO_COOKIE, binary.NativeEndian.AppendUint32(nil, 1))
			}
			told, results := outcomes(1)
			go func() { told(s.ConnectData(t.Late(), at, p)) }()
			c := nAccept(t, l)
			if len(p) > 0 {
				t.equal(p, t.receive(c, len(p)))
			}
			t.equal(outcome{len(p), nil}, <-results)
		}
		s := t.socket(kind("tcp4"))
		if fast {
			t.ok(s.SetFastOpen(true))
		}
		k, err := s.ConnectData(t.Late(), t.nobody(), data)
		t.is(err, unix.ECONNREFUSED)
		t.equal("connect", nOp(t, err))
		t.equal(0, k)
	}
	_, at := t.listening(kind("tcp4"), 4)
	s := t.socket(kind("tcp4"))
	nSmall(t, s)
	t.ok(s.SetWriteTimeout(time.Millisecond)) // which is for the send alone (N22)
	k, err := s.ConnectData(t.Late(), at, make([]byte, nTooMuch))
	t.is(err, socketops.ErrTimeout)
	t.equal("send", nOp(t, err))
	t.that(0 < k && k < nTooMuch, "%d bytes are a part", k)
}

// nOp is what an error says was called.
func nOp(t *T, err error) string {
	t.Helper()
	var op *socketops.OpError
	t.that(errors.As(err, &op), "%v is of an operation", err)
	return op.Op
}

func nSendFile(t *T) { // N33
	data := pattern(300_000)
	f := t.file(data)
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		k, err := a.TrySendFile(f, 100, 1000)
		t.ok(err)
		t.equal(int64(1000), k)
		t.equal(data[100:1100], t.receive(b, 1000))
		for _, end := range []struct{ off, n, want int64 }{
			{int64(len(data)) - 10, 100, 10}, {int64(len(data)), 1, 0}, {int64(len(data)) + 1, -1, 0}, {5, 0, 0},
		} { // The end of the file is no error.
			k, err := a.TrySendFile(f, end.off, end.n)
			t.ok(err)
			t.equal(end.want, k)
		}
		t.equal(data[len(data)-10:], t.receive(b, 10))
		nSmall(t, a)
		told, results := outcomes(1)
		a.GoSendFile(f, 0, -1, func(n int64, err error) { told(int(n), err) }) // in parts, as they fit
		t.equal(data, t.receive(b, len(data)))
		t.equal(outcome{len(data), nil}, <-results)
	})
	t.onPairs(nNamed("tcp4", "unix"), func(t *T, n network, a, b *socketops.Socket) {
		t.fill(a)
		k, err := a.TrySendFile(f, 0, -1)
		for err == nil { // Before kernel 6.5 the last buffer of a full unix socket takes pages.
			k, err = a.TrySendFile(f, 0, -1)
		}
		t.is(err, socketops.ErrWouldBlock)
		t.equal(int64(0), k)
	})
	t.onPairs(nNamed("tcp4", "unix"), func(t *T, n network, a, b *socketops.Socket) {
		r, w, err := os.Pipe()
		t.ok(err)
		defer r.Close()
		defer w.Close()
		_, err = a.TrySendFile(r, 0, 1)
		t.is(err, unix.ESPIPE)
		want, err := os.ReadFile("/proc/version") // which has no size, and is read and sent where it has to be
		t.ok(err)
		proc, err := os.Open("/proc/version")
		t.ok(err)
		defer proc.Close()
		k, err := a.SendFile(t.Late(), proc, 0, -1)
		t.ok(err)
		t.equal(int64(len(want)), k)
		t.equal(want, t.receive(b, len(want)))
	})
}

func nDisconnectForReuse(t *T) { // N36
	t.onPairs(func(n network) bool { return n.listens() && !n.dual }, func(t *T, n network, a, b *socketops.Socket) {
		told, results := outcomes(1)
		a.GoRecv(make([]byte, 1), 0, told)
		t.ok(a.Disconnect(true))
		if r := <-results; r.err != nil { // The shutdown can be faster, which is the end of the stream.
			t.is(r.err, socketops.ErrCanceled)
		}
		_, err := nEnd(t, b)
		t.ok(err)
		t.that(!a.Connected(), "the socket is as new")
		t.is(a.Disconnect(true), unix.ENOTCONN)

		l, at := t.listening(n, 1)
		t.ok(a.Bind(t.anywhere(n)))
		before := nLocal(t, a)
		t.ok(a.Connect(t.Late(), at))
		c := nAccept(t, l)
		nSend(t, a, "again")
		t.equal("again", string(t.receiveSome(c, 5)))
		t.ok(a.Disconnect(true))
		t.that(nLocal(t, a) != before, "the local address is lost")
		if path, ok := before.UnixName(); ok && !strings.HasPrefix(path, "@") {
			_, err := os.Lstat(path)
			t.is(err, os.ErrNotExist)
		}
	})
}

// receiveSome receives once, since messages do not come in parts.
func (t *T) receiveSome(s *socketops.Socket, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	k, err := s.Recv(t.Late(), b, 0)
	t.ok(err)
	return b[:k]
}

func nShutdownNotConnected(t *T) { // N37
	for _, name := range []string{"tcp4", "tcp6", "udp4", "unix", "unixpacket"} {
		n := kind(name)
		s := t.socket(n)
		if n.family == unix.AF_UNIX {
			continue // which can be shut down at any time
		}
		t.is(s.Shutdown(socketops.ShutBoth), unix.ENOTCONN)
		t.is(s.Shutdown(socketops.ShutWrite), unix.ENOTCONN)
	}
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		for range 2 {
			for _, how := range []socketops.ShutdownHow{socketops.ShutWrite, socketops.ShutRead, socketops.ShutBoth} {
				t.ok(a.Shutdown(how))
				t.ok(b.Shutdown(how))
			}
		}
		for _, how := range []socketops.ShutdownHow{0, 4, -1} {
			t.is(a.Shutdown(how), unix.EINVAL)
		}
	})
	a, b := t.pair(kind("tcp4"))
	t.ok(b.SetLinger(socketops.Linger{Enabled: true}))
	t.ok(b.Close())
	t.is(a.RecvReady(t.Late()), unix.ECONNRESET)
	_, err := a.PeerAddr()
	t.is(err, unix.ENOTCONN)
	t.ok(a.Shutdown(socketops.ShutBoth)) // which the kernel answers with ENOTCONN
}

func nStatusAfterError(t *T) { // N38
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		stays := func(err, want error) {
			t.Helper()
			t.is(err, want)
			t.that(a.Connected(), "the socket is connected after %v", err)
		}
		p := make([]byte, 1)
		t.that(a.Connected() && b.Connected(), "both are connected")
		_, err := a.TryRecv(p, 0)
		stays(err, socketops.ErrWouldBlock)
		t.ok(a.SetReadTimeout(time.Nanosecond))
		_, err = a.Recv(t.Late(), p, 0)
		stays(err, socketops.ErrTimeout)
		ctx, cancel := context.WithCancel(t.Late())
		cancel()
		_, err = a.Recv(ctx, p, 0)
		stays(err, socketops.ErrCanceled)
		told, results := outcomes(1)
		t.ok(a.SetReadTimeout(0))
		a.GoRecv(p, 0, told).Cancel()
		stays((<-results).err, socketops.ErrCanceled)
		stays(a.SetOptionInt(socketops.LevelSocket, socketops.OptUseLoopback, 1), unix.EOPNOTSUPP)
		if n.family == unix.AF_INET {
			_, err := a.OptionBytes(socketops.LevelIP, socketops.OptAddMembership, make([]byte, 12))
			stays(err, unix.ENOPROTOOPT)
		}
		// Whatever else an operation fails with, the status is that of a connection that is lost.
		if n.listens() || n.pair {
			t.ok(b.Close())
			nUntil(t, "a send fails", func() bool {
				_, err = a.Send(t.Late(), []byte("x"), 0)
				return err != nil
			})
		} else {
			_, err = a.TrySend(make([]byte, 1<<20), 0)
			t.is(err, unix.EMSGSIZE)
		}
		t.that(err != nil && !a.Connected(), "the socket is not connected after %v", err)
	})
	t.Sub("a call", func(t *T) {
		for _, fails := range []func(s *socketops.Socket) error{
			func(s *socketops.Socket) error { return s.SetKeepAliveCount(1000) },
			func(s *socketops.Socket) error { return s.Listen(1) },
			func(s *socketops.Socket) error { return s.Bind(nAddr("127.0.0.1:0")) },
			func(s *socketops.Socket) error { _, err := s.TryRecv([]byte{0}, socketops.OOB); return err },
			func(s *socketops.Socket) error { _, err := s.TryRecv([]byte{0}, 1<<30); return err },
		} {
			a, _ := t.pair(kind("tcp4"))
			err := fails(a)
			t.that(err != nil && !a.Connected(), "the socket is not connected after %v", err)
		}
	})
	t.Sub("connected anew", func(t *T) {
		a, b := t.pair(kind("udp4"))
		_, err := a.TrySend(make([]byte, 1<<20), 0)
		t.is(err, unix.EMSGSIZE)
		t.that(!a.Connected(), "an error was one")
		t.ok(a.Connect(t.Late(), nLocal(t, b)))
		t.that(a.Connected(), "the error is forgotten")
	})
}

func nFullBacklog(t *T) { // N43
	for _, name := range []string{"unix", "unixpacket", "abstract"} {
		t.Sub(name, func(t *T) {
			n := kind(name)
			l, at := t.listening(n, 0)
			t.ok(t.socket(n).TryConnect(at))
			s := t.socket(n)
			err := s.TryConnect(at)
			t.is(err, socketops.ErrWouldBlock)
			t.equal(socketops.ClassWouldBlock, socketops.Classify(err))
			ctx, cancel := context.WithTimeout(t.Late(), time.Millisecond)
			defer cancel()
			t.is(s.Connect(ctx, at), context.DeadlineExceeded)
			errs := make(chan error, 1)
			go func() { errs <- s.Connect(t.Late(), at) }()
			nAccept(t, l)
			t.ok(<-errs)
			nAccept(t, l)
			t.that(s.Connected(), "the connection is made")
		})
	}
}

func nMissingPath(t *T) { // N44
	for _, name := range []string{"unix", "unixgram", "unixpacket"} {
		s := t.socket(kind(name))
		missing := socketops.UnixAddr(t.TempDir() + "/none")
		for _, err := range []error{s.TryConnect(missing), s.Connect(t.Late(), missing)} {
			t.is(err, unix.ENOENT)
			t.equal(socketops.ClassAddressNotAvailable, socketops.Classify(err))
		}
	}
}

func nBroadcast(t *T) { // N45
	s := t.socket(kind("udp4"))
	to := nAddr("127.255.255.255:9") // which does not leave the machine
	for _, send := range []func() error{
		func() error { _, err := s.TrySendTo([]byte("x"), 0, to); return err },
		func() error { _, err := s.SendTo(t.Late(), []byte("x"), 0, to); return err },
	} {
		err := send()
		t.is(err, unix.EACCES)
		t.equal(socketops.ClassAccessDenied, socketops.Classify(err))
	}
	// The address stays that of a socket that is not bound. The kernel has found a port by then, before it looks at what
	// it is to send; the managed runtimes do not ask.
	t.equal("0.0.0.0", nLocal(t, s).AddrPort().Addr().String())
	t.ok(s.SetBroadcast(true))
	k, err := s.TrySendTo([]byte("x"), 0, to)
	t.ok(err)
	t.equal(1, k)
}

func nImplicitBind(t *T) { // N46
	_, at := t.bound(kind("udp4"))
	s := t.socket(kind("udp4"))
	t.equal(nAddr("0.0.0.0:0"), nLocal(t, s))
	_, err := s.SendTo(t.Late(), []byte("x"), 0, at)
	t.ok(err)
	port := nLocal(t, s).AddrPort().Port()
	t.that(port != 0, "a send binds to a port")
	_, err = s.SendTo(t.Late(), []byte("x"), 0, at)
	t.ok(err)
	t.equal(port, nLocal(t, s).AddrPort().Port())
	for _, name := range []string{"tcp4", "udp4"} {
		n := kind(name)
		_, at := t.bound(n)
		if n.tcp() {
			_, at = t.listening(n, 1)
		}
		s := t.socket(n)
		t.ok(s.Connect(t.Late(), at))
		here := nLocal(t, s)
		t.equal("127.0.0.1", here.AddrPort().Addr().String())
		t.that(here.AddrPort().Port() != 0, "a connect binds to a port")
	}
}

func nLocalAddress(t *T) { // N47
	for _, tt := range []struct{ name, any, here string }{
		{"4", "0.0.0.0", "127.0.0.1"}, {"6", "::", "::1"},
	} {
		t.Sub("udp"+tt.name, func(t *T) {
			_, at := t.bound(kind("udp" + tt.name))
			for _, bound := range []bool{false, true} {
				s := t.socket(kind("udp" + tt.name))
				if bound {
					t.ok(s.Bind(nAt(tt.any, socketops.Addr{})))
				}
				_, err := s.SendTo(t.Late(), []byte("x"), 0, at)
				t.ok(err)
				t.equal(tt.any, nLocal(t, s).AddrPort().Addr().String())
			}
		})
		t.Sub("tcp"+tt.name, func(t *T) {
			_, at := t.listening(kind("tcp"+tt.name), 1)
			s := t.socket(kind("tcp" + tt.name))
			t.ok(s.Bind(nAt(tt.any, socketops.Addr{})))
			before := nLocal(t, s)
			t.equal(tt.any, before.AddrPort().Addr().String())
			t.ok(s.Connect(t.Late(), at))
			t.equal(nAt(tt.here, before), nLocal(t, s)) // and the port is the same
		})
	}
}
