//go:build linux

package uring

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// silent queues an operation that is to be heard of only if it fails.
func silent(t testing.TB, r *Ring, v uint64, prep func(s *SQE) error) *SQE {
	t.Helper()
	s := queued(t, r, prep)
	err := r.SkipSuccess(s, v)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	return s
}

func TestSkippedSuccessLeavesNothing(t *testing.T) {
	for _, opts := range [][]Option{nil, {WithSQPoll(time.Millisecond, -1)}} {
		r := newTestRing(t, 8, opts...)
		for i := range uint64(1000) { // many times what the queues hold
			silent(t, r, i, (*SQE).PrepNop)
		}
		nop(t, r, 7)
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		got := reapAll(r)
		require.Len(t, got, 1)
		require.EqualValues(t, 7, got[0].Data64)
		st := r.Stats()
		require.EqualValues(t, 1001, st.Submitted)
		require.EqualValues(t, 1000, st.Silent)
		require.EqualValues(t, 1, st.Completed)
		require.Zero(t, st.InFlight)
		require.Zero(t, r.slots.live)
		require.Len(t, r.slots.blocks, 1)
	}
}

func TestSkippedSuccessTellsOfAFailure(t *testing.T) {
	r := newTestRing(t, 8)
	s := silent(t, r, silentData64Max, func(s *SQE) error { return s.PrepClose(-1) })
	s.SetData("goes with the slot")
	silent(t, r, 2, func(s *SQE) error { return s.PrepCancel(1, 0) })
	_, err := r.SubmitAndWait(context.Background(), 2)
	require.NoError(t, err)
	got := map[uint64]CQE{}
	for _, c := range reapAll(r) {
		require.Nil(t, c.Data)
		require.False(t, c.Foreign)
		got[c.Data64] = c
	}
	require.Len(t, got, 2)
	require.EqualError(t, got[silentData64Max].Err(), "close: bad file descriptor")
	require.EqualError(t, got[2].Err(), "async_cancel: no such file or directory")
	require.Zero(t, r.Stats().Stale)
}

func TestSkippedSuccessAtTheEndOfAChain(t *testing.T) {
	r := newTestRing(t, 8)
	queued(t, r, (*SQE).PrepNop).Link()
	silent(t, r, 1, (*SQE).PrepNop)
	queued(t, r, (*SQE).PrepNop).Link()
	silent(t, r, 2, func(s *SQE) error { return s.PrepClose(-1) })
	recvOp(t, r, -1, make([]byte, 4)).Link()
	silent(t, r, 3, (*SQE).PrepNop)
	_, err := r.SubmitAndWaitTimeout(context.Background(), 5, time.Minute)
	require.NoError(t, err)
	got := map[uint64]error{}
	for _, c := range reapAll(r) {
		if c.Data64 != 0 {
			got[c.Data64] = c.Err()
		}
	}
	require.Len(t, got, 2)
	require.ErrorIs(t, got[2], unix.EBADF)
	require.ErrorIs(t, got[3], unix.ECANCELED)
	require.Zero(t, r.slots.live)
}

// TestNothingIsLinkedToASilentOperation holds what the kernel does not: of the chain behind a silent operation that
// failed it posts no CQE at all.
func TestNothingIsLinkedToASilentOperation(t *testing.T) {
	needs(t, "IORING_FEAT_CQE_SKIP")
	r := newTestRing(t, 8)
	fails := func(s *SQE) error { return s.PrepClose(-1) }
	linked := queued(t, r, fails)
	linked.Link()
	require.ErrorIs(t, r.SkipSuccess(linked, 1), unix.EINVAL)
	nop(t, r, 2)
	undone := silent(t, r, 3, fails)
	undone.HardLink()
	require.Equal(t, uint8(SQEIOHardlink), undone.raw.Flags)
	nop(t, r, 4)
	_, err := r.SubmitAndWaitTimeout(context.Background(), 4, time.Minute)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 4)
	require.Zero(t, r.Stats().Silent)
}

func TestSkipSuccessIsForOperationsThatNameNothing(t *testing.T) {
	r := newTestRing(t, 32)
	p := make([]byte, 4)
	var addr Sockaddr
	for name, prep := range map[string]func(s *SQE) error{
		"recv":                 func(s *SQE) error { return s.PrepRecv(-1, p, 0) },
		"recv of nothing":      func(s *SQE) error { return s.PrepRecv(-1, nil, 0) },
		"send":                 func(s *SQE) error { return s.PrepSend(-1, p, 0) },
		"send bundle":          func(s *SQE) error { return s.PrepSendBundle(-1, 1, 0) },
		"timeout":              func(s *SQE) error { return s.PrepTimeout(time.Second, 0, 0) },
		"update of a timeout":  func(s *SQE) error { return s.PrepTimeoutUpdate(time.Second, 1, 0) },
		"accept":               func(s *SQE) error { return s.PrepAccept(-1, &addr, 0) },
		"accept of no address": func(s *SQE) error { return s.PrepAccept(-1, nil, 0) },
		"socket":               func(s *SQE) error { return s.PrepSocket(unix.AF_UNIX, unix.SOCK_STREAM, 0, 0) },
		"open":                 func(s *SQE) error { return s.PrepOpen("/", unix.O_PATH, 0) },
		"futex":                func(s *SQE) error { return s.PrepFutexWake(new(uint32), 1, 1, cring.Futex2SizeU32, 0) },
	} {
		s := queued(t, r, prep)
		before := *s.raw
		err := r.SkipSuccess(s, 1)
		testutil.SkipIfUnsupported(t, err)
		require.ErrorIs(t, err, unix.EINVAL, name)
		require.Equal(t, before, *s.raw, name)
		require.NoError(t, s.PrepNop())
	}
	s := queued(t, r, (*SQE).PrepNop)
	require.ErrorIs(t, r.SkipSuccess(s, silentData64Max+1), unix.EINVAL)
	require.NoError(t, r.SkipSuccess(s, 1))
	require.NoError(t, s.PrepNop(), "another Prep undoes it")
	require.Equal(t, uint64(s.ID()), s.raw.UserData)
	require.Zero(t, s.raw.Flags)

	failed, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, r.SkipSuccess(failed, 1))
	require.Error(t, failed.PrepSend(1<<40, p, 0))
	require.NoError(t, r.SkipSuccess(failed, 1), "as all that changes an entry, it has no effect then")
	require.Zero(t, failed.raw.Flags)

	n, err := r.Submit()
	require.NoError(t, err)
	require.NotZero(t, n)
	require.Len(t, reapAll(r), n-1)
	require.NoError(t, r.SkipSuccess(s, 1), "nor on one that was submitted")
	require.Zero(t, r.Stats().Silent)
}

func TestCloseResolvesASilentOperationThatWasNotSubmitted(t *testing.T) {
	needs(t, CanSetup, "IORING_FEAT_CQE_SKIP")
	r, err := New(4)
	require.NoError(t, err)
	silent(t, r, 5, func(s *SQE) error { return s.PrepClose(-1) })
	require.NoError(t, r.Close())
	got := reapAll(r)
	require.Len(t, got, 1)
	require.EqualValues(t, 5, got[0].Data64)
	require.EqualError(t, got[0].Err(), "close: operation canceled")
	require.Zero(t, r.slots.live)
}

func TestForgedSilentCompletionIsStale(t *testing.T) {
	r := newTestRing(t, 4)
	forged := uint64(userDataOurs | userDataSilent | cring.OpSend<<silentOpShift)
	forgeCQE(t, r, cring.CQE{UserData: forged, Res: -1})
	require.EqualValues(t, 1, r.Stats().Stale)
	require.Zero(t, r.Ready())
}

// TestWaitForSilentOperationsOnly would never end, since nothing tells of their success.
func TestWaitForSilentOperationsOnly(t *testing.T) {
	r := newTestRing(t, 4)
	silent(t, r, 1, func(s *SQE) error { return s.PrepNop() })
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.ErrorIs(t, err, ErrIdle)
	require.EqualValues(t, 1, r.Stats().Silent, "it was submitted all the same")
	silent(t, r, 2, func(s *SQE) error { return s.PrepClose(-1) })
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err, "a failure is a completion")
	require.Equal(t, 1, r.Ready())
}

// TestSkipSuccessRefusesWhatFailsSilently names the operations whose errors kernel 6.18 does not take for failures.
func TestSkipSuccessRefusesWhatFailsSilently(t *testing.T) {
	needs(t, "IORING_FEAT_CQE_SKIP")
	r := newTestRing(t, 8)
	for name, prep := range map[string]func(s *SQE) error{
		"fsync":     func(s *SQE) error { return s.PrepFsync(-1, 0) },
		"ftruncate": func(s *SQE) error { return s.PrepFtruncate(-1, 0) },
		"shutdown":  func(s *SQE) error { return s.PrepShutdown(-1, unix.SHUT_RDWR) },
	} {
		s, err := r.SQE()
		require.NoError(t, err)
		require.NoError(t, prep(s))
		require.ErrorIs(t, r.SkipSuccess(s, 1), unix.EINVAL, name)
	}
}
