//go:build linux

package aio

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring/internal/sendertest"
)

// watchedMover holds, of every window, what no window may break.
type watchedMover struct {
	mover
	t require.TestingT
}

// move (SPEC I2, I3).
func (m *watchedMover) move(window []*task) (int, error) {
	require.LessOrEqual(m.t, len(window), m.slots())
	type lane struct {
		socket *Socket
		dir    direction
	}
	seen := map[lane]bool{}
	for _, tr := range window {
		require.NotZero(m.t, tr.left, "nothing to do")
		require.False(m.t, seen[lane{tr.socket, tr.dir}], "two transfers of a direction at a time")
		seen[lane{tr.socket, tr.dir}] = true
	}
	n, err := m.mover.move(window)
	if c, ok := m.mover.(*contextMover); ok {
		require.Equal(m.t, Stats{}, c.ctx.Stats(), "every event was read, every slot given back")
	}
	return n, err
}

// batchPair is a socket of the Batcher, its peer and the model of both streams.
type batchPair struct {
	s           *Socket
	peer        int
	sent, read  int // bytes that the Batcher sent, and of these what the peer has read
	wrote, recv int // bytes that the peer wrote, and of these what the Batcher has received
	gone        bool
}

// peerStep has the peer do something, without waiting.
func (p *batchPair) peerStep(t *rapid.T) {
	buf := make([]byte, rapid.SampledFrom([]int{100, 5000, 300_000}).Draw(t, "peer bytes"))
	switch rapid.SampledFrom([]string{"read", "read", "write", "write", "close"}).Draw(t, "peer") {
	case "read":
		n, err := unix.Read(p.peer, buf)
		if !errors.Is(err, unix.EAGAIN) {
			require.NoError(t, err)
			p.check(t, buf[:n])
		}
	case "write":
		sendertest.FillStream(buf, p.wrote)
		n, err := unix.Write(p.peer, buf)
		if !errors.Is(err, unix.EAGAIN) {
			require.NoError(t, err)
			p.wrote += n
		}
	case "close":
		if rapid.IntRange(0, 4).Draw(t, "really") == 0 {
			p.gone = true
			require.NoError(t, unix.Close(p.peer))
		}
	}
}

// check compares what the peer has read.
func (p *batchPair) check(t *rapid.T, got []byte) {
	for i, c := range got {
		if want := sendertest.StreamByte(p.read + i); c != want {
			t.Fatalf("byte %d of the stream is %#x, want %#x", p.read+i, c, want)
		}
	}
	p.read += len(got)
	require.LessOrEqual(t, p.read, p.sent)
}

// batchRun is a Batcher with its sockets.
type batchRun struct {
	b     *Batcher
	pairs []*batchPair
}

// drawOps makes up a batch, with several transfers on one socket.
func (u *batchRun) drawOps(t *rapid.T, sends bool) (ops []Op, of []*batchPair) {
	next := map[*batchPair]int{}
	for i := range rapid.IntRange(0, 8).Draw(t, "ops") {
		p := u.pairs[rapid.IntRange(0, len(u.pairs)-1).Draw(t, "pair")]
		size := rapid.OneOf(rapid.IntRange(0, 100), rapid.IntRange(0, 200_000)).Draw(t, "size")
		if !sends {
			size++
		}
		whole := make([]byte, size)
		if sends {
			sendertest.FillStream(whole, p.sent+next[p])
			next[p] += size
		}
		cut := rapid.IntRange(0, size).Draw(t, "cut")
		ops = append(ops, Op{Socket: p.s, Bufs: [][]byte{whole[:cut], nil, whole[cut:]}, Token: uint64(i) << 40})
		of = append(of, p)
	}
	return ops, of
}

// step makes one batch, and compares every result.
func (u *batchRun) step(t *rapid.T) {
	how := rapid.SampledFrom([]string{"TrySend", "TryRecv", "Send", "Recv"}).Draw(t, "call")
	sends := how == "TrySend" || how == "Send"
	ops, of := u.drawOps(t, sends)
	ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
	defer cancel()
	out := []Result{{N: -1, Token: 1}} // is not to shine through
	var err error
	switch how {
	case "TrySend":
		out, err = u.b.TrySend(ops, out)
	case "TryRecv":
		out, err = u.b.TryRecv(ops, out)
	case "Send":
		out, err = u.b.Send(ctx, ops, out)
	case "Recv":
		out, err = u.b.Recv(ctx, ops, out)
	}
	if err != nil {
		require.ErrorIs(t, err, context.DeadlineExceeded)
	}
	require.Len(t, out, len(ops))
	ended := map[*batchPair]error{}
	for i, r := range out {
		require.Equal(t, ops[i].Token, r.Token)
		if before := ended[of[i]]; before != nil {
			require.Equal(t, Result{Token: r.Token, Err: before}, r, "behind one that ended short")
			continue
		}
		ended[of[i]] = r.Err
		if sends {
			of[i].sentOne(t, ops[i], r)
		} else {
			of[i].receivedOne(t, ops[i], r)
		}
	}
	require.Zero(t, u.b.waiting)
	require.Zero(t, u.b.open)
	require.Empty(t, u.b.todo)
}

func (p *batchPair) sentOne(t *rapid.T, op Op, r Result) {
	p.sent += r.N
	want := size(op.Bufs)
	require.True(t, (r.Err == nil) == (r.N == want), "%d of %d bytes and %v", r.N, want, r.Err)
	p.tolerate(t, r.Err)
}

func (p *batchPair) receivedOne(t *rapid.T, op Op, r Result) {
	left := r.N
	for _, buf := range op.Bufs {
		n := min(left, len(buf))
		for i, c := range buf[:n] {
			require.Equal(t, sendertest.StreamByte(p.recv+i), c)
		}
		p.recv += n
		left -= n
	}
	require.Zero(t, left)
	require.LessOrEqual(t, p.recv, p.wrote)
	if r.N == 0 && r.Err == nil {
		require.True(t, p.gone, "the end of a stream that has not ended")
	}
	p.tolerate(t, r.Err)
}

// tolerate lets a transfer fail as it may.
func (p *batchPair) tolerate(t *rapid.T, err error) {
	switch {
	case err == nil, errors.Is(err, ErrWouldBlock), errors.Is(err, context.DeadlineExceeded):
	case errors.Is(err, unix.EPIPE), errors.Is(err, unix.ECONNRESET):
		require.True(t, p.gone, "%v", err)
	default:
		t.Fatalf("transfer: %v", err)
	}
}

// finish ends a pair: the peer gets what was sent, and nothing else.
func (p *batchPair) finish(t *rapid.T) {
	require.NoError(t, p.s.Close())
	defer unix.Close(p.s.FD())
	if p.gone {
		return
	}
	defer unix.Close(p.peer)
	require.NoError(t, unix.Shutdown(p.s.FD(), unix.SHUT_WR))
	require.NoError(t, unix.SetNonblock(p.peer, false))
	buf := make([]byte, 1<<16)
	for {
		n, err := unix.Read(p.peer, buf)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		require.NoError(t, err)
		if n == 0 {
			break
		}
		p.check(t, buf[:n])
	}
	require.Equal(t, p.sent, p.read)
}

// newBatchPair connects two sockets.
func newBatchPair(t *rapid.T, b *Batcher) *batchPair {
	near, far := sendertest.Pair(t, rapid.SampledFrom([]string{"tcp", "unix"}).Draw(t, "network"))
	require.NoError(t, unix.SetNonblock(far, true))
	if b.refuseBlocking || rapid.Bool().Draw(t, "O_NONBLOCK") {
		require.NoError(t, unix.SetNonblock(near, true))
	}
	if n := rapid.SampledFrom([]int{0, 1, 20_000}).Draw(t, "SO_SNDBUF"); n > 0 {
		require.NoError(t, unix.SetsockoptInt(near, unix.SOL_SOCKET, unix.SO_SNDBUF, n))
		require.NoError(t, unix.SetsockoptInt(far, unix.SOL_SOCKET, unix.SO_RCVBUF, max(n, 20_000)))
	}
	s, err := b.Socket(near)
	require.NoError(t, err)
	return &batchPair{s: s, peer: far}
}

// TestBatchesAreExact (SPEC I1 to I5, I7; C19 to C24, C29, C30) drives random batches over sockets of every kind
// against peers that read, write and go away, and compares every byte and every result. Run it longer with
// -rapid.checks.
func TestBatchesAreExact(t *testing.T) {
	exact := func(size int, opts ...BatchOption) func(t *testing.T) {
		return func(t *testing.T) {
			t.Parallel() // most of the time is spent on waiting for peers
			batchesAreExact(t, newBatcher(t, size, opts...))
		}
	}
	t.Run("2 slots", exact(2))
	t.Run("64 slots", exact(64))
	t.Run("sendmsg", exact(4, WithSyscalls()))
}

func batchesAreExact(t *testing.T, b *Batcher) {
	watched := &watchedMover{mover: b.mover}
	defer func() { b.mover = watched.mover }()
	rapid.Check(t, func(t *rapid.T) {
		watched.t, b.mover = t, watched
		u := &batchRun{b: b}
		for range rapid.IntRange(1, 4).Draw(t, "pairs") {
			u.pairs = append(u.pairs, newBatchPair(t, b))
		}
		for range rapid.IntRange(1, 30).Draw(t, "steps") {
			p := u.pairs[rapid.IntRange(0, len(u.pairs)-1).Draw(t, "peer of")]
			if rapid.Bool().Draw(t, "batch") || p.gone {
				u.step(t)
			} else {
				p.peerStep(t)
			}
		}
		for _, p := range u.pairs {
			p.finish(t)
		}
		b.mover = watched.mover
		requireIdle(t, b)
	})
}

// testedBatcher is a Batcher as the tests of Senders want it.
type testedBatcher struct{ *Batcher }

// testedSender closes its Socket with itself, before the test closes the descriptor.
type testedSender struct{ *Sender }

func (s testedSender) Close() error {
	err := s.Sender.Close()
	if e := s.Socket().Close(); e != nil {
		return e
	}
	return err
}

func (b testedBatcher) NewSender(t *rapid.T, fd, limit, batch int) sendertest.Sender {
	if b.refuseBlocking {
		require.NoError(t, unix.SetNonblock(fd, true))
	}
	socket, err := b.Socket(fd)
	require.NoError(t, err)
	s, err := socket.NewSender(WithLimit(limit), WithBatch(batch))
	require.NoError(t, err)
	return testedSender{s}
}

func (testedBatcher) Unsent(err error) (int, bool) {
	var unsent *UnsentError
	if !errors.As(err, &unsent) {
		return 0, false
	}
	return unsent.Bytes, true
}

func (b testedBatcher) RequireEmpty(t *rapid.T) { requireIdle(t, b.Batcher) }

// requireIdle holds that nothing is left of transfers and Senders.
func requireIdle(t require.TestingT, b *Batcher) {
	require.Empty(t, b.senders)
	require.Empty(t, b.sockets)
	require.Empty(t, b.todo)
	require.Zero(t, b.waiting)
	require.Zero(t, b.open)
	if b.slab != nil {
		require.Zero(t, b.slab.Stats().Out)
	}
	if m, ok := b.mover.(*contextMover); ok {
		require.Equal(t, Stats{}, m.ctx.Stats())
	}
}

// TestSenderBytesAreExact (SPEC C19 to C24, FACTS 16 and 17) is the test of all Senders, with more of them than slots,
// too.
func TestSenderBytesAreExact(t *testing.T) { // SPEC E08
	exact := func(size int, opts ...BatchOption) func(t *testing.T) {
		return func(t *testing.T) {
			t.Parallel() // most of the time is spent on waiting for peers
			sendertest.BytesAreExact(t, testedBatcher{newBatcher(t, size, opts...)})
		}
	}
	t.Run("one slot", exact(1))
	t.Run("64 slots", exact(64))
	t.Run("sendmsg", exact(4, WithSyscalls()))
}
