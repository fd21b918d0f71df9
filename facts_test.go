//go:build linux

package uring

import (
	"bytes"
	"context"
	"errors"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
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

func TestFact01OneCompletionOfABundleCoversAtMost256Buffers(t *testing.T) { // SPEC E10, E14, E24
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

func TestFact03ALengthLimitsOnlyTheFirstRound(t *testing.T) { // SPEC E12, E13
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
func TestFact04ABundleTakesBuffersThatItDoesNotSend(t *testing.T) { // SPEC E34
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

func TestFact06ABundleWaitsForRoomUnlessToldNotTo(t *testing.T) { // SPEC E32
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

func TestFact07ErrorsOfBundles(t *testing.T) { // SPEC E28
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
func TestFact07BundleFlagWithoutBuffers(t *testing.T) { // SPEC E11
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

func TestFact10ASingleSendConsumesItsWholeBuffer(t *testing.T) { // SPEC E29
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

func TestFact11ZeroCopyBundlesAndVectors(t *testing.T) { // SPEC E25
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

func TestFact13TheFeatureBitAnnouncesBundles(t *testing.T) { // SPEC E18, E33
	require.EqualValues(t, 1<<14, FeatRecvSendBundle)
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, 100)
	tx, rx := testutil.SocketPair(t, "unix")
	want := fill(t, b, 2, 0)
	c := finish(t, r, queueBundle(t, r, tx, b, 0))[0]
	works := int(c.Res) == len(want) && len(drain(t, rx)) == len(want)
	require.Equal(t, works, r.Features()&FeatRecvSendBundle != 0)
}

func TestFact34BundlesFollowTheRingNotTheIDs(t *testing.T) { // SPEC E15, E16
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

// TestFact23WaitsSurviveSignals lets SIGURG, with which Go preempts threads, hit a wait all the time: the wait
// lasts as long as it should, and what it submitted is submitted once. Faults 18, 19.
func TestFact23WaitsSurviveSignals(t *testing.T) {
	const rounds, length = 10, 10 * time.Millisecond
	r := newTestRing(t, 4)
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-over:
				return
			default:
				_ = interrupt(r.tid)
				time.Sleep(50 * time.Microsecond)
			}
		}
	}()
	done := 0
	// A busy machine may let no signal come in time.
	for limit := time.Now().Add(hangLimit); done < rounds || r.Stats().EINTR == 0 && time.Now().Before(limit); done++ {
		pollForever(t, r)
		start := time.Now()
		_, err := r.SubmitAndWaitTimeout(context.Background(), 1, length)
		require.ErrorIs(t, err, errTimeout)
		require.GreaterOrEqual(t, time.Since(start), length)
		require.Empty(t, reaped(t, r))
	}
	close(over)
	<-ended
	st := r.Stats()
	t.Logf("%d entries of the kernel, %d ended by a signal", st.Enters, st.EINTR)
	require.NotZero(t, st.EINTR)
	require.EqualValues(t, done, st.Submitted)
	require.Equal(t, done, st.InFlight)
}

// TestFact27AThreadTakesItsRequestsWithIt submits a receive from a thread that then ends: it will not receive.
// Kernels cancel it when the thread ends, or when there would be something to receive.
func TestFact27AThreadTakesItsRequestsWithIt(t *testing.T) {
	needs(t, CanSetup)
	for name, opts := range map[string][]Option{
		"any thread may reap": {WithPlainFd(), WithoutFlags(SetupSingleIssuer | SetupDeferTaskrun)},
		"one thread alone":    {WithPlainFd()},
	} {
		t.Run(name, func(t *testing.T) {
			tx, rx := testutil.SocketPair(t, "unix")
			p := make([]byte, 64)
			r := abandonedRing(t, rx, p, opts...)
			if r.Flags()&SetupDeferTaskrun != 0 {
				ret := r.c.Enter(0, 1, cring.EnterGetEvents)
				require.Equal(t, unix.EEXIST, unix.Errno(-ret), "nobody else can make it post completions")
				return
			}
			posted := func() bool { return atomic.LoadUint32(r.c.CQTail) != *r.c.CQHead }
			if !posted() {
				t.Log("seen: not cancelled with the thread's end")
			}
			_, err := unix.Write(tx, []byte("too late"))
			require.NoError(t, err)
			require.Eventually(t, posted, hangLimit, time.Millisecond)
			res := r.c.CQEs[*r.c.CQHead&r.cqMask].Res
			t.Logf("seen: %v", unix.Errno(-res))
			require.Contains(t, []int32{-int32(unix.ECANCELED), -int32(unix.EINTR)}, res)
			require.Equal(t, make([]byte, 64), p)
		})
	}
}

// abandonedRing returns a ring with a receive in flight whose owner's thread no longer exists.
func abandonedRing(t *testing.T, fd int, p []byte, opts ...Option) *Ring {
	t.Helper()
	made := make(chan *Ring)
	go func() { // returns locked, so its thread ends
		r, err := New(4, opts...)
		if err == nil {
			var s *SQE
			s, err = r.SQE()
			err = errors.Join(err, s.PrepRecv(fd, p, 0))
		}
		if err == nil {
			_, err = r.Submit()
		}
		if err != nil {
			t.Error(err)
		}
		made <- r
	}()
	r := <-made
	require.NotNil(t, r)
	require.False(t, t.Failed())
	t.Cleanup(func() { require.NoError(t, r.Close()) })
	require.Eventually(t, func() bool { return errors.Is(interrupt(r.tid), unix.ESRCH) }, hangLimit, time.Millisecond)
	return r
}

// TestFact28CloseDoesNotEndAnArmedReceive is also faults 28 and 68: the request outlives its descriptor, whose
// number then means another connection.
func TestFact28CloseDoesNotEndAnArmedReceive(t *testing.T) {
	r := newTestRing(t, 8)
	tx, rx := testutil.SocketPair(t, "tcp4")
	p := make([]byte, 64)
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepRecv(rx, p, 0))
	old := s.ID()
	require.Empty(t, settle(t, r))

	require.NoError(t, unix.Close(rx))
	require.Empty(t, settle(t, r), "close(2) ends nothing")
	tx2, rx2 := testutil.SocketPair(t, "tcp4")
	require.Contains(t, []int{tx2, rx2}, rx, "the number is used again")
	q := make([]byte, 64)
	s, err = r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepRecv(rx2, q, 0))
	young := s.ID()
	require.Empty(t, settle(t, r))

	_, err = unix.Write(tx, []byte("late"))
	require.NoError(t, err, "the closed connection is still there")
	_, err = unix.Write(tx2, []byte("early"))
	require.NoError(t, err)
	got := map[OpID]CQE{}
	for len(got) < 2 {
		for _, c := range wait(t, r, 1) {
			got[c.ID] = c
		}
	}
	require.Equal(t, "late", string(p[:got[old].Res]), "each operation got what its own connection sent")
	require.Equal(t, "early", string(q[:got[young].Res]))
}

// TestFact28CancelThenClose is what to do instead: cancel, drain, close.
func TestFact28CancelThenClose(t *testing.T) {
	r := newTestRing(t, 8)
	tx, rx := testutil.SocketPair(t, "tcp4")
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepRecv(rx, make([]byte, 64), 0))
	id := s.ID()
	require.Empty(t, settle(t, r))
	queueCancel(t, r, id)
	require.ErrorIs(t, finish(t, r, id)[0].Err(), unix.ECANCELED)
	require.NoError(t, unix.Close(rx))
	n, err := unix.Read(tx, make([]byte, 1))
	require.NoError(t, err)
	require.Zero(t, n, "now the peer sees the end")
}

// TestStaleCompletionsAreDropped has completions come that no operation waits for any more: fault 33.
func TestStaleCompletionsAreDropped(t *testing.T) {
	r := newTestRing(t, 8)
	nop(t, r, 1)
	ended := wait(t, r, 1)[0].ID
	nop(t, r, 2)
	young := r.queued[0]
	require.Equal(t, uint32(ended), young.index, "the slot is used again")
	for _, id := range []uint64{uint64(ended), young.userData() + 1<<userDataGenShift, userDataOurs | 1<<31 - 1} {
		tail := *r.c.SQETail
		r.c.SQEs[tail&r.sqMask] = cring.SQE{Opcode: cring.OpNop, Fd: -1, UserData: id}
		*r.c.SQETail = tail + 1
	}
	_, err := r.SubmitAndWaitTimeout(context.Background(), 4, hangLimit)
	require.NoError(t, err)
	cqes := reaped(t, r)
	require.Len(t, cqes, 1)
	require.EqualValues(t, 2, cqes[0].Data64)
	st := r.Stats()
	require.EqualValues(t, 3, st.Stale)
	require.EqualValues(t, 2, st.Completed)
}

// TestFact30FailedZeroCopySends counts completions by CQEMore, never by the error. Faults 87, 88.
func TestFact30FailedZeroCopySends(t *testing.T) { // SPEC E36
	for _, tt := range []struct {
		name    string
		network string
		ioprio  uint16
		want    []unix.Errno
	}{
		{"a unix socket", "unix", 0, []unix.Errno{unix.EOPNOTSUPP}},
		{"an unknown flag", "tcp4", 1 << 15, []unix.Errno{unix.EINVAL}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newTestRing(t, 4)
			needs(t, CanSendZC)
			tx, _ := testutil.SocketPair(t, tt.network)
			s, err := r.SQE()
			require.NoError(t, err)
			require.NoError(t, s.PrepSendZC(tx, []byte("data"), 0, 0))
			s.raw.IOPrio = tt.ioprio
			cqes := finish(t, r, s.ID())
			var errno unix.Errno
			require.ErrorAs(t, cqes[0].Err(), &errno)
			require.Contains(t, tt.want, errno)
			t.Logf("seen: %d completions", len(cqes))
			if len(cqes) == 2 {
				require.Equal(t, CQEMore, cqes[0].Flags)
				require.Equal(t, CQENotif, cqes[1].Flags)
				require.Zero(t, cqes[1].Res)
			} else {
				require.Len(t, cqes, 1)
				require.Zero(t, cqes[0].Flags)
			}
			require.Empty(t, settle(t, r))
			st := r.Stats()
			require.EqualValues(t, 1, st.Completed)
			require.Zero(t, st.Stale)
			require.Zero(t, st.InFlight)
		})
	}
}

// TestFact31MultishotReceiveOutOfBuffers ends with ENOBUFS, at once or with the next data.
func TestFact31MultishotReceiveOutOfBuffers(t *testing.T) {
	r := newTestRing(t, 4)
	b := newTestBufRing(t, r, 2, 8)
	tx, rx := testutil.SocketPair(t, "unix")
	require.NoError(t, b.AddRange(0, 2, 8))
	b.Publish()
	id := queueRecv(t, r, rx, b, multishot)
	_, err := unix.Write(tx, make([]byte, 16))
	require.NoError(t, err)
	var cqes []CQE
	for len(cqes) < 2 {
		cqes = append(cqes, wait(t, r, 1)...)
	}
	cqes = append(cqes, settle(t, r)...)
	last := cqes[len(cqes)-1]
	if last.More() {
		t.Log("seen: ENOBUFS with the next data")
		require.Len(t, cqes, 2)
		_, err = unix.Write(tx, []byte{1})
		require.NoError(t, err)
		last = finish(t, r, id)[0]
	} else {
		t.Log("seen: ENOBUFS at once")
		require.Len(t, cqes, 3)
	}
	require.ErrorIs(t, last.Err(), unix.ENOBUFS)
	require.False(t, last.More())
	require.Zero(t, last.Flags&CQEBuffer)
	for _, c := range cqes[:2] {
		require.EqualValues(t, 8, c.Res)
		require.True(t, c.More())
	}
}

func TestFact32UnknownRequestsAreInvalid(t *testing.T) {
	r := newTestRing(t, 4)
	c := foreign(t, r, cring.SQE{Opcode: 255, Fd: -1})
	require.ErrorIs(t, c.Err(), unix.EINVAL)
	c = foreign(t, r, cring.SQE{Opcode: cring.OpNop, Flags: 0x80, Fd: -1})
	require.ErrorIs(t, c.Err(), unix.EINVAL)

	_, ret := cring.Setup(4, &cring.Params{Flags: 1 << 31})
	require.Equal(t, unix.EINVAL, unix.Errno(-ret))
	_, err := New(4, WithFlags(1<<31))
	require.ErrorIs(t, err, unix.EINVAL)
}

// TestFact33RestrictionsOnOneKind forbids opcodes alone: some kernels then refuse registrations too, others let
// them pass. A restriction of both kinds means the same everywhere.
func TestFact33RestrictionsOnOneKind(t *testing.T) {
	nops := cring.Restriction{Opcode: cring.RestrictionSQEOp, Arg: cring.OpNop}
	enable := cring.Restriction{Opcode: cring.RestrictionRegisterOp, Arg: cring.RegisterEnableRings}
	for name, list := range map[string][]cring.Restriction{
		"opcodes": {nops}, "opcodes and registrations": {nops, enable},
	} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 4, WithDisabled())
			// SAFETY: the arguments are read during the calls only.
			ret := r.c.Register(cring.RegisterRestrictions, unsafe.Pointer(&list[0]), uint32(len(list)))
			require.Zero(t, ret)
			require.Zero(t, r.c.Register(cring.RegisterEnableRings, nil, 0))
			fds := []int32{-1}
			got := unix.Errno(-r.c.Register(cring.RegisterFiles, unsafe.Pointer(&fds[0]), 1)) // SAFETY: as above.
			runtime.KeepAlive(fds)
			if len(list) == 1 {
				t.Logf("seen: register_files gives %d", got)
				require.Contains(t, []unix.Errno{0, unix.EACCES}, got)
			} else {
				require.Equal(t, unix.EACCES, got)
			}
			require.ErrorIs(t, foreign(t, r, cring.SQE{Opcode: cring.OpTimeout, Fd: -1}).Err(), unix.EACCES)
			nop(t, r, 1)
			require.NoError(t, wait(t, r, 1)[0].Err())
		})
	}
}

// TestFact47RingsThatDeferDoNotWakePolls has another thread in poll(2) on a ring's descriptor while a request of the
// ring completes. Where completions wait for the owner to enter the kernel, so does the poll on 6.18, while it wakes on
// 6.1, 6.12 and 7.3. A registered eventfd is signalled at once on all of them, which is what Ring.Fd tells event loops
// to wait for.
func TestFact47RingsThatDeferDoNotWakePolls(t *testing.T) { // found 8
	testutil.Timeout(t, hangLimit)
	for name, without := range map[string]SetupFlags{"as New makes it": 0, "without DEFER_TASKRUN": SetupDeferTaskrun} {
		t.Run(name, func(t *testing.T) {
			r := newTestRing(t, 4, WithoutFlags(without))
			rd, wr := testutil.Pipe(t)
			event := testEventfd(t)
			need(t, r.RegisterEventfd(event))
			pollOp(t, r, rd)
			_, err := r.Submit()
			require.NoError(t, err)

			fd, thread, woken := int32(r.Fd()), make(chan int, 1), make(chan error, 1)
			onNewThread(t, func() {
				// A poll that a signal ends and that begins anew sees that there is something. The thread goes with its mask.
				thread <- unix.Gettid()
				all := unix.Sigset_t{}
				for i := range all.Val {
					all.Val[i] = ^all.Val[i]
				}
				err := unix.PthreadSigmask(unix.SIG_BLOCK, &all, nil)
				if err == nil {
					_, err = unix.Ppoll([]unix.PollFd{{Fd: fd, Events: unix.POLLIN}}, nil, nil)
				}
				woken <- err
			})
			// The first poll of a ring has its owner, on the next way out of the kernel, wake all polls once, since 6.3: these
			// then look again, and would see what completed before. So the poll has to be asleep after that too.
			poller := <-thread
			for range 2 {
				for !testutil.SleepsIn(t, poller, unix.SYS_PPOLL) {
					select {
					case err := <-woken:
						t.Fatal("the poll does not wait: ", err)
					default:
						runtime.Gosched()
					}
				}
			}
			write(t, wr, "x")
			awaitReadable(t, event)
			if r.Flags()&SetupDeferTaskrun != 0 {
				select {
				case err := <-woken:
					t.Log("the poll wakes before the owner enters the kernel")
					woken <- err
				case <-time.After(100 * time.Millisecond):
					t.Log("the poll waits for the owner")
				}
				_, err = r.SubmitAndWait(t.Context(), 1)
				require.NoError(t, err)
			}
			require.NoError(t, <-woken)
			require.Len(t, reapAll(r), 1)
		})
	}
}

// onNewThread calls f on a thread that was not there before, and which ends with f. When a ring is gone, the kernel
// interrupts the threads that have used it, some time after the close: what such a thread waits for begins anew.
func onNewThread(t *testing.T, f func()) {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/task")
	require.NoError(t, err)
	old := map[string]bool{}
	for _, entry := range entries {
		old[entry.Name()] = true
	}
	found := make(chan struct{})
	var try func()
	try = func() {
		runtime.LockOSThread()
		if old[strconv.Itoa(unix.Gettid())] {
			go try() // which gets another thread, as this one is held
			<-found
			runtime.UnlockOSThread()
			return
		}
		close(found)
		f()
	}
	go try()
}

// awaitReadable waits until fd has something to be read.
func awaitReadable(t *testing.T, fd int) {
	t.Helper()
	for {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, -1)
		if n == 1 {
			return
		}
		require.ErrorIs(t, err, unix.EINTR)
	}
}

// lentSize is that of a large object: a GODEBUG=efence=1 run makes the pages of those inaccessible, and no others.
const lentSize = 64 << 10

// receiveIntoDropped receives into a Go slice to which nothing leads any more when the data comes: it is dropped,
// the collector runs, and new slices take up what was freed. It returns the slices, which should all be zero, and
// the completion. Without pin the kernel knows the slice by nothing but its address.
//
//go:noinline
func receiveIntoDropped(t testing.TB, r *Ring, pin bool) (others [][]byte, c CQE) {
	a, b := testutil.SocketPair(t, "unix")
	others = make([][]byte, 1024) // now, or it could be what takes up the freed memory, and be overwritten
	s, err := r.SQE()
	require.NoError(t, err)
	prepareDropped(t, s, a, pin)
	_, err = r.Submit()
	require.NoError(t, err)
	runtime.GC()
	runtime.GC()
	for i := range others {
		others[i] = make([]byte, lentSize)
	}
	_, err = unix.Write(b, bytes.Repeat([]byte{0xEE}, lentSize))
	require.NoError(t, err)
	cqes := wait(t, r, 1)
	require.Len(t, cqes, 1)
	return others, cqes[0]
}

//go:noinline
func prepareDropped(t testing.TB, s *SQE, fd int, pin bool) {
	p := make([]byte, lentSize)
	if pin {
		require.NoError(t, s.PrepRecv(fd, p, unix.MSG_WAITALL))
		return
	}
	// SAFETY: none, and that is the point.
	at := uint64(uintptr(unsafe.Pointer(&p[0])))
	*s.raw = cring.SQE{
		Opcode: cring.OpRecv, Fd: int32(fd), Addr: at, Len: lentSize, OpFlags: unix.MSG_WAITALL,
		UserData: s.raw.UserData,
	}
}

// foreignBytes counts the bytes that the kernel has written where it should not have.
func foreignBytes(slices [][]byte) (n int) {
	for _, p := range slices {
		n += lentSize - bytes.Count(p, []byte{0})
	}
	return n
}

// TestFact24UnpinnedMemoryIsCorruptedSilently is done in a child: what the kernel overwrites could be anybody's.
func TestFact24UnpinnedMemoryIsCorruptedSilently(t *testing.T) {
	if race.Enabled || cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsNoChecker,
			"the detectors keep freed memory from being used again; their own tests follow")
	}
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name(), "GODEBUG=", "GOGC=100")
		require.Contains(t, child.Output, "foreign bytes overwritten", "the kernel never hit a foreign slice")
		return
	}
	r := newTestRing(t, 8)
	for range 1000 {
		others, c := receiveIntoDropped(t, r, false)
		if n := foreignBytes(others); n > 0 {
			require.EqualValues(t, lentSize, c.Res, "and no error tells of it")
			t.Logf("%d foreign bytes overwritten", n)
			return
		}
	}
}

// TestPinnedMemoryIsNobodyElses is the healthy side of fact 24: faults 55 and 58.
func TestPinnedMemoryIsNobodyElses(t *testing.T) {
	r := newTestRing(t, 8)
	for range testutil.Fewer(10, 3) {
		others, c := receiveIntoDropped(t, r, true)
		require.Zero(t, foreignBytes(others))
		require.EqualValues(t, lentSize, c.Res)
	}
}

// TestArgumentMemoryOutlivesItsCaller drops addresses, vectors, messages and timespecs while the kernel uses them:
// fault 56.
func TestArgumentMemoryOutlivesItsCaller(t *testing.T) {
	r := newTestRing(t, 32)
	a, b := testutil.SocketPair(t, "unix")
	timer := queued(t, r, func(s *SQE) error { return s.PrepTimeout(200*time.Millisecond, 0, 0) }).ID()
	message := queued(t, r, func(s *SQE) error {
		return s.PrepRecvmsg(a, &Msghdr{Buffers: [][]byte{make([]byte, 10), make([]byte, 20)}}, unix.MSG_WAITALL)
	}).ID()
	_, err := r.Submit()
	require.NoError(t, err)
	growStack(64)
	for range 3 {
		runtime.GC()
		_ = make([]byte, 1<<20)
	}
	_, err = unix.Write(b, make([]byte, 30))
	require.NoError(t, err)
	results := map[OpID]int32{}
	for _, c := range wait(t, r, 2) {
		results[c.ID] = c.Res
	}
	require.EqualValues(t, 30, results[message])
	require.EqualValues(t, -int32(unix.ETIME), results[timer])
}

// TestBufferOnAStackThatGrows has the kernel write to and read from local variables of a goroutine whose stack moves
// meanwhile: naming them in a request has them be on the heap, where nothing moves. No test function must be given
// them that would have the same effect.
func TestBufferOnAStackThatGrows(t *testing.T) { // fault 57
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 8)
	in, inPeer := testutil.SocketPair(t, "unix")
	vector, vectorPeer := testutil.SocketPair(t, "unix")
	out, outPeer := testutil.SocketPair(t, "unix")
	filled := fillSocket(t, out)
	listener, at := listenOnLoopback(t)
	entry := func(name string) *SQE {
		s, err := r.SQE()
		require.NoError(t, err)
		s.SetData(name)
		return s
	}
	var received, sent [lentSize]byte
	var parts [2][lentSize / 2]byte
	var from Sockaddr
	fillStream(sent[:], 0)
	require.NoError(t, entry("recv").PrepRecv(in, received[:], unix.MSG_WAITALL))
	message := &Msghdr{Buffers: [][]byte{parts[0][:], parts[1][:]}}
	require.NoError(t, entry("recvmsg").PrepRecvmsg(vector, message, unix.MSG_WAITALL))
	require.NoError(t, entry("send").PrepSend(out, sent[:], unix.MSG_WAITALL))
	require.NoError(t, entry("accept").PrepAccept(listener, &from, unix.SOCK_CLOEXEC))
	_, err := r.Submit()
	require.NoError(t, err)
	require.Zero(t, r.Ready(), "something did not have to wait")
	growStack(1000)

	data := make([]byte, lentSize)
	fillStream(data, 0)
	for _, fd := range []int{inPeer, vectorPeer} {
		_, err := unix.Write(fd, data)
		require.NoError(t, err)
	}
	client := dial(t, at)
	got := make(chan []byte, 1)
	go func() { got <- readToEnd(t, outPeer) }()
	results := map[any]int{}
	for len(results) < 4 {
		for _, c := range wait(t, r, 1) {
			require.NoError(t, c.Err())
			results[c.Data] = int(c.Res)
		}
	}
	require.NoError(t, unix.Close(results["accept"]))
	require.NoError(t, unix.Shutdown(out, unix.SHUT_WR))
	require.True(t, bytes.Equal(data[:results["send"]], (<-got)[filled:]), "the send has left the array behind")
	require.Equal(t, lentSize, results["recv"])
	require.True(t, bytes.Equal(data, received[:]), "the receive has left the array behind")
	require.Equal(t, lentSize, results["recvmsg"])
	require.True(t, bytes.Equal(data[:lentSize/2], parts[0][:]), "the receive has left the first array behind")
	require.True(t, bytes.Equal(data[lentSize/2:], parts[1][:]), "the receive has left the second array behind")
	name, err := unix.Getsockname(client)
	require.NoError(t, err)
	addr, ok := from.AddrPort()
	require.True(t, ok)
	require.EqualValues(t, name.(*unix.SockaddrInet4).Port, addr.Port(), "the accept has left the address behind")
}

// fillSocket sends until there is no room, and returns how much that was.
func fillSocket(t testing.TB, fd int) (n int) {
	t.Helper()
	p := make([]byte, 4096)
	for {
		k, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT)
		if err == unix.EAGAIN {
			return n
		}
		require.NoError(t, err)
		n += k
	}
}

// growStack makes the goroutine's stack move.
//
//go:noinline
func growStack(depth int) byte {
	var frame [1024]byte
	if depth == 0 {
		return frame[0]
	}
	return growStack(depth-1) + frame[depth]
}

// TestFact25EfenceCatchesUnpinnedMemory is a test that must fail: with every object on a page of its own that is
// never used again, the kernel's write into a freed one is EFAULT.
func TestFact25EfenceCatchesUnpinnedMemory(t *testing.T) {
	if race.Enabled || cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsNoChecker, "a detector of its own is at work")
	}
	if strings.Contains(runtime.Version(), "cgocheck2") {
		testutil.Skip(t, testutil.NeedsNoChecker, "cgocheck2 takes the stacks of an efence run for memory of C")
	}
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name(), "GODEBUG=efence=1")
		require.Contains(t, child.Output, "pinned 65536, unpinned bad address")
		return
	}
	r := newTestRing(t, 8)
	_, pinned := receiveIntoDropped(t, r, true)
	require.NoError(t, pinned.Err())
	for range 1000 { // the collector may find a trace of the slice on the stack
		_, unpinned := receiveIntoDropped(t, r, false)
		if unpinned.Res < 0 {
			t.Logf("pinned %d, unpinned %v", pinned.Res, unix.Errno(-unpinned.Res))
			return
		}
	}
}

// TestAsanCatchesUnpinnedMemory is a test that must fail: the sanitizer is asked at the completion, and knows the
// memory to be freed.
func TestAsanCatchesUnpinnedMemory(t *testing.T) {
	if !cring.AsanEnabled {
		testutil.Skip(t, testutil.NeedsAsan, "needs a build with -asan")
	}
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.NotZero(t, child.ExitCode, child.Output)
		require.Contains(t, child.Output, "memory that is poisoned", child.Output)
		return
	}
	r, err := New(8) // nobody closes it: the panic ends the process
	require.NoError(t, err)
	s, err := r.SQE()
	require.NoError(t, err)
	noteDropped(s)
	for range 3 {
		runtime.GC()
	}
	nopsDone := wait(t, r, 1) // panics
	t.Fatalf("nobody noticed: %v", nopsDone)
}

//go:noinline
func noteDropped(s *SQE) {
	p := make([]byte, lentSize)
	s.slot.note(unsafe.Pointer(&p[0]), len(p), kernelReads) // SAFETY: only its address is used, and it is not pinned.
}

// TestFact26RaceDetectorSeesTheKernel is a test that must fail: a buffer that is lent to the kernel is written by
// another goroutine. Fault 61.
func TestFact26RaceDetectorSeesTheKernel(t *testing.T) {
	if !race.Enabled {
		testutil.Skip(t, testutil.NeedsRace, "needs a build with -race")
	}
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Contains(t, child.Output, "WARNING: DATA RACE", child.Output)
		return
	}
	r := newTestRing(t, 8)
	a, b := testutil.SocketPair(t, "unix")
	p := make([]byte, 64)
	recvOp(t, r, a, p)
	_, err := r.Submit()
	require.NoError(t, err)
	written := make(chan struct{})
	go func() {
		p[3] = 1
		close(written)
	}()
	time.Sleep(20 * time.Millisecond) // orders nothing
	_, err = unix.Write(b, make([]byte, 64))
	require.NoError(t, err)
	wait(t, r, 1)
	<-written
}

// TestDroppedPinIsFound is a test that must fail: the runtime finds a pin that nobody will ever undo. Fault 59.
func TestDroppedPinIsFound(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.NotZero(t, child.ExitCode)
		require.Contains(t, child.Output, "found leaking pinned pointer", child.Output)
		return
	}
	pinAndForget()
	for range 10 {
		runtime.GC()
		time.Sleep(10 * time.Millisecond) // for the finalizer's goroutine
	}
}

//go:noinline
func pinAndForget() {
	var p runtime.Pinner
	p.Pin(new([64]byte))
}

// TestFact29EmptyBuffersReadAsTheEnd and what follows it are why Add refuses them (fault 41).
func TestFact29EmptyBuffersReadAsTheEnd(t *testing.T) {
	r := newTestRing(t, 8)
	a, b := testutil.SocketPair(t, "unix")
	_, err := unix.Write(b, []byte("data"))
	require.NoError(t, err)
	ring := newTestBufRing(t, r, 4, 64)
	g := ring.group
	g.stage(unsafe.Pointer(&ring.mem[0]), 0, 0) // SAFETY: the ring's own memory.
	g.publish()
	for range 3 {
		queueRecv(t, r, a, ring, 0)
		require.Zero(t, wait(t, r, 1)[0].Res, "the end of a stream that has data")
	}
	if head, err := g.head(); err == nil {
		require.Zero(t, head, "the empty buffer is never used up")
	}
	require.ErrorIs(t, ring.Add(1, 0), unix.EINVAL)
}

// TestFact29ABufferTwiceIsOverwritten is why the owner of each buffer is tracked (fault 43).
func TestFact29ABufferTwiceIsOverwritten(t *testing.T) {
	r := newTestRing(t, 8)
	a, b := testutil.SocketPair(t, "unix")
	ring := newTestBufRing(t, r, 4, 64)
	for range 2 {
		ring.group.stage(unsafe.Pointer(&ring.mem[0]), 64, 0) // SAFETY: the ring's own memory.
	}
	ring.group.publish()
	for _, data := range []string{"first", "other"} {
		_, err := unix.Write(b, []byte(data))
		require.NoError(t, err)
		queueRecv(t, r, a, ring, 0)
		c := wait(t, r, 1)[0]
		require.EqualValues(t, len(data), c.Res)
		id, ok := c.Buffer()
		require.True(t, ok)
		require.Zero(t, id)
		require.Equal(t, data, string(ring.mem[:len(data)]), "what came first is still held by somebody")
	}
	require.NoError(t, ring.Add(1, 1))
	require.ErrorIs(t, ring.Add(1, 1), ErrBufferOwned)
}

// TestCallsIntoCDoNotGrowWithMessages sends a thousand messages by one bundle, and many bundles by one submission.
func TestCallsIntoCDoNotGrowWithMessages(t *testing.T) {
	calls := func(sockets, messages int) uint64 {
		r := newTestRing(t, 64, WithCQEntries(1024))
		needs(t, CanSendBundle)
		rings, fds := make([]*BufRing, sockets), make([]int, sockets)
		for i := range rings {
			fds[i], _ = testutil.SocketPair(t, "unix")
			rings[i] = newTestBufRing(t, r, messages, 8)
		}
		before := r.c.Calls()
		for i, b := range rings {
			require.NoError(t, b.AddRange(0, messages, 8))
			b.Publish()
			queueBundle(t, r, fds[i], b, 0)
		}
		_, err := r.Submit()
		require.NoError(t, err)
		left := sockets
		for c := range r.Completions() {
			require.NoError(t, c.Err())
			if !c.More() {
				left--
			}
		}
		require.Zero(t, left)
		return r.c.Calls() - before
	}
	require.Zero(t, calls(1, 1024))
	require.Zero(t, calls(64, 16))
}
