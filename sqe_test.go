//go:build linux

package uring

import (
	"context"
	"errors"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// The tests of this file hold statements of io_uring_prep_send(3) that no other test holds. Their numbers are those of
// docs/liburing.md, which has all 38 with the tests.

// one submits what is queued and returns the only completion.
func one(t testing.TB, r *Ring) CQE {
	t.Helper()
	cqes := wait(t, r, 1)
	require.Len(t, cqes, 1)
	return cqes[0]
}

// stuff sends on a socket until it has no room.
func stuff(t testing.TB, fd int) {
	t.Helper()
	narrow(t, fd)
	for err := error(nil); !errors.Is(err, unix.EAGAIN); {
		require.NoError(t, err)
		_, err = unix.SendmsgN(fd, make([]byte, 1024), nil, nil, unix.MSG_DONTWAIT)
	}
}

// TestSendIsAnAsynchronousSend holds where IORING_OP_SEND follows send(2) and where it does not.
func TestSendIsAnAsynchronousSend(t *testing.T) { // SPEC E04
	full := func(t *testing.T) int {
		tx, _ := testutil.SocketPair(t, "unix")
		stuff(t, tx)
		return tx
	}
	t.Run("MSG_DONTWAIT gives EAGAIN", func(t *testing.T) {
		r, tx := newTestRing(t, 4), full(t)
		queued(t, r, func(s *SQE) error { return s.PrepSend(tx, []byte("x"), unix.MSG_DONTWAIT) })
		require.ErrorIs(t, one(t, r).Err(), unix.EAGAIN)
	})
	t.Run("SO_SNDTIMEO does not count", func(t *testing.T) {
		r, tx := newTestRing(t, 4), full(t)
		soon := unix.NsecToTimeval((5 * time.Millisecond).Nanoseconds())
		require.NoError(t, unix.SetsockoptTimeval(tx, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &soon))
		sendOp(t, r, tx, []byte("x"))
		require.Empty(t, settle(t, r), "it waits for longer than that")
	})
	t.Run("no SIGPIPE", func(t *testing.T) {
		r := newTestRing(t, 4) // which locks the thread
		tx, rx := testutil.SocketPair(t, "unix")
		require.NoError(t, unix.Shutdown(rx, unix.SHUT_RD))
		set, before := unix.Sigset_t{}, unix.Sigset_t{}
		set.Val[0] = 1 << (unix.SIGPIPE - 1)
		require.NoError(t, unix.PthreadSigmask(unix.SIG_BLOCK, &set, &before))
		defer func() { require.NoError(t, unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil)) }()
		sendOp(t, r, tx, []byte("x"))
		require.ErrorIs(t, one(t, r).Err(), unix.EPIPE)
		require.False(t, signalPends(t, unix.SIGPIPE))
		_, err := unix.SendmsgN(tx, []byte("x"), nil, nil, 0)
		require.ErrorIs(t, err, unix.EPIPE)
		require.True(t, signalPends(t, unix.SIGPIPE), "that of a system call does")
	})
}

// signalPends reports whether the calling thread has been sent a signal that it blocks.
func signalPends(t testing.TB, signal unix.Signal) bool {
	t.Helper()
	status, err := os.ReadFile("/proc/thread-self/status")
	require.NoError(t, err)
	_, line, _ := strings.Cut(string(status), "\nSigPnd:\t")
	line, _, _ = strings.Cut(line, "\n")
	pending, err := strconv.ParseUint(line, 16, 64)
	require.NoError(t, err)
	return pending&(1<<(signal-1)) != 0
}

func TestSendToAddressesThatDoNotFit(t *testing.T) { // SPEC E05
	needs(t, CanSendTo)
	r := newTestRing(t, 4)
	six, err := SockaddrInet(netip.MustParseAddrPort("[::1]:9"))
	require.NoError(t, err)
	four, err := SockaddrInet(netip.MustParseAddrPort("127.0.0.1:9"))
	require.NoError(t, err)
	udp, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(udp)
	_, err = r.SendTo(context.Background(), udp, []byte("x"), 0, &six)
	require.ErrorIs(t, err, unix.EAFNOSUPPORT)

	tcp, peer := testutil.SocketPair(t, "tcp4")
	n, err := r.SendTo(context.Background(), tcp, []byte("x"), 0, &four)
	want, wantErr := unix.SendmsgN(tcp, []byte("x"), nil, &unix.SockaddrInet4{Port: 9, Addr: [4]byte{127, 0, 0, 1}}, 0)
	require.ErrorIs(t, err, wantErr, "as sendto(2) on a connection")
	require.Equal(t, want, n)
	if want > 0 {
		require.Equal(t, "xx", string(readAll(t, peer, 2)), "the address is ignored")
	}
}

func TestSendFromAGroup(t *testing.T) { // SPEC E07
	r, b := newBundler(t, 4, 100)
	tx, rx := testutil.SocketPair(t, "unix")
	want := fill(t, b, 1, 0)
	c := finish(t, r, transfer{op: cring.OpSend, fd: tx, group: b.Group()}.queue(t, r))[0]
	require.EqualValues(t, len(want), c.Res)
	require.Equal(t, want, drain(t, rx))
	_, err := b.Consume(c, nil)
	require.NoError(t, err)

	fill(t, b, 1, 0)
	s := queued(t, r, func(s *SQE) error { return s.PrepSendmsg(tx, &Msghdr{Buffers: [][]byte{{1}}}, 0) })
	s.BufferSelect(b.Group())
	require.ErrorIs(t, one(t, r).Err(), unix.EOPNOTSUPP, "a sendmsg takes none")
	require.Empty(t, drain(t, rx))
}

func TestSendWithPriorityBitsThatAreNone(t *testing.T) { // SPEC E27
	r, b := newBundler(t, 4, 100)
	tx, _ := testutil.SocketPair(t, "unix")
	require.NoError(t, sendOp(t, r, tx, []byte("x")).SetIOPrio(1<<15))
	require.ErrorIs(t, one(t, r).Err(), unix.EINVAL)

	fill(t, b, 2, 0)
	s := queued(t, r, func(s *SQE) error { return s.PrepSendmsg(tx, &Msghdr{Buffers: [][]byte{{1}}}, 0) })
	s.BufferSelect(b.Group())
	require.NoError(t, s.SetIOPrio(cring.RecvSendBundle))
	c := one(t, r)
	require.Contains(t, []int32{-int32(unix.EOPNOTSUPP), -int32(unix.EINVAL)}, c.Res, "a sendmsg is no bundle")
}

// TestPollFirstPicksItsBufferWhenThereIsRoom holds why IORING_RECVSEND_POLL_FIRST keeps sends in order: who waits has
// taken no buffer yet.
func TestPollFirstPicksItsBufferWhenThereIsRoom(t *testing.T) { // SPEC E23
	r, b := newBundler(t, 4, 100)
	tx, rx := testutil.SocketPair(t, "unix")
	stuff(t, tx)
	want := fill(t, b, 1, 0)
	id := transfer{op: cring.OpSend, fd: tx, group: b.Group(), ioprio: cring.RecvSendPollFirst}.queue(t, r)
	require.Empty(t, settle(t, r))
	require.Zero(t, headOf(t, b))
	stuffing := len(drain(t, rx))
	require.EqualValues(t, len(want), finish(t, r, id)[0].Res)
	require.NotZero(t, stuffing)
	require.Equal(t, want, drain(t, rx))
}

func TestSendOnRegisteredFiles(t *testing.T) { // SPEC E37
	const index = 0
	for _, tt := range []struct {
		name    string
		network string
		needs   string
		prep    func(t *testing.T, r *Ring, s *SQE, b *BufRing) error
	}{
		{"send", "unix", CanSendBundle, func(_ *testing.T, _ *Ring, s *SQE, _ *BufRing) error {
			return s.PrepSend(index, streamed(100), 0)
		}},
		{"sendmsg", "unix", CanSendBundle, func(_ *testing.T, _ *Ring, s *SQE, _ *BufRing) error {
			return s.PrepSendmsg(index, &Msghdr{Buffers: [][]byte{streamed(100)}}, 0)
		}},
		{"send_bundle", "unix", CanSendBundle, func(_ *testing.T, _ *Ring, s *SQE, b *BufRing) error {
			return s.PrepSendBundle(index, b.Group(), 0)
		}},
		{"send_zc", "tcp4", CanSendZC, func(_ *testing.T, _ *Ring, s *SQE, _ *BufRing) error {
			return s.PrepSendZC(index, streamed(100), 0, 0)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, b := newBundler(t, 4, 100)
			needs(t, tt.needs)
			tx, rx := testutil.SocketPair(t, tt.network)
			want := fill(t, b, 1, 0)
			require.NoError(t, r.RegisterFiles([]int{tx}))
			s, err := r.SQE()
			require.NoError(t, err)
			require.NoError(t, tt.prep(t, r, s, b))
			require.NoError(t, s.SetFlags(SQEFixedFile))
			_, err = r.Submit()
			require.NoError(t, err)
			require.Equal(t, want, readAll(t, rx, len(want)))
			require.EqualValues(t, len(want), finish(t, r, s.ID())[0].Res)
		})
	}
}

// streamed returns the first n bytes of the test stream.
func streamed(n int) []byte {
	p := make([]byte, n)
	fillStream(p, 0)
	return p
}

func TestSendWithALinkedTimeout(t *testing.T) { // SPEC E38
	for _, tt := range []struct {
		name    string
		full    bool
		send    []unix.Errno // 0 is a success
		timeout []unix.Errno
	}{
		{"a send that waits", true, []unix.Errno{unix.ECANCELED, unix.EINTR}, []unix.Errno{unix.ETIME, unix.EALREADY}},
		{"a send that is done", false, []unix.Errno{0}, []unix.Errno{unix.ECANCELED}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := newTestRing(t, 4)
			tx, _ := testutil.SocketPair(t, "unix")
			if tt.full {
				stuff(t, tx)
			}
			s := sendOp(t, r, tx, []byte("x"))
			s.SetData64(1)
			s.Link()
			queued(t, r, func(s *SQE) error { return s.PrepLinkTimeout(10*time.Millisecond, 0) }).SetData64(2)
			got := map[uint64]int32{}
			for len(got) < 2 {
				for _, c := range wait(t, r, 1) {
					got[c.Data64] = c.Res
				}
			}
			errno := func(res int32) unix.Errno { return unix.Errno(max(-res, 0)) }
			require.Contains(t, tt.send, errno(got[1]))
			require.Contains(t, tt.timeout, errno(got[2]))
		})
	}
}

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
	require.Error(t, failed.PrepTimeout(-1, 0, 0))
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
