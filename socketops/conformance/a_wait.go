//go:build linux

package conformance

import (
	"context"
	"math"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// The modes of Poll, in the order of the lists of Select.
var modes = []socketops.PollMode{socketops.PollRead, socketops.PollWrite, socketops.PollError}

func readinessIsTold(t *T) { // A75
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		t.ready(false, b, socketops.PollRead, 0)
		t.ready(false, b, socketops.PollError, 0)
		t.ready(true, b, socketops.PollWrite, 0)
		t.ready(true, b, socketops.PollWrite, -1)
		start := time.Now()
		t.ready(false, b, socketops.PollRead, moment/2) // which is no look only
		t.that(time.Since(start) >= moment/2, "it waits as long as it is told")
		woken := make(chan error, 1)
		go func() {
			_, err := b.Poll(context.Background(), socketops.PollRead, math.MinInt64)
			woken <- err
		}()
		_, err := a.TrySend([]byte("x"), 0)
		t.ok(err)
		t.ok(<-woken)
		t.ready(true, b, socketops.PollRead, 0)
		t.ready(true, b, socketops.PollRead, math.MaxInt64)
		t.equal("x", t.message(b))
		t.ready(false, b, socketops.PollRead, 0)
		if !n.datagrams() {
			t.ok(a.Shutdown(socketops.ShutWrite))
			t.ready(true, b, socketops.PollRead, -1) // the end of the stream
		}
		_, err = a.Poll(over(), socketops.PollWrite, 0)
		t.is(err, socketops.ErrCanceled)
		_, err = a.Poll(t.Late(), socketops.PollError+1, -1)
		t.is(err, unix.EINVAL)
		_, err = a.Poll(t.Late(), -1, -1)
		t.is(err, unix.EINVAL)
		go func() {
			_, err := b.Poll(context.Background(), socketops.PollError, -1)
			woken <- err
		}()
		t.ok(b.Close())
		if err := <-woken; err != nil { // and not woken by what the close told the socket
			t.is(err, socketops.ErrClosed)
		}
		_, err = b.Poll(t.Late(), socketops.PollRead, 0)
		t.is(err, socketops.ErrClosed)
	})
	t.on(network.listens, func(t *T, n network) {
		l, at := t.listening(n, 1)
		t.ready(false, l, socketops.PollRead, 0)
		t.ok(t.socket(n.client()).Connect(t.Late(), at))
		t.ready(true, l, socketops.PollRead, -1)
	})
	t.Sub("states of the socket", socketStatesAreTold)
	t.Sub("many waits end with one close", func(t *T) {
		for range 5 {
			a, _ := t.socketPair(unix.SOCK_STREAM)
			errs := make(chan error)
			const waits = 10
			for range waits {
				go func() {
					_, err := a.Poll(context.Background(), socketops.PollRead, -1)
					errs <- err
				}()
			}
			t.ok(a.Close())
			for range waits {
				t.is(<-errs, socketops.ErrClosed)
			}
		}
	})
}

func socketStatesAreTold(t *T) {
	t.Sub("full", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		n := t.fill(a)
		t.ready(false, a, socketops.PollWrite, 0)
		go func() { _, _ = b.Recv(context.Background(), make([]byte, n), socketops.WaitAll) }()
		t.ready(true, a, socketops.PollWrite, -1)
	})
	t.Sub("urgent data", func(t *T) {
		a, b := t.pair(tcp4)
		_, err := a.TrySend([]byte("!"), socketops.OOB)
		t.ok(err)
		t.ready(true, b, socketops.PollError, -1)
	})
	t.Sub("an error", func(t *T) {
		s := t.socket(tcp4)
		t.is(s.TryConnect(t.nobody()), socketops.ErrInProgress)
		t.ready(true, s, socketops.PollError, -1)
		t.is(s.TryFinishConnect(), unix.ECONNREFUSED)
	})
	t.Sub("hung up", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.fill(a)
		t.ok(a.Shutdown(socketops.ShutBoth))
		t.ready(true, a, socketops.PollRead, -1)
		t.ready(false, b, socketops.PollError, -1) // which ends the wait, and is no error
		t.ready(true, t.socket(tcp4), socketops.PollRead, -1)
	})
	t.Sub("the context ends", func(t *T) {
		a, _ := t.socketPair(unix.SOCK_STREAM)
		ctx, cancel := context.WithTimeout(t.Context(), moment)
		defer cancel()
		_, err := a.Poll(ctx, socketops.PollRead, -1500*time.Microsecond)
		t.is(err, socketops.ErrCanceled)
		t.is(err, context.DeadlineExceeded)
	})
	t.Sub("another descriptor", func(t *T) {
		a, b := t.pair(tcp4)
		woken := make(chan error, 1)
		go func() {
			_, err := a.Poll(context.Background(), socketops.PollError, -1)
			woken <- err
		}()
		t.ok(a.Disconnect(true))
		if err := <-woken; err != nil { // and not ended by the shutdown, or begun on the new one
			t.is(err, socketops.ErrCanceled)
		}
		t.ends(b)
	})
}

// onLists makes a subtest for each list of Select, of which of n sockets the last becomes ready. The first is of
// another kind of readiness.
func (t *T) selectsFrom(n network) (idle, busy *socketops.Socket, wake func()) {
	idle, _ = t.pair(n)
	busy, peer := t.pair(n)
	return idle, busy, func() {
		_, err := peer.TrySend([]byte("x"), 0)
		t.ok(err)
	}
}

func manyAreWaitedFor(t *T) { // A76
	t.on(every, func(t *T, n network) {
		idle, busy, wake := t.selectsFrom(n)
		read := []*socketops.Socket{idle, busy}
		for _, d := range []time.Duration{0, moment} {
			got, err := t.Engine.Select(t.Late(), read, nil, read, d)
			t.ok(err)
			t.equal(socketops.SelectResult{}, got)
		}
		got := make(chan socketops.SelectResult, 1)
		go func() {
			r, _ := t.Engine.Select(context.Background(), read, nil, read, -1)
			got <- r
		}()
		wake()
		t.equal(socketops.SelectResult{Read: []*socketops.Socket{busy}}, <-got)
		t.equal([]*socketops.Socket{idle, busy}, read) // which is the caller's
	})
	t.Sub("woken by one of many", func(t *T) {
		var read []*socketops.Socket
		var last *socketops.Socket
		for range 100 {
			a, b := t.socketPair(unix.SOCK_STREAM)
			read, last = append(read, a), b
		}
		_, err := last.TrySend([]byte("x"), 0)
		t.ok(err)
		got, err := t.Engine.Select(t.Late(), read, nil, read, -1)
		t.ok(err)
		t.equal(socketops.SelectResult{Read: read[99:]}, got)
	})
	t.Sub("nothing to wait for is a pause", func(t *T) {
		start := time.Now()
		got, err := t.Engine.Select(t.Late(), nil, nil, nil, moment)
		t.ok(err)
		t.equal(socketops.SelectResult{}, got)
		t.that(time.Since(start) >= moment, "it waits as long as it is told")
	})
	t.Sub("cancelled", func(t *T) {
		idle, _ := t.pair(unixPair)
		ctx, cancel := context.WithTimeout(t.Context(), moment)
		defer cancel()
		_, err := t.Engine.Select(ctx, []*socketops.Socket{idle}, nil, nil, -1)
		t.is(err, socketops.ErrCanceled)
	})
}

// beyondSelect makes a socket whose descriptor is greater than any that select(2) takes.
func (t *T) beyondSelect(s *socketops.Socket) *socketops.Socket {
	t.Helper()
	const setSize = 1024 // FD_SETSIZE
	fd, err := s.Fd()
	t.ok(err)
	fd, err = unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, setSize)
	if err == unix.EINVAL || err == unix.EMFILE {
		testutil.Skip(t, testutil.NeedsPrivilege, "no descriptor beyond %d: %v", setSize, err)
	}
	t.ok(err)
	far, err := t.Engine.FromFD(fd)
	t.ok(err)
	t.Cleanup(func() { far.Close() })
	return far
}

func selectKnowsAnyDescriptor(t *T) { // A04, A77
	a, b := t.pair(unixPair)
	far := t.beyondSelect(b)
	lists := []*socketops.Socket{far}
	got, err := t.Engine.Select(t.Late(), lists, lists, lists, -1)
	t.ok(err)
	t.equal(socketops.SelectResult{Write: lists}, got)
	_, err = a.TrySend([]byte("x"), 0)
	t.ok(err)
	got, err = t.Engine.Select(t.Late(), lists, nil, lists, -1)
	t.ok(err)
	t.equal(socketops.SelectResult{Read: lists}, got)
}

func readyOnesComeInOrder(t *T) { // A80
	a, b := t.pair(tcp4)
	c, d := t.pair(tcp4)
	for _, s := range []*socketops.Socket{b, d} {
		_, err := s.TrySend([]byte("x"), 0)
		t.ok(err)
	}
	t.readable(a)
	t.readable(c)
	read, write := []*socketops.Socket{c, b, a, c, d}, []*socketops.Socket{d, a}
	t.Sub("with repetitions, and in several lists", func(t *T) {
		got, err := t.Engine.Select(t.Late(), read, write, []*socketops.Socket{a, b}, -1)
		t.ok(err)
		t.equal(socketops.SelectResult{Read: []*socketops.Socket{c, a, c}, Write: []*socketops.Socket{d, a}}, got)
		t.equal([]*socketops.Socket{c, b, a, c, d}, read)
	})
	t.Sub("urgent data", func(t *T) {
		_, err := b.TrySend([]byte("!"), socketops.OOB)
		t.ok(err)
		got, err := t.Engine.Select(t.Late(), nil, nil, []*socketops.Socket{d, a}, -1)
		t.ok(err)
		t.equal(socketops.SelectResult{Error: []*socketops.Socket{a}}, got)
	})
	t.Sub("an error gives the descriptors back", func(t *T) {
		x, y := t.socketPair(unix.SOCK_STREAM)
		t.ok(y.Close())
		_, err := t.Engine.Select(t.Late(), []*socketops.Socket{x, a}, []*socketops.Socket{y}, nil, -1)
		t.is(err, socketops.ErrClosed)
		t.ok(x.Close()) // which would wait for them
	})
	t.Sub("closed meanwhile", func(t *T) {
		x, _ := t.socketPair(unix.SOCK_STREAM)
		woken := make(chan error, 1)
		go func() {
			_, err := t.Engine.Select(context.Background(), []*socketops.Socket{d, x}, nil, nil, -1)
			woken <- err
		}()
		t.ok(x.Close())
		t.is(<-woken, socketops.ErrClosed)
	})
}

func listsAreChecked(t *T) { // A78, A81
	a, b := t.socketPair(unix.SOCK_STREAM)
	none := t.closed(unixStream)
	names := []string{"read", "write", "error"}
	for i, name := range names {
		for _, tt := range []struct {
			bad  *socketops.Socket
			want error
		}{{nil, unix.EINVAL}, {none, socketops.ErrClosed}} {
			lists := [3][]*socketops.Socket{{a}, {b}, {a}}
			lists[i] = append(lists[i], tt.bad)
			got, err := t.Engine.Select(t.Late(), lists[0], lists[1], lists[2], 0)
			t.is(err, tt.want)
			t.that(strings.Contains(err.Error(), name+" list, socket 1"), "%q names the place", err)
			t.equal(socketops.SelectResult{}, got)
		}
	}
	got, err := t.Engine.Select(t.Late(), nil, []*socketops.Socket{a}, nil, 0)
	t.ok(err)
	t.equal(socketops.SelectResult{Write: []*socketops.Socket{a}}, got)
}

func whatIsNotReadyIsLeftOut(t *T) { // A79, A82
	a, b := t.socketPair(unix.SOCK_STREAM)
	t.fill(a)
	t.ok(b.Shutdown(socketops.ShutBoth))
	both := []*socketops.Socket{a, b}
	for i, want := range []socketops.SelectResult{
		{Read: both}, // hung up is ready to read
		{},           // and not to write where there is no room
		{},           // and no error
	} {
		lists := [3][]*socketops.Socket{}
		lists[i] = both
		if modes[i] == socketops.PollWrite {
			lists[i] = both[:1]
		}
		got, err := t.Engine.Select(t.Late(), lists[0], lists[1], lists[2], -1)
		t.ok(err)
		t.equal(want, got)
	}
	t.ok(a.Close()) // The descriptors were given back.
	t.ok(b.Close())
}
