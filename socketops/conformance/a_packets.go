//go:build linux

package conformance

import (
	"context"
	"errors"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func packetsAreSent(t *T) { // A85
	data := pattern(200 << 10)
	f := t.file(data)
	t.onPairs(network.stream, func(t *T, _ network, a, b *socketops.Socket) {
		t.tight(a, b)
		elems := []socketops.Packet{
			{Data: []byte("head")},
			{},
			{File: f, Offset: 10, Count: 20},
			{Data: []byte{}},
			{Path: f.Name()},
			{File: f, Offset: int64(len(data))},
			{File: f, Offset: int64(len(data)) - 5},
			{Data: []byte("tail")},
		}
		want := slices.Concat([]byte("head"), data[10:30], data, data[len(data)-5:], []byte("tail"))
		kept := slices.Clone(elems)
		before := t.descriptors()
		sent := make(chan outcome, 1)
		go func() {
			n, err := a.SendPackets(context.Background(), elems, 0)
			sent <- outcome{int(n), err}
		}()
		t.equal(want, t.receive(b, len(want)))
		t.equal(outcome{len(want), nil}, <-sent)
		t.equal(kept, elems)
		t.equal(before, t.descriptors())
		n, err := a.SendPackets(t.Late(), nil, 0)
		t.ok(err)
		t.equal(int64(0), n)
		_, err = a.SendPackets(t.Late(), []socketops.Packet{{Data: []byte("x")}}, 4)
		t.is(err, errors.ErrUnsupported)
		t.quiet(b)
		n, err = a.SendPackets(over(), elems, 0)
		t.equal(socketops.ClassOperationAborted, socketops.Classify(err))
		t.equal(int64(0), n)
		t.ok(a.Close())
		_, err = a.SendPackets(t.Late(), elems, 0)
		t.is(err, socketops.ErrClosed)
	})
	t.onPairs(network.messages, func(t *T, _ network, a, b *socketops.Socket) {
		list := []socketops.Packet{{Data: []byte("one")}, {Data: []byte{}}, {Data: []byte("two")}}
		n, err := a.SendPackets(t.Late(), list, 0)
		t.ok(err)
		t.equal(int64(6), n)
		for _, want := range []string{"one", "", "two"} {
			t.equal(want, t.message(b))
		}
	})
	t.Sub("refused", packetsAreRefused)
	t.Sub("broken off", packetsAreBrokenOff)
	t.Sub("the end", packetsAreTheLast)
}

func packetsAreRefused(t *T) {
	const size = 1000
	f := t.file(pattern(size))
	missing := filepath.Join(t.TempDir(), "missing")
	for name, tt := range map[string]struct {
		bad  socketops.Packet
		sent int // of the five bytes before it
		err  error
	}{
		"more than the file has":         {socketops.Packet{File: f, Count: size + 1}, 5, unix.EINVAL},
		"more than is left of the file":  {socketops.Packet{File: f, Offset: size - 1, Count: 2}, 5, unix.EINVAL},
		"behind the end of the file":     {socketops.Packet{File: f, Offset: size + 1}, 5, unix.EINVAL},
		"too much of a file that it has": {socketops.Packet{Path: f.Name(), Count: size + 1}, 5, unix.EINVAL},
		"a path without a file":          {socketops.Packet{Path: missing}, 0, unix.ENOENT},
		"a negative offset":              {socketops.Packet{File: f, Offset: -1}, 0, unix.EINVAL},
		"a negative count":               {socketops.Packet{File: f, Count: -1}, 0, unix.EINVAL},
		"memory and a file":              {socketops.Packet{File: f, Data: []byte("x")}, 0, unix.EINVAL},
		"a part of memory":               {socketops.Packet{Data: []byte("xyz"), Count: 1}, 0, unix.EINVAL},
		"a part of nothing":              {socketops.Packet{Count: 1}, 0, unix.EINVAL},
	} {
		t.Sub(name, func(t *T) {
			a, b := t.pair(tcp4)
			before := t.descriptors()
			list := []socketops.Packet{{Data: []byte("first")}, tt.bad, {Data: []byte("never")}}
			n, err := a.SendPackets(t.Late(), list, socketops.PacketsDisconnect)
			t.is(err, tt.err)
			t.equal(int64(tt.sent), n)
			t.equal(before, t.descriptors())
			t.equal(true, a.Connected()) // An error disconnects nothing.
			t.ok(a.Shutdown(socketops.ShutWrite))
			t.equal("first"[:tt.sent], string(t.receive(b, tt.sent)))
			t.ends(b)
		})
	}
}

func packetsAreBrokenOff(t *T) {
	data := pattern(tooMuch)
	f := t.file(data)
	list := []socketops.Packet{{Data: []byte("first")}, {File: f}, {Data: data}}
	want := slices.Concat([]byte("first"), data, data)
	part := func(t *T, b *socketops.Socket, n int64, err error, op string) {
		t.Helper()
		t.that(n > 5 && n < int64(len(want)), "a part is sent: %d", n)
		t.equal(want[:n], t.receive(b, int(n)))
		t.quiet(b)
		var failed *socketops.OpError
		t.equal(true, errors.As(err, &failed))
		t.equal(op, failed.Op)
	}
	t.Sub("by the time-out", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.tight(a, b)
		t.ok(a.SetWriteTimeout(aWhile))
		n, err := a.SendPackets(t.Late(), list, 0)
		t.is(err, socketops.ErrTimeout)
		part(t, b, n, err, "sendfile")
	})
	t.Sub("by a cancellation", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.tight(a, b)
		ctx, cancel := context.WithCancel(t.Context())
		go func() {
			defer cancel()
			for there, err := 0, error(nil); there <= len("first") && err == nil; there, err = b.Available() {
				runtime.Gosched()
			}
		}()
		n, err := a.SendPackets(ctx, list, 0)
		t.is(err, socketops.ErrCanceled)
		part(t, b, n, err, "sendfile")
	})
	t.Sub("on a socket that does not wait", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.tight(a, b)
		t.ok(a.SetBlocking(false))
		n, err := a.SendPackets(t.Late(), list, socketops.PacketsDisconnect)
		t.is(err, socketops.ErrWouldBlock)
		part(t, b, n, err, "sendfile")
		t.equal(true, a.Connected())
	})
	t.Sub("by the peer", func(t *T) {
		a, b := t.socketPair(unix.SOCK_STREAM)
		t.ok(b.Close())
		for op, packet := range map[string]socketops.Packet{"send": list[0], "sendfile": list[1]} {
			_, err := a.SendPackets(t.Late(), []socketops.Packet{packet}, 0)
			t.equal(&socketops.OpError{Op: op, Err: unix.EPIPE}, err)
		}
	})
}

func packetsAreTheLast(t *T) {
	for name, tt := range map[string]struct {
		opt   socketops.SendPacketsOptions
		again error // of another connection
	}{
		"disconnect": {socketops.PacketsDisconnect, unix.EISCONN},
		"reuse":      {socketops.PacketsReuseSocket, nil},
		"both":       {socketops.PacketsDisconnect | socketops.PacketsReuseSocket, nil},
	} {
		t.Sub(name, func(t *T) {
			a, b := t.pair(tcp4)
			_, at := t.listening(tcp4, 1)
			n, err := a.SendPackets(t.Late(), []socketops.Packet{{Data: []byte("bye")}}, tt.opt)
			t.ok(err)
			t.equal(int64(3), n)
			t.equal("bye", string(t.receive(b, 3)))
			t.ends(b)
			if err = a.Connect(t.Late(), at); tt.again == nil {
				t.ok(err)
			} else {
				t.is(err, tt.again)
			}
		})
	}
}
