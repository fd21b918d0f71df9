//go:build linux

package conformance

import (
	"encoding/binary"
	"errors"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// nInterrupt sends signals to all threads of the process until the test ends, which the runtime does not mind: it
// preempts goroutines by them.
func nInterrupt(t *T) {
	t.Helper()
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-over:
				return
			case <-time.After(100 * time.Microsecond): // so that others get to run
			}
			threads, _ := os.ReadDir("/proc/self/task")
			for _, thread := range threads {
				id, _ := strconv.Atoi(thread.Name())
				_ = unix.Tgkill(unix.Getpid(), id, unix.SIGURG) // which may be gone
			}
		}
	}()
	t.Cleanup(func() {
		close(over)
		<-ended
	})
}

func nInterrupted(t *T) { // N05
	nInterrupt(t)
	data := pattern(1 << 18)
	t.on(network.listens, func(t *T, n network) {
		a, b := t.pair(n)
		const wait = 3 * time.Millisecond
		start := time.Now()
		ready, err := b.Poll(t.Late(), socketops.PollRead, wait)
		t.ok(err)
		t.that(!ready && time.Since(start) >= wait, "an interrupted wait goes on for the rest of its time")
		if !n.stream() {
			return
		}
		told, results := outcomes(1)
		a.GoSend(data, 0, told)
		t.equal(data, t.receive(b, len(data)))
		t.equal(outcome{len(data), nil}, <-results)
	})
	t.Sub("refused", func(t *T) {
		t.is(t.socket(kind("tcp4")).Connect(t.Late(), t.nobody()), unix.ECONNREFUSED)
	})
}

// nKnownFlags are those that transfers take.
const nKnownFlags = socketops.OOB | socketops.Peek | socketops.DontRoute | socketops.Truncated | socketops.CtrlTrunc |
	socketops.ErrQueue | socketops.DontWait | socketops.EOR | socketops.WaitAll | socketops.More | socketops.FastOpen

func nFlagsIn(t *T) { // N06
	t.onPairs(nNamed("tcp4", "unix", "udp4"), func(t *T, n network, a, b *socketops.Socket) {
		nSend(t, a, "stays")
		nReady(t, b, socketops.PollRead)
		told, results := outcomes(2)
		for bit := range 31 {
			f := socketops.MsgFlags(1) << bit
			if f == socketops.OOB && n.family == unix.AF_UNIX {
				continue // Before kernel 5.15 these have no urgent data, and say so in the same words.
			}
			if f&nKnownFlags != 0 {
				_, err := a.TryRecv(make([]byte, 1), f)
				t.isNot(err, unix.EOPNOTSUPP)
				continue
			}
			p := []byte{0}
			_, err := b.TryRecv(p, f)
			t.is(err, unix.EOPNOTSUPP)
			_, err = b.Recv(t.Late(), p, f)
			t.is(err, unix.EOPNOTSUPP)
			_, _, _, err = b.TryRecvFrom(p, f|socketops.Peek)
			t.is(err, unix.EOPNOTSUPP)
			_, err = b.TryRecvMsg([][]byte{p}, f)
			t.is(err, unix.EOPNOTSUPP)
			b.GoRecv(p, f, told)
			t.is((<-results).err, unix.EOPNOTSUPP)
			_, err = a.TrySend(p, f)
			t.is(err, unix.EOPNOTSUPP)
			_, err = a.TrySendv([][]byte{p}, f)
			t.is(err, unix.EOPNOTSUPP)
			a.GoSend(p, f, told)
			t.is((<-results).err, unix.EOPNOTSUPP)
			t.equal(socketops.ClassOperationNotSupported, socketops.Classify((err)))
		}
		p := make([]byte, 100)
		k, err := b.TryRecv(p, 0) // The kernel has seen none of them.
		t.ok(err)
		t.equal("stays", string(p[:k]))
		_, err = b.TryRecv(p, 0)
		t.is(err, socketops.ErrWouldBlock)
	})
}

func nFlagsOut(t *T) { // N07
	t.Sub("none, and truncated", func(t *T) {
		a, b := t.pair(kind("udp4"))
		for _, want := range []socketops.MsgFlags{0, socketops.Truncated} {
			nSend(t, a, "abcd"[:3+want/socketops.Truncated])
			m, err := b.RecvMsg(t.Late(), [][]byte{make([]byte, 3)}, 0)
			t.ok(err)
			t.equal(3, m.N)
			t.equal(want, m.Flags)
		}
	})
	t.Sub("out of band", func(t *T) {
		a, b := t.pair(kind("tcp4"))
		_, err := a.Send(t.Late(), []byte("!"), socketops.OOB)
		t.ok(err)
		nReady(t, b, socketops.PollError)
		p := []byte{0}
		n, flags, err := b.Recvv(t.Late(), [][]byte{p}, socketops.OOB)
		t.ok(err)
		t.equal([]any{1, "!", socketops.OOB}, []any{n, string(p), flags})
	})
	t.Sub("control data lost", func(t *T) {
		a, b := t.pair(kind("udp4"))
		on := binary.NativeEndian.AppendUint32(nil, 1)
		t.ok(b.SetRawOption(unix.SOL_SOCKET, unix.SO_TIMESTAMPNS, on)) // for all of which a receive has no room
		t.ok(b.SetRawOption(unix.IPPROTO_IP, unix.IP_RECVTTL, on))
		t.ok(b.SetRawOption(unix.IPPROTO_IP, unix.IP_RECVTOS, on))
		t.ok(b.SetRecvPacketInfo(true))
		nSend(t, a, "x")
		m, err := b.RecvMsg(t.Late(), [][]byte{make([]byte, 3)}, 0)
		t.ok(err)
		t.equal([]any{1, socketops.CtrlTrunc}, []any{m.N, m.Flags})
	})
	t.Sub("queue of errors", func(t *T) {
		s, at := nRefused(t, func(s *socketops.Socket) {
			t.ok(s.SetRawOption(unix.IPPROTO_IP, unix.IP_RECVERR, binary.NativeEndian.AppendUint32(nil, 1)))
		})
		p := make([]byte, 8)
		n, from, flags, err := s.TryRecvFrom(p, socketops.ErrQueue)
		t.ok(err)
		t.equal("x", string(p[:n]))
		t.equal(at, from)
		t.equal(socketops.ErrQueue, flags&^socketops.CtrlTrunc) // with control data that nobody asked for
	})
}

func nManySegments(t *T) { // N08
	const most = 1024
	segments := func(n int) [][]byte {
		all, list := pattern(n), make([][]byte, n)
		for i := range list {
			list[i] = all[i : i+1]
		}
		return list
	}
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		if n.stream() {
			k, err := a.Sendv(t.Late(), segments(3*most), 0)
			t.ok(err)
			t.equal(3*most, k)
			t.equal(pattern(3*most), t.receive(b, k))
			nSend(t, a, string(pattern(2*most)))
			nUntil(t, "all has arrived", func() bool { there, err := b.Available(); return err != nil || there == 2*most })
			k, _, err = b.TryRecvv(segments(2*most), 0)
			t.ok(err)
			t.equal(most, k)
			t.equal(pattern(2 * most)[most:], t.receive(b, most))
			return
		}
		_, err := a.TrySendv(segments(most+1), 0)
		t.is(err, unix.EMSGSIZE)
		k, err := a.TrySendv(segments(most), 0)
		t.ok(err)
		t.equal(most, k)
		p := make([]byte, 2*most)
		k, err = b.Recv(t.Late(), p, 0)
		t.ok(err)
		t.equal(pattern(most), p[:k])
		_, err = b.TryRecv(p, 0) // It was one, and of the one that was too much nothing has come.
		t.is(err, socketops.ErrWouldBlock)
		_, _, err = b.TryRecvv(segments(most+1), 0)
		t.is(err, unix.EMSGSIZE)
	})
}

func nNullPointers(t *T) { // N09
	empty := [][]byte{nil, {}, make([]byte, 0, 8), pattern(8)[4:4]}
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		p := make([]byte, 8)
		arrives := func(k int, err error) {
			t.Helper()
			t.ok(err)
			t.equal(0, k)
			if !n.stream() { // where it is a message
				k, err = b.Recv(t.Late(), p, 0)
				t.ok(err)
				t.equal(0, k)
			}
		}
		for _, e := range empty {
			arrives(a.TrySend(e, 0))
			arrives(a.Send(t.Late(), e, 0))
			arrives(a.TrySendTo(e, 0, socketops.Addr{}))
			arrives(a.TrySendv([][]byte{e}, 0))
			_, err := b.TryRecv(e, 0)
			t.is(err, socketops.ErrWouldBlock)
			_, _, _, err = b.TryRecvFrom(e, 0)
			t.is(err, socketops.ErrWouldBlock)
		}
		arrives(a.TrySendv(nil, 0))
		arrives(a.Sendv(t.Late(), empty, 0))
		nSend(t, a, "data")
		for _, e := range empty {
			k, err := b.Recv(t.Late(), e, 0)
			t.ok(err)
			t.equal(0, k)
		}
		k, _, err := b.Recvv(t.Late(), [][]byte{nil, p[:2], {}, p[2:]}, 0)
		t.ok(err)
		t.equal("data", string(p[:k]))
	})
}

// nUnreadable are buffers of a byte each, as many as one system call takes, and one that nobody can read.
func nUnreadable(t *T) [][]byte {
	t.Helper()
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON)
	t.ok(err)
	t.Cleanup(func() {
		if err := unix.Munmap(page); err != nil {
			t.Error(err)
		}
	})
	var bufs [][]byte
	for range 1024 {
		bufs = append(bufs, []byte("x"))
	}
	return append(bufs, page)
}

func nSwallowedError(t *T) { // N10
	bufs := nUnreadable(t)
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		told, results := outcomes(1)
		go func() { told(a.TrySendv(bufs, 0)) }() // whose second system call fails
		r := <-results
		if r.err == nil {
			_, r.err = a.TrySendv(bufs[r.n:], 0)
		}
		t.is(r.err, unix.EFAULT)
		t.equal(1024, r.n)
		t.equal(1024, len(t.receive(b, r.n)))
		n1, err := a.Sendv(t.Late(), bufs, 0) // The waiting form has both.
		t.is(err, unix.EFAULT)
		t.equal(1024, n1)
		t.equal(1024, len(t.receive(b, n1)))
		nSend(t, a, "goes on")
		t.equal("goes on", string(t.receive(b, 7)))
	})
}

func nNonBlockingSend(t *T) { // N11
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		if n.udp() {
			return // whose datagrams get lost
		}
		nSmall(t, a)
		t.ok(a.SetBlocking(false))
		if n.stream() {
			k, err := a.Send(t.Late(), make([]byte, nTooMuch), 0)
			t.ok(err)
			t.that(0 < k && k < nTooMuch, "%d bytes are a part", k)
		}
		t.fillUp(a)
		k, err := a.Send(t.Late(), make([]byte, 4096), 0)
		t.is(err, socketops.ErrWouldBlock)
		t.equal(0, k)
	})
}

func nWholeSend(t *T) { // N12
	data := pattern(1 << 18)
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		nSmall(t, a)
		t.ok(b.SetRecvBuffer(1 << 18)) // or TCP's window grows with what is received, until all fits
		told, results := outcomes(1)
		send := func(p []byte) {
			go func() { told(a.Send(t.Late(), p, 0)) }()
		}
		send(data)
		t.equal(data, t.receive(b, len(data)))
		t.equal(outcome{len(data), nil}, <-results)

		t.ok(a.SetWriteTimeout(time.Millisecond))
		send(make([]byte, nTooMuch))
		late := <-results
		t.is(late.err, socketops.ErrTimeout)
		t.that(0 < late.n && late.n < nTooMuch, "%d bytes are a part", late.n)
		t.receive(b, late.n)
		_, err := b.TryRecv(make([]byte, 1), 0)
		t.is(err, socketops.ErrWouldBlock)

		t.ok(a.SetWriteTimeout(0))
		send(make([]byte, nTooMuch))
		nReady(t, b, socketops.PollRead)
		t.ok(a.Close())
		closed := <-results
		t.is(closed.err, socketops.ErrClosed)
		t.that(0 < closed.n && closed.n < nTooMuch, "%d bytes are a part", closed.n)
	})
}

func nErrorNotTimeout(t *T) { // N13
	bufs := nUnreadable(t)
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.ok(a.SetWriteTimeout(late))
		k, err := a.Sendv(t.Late(), bufs, 0)
		t.is(err, unix.EFAULT)
		t.isNot(err, socketops.ErrTimeout)
		t.equal(1024, k)
		nSmall(t, a)
		told, results := outcomes(1)
		a.GoSend(make([]byte, nTooMuch), 0, told)
		nReady(t, b, socketops.PollRead)
		nUntil(t, "the send has begun", func() bool { there, err := b.Available(); return err != nil || there > k })
		t.ok(b.Close()) // with data that nobody has received
		r := <-results
		t.that(errors.Is(r.err, unix.ECONNRESET) || errors.Is(r.err, unix.EPIPE), "%v says what has happened", r.err)
		t.that(r.n > 0, "what was sent before is told")
	})
}

func nSendTimeout(t *T) { // N14
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		const timeout = 10 * time.Millisecond
		nSmall(t, a)
		t.ok(a.SetWriteTimeout(timeout))
		start := time.Now()
		told, results := outcomes(1)
		go func() { told(a.Send(t.Late(), make([]byte, nTooMuch), 0)) }()
		tick := time.NewTicker(timeout / 10) // The send gets on again and again, which does not prolong it.
		defer tick.Stop()
		p := make([]byte, 1<<11)
		got := 0
		for {
			select {
			case <-tick.C:
				k, err := b.TryRecv(p, 0)
				t.that(err == nil || errors.Is(err, socketops.ErrWouldBlock), "%v is none", err)
				got += k
				continue
			case r := <-results:
				t.is(r.err, socketops.ErrTimeout)
				t.that(time.Since(start) >= timeout, "the time-out has passed")
				t.that(0 < r.n && r.n < nTooMuch, "%d bytes are a part", r.n)
				if r.n > got { // A receive of nothing would wait.
					t.receive(b, r.n-got)
				}
			}
			return
		}
	})
}

func nEmptyReceive(t *T) { // N15
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		nothing := func(k int, err error) {
			t.Helper()
			t.ok(err)
			t.equal(0, k)
		}
		_, err := b.TryRecv(nil, 0)
		t.is(err, socketops.ErrWouldBlock)
		told, results := outcomes(2)
		b.GoRecv(nil, 0, told)
		go func() { told(0, b.RecvReady(t.Late())) }()
		nSend(t, a, "data")
		t.equal(outcome{}, <-results)
		t.equal(outcome{}, <-results)
		nothing(b.TryRecv([]byte{}, 0))
		nothing(b.Recv(t.Late(), nil, 0))
		p := make([]byte, 8)
		k, err := b.Recv(t.Late(), p, 0)
		t.ok(err)
		t.equal("data", string(p[:k]))
		if n.typ == unix.SOCK_DGRAM {
			return
		}
		t.ok(a.Shutdown(socketops.ShutWrite))
		nothing(b.Recv(t.Late(), nil, 0))
		t.ok(b.RecvReady(t.Late()))
	})
	t.onPairs(network.tcp, func(t *T, n network, a, b *socketops.Socket) {
		t.ok(a.SetLinger(socketops.Linger{Enabled: true}))
		t.ok(a.Close())
		t.is(b.RecvReady(t.Late()), unix.ECONNRESET)
	})
}
