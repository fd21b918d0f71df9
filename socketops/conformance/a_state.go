//go:build linux

package conformance

import (
	"errors"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func socketsDoNotWait(t *T) { // A37
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		t.equal(true, b.Blocking())
		t.ok(b.SetBlocking(false))
		t.equal(false, b.Blocking())
		_, err := b.Recv(t.Late(), make([]byte, 1), 0)
		t.is(err, socketops.ErrWouldBlock)
		t.ok(b.SetBlocking(true))
		t.equal(true, b.Blocking())
		told, results := outcomes(1)
		b.GoRecv(make([]byte, 4), 0, told)
		_, err = a.Send(t.Late(), []byte("wait"), 0)
		t.ok(err)
		t.equal(outcome{4, nil}, <-results)
		t.descriptorFlags(b) // whose mode is as it was
		t.ok(b.Close())
		t.is(b.SetBlocking(false), socketops.ErrClosed)
	})
}

func availableBytesAreCounted(t *T) { // A39
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		available := func(want int) {
			t.Helper()
			got, err := b.Available()
			t.ok(err)
			t.equal(want, got)
		}
		available(0)
		for _, text := range []string{"12345", "123"} {
			_, err := a.Send(t.Late(), []byte(text), 0)
			t.ok(err)
		}
		if n.datagrams() {
			t.readable(b)
			available(5) // of the next datagram
			t.equal("12345", t.message(b))
			t.readable(b)
			available(3)
			t.equal("123", t.message(b))
			_, err := a.Send(t.Late(), nil, 0)
			t.ok(err)
			t.readable(b)
			available(0)
		} else {
			t.until(func() bool { k, err := b.Available(); return err != nil || k == 8 })
			available(8)
		}
		t.ok(b.Close())
		k, err := b.Available()
		t.is(err, socketops.ErrClosed)
		t.equal(0, k)
	})
	t.on(network.listens, func(t *T, n network) {
		l, _ := t.listening(n, 1)
		k, err := l.Available()
		t.is(err, unix.EINVAL)
		t.equal(0, k)
	})
}

func theMarkIsTold(t *T) { // A40
	t.onPairs(network.tcp, func(t *T, n network, a, b *socketops.Socket) {
		at := func(want bool) {
			t.Helper()
			got, err := b.AtOutOfBandMark()
			t.ok(err)
			t.equal(want, got)
		}
		at(false)
		_, err := a.Send(t.Late(), []byte("ab"), 0)
		t.ok(err)
		_, err = a.Send(t.Late(), []byte("!"), socketops.OOB)
		t.ok(err)
		_, err = a.Send(t.Late(), []byte("c"), 0)
		t.ok(err)
		t.ready(true, b, socketops.PollError, -1)
		at(false)
		room := make([]byte, 9)
		k, err := b.Recv(t.Late(), room, 0) // as far as the mark
		t.ok(err)
		t.equal("ab", string(room[:k]))
		at(true)
		k, err = b.TryRecv(room, socketops.OOB)
		t.ok(err)
		t.equal("!", string(room[:k]))
		at(true) // still
		t.equal("c", t.message(b))
		at(false)
		t.ok(b.Close())
		_, err = b.AtOutOfBandMark()
		t.is(err, socketops.ErrClosed)
	})
	t.Sub("datagrams have none", func(t *T) {
		_, err := t.socket(udp4).AtOutOfBandMark()
		t.that(err != nil, "it is refused")
	})
}

func numbersAreTold(t *T) { // A59
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		_, err := a.Send(t.Late(), []byte("hello"), 0)
		t.ok(err)
		t.readable(b)
		out := append(native(0), 9, 9)
		k, err := b.IOControl(socketops.IOControlFIONREAD, nil, out)
		t.ok(err)
		t.equal(4, k)
		t.equal(append(native(5), 9, 9), out)
		for _, code := range []socketops.IOControlCode{socketops.IOControlFIONREAD, socketops.IOControlSIOCATMARK} {
			for _, short := range [][]byte{nil, {}, {1, 2, 3}} {
				k, err := b.IOControl(code, nil, short)
				t.is(err, unix.EFAULT)
				t.equal(0, k)
			}
		}
		k, err = b.IOControl(socketops.IOControlFIONBIO, native(1), nil)
		t.is(err, socketops.ErrBlockingMode)
		t.equal(0, k)
		t.equal(true, b.Blocking())
		for _, code := range []socketops.IOControlCode{0, unix.TIOCINQ, 0x98000004} {
			k, err := b.IOControl(code, native(1), out)
			t.is(err, errors.ErrUnsupported)
			t.is(err, unix.EOPNOTSUPP)
			t.equal(0, k)
		}
		t.ok(b.Close())
		_, err = b.IOControl(socketops.IOControlFIONREAD, nil, out)
		t.is(err, socketops.ErrClosed)
	})
	t.Sub("the mark", func(t *T) {
		a, b := t.pair(tcp4)
		for _, want := range []int{0, 1} {
			out := native(7)
			k, err := b.IOControl(socketops.IOControlSIOCATMARK, nil, out)
			t.ok(err)
			t.equal(4, k)
			t.equal(native(want), out)
			_, err = a.Send(t.Late(), []byte("!"), socketops.OOB)
			t.ok(err)
			t.ready(true, b, socketops.PollError, -1)
		}
	})
	t.Sub("refused by the kernel", func(t *T) {
		l, _ := t.listening(tcp4, 1)
		out := native(7)
		k, err := l.IOControl(socketops.IOControlFIONREAD, nil, out)
		t.is(err, unix.EINVAL)
		t.equal(0, k)
		t.equal(native(7), out)
	})
}

func directionsAreShutDown(t *T) { // A83
	t.onPairs(func(n network) bool { return !n.datagrams() }, func(t *T, n network, a, b *socketops.Socket) {
		for _, how := range []socketops.ShutdownHow{0, 4, 7, -1} {
			t.is(a.Shutdown(how), unix.EINVAL)
		}
		t.works(a, b)
		t.ok(a.Shutdown(socketops.ShutWrite))
		t.ends(b)
		_, err := a.Send(t.Late(), []byte("x"), 0)
		t.is(err, unix.EPIPE)
		_, err = b.Send(t.Late(), []byte("the other way"), 0)
		t.ok(err)
		t.equal("the other way", string(t.receive(a, 13)))
		t.ok(a.Shutdown(socketops.ShutRead))
		t.ends(a)
		t.ok(a.Shutdown(socketops.ShutBoth)) // once more
		t.ok(a.Close())
		t.is(a.Shutdown(socketops.ShutBoth), socketops.ErrClosed)
	})
	t.onPairs(network.stream, func(t *T, _ network, a, b *socketops.Socket) { // What waits is woken.
		told, results := outcomes(1)
		a.GoRecv(make([]byte, 1), 0, told)
		t.ok(a.Shutdown(socketops.ShutRead))
		t.equal(outcome{}, <-results)
	})
	t.on(network.binds, func(t *T, n network) {
		if !n.ip() {
			return
		}
		for _, how := range []socketops.ShutdownHow{socketops.ShutRead, socketops.ShutWrite, socketops.ShutBoth} {
			t.is(t.socket(n).Shutdown(how), unix.ENOTCONN)
		}
	})
	t.Sub("it was connected once", func(t *T) {
		a, b := t.pair(tcp4)
		t.ok(b.SetLinger(socketops.Linger{Enabled: true}))
		t.ok(b.Close())
		t.readable(a)
		_, err := a.PeerAddr()
		t.is(err, unix.ENOTCONN)
		t.ok(a.Shutdown(socketops.ShutBoth)) // though that is what the kernel says
	})
}

func connectionsAreEnded(t *T) { // A86
	t.on(network.tcp, func(t *T, n network) { t.disconnects(n) })
	t.onPairs(func(n network) bool { return !n.datagrams() }, func(t *T, n network, a, b *socketops.Socket) {
		t.ok(a.Disconnect(false))
		t.equal(false, a.Connected())
		t.ends(b)
		t.ok(a.Disconnect(false))
		t.is(a.TryConnect(socketops.UnixAddr("/")), unix.EISCONN)
		t.ok(a.Disconnect(true))
		t.equal(false, a.Connected())
		if n.stream() {
			t.is(a.TryConnect(socketops.UnixAddr(t.TempDir()+"/none")), t.noSuch(n, a))
		}
		t.ok(a.Close())
		t.is(a.Disconnect(true), socketops.ErrClosed)
	})
	t.Sub("never connected", func(t *T) {
		s := t.socket(tcp4)
		for _, reuse := range []bool{false, true} {
			t.is(s.Disconnect(reuse), unix.ENOTCONN)
		}
		l, at := t.listening(tcp4, 1)
		t.ok(s.Connect(t.Late(), at)) // and it is as it was
		c, _ := t.accept(l)
		t.works(s, c)
	})
	t.Sub("what waits ends", func(t *T) {
		a, _ := t.pair(tcp4)
		told, results := outcomes(2)
		a.GoRecv(make([]byte, 1), 0, told)
		a.GoRecv(make([]byte, 1), 0, told)
		t.ok(a.Disconnect(true))
		for range 2 { // The shutdown ends them where it comes first.
			if r := <-results; r.err != nil {
				t.is(r.err, socketops.ErrCanceled)
			}
		}
		_, err := a.TryRecv(make([]byte, 1), 0)
		t.is(err, unix.ENOTCONN) // of the new descriptor
	})
}

// noSuch is what a new descriptor says of a path that is not there.
func (t *T) noSuch(n network, s *socketops.Socket) error {
	if s.Family() == unix.AF_UNIX {
		return unix.ENOENT
	}
	return unix.EAFNOSUPPORT
}

// disconnects holds that a socket is disconnected, and connected again to others.
func (t *T) disconnects(n network) {
	a, b := t.pair(n)
	t.ok(a.SetKeepAlive(true))
	before := t.descriptors()
	for range 3 {
		t.ok(a.Disconnect(true))
		t.equal(false, a.Connected())
		t.ends(b)
		t.ok(b.Close())
		before-- // of b
		t.equal(before, t.descriptors())
		t.is(a.Disconnect(true), unix.ENOTCONN) // as if it were new
		on, err := a.KeepAlive()
		t.ok(err)
		t.equal(true, on)
		l, at := t.listening(n, 1)
		t.ok(a.Connect(t.Late(), at))
		b, _ = t.accept(l)
		t.ok(l.Close())
		before++
		t.works(a, b)
	}
}
