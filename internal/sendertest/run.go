//go:build linux

package sendertest

import (
	"context"
	"errors"
	"os"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

// senderRun is one Sender of a property run with its peer and the model of what it was given.
type senderRun struct {
	engine   Engine
	s        Sender
	limit    int
	fd       int
	peer     *peer
	accepted int
	ends     []int // where each message ends
	handed   int   // messages handed over
	released int
	failed   bool // the peer went away
}

func (u *senderRun) took(n int) {
	if n > 0 {
		u.accepted += n
		u.ends = append(u.ends, u.accepted)
	}
}

// message draws the next bytes of the stream.
func (u *senderRun) message(t *rapid.T) []byte {
	size := rapid.OneOf(rapid.IntRange(1, 64), rapid.IntRange(1, 3000), rapid.IntRange(1, 150_000)).Draw(t, "size")
	p := make([]byte, size)
	FillStream(p, u.accepted)
	return p
}

// tolerate lets an operation fail as a Sender whose peer is gone, or whose time is up, may fail.
func (u *senderRun) tolerate(t *rapid.T, err error) bool {
	switch {
	case err == nil:
		return true
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
		require.GreaterOrEqual(t, u.peer.how.quit, 0, "the peer never went away")
		u.failed = true
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
	default:
		t.Fatalf("sender: %v", err)
	}
	return false
}

// step does one random thing with the Sender.
func (u *senderRun) step(t *rapid.T) {
	deadline := rapid.SampledFrom([]time.Duration{0, time.Millisecond, 20 * time.Millisecond}).Draw(t, "deadline")
	u.s.SetDeadline(time.Now().Add(max(deadline, time.Millisecond)))
	ops := []string{"write", "write", "writev", "fill", "hand over", "try", "flush", "submit"}
	switch rapid.SampledFrom(ops).Draw(t, "op") {
	case "write":
		n, err := u.s.Write(u.message(t))
		u.tolerate(t, err)
		for left := n; left > 0; left -= min(left, u.limit) { // one piece after the other where it is too long
			u.took(min(left, u.limit))
		}
	case "writev":
		p := u.message(t)
		cut := rapid.IntRange(0, len(p)).Draw(t, "cut")
		err := u.s.Writev([][]byte{p[:cut], nil, p[cut:]})
		if errors.Is(err, unix.EMSGSIZE) {
			require.Greater(t, len(p), u.limit)
		} else if u.tolerate(t, err) {
			u.took(len(p))
		}
	case "fill":
		n := rapid.IntRange(1, min(u.limit, 64<<10)).Draw(t, "reserved")
		p, err := u.s.Reserve(n)
		if u.tolerate(t, err) {
			n = rapid.IntRange(0, n).Draw(t, "committed")
			FillStream(p[:n], u.accepted)
			if u.tolerate(t, u.s.Commit(n)) {
				u.took(n)
			}
		}
	case "hand over":
		u.handOver(t)
	case "try":
		p := u.message(t)
		if err := u.s.TryWrite(p); !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EMSGSIZE) && u.tolerate(t, err) {
			u.took(len(p))
		}
	case "flush":
		ctx, cancel := context.WithTimeout(context.Background(), deadline+time.Microsecond)
		u.tolerate(t, u.s.Flush(ctx))
		cancel()
	case "submit":
		require.NoError(t, u.engine.Submit())
	}
	u.check(t)
}

func (u *senderRun) handOver(t *rapid.T) {
	p := u.message(t)
	p = p[:min(len(p), u.limit)]
	number, start := u.handed, u.accepted
	err := u.s.HandOver(p, func(sent int, err error) {
		require.Equal(t, number, u.released, "released out of order, or twice")
		u.released++
		require.True(t, (err == nil) == (sent == len(p)), "released with %d of %d bytes and %v", sent, len(p), err)
		require.EqualValues(t, min(max(int(u.s.Sent())-start, 0), len(p)), sent)
		clear(p) // it is ours again: whoever still reads it sends zeros
	})
	if u.tolerate(t, err) {
		u.handed++
		u.took(len(p))
	}
}

// check compares the Sender's accounts with the model.
func (u *senderRun) check(t *rapid.T) {
	require.EqualValues(t, u.accepted, u.s.Accepted())
	sent := int(u.s.Sent())
	if u.s.Err() == nil {
		require.Equal(t, u.accepted-sent, u.s.Buffered())
	}
	messages, partial := 0, sent
	for _, end := range u.ends {
		if end > sent {
			break
		}
		messages, partial = messages+1, sent-end
	}
	gotMessages, gotPartial := u.s.Progress()
	require.EqualValues(t, messages, gotMessages)
	require.Equal(t, partial, gotPartial)
}

// finish ends the Sender, by a last flush or by leaving bytes behind, and compares what the peer got.
func (u *senderRun) finish(t *rapid.T) {
	if u.peer.how.stall >= 0 {
		close(u.peer.resume)
	}
	if rapid.Bool().Draw(t, "flush at the end") && !u.failed {
		u.s.SetDeadline(time.Now().Add(30 * time.Second))
		if u.tolerate(t, u.s.Flush(context.Background())) {
			require.Zero(t, u.s.Buffered())
		}
	}
	left := u.s.Buffered()
	err := u.s.Close()
	if unsent, ok := u.engine.Unsent(err); ok {
		require.EqualValues(t, u.accepted, int(u.s.Sent())+unsent)
		require.LessOrEqual(t, unsent, left)
	} else {
		require.NoError(t, err)
	}
	u.check(t)
	require.Equal(t, u.handed, u.released, "not everything handed over was released")
	require.NoError(t, unix.Close(u.fd))
	<-u.peer.over
	u.checkPeer(t)
}

// checkPeer holds that the peer got exactly the prefix that the Sender accounts for. Of what a socket had taken
// when its peer went away, the peer has seen some prefix.
func (u *senderRun) checkPeer(t *rapid.T) {
	if u.peer.err != nil && !errors.Is(u.peer.err, unix.ECONNRESET) {
		t.Fatalf("peer: %v", u.peer.err)
	}
	if u.peer.how.quit >= 0 {
		require.LessOrEqual(t, u.peer.got, int(u.s.Sent()))
		return
	}
	require.EqualValues(t, u.s.Sent(), u.peer.got)
}
