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

func TestFullQueueWithAnUnfinishedChain(t *testing.T) { // fault 17
	for _, entries := range []uint32{1, 2, 4} {
		r := newTestRing(t, entries)
		for i := range entries {
			s, err := r.SQE()
			require.NoError(t, err)
			s.SetData64(uint64(i))
			s.Link()
		}
		require.Zero(t, r.SQSpace())
		_, err := r.SQE()
		require.ErrorIs(t, err, ErrSQFull, "the chain would be torn")
		require.Zero(t, r.Stats().Submitted)
		n, err := r.SubmitAndWait(context.Background(), int(entries)) // the program may say that the chain ends here
		require.NoError(t, err)
		require.EqualValues(t, entries, n)
		require.EqualValues(t, entries, r.SQSpace())
		require.Len(t, reapAll(r), int(entries))
	}
}

func TestFullQueueIsSubmittedAndNothingIsDropped(t *testing.T) { // fault 17
	for _, entries := range []uint32{1, 2, 4} {
		r := newTestRing(t, entries)
		for i := range uint64(entries) + 1 {
			nop(t, r, i)
		}
		require.EqualValues(t, entries, r.Stats().Submitted)
		_, err := r.Submit()
		require.NoError(t, err)
		got := reapAll(r)
		require.Len(t, got, int(entries)+1)
		for i, c := range got {
			require.EqualValues(t, i, c.Data64)
		}
	}
}

func TestFailedHeadCancelsItsChain(t *testing.T) { // fault 29
	r := newTestRing(t, 4)
	recvOp(t, r, -1, make([]byte, 4)).Link()
	nop(t, r, 2)
	queued(t, r, func(s *SQE) error { return s.PrepLinkTimeout(time.Second, 0) }).SetData64(3)
	_, err := r.SubmitAndWait(context.Background(), 3)
	require.NoError(t, err)
	got := map[uint64]error{}
	for _, c := range reapAll(r) {
		got[c.Data64] = c.Err()
	}
	require.ErrorIs(t, got[0], unix.EBADF)
	require.ErrorIs(t, got[2], unix.ECANCELED)
	require.ErrorIs(t, got[3], unix.EINVAL, "a timeout that is linked to nothing")
}

func TestEnterThatTheKernelRefuses(t *testing.T) { // faults 20 and 22
	needs(t, CanSetup)
	for _, test := range []struct {
		name  string
		errno unix.Errno
		text  string
	}{
		{"again", unix.EAGAIN, "resource temporarily unavailable"},
		{"busy", unix.EBUSY, "device or resource busy"},
		{"no memory", unix.ENOMEM, "cannot allocate memory"},
		{"no such device", unix.ENXIO, "no such device or address"},
		{"lost completions", unix.EBADR, "invalid request descriptor"},
		{"no polling thread", unix.EOWNERDEAD, "owner died"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !testutil.InChild() {
				child := testutil.ReExec(t, t.Name())
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			testutil.Timeout(t, time.Minute)
			r, err := New(4, WithCloseTimeout(10*time.Millisecond))
			require.NoError(t, err)
			rd, _ := testutil.Pipe(t)
			pollOp(t, r, rd)
			_, err = r.Submit()
			require.NoError(t, err)
			testutil.RefuseSyscalls(t, test.errno, unix.SYS_IO_URING_ENTER)

			nop(t, r, 1)
			_, err = r.Submit()
			require.ErrorIs(t, err, test.errno)
			require.ErrorContains(t, err, "io_uring_enter: "+test.text)
			_, err = r.SubmitAndWait(context.Background(), 1)
			require.ErrorIs(t, err, test.errno)
			_, err = r.SubmitAndWaitTimeout(context.Background(), 1, time.Hour)
			require.ErrorIs(t, err, test.errno)
			require.EqualValues(t, 1, r.Stats().Submitted, "the NOP is still to be submitted")

			var leak *LeakError
			require.ErrorAs(t, r.Close(), &leak, "the poll can neither be cancelled nor reaped")
			got := reapAll(r)
			require.Len(t, got, 1)
			require.EqualValues(t, 1, got[0].Data64)
			require.ErrorIs(t, got[0].Err(), unix.ECANCELED)
		})
	}
}

func TestEnterThatIsRefusedByAFilter(t *testing.T) { // fault 22
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	r := newTestRing(t, 4)
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_ENTER)
	nop(t, r, 1)
	_, err := r.Submit()
	require.ErrorIs(t, err, unix.EPERM)
}

func TestEntryThatMakesNoSense(t *testing.T) { // fault 25
	r := newTestRing(t, 4)
	for _, test := range []struct {
		name  string
		spoil func(raw *cring.SQE)
	}{
		{"opcode", func(raw *cring.SQE) { raw.Opcode = 255 }},
		{"flags", func(raw *cring.SQE) { raw.Flags = 0x80 }},
		{"ioprio", func(raw *cring.SQE) { raw.Opcode, raw.IOPrio = cring.OpRecv, 1<<15 }},
	} {
		if test.name == "ioprio" && !has(t, CanSendPollFirst) {
			continue // the field was not looked at before it had a meaning
		}
		s, err := r.SQE()
		require.NoError(t, err)
		s.SetData(test.name)
		test.spoil(s.raw)
		nop(t, r, 1)
		_, err = r.SubmitAndWait(context.Background(), 2)
		require.NoError(t, err)
		got := reapAll(r)
		require.Len(t, got, 2, test.name)
		require.Equal(t, test.name, got[0].Data)
		require.ErrorIs(t, got[0].Err(), unix.EINVAL, test.name)
		require.NoError(t, got[1].Err(), "the entry behind it is none the worse")
	}
	require.Zero(t, r.Stats().Dropped)
}

// TestEntriesBehindABadOneFollow has io_uring_enter take fewer entries than it is given, as kernels without
// IORING_SETUP_SUBMIT_ALL do at a bad one: each entry completes once all the same. Requests complete in any order; up
// to 6.1 a bad one does so before good ones that were submitted before it.
func TestEntriesBehindABadOneFollow(t *testing.T) { // fault 21
	r := newTestRing(t, 8, WithoutFlags(SetupSubmitAll))
	for i := range uint64(8) {
		s, err := r.SQE()
		require.NoError(t, err)
		s.SetData64(i)
		if i%3 == 0 {
			s.raw.Opcode = 255
		}
	}
	_, err := r.SubmitAndWait(context.Background(), 8)
	require.NoError(t, err)
	got := reapAll(r)
	require.Len(t, got, 8)
	seen := map[uint64]bool{}
	for _, c := range got {
		require.False(t, seen[c.Data64], "entry %d completed twice", c.Data64)
		seen[c.Data64] = true
		if c.Data64%3 == 0 {
			require.ErrorIs(t, c.Err(), unix.EINVAL)
		} else {
			require.NoError(t, c.Err())
		}
	}
	require.EqualValues(t, 8, r.Stats().Submitted)
}

func TestRingIsNotInherited(t *testing.T) { // fault 107
	r := newTestRing(t, 4)
	flags, err := unix.FcntlInt(uintptr(r.Fd()), unix.F_GETFD, 0)
	require.NoError(t, err)
	require.NotZero(t, flags&unix.FD_CLOEXEC)
}

func TestCancelRacesCompletion(t *testing.T) { // fault 65
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 64)
	const pairs = 2000
	ended := map[uint64]int{}
	cancelled, timedOut := 0, 0
	for i := range uint64(pairs) {
		s := timeoutOp(t, r, time.Duration(i%40)*time.Microsecond)
		s.SetData64(2 * i)
		id := s.ID()
		if i%2 == 0 {
			_, err := r.Submit()
			require.NoError(t, err)
		}
		cancelOp(t, r, id).SetData64(2*i + 1)
		_, err := r.SubmitAndWait(context.Background(), 2)
		require.NoError(t, err)
		for _, c := range reapAll(r) {
			ended[c.Data64]++
			switch {
			case c.Data64%2 == 1:
			case c.Res == -int32(unix.ECANCELED):
				cancelled++
			default:
				require.ErrorIs(t, c.Err(), unix.ETIME)
				timedOut++
			}
		}
	}
	require.Len(t, ended, 2*pairs)
	for v, times := range ended {
		require.Equal(t, 1, times, v)
	}
	require.Equal(t, pairs, cancelled+timedOut)
	require.Zero(t, r.Stats().Stale)
	require.Zero(t, r.slots.live)
}

func TestRingWithOneProcessor(t *testing.T) { // fault 113
	needs(t, CanSetup)
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name(), "GOMAXPROCS=1")
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, time.Minute)
	r, err := New(4)
	require.NoError(t, err)
	rd, wr := testutil.Pipe(t)
	for range 20 { // the owner waits for what another goroutine has yet to do
		pollOp(t, r, rd)
		wrote := make(chan error)
		go func() {
			_, err := unix.Write(wr, []byte{1})
			wrote <- err
		}()
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		require.Len(t, reapAll(r), 1)
		require.NoError(t, <-wrote)
		_, err = unix.Read(rd, make([]byte, 1))
		require.NoError(t, err)
	}
	pollOp(t, r, rd)
	ctx, cancel := context.WithCancel(context.Background())
	go cancel()
	_, err = r.SubmitAndWait(ctx, 1)
	require.ErrorIs(t, err, context.Canceled)
	closed := make(chan error)
	go func() { closed <- r.Close() }()
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, <-closed)
}
