//go:build linux

package uring

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// The tests of facts_*_test.go pin what kernels do, measured, and what this library builds on. Where kernels
// differ a test tells the variants apart by what it sees, says which it saw, and holds whatever is the same for
// all.

// newBundler returns a ring with a buffer ring of it that bundles are sent from.
func newBundler(t testing.TB, entries, size int, opts ...BufRingOption) (*Ring, *BufRing) {
	t.Helper()
	r := newTestRing(t, 16)
	needs(t, CanSendBundle)
	return r, newTestBufRing(t, r, entries, size, opts...)
}

// consumed gives what completions took back to the application. It returns the pieces and the sum of the results.
func consumed(t testing.TB, b *BufRing, cqes []CQE) (pieces []Piece, sum int) {
	t.Helper()
	for _, c := range cqes {
		require.NoError(t, c.Err())
		sum += int(c.Res)
		var err error
		pieces, err = b.Consume(c, pieces)
		require.NoError(t, err)
	}
	return pieces, sum
}

// headOf asks the kernel how many buffers of a new ring have been taken out of it.
func headOf(t testing.TB, b *BufRing) int {
	t.Helper()
	st, err := b.Status()
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	return int(st.Head)
}

func TestFact01OneCompletionOfABundleCoversAtMost256Buffers(t *testing.T) {
	const entries, size, most = 1024, 64, 256
	r, b := newBundler(t, entries, size)
	tx, rx := testutil.SocketPair(t, "unix")
	want := fill(t, b, entries, 0)
	cqes := finish(t, r, queueBundle(t, r, tx, b, 0))
	next := 0
	for i, c := range cqes {
		id, ok := c.Buffer()
		require.True(t, ok)
		require.EqualValues(t, next, id, "completion %d", i)
		require.Equal(t, i < len(cqes)-1, c.More(), "completion %d", i)
		pieces, sum := consumed(t, b, cqes[i:i+1])
		require.Equal(t, size*len(pieces), sum)
		require.LessOrEqual(t, len(pieces), most)
		next += len(pieces)
	}
	t.Logf("%d buffers in %d completions", next, len(cqes))
	require.Equal(t, entries, next)
	require.Equal(t, want, readAll(t, rx, len(want)))
	require.Zero(t, b.Lent())
}

func TestFact02AfterPollABundleStopsWithBuffersLeft(t *testing.T) {
	const entries, used, size = 1024, 1000, 4096
	r, b := newBundler(t, entries, size)
	tx, rx := testutil.SocketPair(t, "tcp4")
	require.NoError(t, unix.SetsockoptInt(tx, unix.SOL_SOCKET, unix.SO_SNDBUF, 1<<15))
	want := fill(t, b, used, 0)
	got := make(chan []byte)
	id := queueBundle(t, r, tx, b, 0)
	require.Empty(t, settle(t, r), "the socket is full, with most of the first 256 buffers unsent")
	go func() { got <- readAll(t, rx, len(want)) }()
	for sent := 0; ; id = queueBundle(t, r, tx, b, 0) {
		cqes := finish(t, r, id)
		_, sum := consumed(t, b, cqes)
		sent += sum
		t.Logf("%d completions, %d bytes, head %d, %d buffers left", len(cqes), sum, headOf(t, b), b.Lent())
		if b.Lent() == 0 {
			require.Equal(t, len(want), sent)
			break
		}
		require.NoError(t, b.resumable(), "what is left is all still in the ring")
	}
	require.Equal(t, want, <-got)
}

func TestFact03ALengthLimitsOnlyTheFirstRound(t *testing.T) {
	const entries = 128
	for _, tt := range []struct{ used, size, limit, first int }{
		{100, 64, 1000, 960}, {4, 100, 150, 100}, {4, 100, 200, 200},
	} {
		r, b := newBundler(t, entries, tt.size)
		tx, rx := testutil.SocketPair(t, "unix")
		want := fill(t, b, tt.used, 0)
		s, err := r.SQE()
		require.NoError(t, err)
		require.NoError(t, s.PrepSendBundle(tx, b.Group(), 0, WithFirstRoundLimit(tt.limit)))
		cqes := finish(t, r, s.ID())
		if errors.Is(cqes[0].Err(), unix.EINVAL) {
			t.Log("seen: any length is refused")
			require.Zero(t, headOf(t, b))
			continue
		}
		require.EqualValues(t, tt.first, cqes[0].Res)
		require.True(t, cqes[0].More())
		_, sum := consumed(t, b, cqes)
		require.Equal(t, len(want), sum, "the limit is none for the whole")
		require.Equal(t, want, readAll(t, rx, len(want)))
	}
}

// TestFact04ABundleTakesBuffersThatItDoesNotSend ends a bundle short in three ways. Kernels up to 6.18 have then
// taken all buffers; later ones may take what they sent. Either way the completion, its pieces and Withdraw say
// exactly what is unsent, and a stream that goes on from there loses and doubles nothing.
func TestFact04ABundleTakesBuffersThatItDoesNotSend(t *testing.T) {
	const entries, size = 64, 1000
	endings := []struct {
		name  string
		flags int
		end   func(t *testing.T, r *Ring, id OpID, rx int)
		gone  bool // nobody is there any more to read
	}{
		{name: "it may not wait", flags: unix.MSG_DONTWAIT, end: func(*testing.T, *Ring, OpID, int) {}},
		{name: "it is cancelled", end: func(t *testing.T, r *Ring, id OpID, _ int) { queueCancel(t, r, id) }},
		{name: "the peer is gone", gone: true, end: func(t *testing.T, _ *Ring, _ OpID, rx int) {
			require.NoError(t, unix.Close(rx))
		}},
	}
	kinds := map[string][]BufRingOption{"classic": nil, "incremental": {WithIncremental()}}
	for _, tt := range endings {
		for kind, opts := range kinds {
			t.Run(tt.name+"/"+kind, func(t *testing.T) {
				r, b := newBundler(t, entries, size, opts...)
				tx, rx := testutil.SocketPair(t, "unix")
				narrow(t, tx)
				want := fill(t, b, entries, 0)
				id := queueBundle(t, r, tx, b, tt.flags)
				cqes := settle(t, r)
				head := headOf(t, b)
				tt.end(t, r, id, rx)
				if len(cqes) == 0 {
					cqes = finish(t, r, id)
				}
				require.Len(t, cqes, 1)
				pieces, sent := consumed(t, b, cqes)
				require.Positive(t, sent)
				require.Less(t, sent, len(want))
				if head == entries {
					t.Logf("seen: all %d buffers taken for %d bytes", head, sent)
				} else {
					t.Logf("seen: %d buffers taken for %d bytes", head, sent)
					require.LessOrEqual(t, head, (sent+size-1)/size)
				}

				rest := unsentOf(t, b, pieces)
				var tail []byte
				for _, p := range rest {
					data, err := b.Data(p)
					require.NoError(t, err)
					tail = append(tail, data...)
				}
				require.Equal(t, want[sent:], tail)
				if tt.gone {
					return
				}
				got := drain(t, rx)
				require.Equal(t, want[:sent], got)
				require.Equal(t, tail, goOn(t, r, b, tx, rx, rest))
			})
		}
	}
}

// unsentOf returns what a bundle that ended short left of its buffers, in order.
func unsentOf(t testing.TB, b *BufRing, sent []Piece) (rest []Piece) {
	t.Helper()
	if last := len(sent) - 1; last >= 0 && sent[last].Left > 0 {
		rest = append(rest, sent[last].Rest())
	}
	rest, err := b.Withdraw(rest)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	require.Zero(t, b.Lent())
	return rest
}

// goOn sends pieces by another bundle, and returns what arrived.
func goOn(t testing.TB, r *Ring, b *BufRing, tx, rx int, pieces []Piece) []byte {
	t.Helper()
	n := 0
	for _, p := range pieces {
		require.NoError(t, b.AddPiece(p))
		n += p.Len
	}
	b.Publish()
	got := make(chan []byte)
	go func() { got <- readAll(t, rx, n) }()
	_, sum := consumed(t, b, finish(t, r, queueBundle(t, r, tx, b, 0)))
	require.Equal(t, n, sum)
	return <-got
}

func TestFact05ACancelledBundleCompletesWithWhatItSent(t *testing.T) {
	for _, full := range []bool{false, true} {
		r, b := newBundler(t, 64, 1000)
		tx, rx := testutil.SocketPair(t, "unix")
		narrow(t, tx)
		before := 0
		if full {
			before = jam(t, tx)
		}
		fill(t, b, 64, 0)
		id := queueBundle(t, r, tx, b, 0)
		require.Empty(t, settle(t, r))
		queueCancel(t, r, id)
		c := finish(t, r, id)[0]
		require.False(t, c.More())
		if full {
			require.ErrorIs(t, c.Err(), unix.ECANCELED, "it had sent nothing")
		} else {
			require.NoError(t, c.Err())
			require.Positive(t, c.Res)
		}
		require.Len(t, drain(t, rx), before+max(int(c.Res), 0))
	}
}

func TestFact06ABundleWaitsForRoomUnlessToldNotTo(t *testing.T) {
	const entries, size = 64, 1000
	for _, tt := range []struct {
		name        string
		flags       int
		nonblocking bool
		whole       bool
	}{
		{name: "a blocking socket", whole: true},
		{name: "a non-blocking socket", nonblocking: true, whole: true},
		{name: "MSG_WAITALL", flags: unix.MSG_WAITALL, whole: true},
		{name: "MSG_DONTWAIT", flags: unix.MSG_DONTWAIT},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, b := newBundler(t, entries, size)
			tx, rx := testutil.SocketPair(t, "unix")
			narrow(t, tx)
			require.NoError(t, unix.SetNonblock(tx, tt.nonblocking))
			want := fill(t, b, entries, 0)
			id := queueBundle(t, r, tx, b, tt.flags)
			cqes := settle(t, r)
			if !tt.whole {
				require.Len(t, cqes, 1)
				require.Positive(t, cqes[0].Res)
				require.Less(t, int(cqes[0].Res), len(want))
				return
			}
			require.Empty(t, cqes, "it waits")
			got := make(chan []byte)
			go func() { got <- readAll(t, rx, len(want)) }()
			cqes = finish(t, r, id)
			require.Len(t, cqes, 1)
			require.EqualValues(t, len(want), cqes[0].Res)
			require.Equal(t, want, <-got)
		})
	}
}

func TestFact07ErrorsOfBundles(t *testing.T) {
	var pipe [2]int
	require.NoError(t, unix.Pipe2(pipe[:], unix.O_CLOEXEC))
	defer unix.Close(pipe[0])
	defer unix.Close(pipe[1])
	socket := func(t *testing.T) int { tx, _ := testutil.SocketPair(t, "unix"); return tx }
	for _, tt := range []struct {
		name  string
		fd    func(*testing.T) int
		group uint16 // added to that of the ring
		used  int
		want  unix.Errno
	}{
		{name: "empty ring", fd: socket, want: unix.ENOBUFS},
		{name: "unknown group", fd: socket, group: 1, used: 2, want: unix.ENOENT},
		{name: "no descriptor", fd: func(*testing.T) int { return -1 }, used: 2, want: unix.EBADF},
		{name: "a pipe", fd: func(*testing.T) int { return pipe[1] }, used: 2, want: unix.ENOTSOCK},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, b := newBundler(t, 4, 100)
			fill(t, b, tt.used, 0)
			s, err := r.SQE()
			require.NoError(t, err)
			require.NoError(t, s.PrepSendBundle(tt.fd(t), b.Group()+tt.group, 0))
			c := finish(t, r, s.ID())[0]
			require.ErrorIs(t, c.Err(), tt.want)
			require.Zero(t, c.Flags)
			require.Zero(t, headOf(t, b))
			pieces, err := b.Consume(c, nil)
			require.NoError(t, err)
			require.Empty(t, pieces)
			require.Equal(t, tt.used, b.Lent())
		})
	}
}

// TestFact07ClosedPeer is the error that comes with a buffer, on kernels that take it at the first attempt.
func TestFact07ClosedPeer(t *testing.T) {
	r, b := newBundler(t, 4, 100)
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, unix.Close(rx))
	want := fill(t, b, 3, 0)
	c := finish(t, r, queueBundle(t, r, tx, b, 0))[0]
	require.ErrorIs(t, c.Err(), unix.EPIPE)
	head := headOf(t, b)
	t.Logf("seen: flags %v, head %d", c.Flags, head)
	pieces, err := b.Consume(c, nil)
	require.NoError(t, err)
	require.Len(t, pieces, min(head, 1))
	var unsent []byte
	for _, p := range unsentOf(t, b, pieces) {
		data, err := b.Data(p)
		require.NoError(t, err)
		unsent = append(unsent, data...)
	}
	require.Equal(t, want, unsent)
}

// TestFact07BundleFlagWithoutBuffers is what the kernel makes of it, and that this library does not let it come so
// far.
func TestFact07BundleFlagWithoutBuffers(t *testing.T) {
	r := newTestRing(t, 4)
	needs(t, CanSendBundle)
	tx, rx := testutil.SocketPair(t, "unix")
	c := foreign(t, r, cring.SQE{Opcode: cring.OpSend, Fd: int32(tx), IOPrio: cring.RecvSendBundle})
	require.Contains(t, []int32{0, -int32(unix.EINVAL)}, c.Res)
	require.Empty(t, drain(t, rx))

	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepSend(tx, []byte("x"), 0))
	require.ErrorIs(t, s.SetIOPrio(cring.RecvSendBundle), unix.EINVAL)
}

func TestFact08TheFirstBundleTakesAll(t *testing.T) {
	r, b := newBundler(t, 4, 100)
	tx, rx := testutil.SocketPair(t, "unix")
	tx2, rx2 := testutil.SocketPair(t, "unix")
	want := fill(t, b, 4, 0)
	first, second := queueBundle(t, r, tx, b, 0), queueBundle(t, r, tx2, b, 0)
	for _, c := range wait(t, r, 2) {
		if c.ID == second {
			require.ErrorIs(t, c.Err(), unix.ENOBUFS)
			continue
		}
		require.Equal(t, first, c.ID)
		require.EqualValues(t, len(want), c.Res)
	}
	require.Equal(t, want, drain(t, rx))
	require.Empty(t, drain(t, rx2))
}

func TestFact09ABundleIsOneDatagram(t *testing.T) {
	for _, network := range []string{"unixgram", "udp4"} {
		r, b := newBundler(t, 4, 1000)
		tx, rx := testutil.SocketPair(t, network)
		want := fill(t, b, 3, 0)
		c := finish(t, r, queueBundle(t, r, tx, b, 0))[0]
		require.EqualValues(t, len(want), c.Res, network)
		p := make([]byte, 2*len(want))
		n, err := unix.Read(rx, p)
		require.NoError(t, err)
		require.Equal(t, want, p[:n], network)

		_, err = r.SendBundle(t.Context(), tx, b, 0)
		require.ErrorIs(t, err, unix.EPROTOTYPE, network)
	}
}

func TestFact10ASingleSendConsumesItsWholeBuffer(t *testing.T) {
	r, b := newBundler(t, 2, 1000)
	tx, rx := testutil.SocketPair(t, "unix")
	want := fill(t, b, 2, 0)
	c := finish(t, r, transfer{op: cring.OpSend, fd: tx, group: b.Group(), len: 300}.queue(t, r))[0]
	pieces, sum := consumed(t, b, []CQE{c})
	require.Equal(t, 300, sum)
	require.Equal(t, []Piece{{Buffer: 0, Len: 300, Left: 700}}, pieces)
	require.Equal(t, 1, headOf(t, b))
	require.Equal(t, want[:300], drain(t, rx))
}

func TestFact11ZeroCopyBundlesAndVectors(t *testing.T) {
	r, b := newBundler(t, 2, 100)
	tx, rx := testutil.SocketPair(t, "tcp4")
	fill(t, b, 2, 0)
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepSendZC(tx, nil, 0, 0))
	s.BufferSelect(b.Group())
	require.NoError(t, s.SetIOPrio(cring.RecvSendBundle))
	c := finish(t, r, s.ID())[0]
	require.Contains(t, []int32{-int32(unix.EOPNOTSUPP), -int32(unix.EINVAL)}, c.Res)
	require.Zero(t, headOf(t, b))
	require.Empty(t, drain(t, rx))

	iov, want := vector(t, []byte("a vectorized "), []byte("send"))
	c = foreign(t, r, cring.SQE{
		Opcode: cring.OpSend, Fd: int32(tx), IOPrio: cring.SendVectorized, Addr: address(iov), Len: 2,
	})
	if c.Res == -int32(unix.EINVAL) {
		t.Log("seen: no vectorized sends")
		return
	}
	require.EqualValues(t, len(want), c.Res)
	require.Equal(t, want, readAll(t, rx, len(want)))
}

func TestFact12ABundleThatSkipsItsCompletionTellsNothing(t *testing.T) {
	r, b := newBundler(t, 4, 100)
	tx, rx := testutil.SocketPair(t, "unix")
	want := fill(t, b, 4, 0)
	queueForeign(t, r, cring.SQE{
		Opcode: cring.OpSend, Flags: cring.SQEBufferSelect | cring.SQECQESkipSuccess, IOPrio: cring.RecvSendBundle,
		Fd: int32(tx), BufIndex: b.Group(),
	})
	require.Empty(t, settle(t, r))
	require.Equal(t, want, readAll(t, rx, len(want)))
	require.Equal(t, 4, b.Lent())

	s, err := r.SQE()
	require.NoError(t, err)
	require.ErrorIs(t, s.SetFlags(cring.SQECQESkipSuccess), unix.EINVAL)
}

func TestFact13TheFeatureBitAnnouncesBundles(t *testing.T) {
	require.EqualValues(t, 1<<14, FeatRecvSendBundle)
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, 100)
	tx, rx := testutil.SocketPair(t, "unix")
	want := fill(t, b, 2, 0)
	c := finish(t, r, queueBundle(t, r, tx, b, 0))[0]
	works := int(c.Res) == len(want) && len(drain(t, rx)) == len(want)
	require.Equal(t, works, r.Features()&FeatRecvSendBundle != 0)
}

func TestFact34BundlesFollowTheRingNotTheIDs(t *testing.T) {
	const size = 50
	ids := []uint16{5, 2, 7, 0, 3, 6, 1, 4}
	r, b := newBundler(t, len(ids), size)
	for _, network := range []string{"tcp4", "unix"} {
		tx, rx := testutil.SocketPair(t, network)
		var want []byte
		for _, id := range ids {
			p, err := b.Buffer(id)
			require.NoError(t, err)
			fillStream(p, len(want))
			want = append(want, p...)
			require.NoError(t, b.Add(id, size))
		}
		b.Publish()
		c := finish(t, r, queueBundle(t, r, tx, b, 0))[0]
		first, ok := c.Buffer()
		require.True(t, ok)
		require.Equal(t, ids[0], first)
		pieces, sum := consumed(t, b, []CQE{c})
		require.Equal(t, len(want), sum)
		for i, p := range pieces {
			require.Equal(t, Piece{Buffer: ids[i], Len: size}, p)
		}
		require.Equal(t, want, readAll(t, rx, sum))
	}
}
