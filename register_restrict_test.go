//go:build linux

package uring

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

func TestRestrictedRing(t *testing.T) { // fault 96
	r := newTestRing(t, 4, WithDisabled())
	require.False(t, r.FdRegistered(), "the kernel refuses to enter it")
	nop(t, r, 1)
	_, err := r.Submit()
	require.ErrorIs(t, err, unix.EBADFD)
	require.ErrorIs(t, r.RegisterRestrictions(), unix.EINVAL)
	allowed := []Restriction{
		AllowOp(cring.OpNop), AllowOp(cring.OpPollAdd), AllowSQEFlags(SQEIOLink),
		AllowRegister(cring.RegisterEnableRings),
	}
	if has(t, "IORING_REGISTER_RING_FDS") {
		allowed = append(allowed, AllowRegister(cring.RegisterRingFds))
	}
	need(t, r.RegisterRestrictions(allowed...))
	require.ErrorIs(t, r.RegisterRestrictions(AllowOp(cring.OpRecv)), unix.EBUSY)
	require.NoError(t, r.EnableRings())
	require.ErrorIs(t, r.EnableRings(), unix.EBADFD)
	require.Equal(t, !r.cfg.plainFd && has(t, "IORING_REGISTER_RING_FDS"), r.FdRegistered())
	require.NotZero(t, r.Flags()&SetupRDisabled)

	n, err := r.SubmitAndWait(context.Background(), 1) // the NOP from before
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.NoError(t, reapAll(r)[0].Err())

	rd, _ := testutil.Pipe(t)
	recvOp(t, r, rd, make([]byte, 4))
	queued(t, r, (*SQE).PrepNop).Drain()
	_, err = r.SubmitAndWait(context.Background(), 2)
	require.NoError(t, err)
	for _, c := range reapAll(r) {
		require.ErrorIs(t, c.Err(), unix.EACCES)
	}
	err = r.RegisterFiles([]int{rd})
	require.ErrorIs(t, err, unix.EACCES)
	require.NotErrorIs(t, err, ErrUnsupported)

	pollOp(t, r, rd) // Close cancels it all the same
	_, err = r.Submit()
	require.NoError(t, err)
	require.NoError(t, r.Close())
	require.ErrorIs(t, reapAll(r)[0].Err(), unix.ECANCELED)
}

func TestRestrictedRingThatDemandsFlags(t *testing.T) {
	r := newTestRing(t, 4, WithDisabled())
	rd, wr := testutil.Pipe(t)
	require.NoError(t, r.RegisterFiles([]int{rd}))
	need(t, r.RegisterRestrictions(
		AllowOp(cring.OpRead), AllowOp(cring.OpPollAdd), RequireSQEFlags(SQEFixedFile),
		AllowRegister(cring.RegisterEnableRings),
	))
	require.NoError(t, r.EnableRings())
	p := make([]byte, 4)
	write(t, wr, "abcd")
	require.EqualValues(t, 4, readFile(t, r, 0, p).Res)
	queued(t, r, func(s *SQE) error { return s.PrepRead(rd, p, 0) })
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.ErrorIs(t, reapAll(r)[0].Err(), unix.EACCES)

	needs(t, CanCancelAny) // kernels without it refuse cancellations with the flag
	queued(t, r, func(s *SQE) error { return s.PrepPollAdd(0, unix.POLLIN) }).FixedFile()
	_, err = r.Submit()
	require.NoError(t, err)
	require.NoError(t, r.Close(), "its cancellation has the flag too")
}
