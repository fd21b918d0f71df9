//go:build linux

package uring

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// TestCancellationThatFindsNothingIsMadeAgain has a request and its cancellation reach the kernel together, when a part
// of the bytes is there: the kernel finds the request neither waiting nor running, and goes on to wait for the rest.
func TestCancellationThatFindsNothingIsMadeAgain(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	needs(t, CanSendPollFirst)
	r := newTestRing(t, 8)
	fd, peer := testutil.SocketPair(t, "unix")
	_, err := unix.Write(peer, []byte("part"))
	require.NoError(t, err)
	k := r.newCall()
	s, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, s.PrepRecv(fd, make([]byte, 100), unix.MSG_WAITALL))
	require.NoError(t, s.SetIOPrio(cring.RecvSendPollFirst)) // which finds the socket ready, and is queued to be run
	k.begin(s.slot)
	require.NoError(t, r.cancelAndAwait(s.ID(), k))
	require.Equal(t, 4, k.n)
}

// TestCallThatIsNotOverIsNotReused leaves a zero-copy send whose notification does not come, and has it come in the
// middle of the next call: that one goes on, and what it says has left is what its peer reads.
func TestCallThatIsNotOverIsNotReused(t *testing.T) { // found 1
	testutil.Timeout(t, hangLimit)
	r := newTestRing(t, 8, WithCloseTimeout(20*time.Millisecond))
	needs(t, CanSendZC)
	a, aPeer := tightPair(t)
	b, bPeer := testutil.SocketPair(t, "tcp4")
	p := make([]byte, leakedLen)
	// The context ends once something has been sent, which a slow machine may take longer for than any time-out.
	n, _, err := r.SendZC(untilSome(t, aPeer), a, p, unix.MSG_WAITALL)
	var leak *LeakError
	require.ErrorAs(t, err, &leak)
	require.Equal(t, 1, leak.Operations)
	require.ErrorIs(t, err, context.Canceled)
	require.Less(t, n, len(p))

	q := make([]byte, 16<<20)
	fillStream(q, 0)
	awaitSome := untilSome(t, bPeer) // whose context ends once the second call has sent something
	got := make(chan []byte, 1)
	go func() {
		<-awaitSome.Done()
		_ = unix.Shutdown(aPeer, unix.SHUT_RDWR)
		_ = unix.Close(aPeer)
		got <- readAll(t, bPeer, len(q))
	}()
	n, err = r.Send(context.Background(), b, q, unix.MSG_WAITALL)
	require.NoError(t, err)
	require.Equal(t, len(q), n)
	clear(q)
	want := make([]byte, len(q))
	fillStream(want, 0)
	require.Equal(t, want, <-got)
	for r.slots.live > 0 {
		_, err := r.SubmitAndWaitTimeout(context.Background(), 1, time.Second)
		require.NoError(t, err)
		reapAll(r)
	}
}

// TestWaitForANotificationIsBounded ends the context of a zero-copy send that has its result while its peer keeps the
// notification back. The memory is the kernel's until that comes, whoever drops it, and the caller's afterwards.
func TestWaitForANotificationIsBounded(t *testing.T) { // faults 71, 72 and 90; found 2
	testutil.Timeout(t, hangLimit)
	for name, end := range map[string]func(peer, n int){
		"the peer reads": func(peer, n int) {
			want := make([]byte, n)
			fillStream(want, 0)
			require.True(t, bytes.Equal(want, readAll(t, peer, n)), "what was sent is not what the memory held")
		},
		"the peer goes": func(peer, _ int) { reset(t, peer) },
	} {
		const limit = 100 * time.Millisecond
		r := newTestRing(t, 8, WithCloseTimeout(limit))
		needs(t, CanSendZC)
		a, peer := tightPair(t)
		start := time.Now()
		n, addr, dropped := leakZC(t, r, a, peer)
		require.GreaterOrEqual(t, time.Since(start), limit, name)
		require.Less(t, r.Stats().Enters, uint64(100), "it asked again and again: %s", name)
		require.Equal(t, 1, r.Stats().InFlight, name)

		var others [8][]byte
		for i := range others {
			runtime.GC()
			others[i] = bytes.Repeat([]byte{0xEE}, leakedLen)
			require.NotEqual(t, addr, addressOf(others[i]), "the kept memory was given out again: %s", name)
		}
		require.Empty(t, dropped, "the memory was let go of: %s", name)
		end(peer, n)
		_, err := r.SubmitAndWaitTimeout(context.Background(), 1, hangLimit)
		require.NoError(t, err, name)
		require.Empty(t, reapAll(r), "nobody waits for the notification: %s", name)
		require.Zero(t, r.Stats().InFlight, name)
		require.Zero(t, r.Stats().Stale, name)
		for len(dropped) == 0 { // until the collector has found that nobody has it
			runtime.GC()
			runtime.Gosched()
		}
	}
}

// leakedLen is more than a socket of tightPair takes: what has not left it holds the notification back. It is less than
// RLIMIT_MEMLOCK allows, towards which kernels count the whole of such a send.
const leakedLen = 4 << 20

// tightPair returns two connected sockets of which the first takes little that the second has not read.
func tightPair(t *testing.T) (a, peer int) {
	t.Helper()
	a, peer = testutil.SocketPair(t, "tcp4")
	require.NoError(t, unix.SetsockoptInt(a, unix.SOL_SOCKET, unix.SO_SNDBUF, 64<<10))
	return a, peer
}

// leakZC sends without copying until the context ends, which it does once something has arrived, and leaves the kernel
// with the memory. It returns how much was sent, where from, and what tells that nobody has the memory any more.
//
//go:noinline
func leakZC(t *testing.T, r *Ring, fd, peer int) (n int, addr uintptr, dropped chan bool) {
	p := make([]byte, leakedLen)
	fillStream(p, 0)
	dropped = make(chan bool, 1)
	runtime.AddCleanup(&p[0], func(dropped chan bool) { dropped <- true }, dropped)
	n, _, err := r.SendZC(untilSome(t, peer), fd, p, 0)
	var leak *LeakError
	require.ErrorAs(t, err, &leak)
	require.Equal(t, 1, leak.Operations)
	require.ErrorIs(t, err, context.Canceled)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.NotZero(t, n, "the count is right all the same")
	return n, addressOf(p), dropped
}

// TestCloseWaitsForANotification closes a ring while a call waits for the notification of what it has sent: where the
// peer goes, Close goes on in time, and where it stays, Close says that it keeps the memory.
func TestCloseWaitsForANotification(t *testing.T) { // faults 71, 72 and 90; found 1
	needs(t, CanSendZC)
	for _, goes := range []bool{true, false} {
		t.Run(fmt.Sprintf("the peer goes %v", goes), func(t *testing.T) {
			if !testutil.InChild() { // what is kept on purpose is a leak to everything that looks for leaks
				child := testutil.ReExec(t, t.Name(), "ASAN_OPTIONS=detect_leaks=0")
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			testutil.Timeout(t, hangLimit)
			limit := map[bool]time.Duration{true: hangLimit / 2, false: 50 * time.Millisecond}[goes]
			r, err := New(8, WithCloseTimeout(limit))
			require.NoError(t, err)
			a, peer := tightPair(t)
			p := make([]byte, leakedLen)
			fillStream(p, 0)
			some := untilSome(t, peer) // whose context ends once something has been sent
			closed := make(chan error, 1)
			go func() {
				<-some.Done()
				go func() { closed <- r.Close() }()
				for !r.life.closing.Load() {
					runtime.Gosched()
				}
				if goes {
					reset(t, peer)
				}
			}()
			start := time.Now()
			n, _, err := r.SendZC(context.Background(), a, p, 0)
			require.ErrorIs(t, err, ErrClosed)
			require.Less(t, n, len(p))
			err = <-closed
			if goes {
				require.NoError(t, err)
				require.Zero(t, r.Stats().InFlight)
				return
			}
			var leak *LeakError
			require.ErrorAs(t, err, &leak)
			require.GreaterOrEqual(t, leak.Operations, 1)
			require.GreaterOrEqual(t, time.Since(start), limit)
			addr := addressOf(p)
			p = nil
			for range 3 {
				runtime.GC()
			}
			for range 8 {
				require.NotEqual(t, addr, addressOf(make([]byte, leakedLen)), "the kept memory was given out again")
			}
		})
	}
}

// waitsForRoom has a release of a Sender run do while the ring waits for a send that has no room.
func waitsForRoom(t *testing.T, r *Ring, do func()) (fd int, p []byte) {
	t.Helper()
	fd, _ = testutil.SocketPair(t, "unix")
	other, _ := testutil.SocketPair(t, "unix")
	s, err := r.NewSender(other, WithSendmsg())
	require.NoError(t, err)
	require.NoError(t, s.HandOver([]byte("with a release"), func(int, error) { do() }))
	return fd, make([]byte, 16<<20)
}

func TestPanicThatPassesACallEndsItsRequest(t *testing.T) { // found 1
	testutil.Timeout(t, hangLimit)
	r := newTestRing(t, 8)
	fd, p := waitsForRoom(t, r, func() { panic("of the program") })
	require.PanicsWithValue(t, "of the program", func() { _, _ = r.Send(context.Background(), fd, p, unix.MSG_WAITALL) })
	require.Zero(t, r.slots.live, "the kernel has the memory of a call that nobody waits for")
	require.Len(t, r.calls, 1)
}

func TestCallFromWithinACompletionIsRefused(t *testing.T) { // found 1
	testutil.Timeout(t, hangLimit)
	r := newTestRing(t, 8)
	var inner error
	fd, _ := waitsForRoom(t, r, func() {
		other, _ := testutil.SocketPair(t, "unix")
		_, inner = r.Send(context.Background(), other, []byte("never sent"), 0)
	})
	_, err := r.Send(context.Background(), fd, []byte("sent"), 0)
	require.NoError(t, err)
	require.NoError(t, r.Flush(context.Background()))
	require.ErrorIs(t, inner, errServing)
	require.Zero(t, r.slots.live)
	require.Len(t, r.calls, 1+1, "one for each call that was under way")
}

// TestCallThatWasNotSubmittedIsWithdrawn has the kernel refuse the entry: nothing of it leaves later.
func TestCallThatWasNotSubmittedIsWithdrawn(t *testing.T) { // found 1
	r := newTestRing(t, 8)
	fd, peer := testutil.SocketPair(t, "unix")
	r.seam = func(uint32, cring.Timespec) (int, bool) { return -int(unix.ENOMEM), true }
	p := []byte("not sent")
	n, err := r.Send(context.Background(), fd, p, 0)
	require.ErrorIs(t, err, unix.ENOMEM)
	require.Zero(t, n)
	require.Len(t, r.calls, 1)
	r.seam = nil
	_, err = r.Submit()
	require.NoError(t, err)
	_, err = r.Send(context.Background(), fd, []byte("sent"), 0)
	require.NoError(t, err)
	require.Equal(t, "sent", string(readAll(t, peer, 4)))
	require.Empty(t, reapAll(r))
	require.Zero(t, r.slots.live)
}

// TestBundleThatIsNotOverKeepsItsBuffers has every kernel entry fail while a bundle waits for room.
func TestBundleThatIsNotOverKeepsItsBuffers(t *testing.T) { // found 1
	testutil.Timeout(t, hangLimit)
	needs(t, CanSendBundle)
	r := newTestRing(t, 8, WithCloseTimeout(20*time.Millisecond))
	fd, peer := testutil.SocketPair(t, "unix")
	b, err := r.NewBufRing(1024, 4096)
	testutil.SkipIfUnsupported(t, err)
	total := publishStream(t, b, 1024)
	entered := false
	r.seam = func(uint32, cring.Timespec) (int, bool) {
		if !entered {
			entered = true
			return 0, false
		}
		return -int(unix.EBUSY), true
	}
	n, err := r.SendBundle(context.Background(), fd, b, 0)
	var leak *LeakError
	require.ErrorAs(t, err, &leak)
	require.ErrorIs(t, err, unix.EBUSY)
	require.Less(t, n, total)
	require.Empty(t, r.calls, "its record is still in use")
	_, err = b.Withdraw(nil)
	require.ErrorIs(t, err, unix.EBUSY)

	r.seam = nil
	r.cfg.closeTimeout = hangLimit
	require.NoError(t, unix.Close(peer))
	for r.slots.live > 0 {
		_, err := r.SubmitAndWaitTimeout(context.Background(), 1, time.Second)
		require.NoError(t, err)
		require.Empty(t, reapAll(r))
	}
	_, err = b.Withdraw(nil)
	require.NoError(t, err)
	require.Zero(t, b.Lent())
	require.Len(t, r.calls, 1)
}

// neverSettled is what an await waits for in vain.
type neverSettled struct{}

func (neverSettled) settled() bool     { return false }
func (neverSettled) cancellable() bool { return true }

func TestAwaitEndsInTimeWhereCompletionsNeverCease(t *testing.T) { // found 2
	testutil.Timeout(t, hangLimit)
	r := newTestRing(t, 8, WithCloseTimeout(50*time.Millisecond))
	more := true
	var again completerFunc
	again = func(CQE) {
		if more {
			r.claim().owner = again
		}
	}
	again(CQE{})
	require.ErrorIs(t, r.await(context.Background(), 20*time.Millisecond, neverSettled{}), errTimeout)
	var leak *LeakError
	require.ErrorAs(t, r.cancelAndAwait(OpID(userDataOurs|60), neverSettled{}), &leak)
	more = false
	require.NoError(t, r.flushOnce())
}

func TestCancellationsThatFindNothingAreFew(t *testing.T) { // found 2
	testutil.Timeout(t, hangLimit)
	r := newTestRing(t, 8, WithCloseTimeout(500*time.Millisecond))
	before := r.Stats().Submitted
	start := time.Now()
	var leak *LeakError
	require.ErrorAs(t, r.cancelAndAwait(OpID(userDataOurs|60), neverSettled{}), &leak)
	require.NoError(t, leak.Err)
	require.GreaterOrEqual(t, time.Since(start), 500*time.Millisecond)
	require.Less(t, r.Stats().Submitted-before, uint64(20))
}

// TestEntriesThatAlwaysEndAtOnce has every kernel entry answered with EINTR, as a tracer or a filter may.
func TestEntriesThatAlwaysEndAtOnce(t *testing.T) { // found 2
	testutil.Timeout(t, hangLimit)
	r := newTestRing(t, 8)
	pollForever(t, r)
	_, err := r.Submit()
	require.NoError(t, err)
	r.seam = func(uint32, cring.Timespec) (int, bool) { return -int(unix.EINTR), true }
	entries := func() uint64 { return r.Stats().Enters }

	nop(t, r, 1)
	before := entries()
	_, err = r.Submit()
	require.ErrorIs(t, err, unix.EINTR, "a submission that never gets anywhere")
	require.LessOrEqual(t, entries()-before, uint64(10*briefTriesMax))
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.ErrorIs(t, err, unix.EINTR)

	r.seam = nil
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1)
	r.seam = func(uint32, cring.Timespec) (int, bool) { return -int(unix.EINTR), true }
	ctx, cancel := context.WithTimeout(context.Background(), 300*time.Millisecond)
	defer cancel()
	before = entries()
	_, err = r.SubmitAndWait(ctx, 1)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	require.Less(t, entries()-before, uint64(briefFree+3000+1), "it kept a processor busy")

	r.cfg.closeTimeout = 300 * time.Millisecond
	before = entries()
	if err := r.drain(); err != nil {
		require.True(t, transient(err), "%v", err)
	}
	require.NotZero(t, r.slots.live)
	require.Less(t, entries()-before, uint64(20*briefTriesMax))
	r.seam = nil
	r.cfg.closeTimeout = hangLimit
}

func TestSendZCThatSentNothingCopiedNothing(t *testing.T) { // found 12
	testutil.Timeout(t, hangLimit)
	needs(t, CanSendZC)
	r := newTestRing(t, 8)
	fd, _ := testutil.SocketPair(t, "tcp4")
	p := make([]byte, 1<<20)
	for {
		if _, err := unix.SendmsgN(fd, p, nil, nil, unix.MSG_DONTWAIT); err == unix.EAGAIN {
			break
		} else if err != unix.EINTR {
			require.NoError(t, err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	n, copied, err := r.SendZC(ctx, fd, p, 0)
	require.ErrorIs(t, err, context.DeadlineExceeded)
	if n == 0 { // the other side may have made room meanwhile
		require.False(t, copied)
	}
}

func TestMultishotPollTellsChangesAndNotState(t *testing.T) { // found 12
	testutil.Timeout(t, hangLimit)
	needs(t, CanPollMultishot)
	r := newTestRing(t, 8)
	fd, peer := testutil.SocketPair(t, "unix")
	queued(t, r, func(s *SQE) error { return s.PrepPollMultishot(fd, unix.POLLIN) })
	_, err := r.Submit()
	require.NoError(t, err)
	_, err = unix.Write(peer, []byte("unread"))
	require.NoError(t, err)
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1)
	nop(t, r, 1) // with which everything comes that is to come
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1, "unread data was told twice")

	_, err = unix.Write(peer, []byte("more"))
	require.NoError(t, err)
	require.Len(t, readAll(t, fd, 10), 10)
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	got := reapAll(r)
	require.Len(t, got, 1, "of a socket that has been emptied meanwhile")
	require.True(t, got[0].More())
}

// fakeKernel answers every kernel entry of a ring in the kernel's stead, which so never sees an SQE: what it does, and
// when, is the test's choice. By itself it takes what is queued, lets a zero-copy send have its result and its
// notification at once, and cancels what it is told to.
type fakeKernel struct {
	r       *Ring
	before  func() (ret int, answered bool) // asked at each entry, while it is set
	hold    callState                       // how far the first send comes before it is let go
	victim  uint64                          // user data of that send
	pending []cring.CQE                     // what it has yet to make
	answer  unix.Errno                      // what cancellations of it find; where it is not 0 the send goes on then
	mute    bool                            // cancellations get no answer
	muted   []uint64                        // who got none
	cancels int
	failing int // what every entry returns from now on, where it is not 0
}

const (
	fakeSent   = 7
	fakeCopied = -1 << 31
)

func (f *fakeKernel) enter(n uint32, d cring.Timespec) (int, bool) {
	if f.before != nil {
		if ret, answered := f.before(); answered {
			return ret, true
		}
	}
	if f.failing != 0 {
		return f.failing, true
	}
	took := f.take()
	if n > 0 && f.r.pending() == 0 { // as long as the kernel would wait
		if d.Sec < 0 {
			panic("a wait for what will never come")
		}
		time.Sleep(time.Duration(d.Sec)*time.Second + time.Duration(d.Nsec))
		return -int(unix.ETIME), true
	}
	return took, true
}

// take takes what is queued.
func (f *fakeKernel) take() int {
	v := &f.r.c.View
	head, tail := atomic.LoadUint32(v.SQHead), *v.SQETail
	took := int(tail - head)
	for ; head != tail; head++ {
		f.run(v.SQEs[head&f.r.sqMask])
	}
	atomic.StoreUint32(v.SQTail, tail)
	atomic.StoreUint32(v.SQHead, tail)
	return took
}

func (f *fakeKernel) run(sqe cring.SQE) {
	switch sqe.Opcode {
	case cring.OpNop:
		f.post(sqe.UserData, 0, 0)
	case cring.OpSendZC:
		f.send(sqe.UserData)
	case cring.OpAsyncCancel:
		f.cancels++
		f.cancel(sqe.UserData, sqe.Addr)
	}
}

func (f *fakeKernel) send(id uint64) {
	all := []cring.CQE{
		{UserData: id, Res: fakeSent, Flags: uint32(CQEMore)},
		{UserData: id, Res: fakeCopied, Flags: uint32(CQENotif)},
	}
	if f.victim != 0 {
		for _, c := range all {
			f.post(c.UserData, c.Res, c.Flags)
		}
		return
	}
	f.victim = id
	f.pending = all
	switch f.hold {
	case callResult:
		f.advance()
	case callNotified:
		f.release()
	}
}

// advance makes the next CQE of the send that is held.
func (f *fakeKernel) advance() {
	c := f.pending[0]
	f.pending = f.pending[1:]
	f.post(c.UserData, c.Res, c.Flags)
}

// release lets the send go on to its end.
func (f *fakeKernel) release() {
	for len(f.pending) > 0 {
		f.advance()
	}
}

func (f *fakeKernel) cancel(id, victim uint64) {
	switch {
	case f.mute:
		f.muted = append(f.muted, id)
	case victim != f.victim || len(f.pending) == 0:
		f.post(id, -int32(unix.ENOENT), 0)
	case len(f.pending) == 1: // it has its result
		f.post(id, -int32(unix.ENOENT), 0)
		f.release()
	case f.answer != 0:
		f.post(id, -int32(f.answer), 0)
		f.release()
	default:
		f.post(id, 0, 0)
		f.pending = nil
		f.post(victim, -int32(unix.ECANCELED), 0)
	}
}

func (f *fakeKernel) post(id uint64, res int32, flags uint32) {
	v := &f.r.c.View
	tail := *v.CQTail
	v.CQEs[tail&f.r.cqMask] = cring.CQE{UserData: id, Res: res, Flags: flags}
	atomic.StoreUint32(v.CQTail, tail+1)
}

// life is one call that is brought to a state, where something happens to it.
type life struct {
	f      *fakeKernel
	state  callState
	event  string
	cancel context.CancelFunc
	ctx    context.Context
	fired  bool
	closed chan error

	first  *call // the record of the first call
	result lifeResult
}

// leakLimit is the close time-out where it is to run out.
const leakLimit = 30 * time.Millisecond

// lifeResult is what came of it.
type lifeResult struct {
	n       int
	err     error
	ended   string // how the call ended where not by returning
	leaked  bool   // the record of the first call was still in use when its caller had left
	cancels int
	stale   uint64
	after   string // what is wrong at the end
}

const (
	panicked = "panic"
	goexited = "Goexit"
)

// answers are those to a cancellation.
var answers = map[string]unix.Errno{"cancel answered ENOENT": unix.ENOENT, "cancel answered EALREADY": unix.EALREADY}

// fire makes the event happen, at a kernel entry.
func (l *life) fire() (int, bool) {
	f := l.f
	l.fired = true
	f.before = nil
	strayed := uint64(userDataOurs | 1<<userDataGenShift | 60)
	switch l.event {
	case "result":
		f.post(l.id(), 9, uint32(CQEMore))
		if l.state == callInFlight || l.state == callLeaked {
			f.pending = f.pending[1:]
		}
		l.letGo()
		if l.state == callBegun {
			return 0, true // which is before the kernel takes it
		}
	case "notification":
		f.post(l.id(), 0, uint32(CQENotif))
		if l.state == callInFlight || l.state == callResult || l.state == callLeaked {
			f.pending = nil
		}
		l.letGo()
		if l.state == callBegun {
			return 0, true
		}
	case "cancel answered 0", "cancel answered ENOENT", "cancel answered EALREADY":
		res := answers[l.event]
		switch {
		case l.state == callInFlight:
			f.answer = res
			l.cancel()
			return -int(unix.EINTR), true
		case l.state == callLeaked && len(f.muted) > 0:
			f.post(f.muted[0], -int32(res), 0)
			f.muted = f.muted[1:]
		default:
			f.post(strayed, -int32(res), 0)
		}
		if l.state == callResult {
			l.cancel()
			return l.later(-int(unix.EINTR))
		}
		l.letGo()
	case "context", "deadline":
		if l.event == "context" {
			l.cancel()
		} else {
			<-l.ctx.Done()
		}
		if l.state == callBegun || l.state == callInFlight || l.state == callResult {
			return l.later(-int(unix.EINTR))
		}
	case "Close":
		l.answerMuted()
		go func() { l.closed <- f.r.Close() }()
		for !f.r.life.closing.Load() {
			runtime.Gosched()
		}
		if l.state == callInFlight || l.state == callResult {
			return -int(unix.EINTR), true // as the signal would have it
		}
	case "EAGAIN":
		f.failing = -int(unix.EAGAIN)
	case "EBUSY":
		f.failing = -int(unix.EBUSY)
	case "EINTR":
		if l.state == callBegun || l.state == callOver || l.state == callLeaked {
			f.failing = -int(unix.EINTR) // for good: nothing is submitted any more
		} else {
			l.letGo()
			return -int(unix.EINTR), true
		}
	case "ENOMEM":
		return l.later(-int(unix.ENOMEM))
	case panicked, goexited:
		f.post(l.bomb(), 0, 0)
		return l.later(0)
	}
	if f.failing != 0 {
		return f.failing, true
	}
	return 0, false
}

// letGo has what is left of the send come by itself, now or once the kernel has it.
func (l *life) letGo() {
	switch l.state {
	case callBegun:
		l.f.hold = callNotified
	case callInFlight, callResult:
		l.f.release()
	}
}

// later is what an entry returns; a notification that is missing comes with the next.
func (l *life) later(ret int) (int, bool) {
	if l.state == callResult {
		l.f.before = func() (int, bool) {
			l.f.before = nil
			l.f.release()
			return 0, false
		}
	}
	return ret, true
}

// answerMuted answers the cancellations that got no answer.
func (l *life) answerMuted() {
	for _, id := range l.f.muted {
		l.f.post(id, 0, 0)
	}
	l.f.muted = nil
}

// id is the user data of the first send.
func (l *life) id() uint64 {
	if l.f.victim != 0 {
		return l.f.victim
	}
	return l.f.r.queued[len(l.f.r.queued)-1].userData()
}

// bomb is the user data of an operation whose completion runs code of the program that does not return.
func (l *life) bomb() uint64 {
	r := l.f.r
	s := r.slots.get()
	s.state = slotInFlight
	s.owner = completerFunc(func(CQE) {
		if l.event == goexited {
			runtime.Goexit()
		}
		panic(panicked)
	})
	return s.userData()
}

// send makes a call, and notes what came of it.
func (l *life) send(ctx context.Context) {
	l.result.ended = goexited
	defer func() {
		if v := recover(); v != nil {
			l.result.ended = fmt.Sprint(v)
		}
	}()
	n, _, err := l.f.r.SendZC(ctx, 0, make([]byte, 16), 0)
	l.result.n, l.result.err, l.result.ended = n, err, ""
}

// live goes through the whole of it, on a goroutine of its own, which owns the ring.
func (l *life) live(r *Ring) {
	f := l.f
	defer l.bury(r)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	if l.event == "deadline" {
		l.ctx, l.cancel = context.WithTimeout(context.Background(), 200*time.Millisecond)
	}
	defer l.cancel()
	first := &call{ring: r}
	l.first = first
	r.calls = append(r.calls, first)
	switch l.state {
	case callBegun, callNotified:
		f.hold = l.state
		f.before = l.fire
		if l.state == callNotified {
			f.before = func() (int, bool) {
				f.take()
				ret, answered := l.fire()
				if !answered {
					ret = 1
				}
				return ret, true
			}
		}
		l.send(l.ctx)
	case callInFlight, callResult:
		f.hold = l.state
		f.before = func() (int, bool) {
			if f.victim == 0 {
				return 0, false
			}
			return l.fire()
		}
		l.send(l.ctx)
	case callOver:
		f.hold = callNotified
		l.send(l.ctx)
		f.before = l.fire
		l.send(context.Background())
	case callLeaked:
		f.hold, f.mute = callInFlight, true
		ctx, cancel := context.WithCancel(context.Background())
		f.before = func() (int, bool) {
			if f.victim == 0 {
				return 0, false
			}
			cancel()
			f.before = nil
			return -int(unix.EINTR), true
		}
		r.cfg.closeTimeout = leakLimit
		l.send(ctx)
		r.cfg.closeTimeout = hangLimit
		var leak *LeakError
		if !errors.As(l.result.err, &leak) || !errors.Is(l.result.err, context.Canceled) || first.state != callLeaked {
			l.result.after = fmt.Sprintf("not leaked: state %d, %v", first.state, l.result.err)
			return
		}
		f.mute = false
		f.cancels = 0
		f.before = l.fire
		l.send(context.Background())
	}
}

// bury looks at what is left, has the kernel end everything, and looks again.
func (l *life) bury(r *Ring) {
	f := l.f
	l.result.leaked = l.first.state == callLeaked
	l.result.cancels, l.result.stale = f.cancels, r.stats.Stale
	if l.result.after == "" {
		l.result.after = l.invariants(r)
	}
	f.failing, f.before, f.mute = 0, nil, false
	if !l.fired || l.event != "Close" { // a Close from elsewhere reads it
		r.cfg.closeTimeout = hangLimit
	}
	f.hold = callNotified
	if !r.life.closing.Load() {
		f.release()
		l.answerMuted()
		_, err := r.Submit()
		_ = r.reap()
		if l.result.after == "" && (err != nil || r.slots.live != 0 || len(r.calls) < 1) {
			l.result.after = fmt.Sprintf("at the end: %v, %d slots, %d free records", err, r.slots.live, len(r.calls))
		}
	}
	if err := r.Close(); err != nil && l.result.after == "" {
		l.result.after = fmt.Sprint("close: ", err)
	}
	if l.event == "Close" && l.fired {
		if err := <-l.closed; err != nil && l.result.after == "" {
			l.result.after = fmt.Sprint("close from elsewhere: ", err)
		}
	}
}

// invariants are what holds whenever no call is under way: a record is free or it is leaked and hangs on a slot, and
// what the kernel has is pinned.
func (l *life) invariants(r *Ring) (wrong string) {
	seen := map[*call]bool{}
	for _, k := range r.calls {
		if seen[k] || k.state != callOver || k.slot != nil {
			return fmt.Sprintf("a free record in state %d", k.state)
		}
		seen[k] = true
	}
	r.slots.each(func(s *slot) {
		k, ok := s.owner.(*call)
		switch {
		case !ok:
		case seen[k]:
			wrong = "a record is free whose request the kernel has"
		case k.state != callLeaked:
			wrong = fmt.Sprintf("a record in state %d that nobody has", k.state)
		case s.pins == 0:
			wrong = "the kernel has memory that is not pinned"
		}
	})
	return wrong
}

// The errors that a life may end with.
var (
	ctxErr     = []error{context.Canceled}
	lateErr    = []error{context.DeadlineExceeded}
	closedErr  = []error{ErrClosed}
	againErr   = []error{unix.EAGAIN}
	busyErr    = []error{unix.EBUSY}
	eintrErr   = []error{unix.EINTR}
	nomemErr   = []error{unix.ENOMEM}
	againLeak  = []error{unix.EAGAIN, errLeak}
	busyLeak   = []error{unix.EBUSY, errLeak}
	resultless = []error{errNoResult}
	errLeak    = errors.New("leak")
)

// lives is every pair of a state and an event. n and errs are what the call returns: the one that is in the state, or
// in the states over and leaked the next one, which must not notice. never says why a pair cannot happen; it is tried
// by the fake kernel all the same.
var lives = []struct {
	state   callState
	event   string
	n       int
	errs    []error
	ended   string
	leaked  bool
	cancels int
	stale   uint64
	never   string
}{
	{state: callBegun, event: "result", n: 7, stale: 1, never: "the kernel completes nothing that it has not taken"},
	{state: callBegun, event: "notification", n: 7, stale: 1, never: "as a result"},
	{state: callBegun, event: "cancel answered 0", n: 7, stale: 1, never: "what is begun is withdrawn, not cancelled"},
	{state: callBegun, event: "cancel answered ENOENT", n: 7, stale: 1, never: "the same"},
	{state: callBegun, event: "cancel answered EALREADY", n: 7, stale: 1, never: "the same"},
	{state: callBegun, event: "context", errs: ctxErr, cancels: 1}, // it is submitted, and then cancelled
	{state: callBegun, event: "deadline", errs: lateErr, cancels: 1},
	{state: callBegun, event: "Close", errs: closedErr, cancels: 1}, // it is submitted, and cancelled when the owner looks
	{state: callBegun, event: "EAGAIN", errs: againErr},
	{state: callBegun, event: "EBUSY", errs: busyErr},
	{state: callBegun, event: "EINTR", errs: eintrErr},
	{state: callBegun, event: "ENOMEM", errs: nomemErr},
	{state: callBegun, event: panicked, ended: panicked},
	{state: callBegun, event: goexited, ended: goexited},

	{state: callInFlight, event: "result", n: 9},
	{state: callInFlight, event: "notification", errs: resultless, never: "the kernel tells the result first"},
	{state: callInFlight, event: "cancel answered 0", errs: ctxErr, cancels: 1},
	{state: callInFlight, event: "cancel answered ENOENT", n: 7, errs: ctxErr, cancels: 1},
	{state: callInFlight, event: "cancel answered EALREADY", n: 7, errs: ctxErr, cancels: 1},
	{state: callInFlight, event: "context", errs: ctxErr, cancels: 1},
	{state: callInFlight, event: "deadline", errs: lateErr, cancels: 1},
	{state: callInFlight, event: "Close", errs: closedErr, cancels: 1},
	{state: callInFlight, event: "EAGAIN", errs: againLeak, leaked: true},
	{state: callInFlight, event: "EBUSY", errs: busyLeak, leaked: true},
	{state: callInFlight, event: "EINTR", n: 7},
	{state: callInFlight, event: "ENOMEM", errs: nomemErr, cancels: 1},
	{state: callInFlight, event: panicked, ended: panicked, cancels: 1},
	{state: callInFlight, event: goexited, ended: goexited, cancels: 1},

	{state: callResult, event: "result", n: 7, never: "a request has one result; the first one counts"},
	{state: callResult, event: "notification", n: 7},
	{state: callResult, event: "cancel answered 0", n: 7, errs: ctxErr, stale: 1, never: "it is not cancelled any more"},
	{state: callResult, event: "cancel answered ENOENT", n: 7, errs: ctxErr, stale: 1, never: "the same"},
	{state: callResult, event: "cancel answered EALREADY", n: 7, errs: ctxErr, stale: 1, never: "the same"},
	{state: callResult, event: "context", n: 7, errs: ctxErr},
	{state: callResult, event: "deadline", n: 7, errs: lateErr},
	{state: callResult, event: "Close", n: 7, errs: closedErr, cancels: 1}, // Close asks for everything in flight
	{state: callResult, event: "EAGAIN", n: 7, errs: againLeak, leaked: true},
	{state: callResult, event: "EBUSY", n: 7, errs: busyLeak, leaked: true},
	{state: callResult, event: "EINTR", n: 7},
	{state: callResult, event: "ENOMEM", n: 7, errs: nomemErr},
	{state: callResult, event: panicked, ended: panicked},
	{state: callResult, event: goexited, ended: goexited},

	{state: callNotified, event: "result", n: 7, stale: 1, never: "nothing follows the last CQE"},
	{state: callNotified, event: "notification", n: 7, stale: 1, never: "the same"},
	{state: callNotified, event: "cancel answered 0", n: 7, stale: 1, never: "what has ended is not cancelled"},
	{state: callNotified, event: "cancel answered ENOENT", n: 7, stale: 1, never: "the same"},
	{state: callNotified, event: "cancel answered EALREADY", n: 7, stale: 1, never: "the same"},
	{state: callNotified, event: "context", n: 7},
	{state: callNotified, event: "deadline", n: 7},
	{state: callNotified, event: "Close", n: 7, errs: closedErr}, // Close is seen first, and reaps it
	{state: callNotified, event: "EAGAIN", n: 7},
	{state: callNotified, event: "EBUSY", n: 7},
	{state: callNotified, event: "EINTR", n: 7},
	{state: callNotified, event: "ENOMEM", n: 7},
	{state: callNotified, event: panicked, ended: panicked},
	{state: callNotified, event: goexited, ended: goexited},

	{state: callOver, event: "result", n: 7, stale: 1, never: "nothing follows the last CQE"},
	{state: callOver, event: "notification", n: 7, stale: 1, never: "the same"},
	{state: callOver, event: "cancel answered 0", n: 7, stale: 1, never: "what is over is not cancelled"},
	{state: callOver, event: "cancel answered ENOENT", n: 7, stale: 1, never: "the same"},
	{state: callOver, event: "cancel answered EALREADY", n: 7, stale: 1, never: "the same"},
	{state: callOver, event: "context", n: 7},
	{state: callOver, event: "deadline", n: 7},
	{state: callOver, event: "Close", n: 7, errs: closedErr}, // the next had left when the owner looked
	{state: callOver, event: "EAGAIN", errs: againErr},
	{state: callOver, event: "EBUSY", errs: busyErr},
	{state: callOver, event: "EINTR", errs: eintrErr},
	{state: callOver, event: "ENOMEM", errs: nomemErr},
	{state: callOver, event: panicked, ended: panicked},
	{state: callOver, event: goexited, ended: goexited},

	{state: callLeaked, event: "result", n: 7, leaked: true},
	{state: callLeaked, event: "notification", n: 7},
	{state: callLeaked, event: "cancel answered 0", n: 7, leaked: true},
	{state: callLeaked, event: "cancel answered ENOENT", n: 7, leaked: true},
	{state: callLeaked, event: "cancel answered EALREADY", n: 7, leaked: true},
	{state: callLeaked, event: "context", n: 7, leaked: true},
	{state: callLeaked, event: "deadline", n: 7, leaked: true},
	{state: callLeaked, event: "Close", n: 7, errs: closedErr, cancels: 1},
	{state: callLeaked, event: "EAGAIN", errs: againErr, leaked: true},
	{state: callLeaked, event: "EBUSY", errs: busyErr, leaked: true},
	{state: callLeaked, event: "EINTR", errs: eintrErr, leaked: true},
	{state: callLeaked, event: "ENOMEM", errs: nomemErr, leaked: true},
	{state: callLeaked, event: panicked, ended: panicked, leaked: true},
	{state: callLeaked, event: goexited, ended: goexited, leaked: true},
}

// TestEveryStateOfACallMeetsEveryEvent goes through all pairs with a fake kernel; the tests around it meet with the
// real one what that can be brought to do.
func TestEveryStateOfACallMeetsEveryEvent(t *testing.T) { // found 1 and 2
	needs(t, CanSetup)
	testutil.Timeout(t, 4*hangLimit)
	names := [...]string{"over", "begun", "in flight", "result there", "notification there", "leaked"}
	seen := map[string]bool{}
	for _, tt := range lives {
		name := names[tt.state] + "/" + tt.event
		require.False(t, seen[name], name)
		seen[name] = true
		t.Run(name, func(t *testing.T) {
			l := &life{state: tt.state, event: tt.event, closed: make(chan error, 1)}
			limit := hangLimit
			if tt.leaked {
				limit = leakLimit
			}
			made, over := make(chan error, 1), make(chan struct{})
			go func() {
				defer close(over)
				r, err := New(8, WithCloseTimeout(limit))
				made <- err
				if err == nil {
					l.f = &fakeKernel{r: r}
					r.seam = l.f.enter
					l.live(r)
				}
			}()
			require.NoError(t, <-made)
			<-over
			got := l.result
			require.True(t, l.fired)
			require.Empty(t, got.after, "%v", got.err)
			require.Equal(t, tt.ended, got.ended)
			if tt.ended == "" {
				require.Equal(t, tt.n, got.n, "%v", got.err)
				requireErrors(t, got.err, tt.errs)
			}
			require.Equal(t, tt.leaked, got.leaked)
			require.Equal(t, tt.cancels, got.cancels, "cancellations")
			require.Equal(t, tt.stale, got.stale, "CQEs of nobody")
		})
	}
	require.Len(t, seen, len(names)*14)
}

func requireErrors(t *testing.T, err error, want []error) {
	t.Helper()
	if len(want) == 0 {
		require.NoError(t, err)
		return
	}
	leaks := false
	for _, w := range want {
		if errors.Is(w, errLeak) {
			leaks = true
			continue
		}
		require.ErrorIs(t, err, w)
	}
	var leak *LeakError
	require.Equal(t, leaks, errors.As(err, &leak), "%v", err)
}
