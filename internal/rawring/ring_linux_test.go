package rawring_test

import (
	"errors"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/rawring"
	"github.com/sockring/uring/internal/testutil"
)

const patience = 5 * time.Second

func TestMain(m *testing.M) { testutil.Main(m) }

func newRing(t *testing.T, entries, flags uint32) *rawring.Ring {
	t.Helper()
	needRing(t)
	runtime.LockOSThread()
	t.Cleanup(runtime.UnlockOSThread)
	r, err := rawring.New(entries, flags)
	if errors.Is(err, unix.EINVAL) && flags&cring.SetupDeferTaskrun != 0 {
		testutil.SkipIfUnsupported(t, &uring.UnsupportedError{
			Name: "IORING_SETUP_DEFER_TASKRUN", SinceMajor: 6, SinceMinor: 1, Err: err,
		})
	}
	require.NoError(t, err)
	t.Cleanup(func() {
		if r.Fd >= 0 {
			require.True(t, r.Close(), "requests in flight")
		}
	})
	return r
}

// needRing skips the test where there is no io_uring.
func needRing(t *testing.T) {
	t.Helper()
	caps, err := uring.Probe()
	require.NoError(t, err)
	testutil.SkipIfUnsupported(t, caps.Require(uring.CanSetup))
}

func TestRequestsCompleteInAnyOrder(t *testing.T) {
	for _, test := range []struct {
		name    string
		entries uint32
		flags   uint32
	}{
		{"one entry", 1, 0},
		{"two entries", 2, 0},
		{"deferred task work", 4, cring.SetupSingleIssuer | cring.SetupDeferTaskrun},
	} {
		t.Run(test.name, func(t *testing.T) {
			ring := newRing(t, test.entries, test.flags)
			arena, err := rawring.NewArena(1 << 12)
			require.NoError(t, err)
			defer arena.Free()
			reader, writer := testutil.Pipe(t)

			buf := arena.Bytes(8, 8)
			read, err := ring.Submit(cring.SQE{
				Opcode: cring.OpRead, Fd: int32(reader), Addr: rawring.Addr(&buf[0]), Len: 8,
			})
			require.NoError(t, err)
			for range 3 * test.entries {
				c, err := ring.Do(cring.SQE{Opcode: cring.OpNop}, patience)
				require.NoError(t, err)
				require.Zero(t, c.Res)
			}
			_, err = unix.Write(writer, []byte("answer"))
			require.NoError(t, err)
			c, err := ring.Await(read, patience)
			require.NoError(t, err)
			require.EqualValues(t, 6, c.Res)
			require.Equal(t, "answer", string(buf[:6]))
		})
	}
}

func TestAwaitIsBounded(t *testing.T) {
	ring := newRing(t, 1, 0)
	reader, _ := testutil.Pipe(t)
	poll, err := ring.Submit(cring.SQE{Opcode: cring.OpPollAdd, Fd: int32(reader), OpFlags: unix.POLLIN})
	require.NoError(t, err)
	began := time.Now()
	_, err = ring.Await(poll, 20*time.Millisecond)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.GreaterOrEqual(t, time.Since(began), 20*time.Millisecond)
}

func TestCloseEndsWhatIsInFlight(t *testing.T) {
	ring := newRing(t, 4, 0)
	reader, _ := testutil.Pipe(t)
	for range 3 {
		_, err := ring.Submit(cring.SQE{Opcode: cring.OpPollAdd, Fd: int32(reader), OpFlags: unix.POLLIN})
		require.NoError(t, err)
	}
	fd := ring.Fd
	require.True(t, ring.Close())
	_, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
	require.ErrorIs(t, err, unix.EBADF)
}

func TestOverflowIsSeenAndFlushed(t *testing.T) { // fault 31
	const requests = 40
	ring := newRing(t, 4, 0)
	require.EqualValues(t, 8, ring.Params.CQEntries)
	var ids []uint64
	for range requests {
		id, err := ring.Submit(cring.SQE{Opcode: cring.OpNop})
		require.NoError(t, err)
		ids = append(ids, id)
	}
	require.True(t, ring.Overflowed())
	require.Equal(t, 8, ring.Unseen())
	for _, id := range ids {
		_, err := ring.Await(id, patience)
		require.NoError(t, err)
	}
	require.False(t, ring.Overflowed())
	require.Zero(t, ring.Unseen())
}

func TestQueueIsSubmittedByEnter(t *testing.T) {
	ring := newRing(t, 2, 0)
	for range 2 {
		_, err := ring.Queue(cring.SQE{Opcode: cring.OpNop})
		require.NoError(t, err)
	}
	_, err := ring.Queue(cring.SQE{Opcode: cring.OpNop})
	require.ErrorIs(t, err, rawring.ErrFull)
	require.Zero(t, ring.Unseen())
	n, err := ring.Enter(2, 0, 0, nil)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	require.Equal(t, 2, ring.Unseen())
	require.Equal(t, 2, ring.Reap())
	require.Zero(t, ring.Reap())
}

func TestErrorsAreErrnos(t *testing.T) {
	needRing(t)
	ring := newRing(t, 1, 0)
	_, err := ring.Register(1<<16, nil, 0)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = ring.Enter(0, 0, 1<<30, nil)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = rawring.New(0, 0)
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = rawring.New(1, 1<<31)
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestArenaHandsOutZeroedAlignedMemory(t *testing.T) {
	arena, err := rawring.NewArena(1 << 14)
	require.NoError(t, err)
	defer arena.Free()
	for range 2 {
		arena.Bytes(3, 1)
		page := arena.Bytes(4096, 4096)
		require.Zero(t, rawring.Addr(&page[0])%4096)
		require.Equal(t, make([]byte, 4096), page)
		page[17] = 1
		ts := rawring.Alloc[cring.Timespec](arena)
		require.Zero(t, *ts)
		ts.Sec = 1
		arena.Reset()
	}
}
