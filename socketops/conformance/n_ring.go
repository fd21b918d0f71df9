//go:build linux

package conformance

import (
	"context"
	"errors"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func nOrderOfErrors(t *T) { // N55
	s := t.socket(kind("udp4"))
	t.ok(s.Close())
	ended, cancel := context.WithCancel(t.Late())
	cancel()
	const unknown = socketops.MsgFlags(1 << 30)
	p := make([]byte, 1)
	told, results := outcomes(1)
	errOf := func(_ int, err error) error { return err }
	_, errRecv := s.TryRecv(p, unknown)
	_, _, _, errFrom := s.RecvFrom(ended, p, unknown)
	_, errMsg := s.RecvMsg(ended, nil, unknown)
	_, errFile := s.SendFile(ended, nil, -1, 0)
	_, errPackets := s.SendPackets(ended, []socketops.Packet{{Count: -1}}, 0)
	_, errPoll := s.Poll(ended, -1, 0)
	s.GoSend(p, unknown, told)
	for i, err := range []error{
		errRecv, errFrom, errMsg, errFile, errPackets, errPoll, (<-results).err,
		errOf(s.Recv(ended, p, unknown)), errOf(s.TrySend(p, unknown)), errOf(s.Send(ended, p, unknown)),
		errOf(s.SendTo(ended, p, unknown, socketops.Addr{})), errOf(s.SendTo(ended, p, 0, nAddr("[::1]:1"))),
		errOf(s.SendvTo(ended, nil, unknown, socketops.Addr{})), errOf(s.ConnectData(ended, socketops.Addr{}, nil)),
		errOf(s.OptionInt(0, 0)), errOf(s.IOControl(socketops.IOControlFIONBIO, nil, nil)),
		s.Connect(ended, socketops.Addr{}), s.ConnectAny(ended, nil), s.Bind(socketops.Addr{}), s.Shutdown(99),
		s.SetOptionInt(0, 0, 0), s.SetOptionInt(socketops.LevelSocket, socketops.OptKeepAlive, math.MaxInt),
		s.SetOptionBytes(0, 0, nil), s.SetRawOption(0, 0, nil), s.SetReadTimeout(-1), s.SetDualMode(true),
		s.SetLinger(socketops.Linger{Enabled: true, Seconds: -1}), s.JoinGroup4(socketops.MulticastGroup4{}),
		s.JoinGroup6(socketops.MulticastGroup6{}), s.SetMulticastInterface4(-1), s.SetMulticastInterface6(-1),
		s.Disconnect(true), s.Listen(-1), s.SetIPProtectionLevel(0), s.SetBlocking(true), s.SetDeadline(time.Time{}),
	} {
		t.that(errors.Is(err, socketops.ErrClosed), "%v, of place %d, is ErrClosed", err, i)
	}
	a, b := t.pair(kind("socketpair"))
	nSend(t, a, "x")
	_, err := b.Recv(ended, p, unknown) // Arguments come before the end of the context,
	t.is(err, unix.EOPNOTSUPP)
	_, err = b.Recv(ended, p, 0) // and that before what there is.
	t.is(err, socketops.ErrCanceled)
	// Buffers that are not reached are looked at all the same.
	_, err = b.SendPackets(t.Late(), []socketops.Packet{{Data: p}, {Data: p, Count: -1}}, 0)
	t.is(err, unix.EINVAL)
	_, err = a.TryRecv(p, 0)
	t.is(err, socketops.ErrWouldBlock)
}

func nOrder(t *T) { // N58
	const each = 60
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		nSmall(t, a)
		receives := make(chan byte, each)
		for range each {
			p := make([]byte, 1)
			b.GoRecv(p, 0, func(n int, err error) { receives <- p[0] })
		}
		for i := range each {
			nSend(t, a, string([]byte{byte(i)}))
		}
		for i := range each {
			t.equal(byte(i), <-receives)
		}
		var want []byte
		told, results := outcomes(each)
		for i := range each { // more than there is room for
			p := pattern(1000 * (1 + i%7))
			for j := range p {
				p[j] = byte(i)
			}
			want = append(want, p...)
			a.GoSend(p, 0, told)
		}
		t.equal(want, t.receive(b, len(want)))
		for i := range each {
			t.equal(outcome{1000 * (1 + i%7), nil}, <-results)
		}
	})
}

func nTimeoutsAreTheLibrarys(t *T) { // N59
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		const timeout = 2 * time.Millisecond
		p := make([]byte, 1)
		told, results := outcomes(1)
		t.ok(b.SetReadTimeout(timeout))
		start := time.Now()
		_, err := b.Recv(t.Late(), p, 0)
		t.is(err, socketops.ErrTimeout)
		b.GoRecv(p, 0, told)
		t.is((<-results).err, socketops.ErrTimeout)
		_, _, _, err = b.RecvFrom(t.Late(), p, 0)
		t.is(err, socketops.ErrTimeout)
		t.that(time.Since(start) >= 3*timeout, "each has waited for %v", timeout)
		t.equal(socketops.ClassTimedOut, socketops.Classify(err))
		nSend(t, a, "x") // The socket works on.
		t.equal("x", string(t.receiveSome(b, 1)))
		if !n.stream() {
			return
		}
		nSmall(t, a)
		t.ok(a.SetWriteTimeout(timeout))
		a.GoSend(make([]byte, nTooMuch), 0, told)
		t.is((<-results).err, socketops.ErrTimeout)
		_, err = a.Sendv(t.Late(), [][]byte{make([]byte, nTooMuch)}, 0)
		t.is(err, socketops.ErrTimeout)
	})
}

func nEmptyReceiveTakesNothing(t *T) { // N60
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		told, results := outcomes(3)
		for range 3 { // which all have to wait, so that the engine has them
			b.GoRecv(nil, 0, told)
		}
		nSend(t, a, "data")
		for range 3 {
			t.equal(outcome{}, <-results)
		}
		p := make([]byte, 8)
		k, err := b.TryRecv(p, 0)
		t.ok(err)
		t.equal("data", string(p[:k]))
		if n.stream() {
			b.GoRecv(nil, 0, told)
			t.ok(a.Shutdown(socketops.ShutWrite))
			t.equal(outcome{}, <-results)
			return
		}
		b.GoRecv(nil, 0, told)
		_, err = a.Send(t.Late(), nil, 0) // An empty message is something, and stays.
		t.ok(err)
		t.equal(outcome{}, <-results)
		if n.typ == unix.SOCK_DGRAM {
			k, err = b.TryRecv(p, 0)
			t.ok(err)
			t.equal(0, k)
			_, err = b.TryRecv(p, 0)
			t.is(err, socketops.ErrWouldBlock)
		}
	})
}
