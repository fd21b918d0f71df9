//go:build linux && cgo

package uring

import (
	"context"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/ctest"
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
		require.Empty(t, r.fixedBuffers())
	}
}

// TestCHandsOverWhatItReaped: each completion of Go's that C code reaped comes back once, and Close has nothing to wait
// for.
func TestCHandsOverWhatItReaped(t *testing.T) { // found 9
	needs(t, CanSetup)
	testutil.Timeout(t, time.Minute)
	for _, flags := range []SetupFlags{0, SetupSingleIssuer | SetupDeferTaskrun} {
		t.Run(flags.String(), func(t *testing.T) {
			c := newCRing(t, 8, flags)
			r, err := Adopt(c.Pointer())
			require.NoError(t, err)
			nop(t, r, 1)
			require.Zero(t, c.Nop(0xc1))
			nop(t, r, 2)
			require.GreaterOrEqual(t, c.Submit(), 3)
			var reaped []uint64
			for range 2 {
				data, res, ret := c.Wait()
				require.Zero(t, ret)
				if data&userDataOurs == 0 {
					require.ErrorIs(t, r.Reaped(data, int32(res), 0), unix.EINVAL, "it is C's own")
					continue
				}
				require.NoError(t, r.Reaped(data, int32(res), 0))
				require.ErrorIs(t, r.Reaped(data, int32(res), 0), unix.ENOENT, "it was handed over already")
				reaped = append(reaped, data)
			}
			require.Len(t, reaped, 1)
			require.EqualValues(t, 1, r.Stats().Stale)
			require.NoError(t, r.Reaped(userDataTimeout, 0, 0))
			var ours []uint64
			for _, cqe := range reapAll(r) {
				require.False(t, cqe.Foreign)
				ours = append(ours, cqe.Data64)
			}
			require.Equal(t, []uint64{1, 2}, ours, "in their order, whoever reaped them")
			require.Zero(t, r.Stats().InFlight)
			require.ErrorIs(t, r.Reaped(userDataOurs|1<<30, 0, 0), unix.ENOENT, "of no operation")

			rd, wr := testutil.Pipe(t)
			pollOp(t, r, rd).SetData64(3)
			_, err = unix.Write(wr, []byte{1})
			require.NoError(t, err)
			require.Equal(t, 1, c.Submit())
			data, res, ret := c.Wait()
			require.Zero(t, ret)
			require.NoError(t, r.Reaped(data, int32(res), 0))
			start := time.Now()
			require.NoError(t, r.Close())
			require.Less(t, time.Since(start), closeTimeoutDefault, "nothing is in flight any more")
			require.ErrorIs(t, r.Reaped(data, int32(res), 0), ErrClosed)
			require.Len(t, reapAll(r), 1)
		})
	}
}

// TestCTakesTheBytesOfSendersAlong, as many as the submission queue has room for.
func TestCTakesTheBytesOfSendersAlong(t *testing.T) { // found 9
	needs(t, CanSetup)
	c := newCRing(t, 2, 0)
	r, err := Adopt(c.Pointer())
	require.NoError(t, err)
	var peers []int
	for i := range 3 {
		s, peer := newTestSender(t, r, "unix")
		_, err := s.Write([]byte{byte(i)})
		require.NoError(t, err)
		peers = append(peers, peer)
	}
	enters := r.Stats().Enters
	require.ErrorIs(t, r.ArmSenders(), ErrSQFull)
	require.Equal(t, 2, c.Submit())
	require.NoError(t, r.ArmSenders())
	require.Equal(t, 1, c.Submit())
	for range 3 {
		data, res, ret := c.Wait()
		require.Zero(t, ret)
		require.NoError(t, r.Reaped(data, int32(res), 0))
	}
	require.Equal(t, enters, r.Stats().Enters, "Go has not entered the kernel")
	for i, peer := range peers {
		require.Equal(t, []byte{byte(i)}, readAll(t, peer, 1))
	}
	require.Zero(t, r.Stats().InFlight)
	require.NoError(t, r.Flush(context.Background()))
	require.NoError(t, r.Close())
}

func TestZeroValues(t *testing.T) { // found 30
	testutil.ZeroValues(
		t, map[string]string{
			"BufRingOption": "a function", "Option": "a function", "SenderOption": "a function",
		},
		new(BufRing), new(BufRingStatus), new(CQE), new(CQEFlags), new(CancelMatch), new(Capabilities), new(Engine),
		new(EngineRefusal), new(EpollEvent), new(Feature), new(Features), new(FutexWaiter), new(LeakError), new(Msghdr),
		new(NAPI), new(OpID),
		new(Opcodes), new(OpenHow), new(PacketAddr), new(Piece), new(Process), new(RecvmsgOut), new(Restriction),
		new(Ring), new(SQE), new(SQEFlags), new(SendBundleOption), new(Sender), new(SetupFlags), new(Siginfo), new(Sockaddr),
		new(Stats), new(Statx), new(UnixName), new(UnsentError), new(UnsupportedError),
	)
}

func TestZeroRingIsAClosedOne(t *testing.T) { // found 30
	var (
		r Ring
		b BufRing
		s Sender
	)
	for name, call := range map[string]func() error{
		"SQE":        func() error { _, err := r.SQE(); return err },
		"Submit":     func() error { _, err := r.Submit(); return err },
		"Reap":       func() error { _, err := r.Reap(make([]CQE, 1)); return err },
		"Send":       func() error { _, err := r.Send(t.Context(), 0, nil, 0); return err },
		"NewBufRing": func() error { _, err := r.NewBufRing(1, 1); return err },
		"NewSender":  func() error { _, err := r.NewSender(0); return err },
		"Add":        func() error { return b.Add(0, 1) },
		"Buffer":     func() error { _, err := b.Buffer(0); return err },
		"Write":      func() error { _, err := s.Write([]byte("x")); return err },
		"HandOver":   func() error { return s.HandOver([]byte("x"), nil) },
		"Flush":      func() error { return s.Flush(t.Context()) },
	} {
		require.ErrorIs(t, call(), ErrClosed, name)
	}
	require.NoError(t, r.Close())
	require.NoError(t, b.Close())
	require.Equal(t, -1, r.Fd())
	require.Nil(t, r.C())
}
