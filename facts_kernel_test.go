//go:build linux

package uring

import (
	"context"
	"errors"
	"runtime"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

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
func TestFact30FailedZeroCopySends(t *testing.T) {
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
