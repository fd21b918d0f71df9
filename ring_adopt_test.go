//go:build linux && cgo

package uring

import (
	"context"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring/ctest"
	"github.com/sockring/uring/internal/testutil"
)

// newCRing returns a ring that C code set up on the test's thread.
func newCRing(t testing.TB, entries uint32, flags SetupFlags) *ctest.Ring {
	t.Helper()
	for flag, feature := range map[SetupFlags]string{
		SetupDeferTaskrun: "IORING_SETUP_DEFER_TASKRUN", SetupSQE128: "IORING_SETUP_SQE128", SetupCQE32: "IORING_SETUP_CQE32",
	} {
		if flags&flag != 0 {
			needs(t, feature)
		}
	}
	// The kernel may bind the ring to the thread that made it, before Adopt locks the goroutine to its own.
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	c, ret := ctest.New(entries, uint32(flags))
	require.Zero(t, ret)
	t.Cleanup(c.Free)
	return c
}

func TestAdoptSharesARingWithC(t *testing.T) {
	needs(t, CanSetup)
	for _, flags := range []SetupFlags{0, SetupSingleIssuer | SetupDeferTaskrun, SetupSQPoll} {
		t.Run(flags.String(), func(t *testing.T) {
			c := newCRing(t, 8, flags)
			r, err := Adopt(c.Pointer())
			require.NoError(t, err)
			require.Equal(t, c.Pointer(), r.C())
			require.Equal(t, flags, r.Flags()&(SetupSingleIssuer|SetupDeferTaskrun|SetupSQPoll))

			nop(t, r, 1)
			require.Zero(t, c.Nop(0xc1))
			nop(t, r, 2)
			require.Zero(t, c.Nop(1<<63-1)) // everything but bit 63 is C's
			require.Zero(t, c.Nop(0))
			n, err := r.SubmitAndWait(context.Background(), 5)
			require.NoError(t, err)
			require.Equal(t, 2, n)
			var foreign []uint64
			var ours []uint64
			for _, cqe := range reapAll(r) {
				if cqe.Foreign {
					foreign = append(foreign, uint64(cqe.ID))
				} else {
					ours = append(ours, cqe.Data64)
				}
			}
			require.Equal(t, []uint64{0xc1, 1<<63 - 1, 0}, foreign)
			require.Equal(t, []uint64{1, 2}, ours)
			st := r.Stats()
			require.EqualValues(t, 2, st.Submitted)
			require.EqualValues(t, 2, st.Completed)

			require.NoError(t, r.Close())
			require.Zero(t, c.Nop(0xc2)) // the ring is C's again, and as usable as before
			require.GreaterOrEqual(t, c.Submit(), 1)
			data, res, ret := c.Wait()
			require.Zero(t, ret)
			require.Zero(t, res)
			require.EqualValues(t, 0xc2, data)
		})
	}
}

func TestCSubmitsWhatGoFilled(t *testing.T) {
	needs(t, CanSetup)
	c := newCRing(t, 2, 0)
	r, err := Adopt(c.Pointer())
	require.NoError(t, err)
	defer r.Close()
	for i := range uint64(20) { // each SQE lies where the one before the last was
		s := recvOp(t, r, -1, make([]byte, 3))
		s.SetData64(i)
		require.Equal(t, 1, c.Submit())
		nop(t, r, 100+i)
		require.Equal(t, 1, c.Submit())
		got := reapAll(r)
		require.Len(t, got, 2)
		require.Equal(t, i, got[0].Data64)
		require.EqualError(t, got[0].Err(), "recv: bad file descriptor")
		require.Equal(t, 100+i, got[1].Data64)
		require.NoError(t, got[1].Err())
	}
	require.Zero(t, r.Stats().InFlight)
}

func TestCloseOfAnAdoptedRingEndsOnlyOurs(t *testing.T) {
	needs(t, CanSetup)
	c := newCRing(t, 8, 0)
	r, err := Adopt(c.Pointer())
	require.NoError(t, err)
	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd).SetData64(1)
	_, err = r.Submit()
	require.NoError(t, err)
	nop(t, r, 2) // not submitted
	require.Zero(t, c.Nop(0xc1))
	require.NoError(t, r.Close())
	var foreign []uint64
	ours := map[uint64]error{}
	for _, cqe := range reapAll(r) {
		if cqe.Foreign {
			foreign = append(foreign, uint64(cqe.ID))
		} else {
			ours[cqe.Data64] = cqe.Err()
		}
	}
	require.Equal(t, []uint64{0xc1}, foreign)
	require.Len(t, ours, 2)
	require.ErrorIs(t, ours[1], unix.ECANCELED)
	require.ErrorIs(t, ours[2], unix.ECANCELED)
	require.Zero(t, r.slots.live)
	_, err = r.Submit()
	require.ErrorIs(t, err, ErrClosed)

	require.Zero(t, c.Nop(0xc2))
	require.Equal(t, 1, c.Submit())
	data, _, ret := c.Wait()
	require.Zero(t, ret)
	require.EqualValues(t, 0xc2, data)
}

func TestAdoptRefusesWhatItCannotServe(t *testing.T) {
	needs(t, CanSetup)
	_, err := Adopt(nil)
	require.ErrorIs(t, err, unix.EINVAL)
	for _, flags := range []SetupFlags{SetupSQE128, SetupCQE32, SetupIOPoll} {
		t.Run(flags.String(), func(t *testing.T) {
			c := newCRing(t, 4, flags)
			_, err := Adopt(c.Pointer())
			require.ErrorIs(t, err, ErrUnsupported)
			require.ErrorContains(t, err, flags.String())
		})
	}
}

func TestCCodeMayUseARingOfNew(t *testing.T) {
	r := newTestRing(t, 8)
	c := ctest.Wrap(r.C())
	require.Zero(t, c.Nop(0xc1))
	nop(t, r, 1)
	_, err := r.SubmitAndWait(context.Background(), 2)
	require.NoError(t, err)
	got := reapAll(r)
	require.Len(t, got, 2)
	require.True(t, got[0].Foreign)
	require.EqualValues(t, 0xc1, got[0].ID)
	require.EqualValues(t, 1, got[1].Data64)

	require.Zero(t, c.Nop(0xc2)) // in flight for C alone: the wait is not taken for one without an end
	require.Equal(t, 1, c.Submit())
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1)
}

func TestAdoptedRingLosesWhatGoRegistered(t *testing.T) {
	needs(t, CanSetup)
	c := newCRing(t, 4, 0)
	for range 2 { // the second time would be EBUSY
		r, err := Adopt(c.Pointer())
		require.NoError(t, err)
		require.NoError(t, r.RegisterBuffers([][]byte{make([]byte, 64)}))
		require.NoError(t, r.RegisterFiles([]int{0}))
		fd := testEventfd(t)
		require.NoError(t, r.RegisterEventfd(fd))
		require.NoError(t, r.Close())
		require.Empty(t, r.slots.fixed.slots)
	}
}
