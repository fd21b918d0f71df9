//go:build linux

package conformance

import (
	"context"
	"math"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// nPolled is what Poll says without waiting.
func nPolled(t *T, s *socketops.Socket, mode socketops.PollMode) bool {
	t.Helper()
	ready, err := s.Poll(t.Late(), mode, 0)
	t.ok(err)
	return ready
}

func nPollModes(t *T) { // N19
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		ready := func(read, write, fault bool) {
			t.Helper()
			t.equal([]bool{read, write, fault}, []bool{
				nPolled(t, a, socketops.PollRead), nPolled(t, a, socketops.PollWrite), nPolled(t, a, socketops.PollError),
			})
			all := []*socketops.Socket{a}
			got, err := t.Engine.Select(t.Late(), all, all, all, 0)
			t.ok(err)
			t.equal([]bool{read, write, fault}, []bool{len(got.Read) == 1, len(got.Write) == 1, len(got.Error) == 1})
		}
		ready(false, true, false)
		nSend(t, b, "x")
		nReady(t, a, socketops.PollRead)
		ready(true, true, false)
		t.receive(a, 1)
		ready(false, true, false)
		if n.tcp() {
			_, err := b.Send(t.Late(), []byte("!"), socketops.OOB)
			t.ok(err)
			nReady(t, a, socketops.PollError)
			t.that(nPolled(t, a, socketops.PollError), "urgent data is an error's readiness")
			return
		}
		t.fill(a)
		ready(false, false, false)
		t.ok(a.Shutdown(socketops.ShutBoth))
		// Hung up is read as ready, and written only where there is room.
		t.that(nPolled(t, a, socketops.PollRead), "a socket that is hung up is ready to be read")
		t.that(!nPolled(t, a, socketops.PollError), "hung up is no error")
		_, err := b.Poll(t.Late(), socketops.PollError, -1) // which ends the wait, whatever was asked for
		t.ok(err)
	})
	t.Sub("closed by somebody else", func(t *T) {
		a, _ := t.pair(kind("socketpair"))
		t.ok(a.Close())
		_, err := a.Poll(t.Late(), socketops.PollRead, -1)
		nIsClosed(t, err)
		_, err = t.Engine.Select(t.Late(), []*socketops.Socket{a}, nil, nil, -1)
		nIsClosed(t, err)
	})
	t.Sub("refused", func(t *T) {
		s := t.socket(kind("tcp4"))
		t.is(s.TryConnect(t.nobody()), socketops.ErrInProgress)
		nReady(t, s, socketops.PollError)
		t.is(s.TryFinishConnect(), unix.ECONNREFUSED)
	})
}

func nPollTimes(t *T) { // N20, and N21 where signals interrupt
	a, b := t.pair(kind("socketpair"))
	for _, d := range []time.Duration{1, 700 * time.Microsecond, 2500 * time.Microsecond} {
		start := time.Now()
		ready, err := a.Poll(t.Late(), socketops.PollRead, d)
		t.ok(err)
		t.that(!ready && time.Since(start) >= d, "Poll waits for %v", d)
		start = time.Now()
		got, err := t.Engine.Select(t.Late(), []*socketops.Socket{a}, nil, nil, d)
		t.ok(err)
		t.that(len(got.Read) == 0 && time.Since(start) >= d, "Select waits for %v", d)
	}
	for _, d := range []time.Duration{
		-1, -2 * time.Microsecond, -999 * time.Microsecond, -time.Millisecond, -1500 * time.Microsecond,
		-2 * time.Millisecond, math.MinInt64, math.MaxInt64,
	} {
		ctx, cancel := context.WithTimeout(t.Late(), time.Millisecond) // which alone ends it
		_, err := a.Poll(ctx, socketops.PollRead, d)
		t.is(err, context.DeadlineExceeded)
		t.is(err, socketops.ErrCanceled)
		cancel()
	}
	nSend(t, b, "x")
	for _, d := range []time.Duration{math.MinInt64, -1, 0, 1, math.MaxInt64} {
		ready, err := a.Poll(t.Late(), socketops.PollRead, d)
		t.ok(err)
		t.that(ready, "what is ready is seen, whatever the time is")
	}
}

func nPollTimesInterrupted(t *T) { // N21
	nInterrupt(t)
	nPollTimes(t)
	a, _ := t.pair(kind("socketpair"))
	const d = 5 * time.Millisecond
	start := time.Now()
	_, err := a.Poll(t.Late(), socketops.PollRead, d)
	t.ok(err)
	// Signals come much more often, so a wait that began anew at each would never end.
	t.that(time.Since(start) >= d, "the whole time has passed")
}

func nNoTimeouts(t *T) { // N22
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		t.ok(l.SetReadTimeout(time.Nanosecond))
		t.ok(l.SetWriteTimeout(time.Nanosecond))
		ctx, cancel := context.WithTimeout(t.Late(), 2*time.Millisecond)
		defer cancel()
		_, _, err := l.Accept(ctx)
		t.is(err, context.DeadlineExceeded) // of the context, and not of the socket
		t.isNot(err, socketops.ErrTimeout)
		t.ok(l.SetReadDeadline(time.Unix(1, 0)))
		_, _, err = l.Accept(t.Late())
		t.is(err, socketops.ErrTimeout)
		t.ok(l.SetReadDeadline(time.Time{}))
		s := t.socket(n.client())
		t.ok(s.SetWriteTimeout(time.Nanosecond))
		t.ok(s.Connect(t.Late(), at))
		nAccept(t, l)
	})
	t.Sub("connect waits", func(t *T) {
		n := kind("unix")
		l, at := t.listening(n, 0)
		t.ok(t.socket(n).TryConnect(at))
		s := t.socket(n)
		t.ok(s.SetReadTimeout(time.Nanosecond))
		t.ok(s.SetWriteTimeout(time.Nanosecond))
		ctx, cancel := context.WithTimeout(t.Late(), 2*time.Millisecond)
		defer cancel()
		t.is(s.Connect(ctx, at), context.DeadlineExceeded)
		t.ok(s.SetWriteDeadline(time.Unix(1, 0)))
		t.is(s.Connect(t.Late(), at), socketops.ErrTimeout)
		t.ok(s.SetWriteDeadline(time.Time{}))
		nAccept(t, l)
		t.ok(s.Connect(t.Late(), at))
	})
}
