//go:build linux

package conformance

import (
	"bytes"
	"errors"
	"runtime"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func receiveOfNothing(t *T) { // B20
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		told, results := outcomes(1)
		b.GoRecv(nil, 0, told)
		_, err := a.Send(t.Late(), []byte("data"), 0)
		t.ok(err)
		t.equal(outcome{}, <-results)
		p := make([]byte, 10)
		k, err := b.TryRecv(p, 0)
		t.ok(err)
		t.equal("data", string(p[:k]))
	})
}

func memoryStays(t *T) { // B21
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		const size = 4096
		told, results := outcomes(1)
		b.GoRecv(make([]byte, size), socketops.WaitAll, told) // of which nobody else knows
		var others [][]byte
		for range 3 {
			runtime.GC()
			others = append(others, bytes.Repeat([]byte{0xaa}, size))
		}
		_, err := a.Send(t.Late(), bytes.Repeat([]byte{0x55}, size), 0)
		t.ok(err)
		t.equal(outcome{size, nil}, <-results)
		for _, p := range others {
			t.that(!slices.Contains(p, 0x55), "what was received is in no other memory")
		}
	})
}

func listIsCopied(t *T) { // B22
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		filled := t.fill(a)
		list := [][]byte{[]byte("one "), []byte("two "), []byte("three")}
		told, results := outcomes(1)
		a.GoSendvTo(list, 0, socketops.Addr{}, told)
		clear(list)
		t.equal("one two three", string(t.receive(b, filled+13)[filled:]))
		t.equal(outcome{13, nil}, <-results)
	})
}

func sendGoesOn(t *T) { // B23
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(a)
		want := pattern(1 << 18)
		told, results := outcomes(1)
		a.GoSend(want, 0, told)
		var got []byte
		for p := make([]byte, 50_000); len(got) < len(want); {
			k, err := b.Recv(t.Late(), p, 0)
			t.ok(err)
			got = append(got, p[:k]...)
		}
		t.equal(outcome{len(want), nil}, <-results)
		t.that(bytes.Equal(want, got), "the bytes are those that were sent")
	})
}

func errorWithBytes(t *T) { // B24
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(a)
		told, results := outcomes(1)
		a.GoSend(make([]byte, tooMuch), 0, told)
		_, err := b.Recv(t.Late(), make([]byte, 1), 0)
		t.ok(err)
		t.ok(b.Close())
		r := <-results
		t.that(r.n > 0 && r.n < tooMuch, "a part has left: %d", r.n)
		t.that(errors.Is(r.err, unix.EPIPE) || errors.Is(r.err, unix.ECONNRESET), "the peer is gone: %v", r.err)
	})
}

func pollWaitsForNoQueue(t *T) { // B36
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		t.small(a)
		t.fill(a)
		sent, sends := outcomes(1)
		send := a.GoSend(make([]byte, tooMuch), 0, sent) // TCP may come to think better of a full window
		told, results := outcomes(1)
		p := make([]byte, 2)
		a.GoRecv(p, socketops.WaitAll, told)
		ready, err := a.Poll(t.Late(), socketops.PollWrite, 0)
		t.ok(err)
		t.that(!ready || n.tcp(), "there is no room, of which TCP can think better")
		ready, err = b.Poll(t.Late(), socketops.PollRead, -1)
		t.ok(err)
		t.equal(true, ready)
		set, err := t.Engine.Select(t.Late(), []*socketops.Socket{a, b}, []*socketops.Socket{a, b}, nil, -1)
		t.ok(err)
		t.equal(1, len(set.Read))
		t.that(set.Read[0] == b && slices.Contains(set.Write, b), "b has something to receive, and room")
		send.Cancel()
		t.is((<-sends).err, socketops.ErrCanceled)
		_, err = b.Send(t.Late(), []byte("ok"), 0)
		t.ok(err)
		t.equal(outcome{2, nil}, <-results)
	})
}

func blockingModeChanges(t *T) { // B37
	t.onPairs(every, func(t *T, n network, a, b *socketops.Socket) {
		told, results := outcomes(1)
		b.GoRecv(make([]byte, 1), 0, told)
		t.ok(b.SetBlocking(false))
		_, err := a.Send(t.Late(), []byte("x"), 0)
		t.ok(err)
		t.equal(outcome{1, nil}, <-results)
		_, err = b.Recv(t.Late(), make([]byte, 1), 0)
		t.is(err, socketops.ErrWouldBlock)
	})
}
