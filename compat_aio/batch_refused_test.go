//go:build linux

package aio

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// inChild runs the test in a process of its own, where system calls can be refused.
func inChild(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	if testutil.InChild() {
		test(t)
		return
	}
	child := testutil.ReExec(t, t.Name())
	require.Zero(t, child.ExitCode, child.Output)
}

// TestRefusedSetUpIsAnError (SPEC C35; FAULTS 97): the constructor says so, and system calls serve instead.
func TestRefusedSetUpIsAnError(t *testing.T) {
	inChild(t, func(t *testing.T) {
		testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_SETUP)
		_, err := NewBatcher(4)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		var unsupported *UnsupportedError
		require.ErrorAs(t, err, &unsupported)
		require.Equal(t, "io_setup", unsupported.Feature())

		b := newBatcher(t, 4, WithSyscalls())
		s, peer := pairOf(t, b, "unix")
		out, err := b.Send(context.Background(), []Op{{Socket: s, Bufs: [][]byte{[]byte("hello")}}}, nil)
		require.NoError(t, err)
		require.Equal(t, []Result{{N: 5}}, out)
		require.Equal(t, "hello", string(readFull(t, peer, 5)))
	})
}

// TestRefusedSubmissionIsAnError (SPEC C07, C19; FAULTS 98): where io_submit is refused while the Batcher is in use,
// every transfer gets the error, and what Senders hold stays with them.
func TestRefusedSubmissionIsAnError(t *testing.T) {
	for _, errno := range []unix.Errno{unix.EPERM, unix.ENOSYS} {
		t.Run(errno.Error(), func(t *testing.T) {
			inChild(t, func(t *testing.T) {
				b := newBatcher(t, 1)
				s, _ := pairOf(t, b, "unix")
				other, _ := pairOf(t, b, "unix")
				queued, _ := pairOf(t, b, "unix")
				sender, err := queued.NewSender()
				require.NoError(t, err)
				testutil.RefuseSyscalls(t, errno, unix.SYS_IO_SUBMIT)
				ops := []Op{{Socket: s, Bufs: [][]byte{{1}}}, {Socket: other, Bufs: [][]byte{{1}}}, {Socket: s}}
				for _, call := range []func() ([]Result, error){
					func() ([]Result, error) { return b.TrySend(ops, nil) },
					func() ([]Result, error) { return b.Send(context.Background(), ops, nil) },
				} {
					out, err := call()
					require.ErrorIs(t, err, errno)
					for _, r := range out {
						require.ErrorIs(t, r.Err, errno)
					}
				}
				require.NoError(t, sender.TryWrite([]byte("kept")))
				require.ErrorIs(t, b.Submit(), errno)
				require.ErrorIs(t, sender.Flush(context.Background()), errno)
				require.NoError(t, sender.Err())
				require.Equal(t, 4, sender.Buffered())
				var unsent *UnsentError
				require.ErrorAs(t, sender.Close(), &unsent)
				require.Equal(t, UnsentError{Messages: 1, Bytes: 4}, *unsent)
				require.Equal(t, Stats{}, b.mover.(*contextMover).ctx.Stats())
			})
		})
	}
}

// TestKernelOutOfRoomIsWaitedFor (SPEC C19, C32): EAGAIN of io_submit is no socket's. Try gives up, and Send asks again
// until its context ends.
func TestKernelOutOfRoomIsWaitedFor(t *testing.T) {
	inChild(t, func(t *testing.T) {
		b := newBatcher(t, 4)
		s, _ := pairOf(t, b, "unix")
		ops := []Op{{Socket: s, Bufs: [][]byte{{1}}}, {Socket: s, Bufs: [][]byte{{2}}}}
		testutil.RefuseSyscalls(t, unix.EAGAIN, unix.SYS_IO_SUBMIT)
		out, err := b.TrySend(ops, nil)
		require.NoError(t, err)
		for _, r := range out {
			require.ErrorIs(t, r.Err, ErrInsufficientResources)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
		defer cancel()
		before := stats(t, b).Submits
		_, err = b.Send(ctx, ops, out)
		require.ErrorIs(t, err, context.DeadlineExceeded)
		require.Greater(t, stats(t, b).Submits, before+1, "it asks more than once")
		require.Less(t, stats(t, b).Submits, before+50, "and not all the time")
		require.Equal(t, Stats{}, b.mover.(*contextMover).ctx.Stats())
	})
}

// TestRefusalInAWindow (SPEC C19, C24): the kernel runs out of room, or finds a bad request, behind transfers that it
// took.
func TestRefusalInAWindow(t *testing.T) {
	b := newBatcher(t, 4)
	var ops []Op
	var peers []int
	for range 4 {
		s, peer := pairOf(t, b, "unix")
		ops, peers = append(ops, Op{Socket: s, Bufs: [][]byte{[]byte("abc")}}), append(peers, peer)
	}
	m := b.mover.(*contextMover)
	held := []*IOCB{taken(t, m.ctx), taken(t, m.ctx), taken(t, m.ctx)}
	out, err := b.TrySend(ops, nil)
	require.NoError(t, err)
	for i, peer := range peers {
		require.Equal(t, Result{N: 3}, out[i])
		require.Equal(t, "abc", string(readFull(t, peer, 3)))
	}
	require.EqualValues(t, 4, stats(t, b).Submits, "there was room for one at a time")
	for _, cb := range held {
		require.NoError(t, cb.Release())
	}
}
