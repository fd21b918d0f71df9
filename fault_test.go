//go:build linux

package uring

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
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

func TestFullQueueIsSubmittedAndNothingIsDropped(t *testing.T) { // fault 17; SPEC E21
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

// TestEnterThatIsRefusedForAWhile has the kernel answer a few times that it lacks room or memory: the entry is repeated
// until it works, with pauses and with the completion queue emptied for it, or given up and left for the next.
func TestEnterThatIsRefusedForAWhile(t *testing.T) { // fault 20
	needs(t, CanSetup)
	ctx := context.Background()
	for name, enter := range map[string]func(r *Ring) error{
		"submit":         func(r *Ring) error { _, err := r.Submit(); return err },
		"wait":           func(r *Ring) error { _, err := r.SubmitAndWait(ctx, 1); return err },
		"wait in time":   func(r *Ring) error { _, err := r.SubmitAndWaitTimeout(ctx, 1, time.Hour); return err },
		"room for more":  func(r *Ring) error { return r.makeRoom() },
		"flush the rest": func(r *Ring) error { return r.Flush(ctx) },
	} {
		for _, errno := range []unix.Errno{unix.EAGAIN, unix.EBUSY} {
			for _, times := range []int{1, 2, busyRetriesMax, busyRetriesMax + 1} {
				t.Run(fmt.Sprintf("%s, %v, %d times", name, errno, times), func(t *testing.T) {
					testutil.Timeout(t, time.Minute)
					refuseForAWhile(t, errno, times, enter)
				})
			}
		}
	}
}

// refuseForAWhile enters the kernel, which refuses that so often, with a completion there and an entry queued.
func refuseForAWhile(t *testing.T, errno unix.Errno, times int, enter func(r *Ring) error) {
	r := newTestRing(t, 4)
	nop(t, r, 1)
	_, err := r.Submit()
	require.NoError(t, err)
	require.Equal(t, 1, r.pending(), "a completion is in the kernel's queue")
	nop(t, r, 2)
	before := r.Stats().Enters
	refused := 0
	r.seam = func(uint32, cring.Timespec) (int, bool) {
		if refused == times {
			return 0, false
		}
		if refused > 0 {
			require.Zero(t, r.pending(), "the kernel has no more room than before")
		}
		refused++
		return -int(errno), true
	}
	start := time.Now()
	err = enter(r)
	if tried := min(times, busyRetriesMax+1); tried > busyRetriesMax {
		require.ErrorIs(t, err, errno)
		require.ErrorContains(t, err, "io_uring_enter")
		require.EqualValues(t, tried, r.Stats().Enters-before, "bounded")
		require.EqualValues(t, 1, r.Stats().Submitted, "the entry is still to be submitted")
		require.NoError(t, enter(r))
	} else {
		require.NoError(t, err)
		require.GreaterOrEqual(t, r.Stats().Enters-before, uint64(times+1))
		require.LessOrEqual(t, r.Stats().Enters-before, uint64(times+2), "more than were refused, and one for the entry")
	}
	require.GreaterOrEqual(t, time.Since(start), time.Duration(times-1)*retryPause, "without a pause")
	var got []uint64
	for _, c := range reapAll(r) {
		require.NoError(t, c.Err())
		got = append(got, c.Data64)
	}
	require.Equal(t, []uint64{1, 2}, got, "each once, in order")
	require.EqualValues(t, 2, r.Stats().Submitted)
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

// requireEndsWith submits a request that the kernel refuses, and holds that it ends with one completion and keeps
// nothing.
func requireEndsWith(t *testing.T, r *Ring, want unix.Errno, name string, prep func(s *SQE) error) {
	t.Helper()
	queued(t, r, prep)
	got := wait(t, r, 1)
	require.Len(t, got, 1, name)
	require.ErrorIs(t, got[0].Err(), want, name)
	var call *os.SyscallError
	require.ErrorAs(t, got[0].Err(), &call, name)
	require.Contains(t, []string{"accept", "connect"}, call.Syscall, name)
	require.False(t, got[0].More(), name)
	requireNothingHeld(t, r)
}

// requireNothingHeld holds that no operation is in flight, and no memory pinned for one.
func requireNothingHeld(t *testing.T, r *Ring) {
	t.Helper()
	require.Zero(t, r.Stats().InFlight)
	require.Zero(t, r.Stats().Stale)
	for _, block := range r.slots.blocks {
		for i := range block {
			require.Zero(t, block[i].pins)
		}
	}
}

// TestAcceptThatCannotBe has accepts refused, single and multishot, and the ring serve a listener afterwards.
func TestAcceptThatCannotBe(t *testing.T) { // fault 75
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 4)
	idle, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(idle)
	pipe, _ := testutil.Pipe(t)
	listener, at := listenOnLoopback(t)
	for _, test := range []struct {
		name      string
		fd, flags int
		want      unix.Errno
	}{
		{"not listening", idle, unix.SOCK_CLOEXEC, unix.EINVAL},
		{"no socket", pipe, unix.SOCK_CLOEXEC, unix.ENOTSOCK},
		{"not open", -1, unix.SOCK_CLOEXEC, unix.EBADF},
		{"unknown flags", listener, 1 << 30, unix.EINVAL},
	} {
		var from Sockaddr
		requireEndsWith(t, r, test.want, test.name, func(s *SQE) error {
			return s.PrepAccept(test.fd, &from, test.flags)
		})
		_, ok := from.AddrPort()
		require.False(t, ok, "the address of nobody")
		if has(t, CanAcceptMultishot) {
			requireEndsWith(t, r, test.want, test.name, func(s *SQE) error {
				return s.PrepMultishotAccept(test.fd, test.flags)
			})
		}
	}
	client := dial(t, at)
	var from Sockaddr
	queued(t, r, func(s *SQE) error { return s.PrepAccept(listener, &from, unix.SOCK_CLOEXEC) })
	got := wait(t, r, 1)
	require.Len(t, got, 1)
	require.NoError(t, got[0].Err())
	require.NoError(t, unix.Close(int(got[0].Res)))
	name, err := unix.Getsockname(client)
	require.NoError(t, err)
	addr, ok := from.AddrPort()
	require.True(t, ok)
	require.EqualValues(t, name.(*unix.SockaddrInet4).Port, addr.Port())
}

// TestConnectThatCannotBe has connects refused, some before the kernel is asked, and the socket connect afterwards.
func TestConnectThatCannotBe(t *testing.T) { // fault 76
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 4)
	nobody, at := listenOnLoopback(t)
	require.NoError(t, unix.Close(nobody))
	somebody, reached := listenOnLoopback(t)
	port := uint16(at.(*unix.SockaddrInet4).Port)
	addr := func(ip string, port uint16) Sockaddr {
		a, err := SockaddrInet(netip.AddrPortFrom(netip.MustParseAddr(ip), port))
		require.NoError(t, err)
		return a
	}
	short := binary.NativeEndian.AppendUint16(nil, unix.AF_INET)
	raw := func(b []byte) Sockaddr {
		a, err := SockaddrRaw(b)
		require.NoError(t, err)
		return a
	}
	unixAddr, err := SockaddrUnix("/no address of IP")
	require.NoError(t, err)
	socket := func() int {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		require.NoError(t, err)
		t.Cleanup(func() { unix.Close(fd) })
		return fd
	}
	fd := socket()
	for _, test := range []struct {
		name string
		to   Sockaddr
		want unix.Errno
	}{
		{"three bytes", raw(append(short, 0)), unix.EINVAL},
		{"of another family", addr("::1", port), unix.EAFNOSUPPORT},
		{"of no IP", unixAddr, unix.EAFNOSUPPORT},
		{"of nobody", addr("127.0.0.1", port), unix.ECONNREFUSED},
	} {
		requireEndsWith(t, r, test.want, test.name, func(s *SQE) error { return s.PrepConnect(fd, &test.to) })
	}
	submitted := r.Stats().Submitted
	for name, to := range map[string]*Sockaddr{"nil": nil, "zero": {}, "of one byte": {n: 1}, "too long": {n: 129}} {
		s, err := r.SQE()
		require.NoError(t, err)
		require.ErrorIs(t, s.PrepConnect(fd, to), unix.EINVAL, name)
	}
	n, err := r.Submit()
	require.NoError(t, err)
	require.Equal(t, 4, n, "in their places are entries that do nothing")
	require.Empty(t, reapAll(r), "nobody waits for them")
	require.EqualValues(t, submitted+4, r.Stats().Completed)

	to := addr("127.0.0.1", uint16(reached.(*unix.SockaddrInet4).Port))
	fd = socket()
	queued(t, r, func(s *SQE) error { return s.PrepConnect(fd, &to) })
	got := wait(t, r, 1)
	require.Len(t, got, 1)
	require.NoError(t, got[0].Err())
	accepted, _, err := unix.Accept4(somebody, unix.SOCK_CLOEXEC)
	require.NoError(t, err)
	require.NoError(t, unix.Close(accepted))
}

// TestEnterThatTakesNothing has the kernel take nothing of what it is given, without an error, and refuse arguments:
// what is queued stays so, no entry is repeated without end, and the next one takes it.
func TestEnterThatTakesNothing(t *testing.T) { // fault 27
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 4)
	asked := 0
	answer := func(times, ret int) {
		asked = 0
		r.seam = func(uint32, cring.Timespec) (int, bool) {
			asked++
			return ret, asked <= times
		}
	}
	seen := uint64(0)
	next := func() {
		t.Helper()
		for _, c := range reapAll(r) {
			require.NoError(t, c.Err())
			require.Equal(t, seen, c.Data64, "each once, in order")
			seen++
		}
	}
	for _, errno := range []unix.Errno{0, unix.EINVAL, unix.EFAULT} {
		nop(t, r, seen)
		before := r.Stats()
		answer(1000, -int(errno))
		n, err := r.Submit()
		require.Equal(t, 1, asked, "it asked again")
		require.Zero(t, n)
		if errno == 0 {
			require.NoError(t, err)
		} else {
			require.ErrorIs(t, err, errno)
			require.ErrorContains(t, err, "io_uring_enter")
		}
		require.Equal(t, before.Submitted, r.Stats().Submitted)
		require.Zero(t, r.Ready())

		r.seam = nil
		n, err = r.Submit()
		require.NoError(t, err)
		require.Equal(t, 1, n)
		next()
	}
	nop(t, r, seen)
	answer(3, 0) // a wait goes on
	n, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Equal(t, 1, n)
	require.Equal(t, 4, asked)
	next()
	nop(t, r, seen)
	answer(1000, -int(unix.EINVAL)) // as a size of its arguments that the kernel does not know
	_, err = r.SubmitAndWaitTimeout(context.Background(), 1, time.Hour)
	require.ErrorIs(t, err, unix.EINVAL)
	require.Equal(t, 1, asked)
	r.seam = nil
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	next()
	require.EqualValues(t, 5, seen)
	requireNothingHeld(t, r)
}

// TestCancelOfNothing cancels everything where there is nothing: that is no error where all were meant, and Close does
// not ask the kernel for it.
func TestCancelOfNothing(t *testing.T) { // fault 64
	r := newTestRing(t, 4)
	if has(t, "IORING_REGISTER_SYNC_CANCEL") {
		require.NoError(t, r.SyncCancel(CancelAny().All(), -1))
		require.NoError(t, r.SyncCancel(CancelAny().All(), 0))
		require.NoError(t, r.SyncCancel(CancelAny(), 0), "which are all")
		reader, _ := testutil.Pipe(t)
		require.NoError(t, r.SyncCancel(CancelFd(reader).All(), 0))
		require.ErrorIs(t, r.SyncCancel(CancelFd(reader), 0), unix.ENOENT)
	}
	if has(t, CanCancelAny) {
		queued(t, r, func(s *SQE) error { return s.PrepCancel64(0, cring.AsyncCancelAny|cring.AsyncCancelAll) })
		got := wait(t, r, 1)
		require.Len(t, got, 1)
		require.NoError(t, got[0].Err())
		require.Zero(t, got[0].Res, "how many were cancelled")
	}
	queued(t, r, func(s *SQE) error { return s.PrepCancel(OpID(userDataOurs), 0) })
	got := wait(t, r, 1)
	require.Len(t, got, 1)
	require.ErrorIs(t, got[0].Err(), unix.ENOENT)
	requireNothingHeld(t, r)

	before := r.Stats().Enters
	require.NoError(t, r.Close())
	require.Equal(t, before, r.Stats().Enters, "there was nothing to cancel or to wait for")
}

// TestSendFromAFixedBufferThatIsNotThere has zero-copy sends name what is not registered: each ends with an error and
// keeps nothing, no byte of it leaves, and the next send is as good as ever.
func TestSendFromAFixedBufferThatIsNotThere(t *testing.T) { // fault 89
	needs(t, CanSendZC)
	testutil.Timeout(t, time.Minute)
	r := newTestRing(t, 8)
	a, peer := testutil.SocketPair(t, "tcp4")
	p, other := make([]byte, 128), []byte("of another place in memory")
	fail := func(name string, b []byte, index uint16) {
		t.Helper()
		id := queued(t, r, func(s *SQE) error { return s.PrepSendZCFixed(a, b, 0, 0, index) }).ID()
		var failed, notified int
		for r.slots.live > 0 {
			_, err := r.SubmitAndWait(context.Background(), 1)
			require.NoError(t, err)
			for _, c := range reapAll(r) {
				require.Equal(t, id, c.ID, name)
				if c.Flags&CQENotif != 0 {
					notified++
					continue
				}
				failed++
				require.ErrorIs(t, c.Err(), unix.EFAULT, name)
			}
		}
		require.Equal(t, 1, failed, name)
		require.LessOrEqual(t, notified, 1, name)
		requireNothingHeld(t, r)
	}
	fail("no table", p, 5)
	require.NoError(t, r.RegisterBuffers([][]byte{p[:64]}))
	fail("behind the table", p[:64], 1)
	fail("far behind the table", p[:64], 1<<16-1)
	fail("longer than the buffer", p, 0)
	fail("not in the buffer", other, 0)

	copy(p, "sent at last")
	queued(t, r, func(s *SQE) error { return s.PrepSendZCFixed(a, p[:12], 0, 0, 0) })
	for r.slots.live > 0 {
		_, err := r.SubmitAndWait(context.Background(), 1)
		require.NoError(t, err)
		for _, c := range reapAll(r) {
			require.NoError(t, c.Err())
		}
	}
	require.NoError(t, unix.Shutdown(a, unix.SHUT_WR))
	require.Equal(t, "sent at last", string(readToEnd(t, peer)), "what was refused has left all the same")
}

// listenOnLoopback returns a socket that listens, and its address.
func listenOnLoopback(t testing.TB) (fd int, addr unix.Sockaddr) {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(fd, 16))
	addr, err = unix.Getsockname(fd)
	require.NoError(t, err)
	return fd, addr
}

// dial returns a connection to addr.
func dial(t testing.TB, addr unix.Sockaddr) int {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(fd) })
	require.NoError(t, unix.Connect(fd, addr))
	return fd
}

// reset closes a connection so that its peer gets an RST.
func reset(t testing.TB, fd int) {
	t.Helper()
	require.NoError(t, unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}))
	require.NoError(t, unix.Close(fd))
}

func TestPeerResetsWhileAReceiveWaits(t *testing.T) { // fault 78
	r := newTestRing(t, 4)
	a, b := testutil.SocketPair(t, "tcp4")
	recvOp(t, r, a, make([]byte, 64))
	_, err := r.Submit()
	require.NoError(t, err)
	reset(t, b)
	got := wait(t, r, 1)
	require.Len(t, got, 1)
	require.ErrorIs(t, got[0].Err(), unix.ECONNRESET)
}

func TestHalfClosedConnectionStillSends(t *testing.T) { // fault 78
	r := newTestRing(t, 4)
	a, b := testutil.SocketPair(t, "tcp4")
	require.NoError(t, unix.Shutdown(b, unix.SHUT_WR))
	for range 2 {
		recvOp(t, r, a, make([]byte, 64))
		got := wait(t, r, 1)
		require.Len(t, got, 1)
		require.NoError(t, got[0].Err())
		require.Zero(t, got[0].Res, "the end of the stream")
	}
	sendOp(t, r, a, []byte("still there"))
	got := wait(t, r, 1)
	require.Len(t, got, 1)
	require.NoError(t, got[0].Err())
	require.Equal(t, "still there", string(readAll(t, b, int(got[0].Res))))
}

// TestMultishotAcceptWithoutDescriptorsEndsAndGoesOn has descriptors for one connection of two. The limit that counts
// is the one at the time of the submission: the kernel keeps it with the request.
func TestMultishotAcceptWithoutDescriptorsEndsAndGoesOn(t *testing.T) { // fault 79
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	caps, _ := Probe()
	testutil.SkipIfUnsupported(t, caps.Require(CanAcceptMultishot))
	r := newTestRing(t, 4)
	listener, addr := listenOnLoopback(t)
	accept := func() {
		queued(t, r, func(s *SQE) error { return s.PrepMultishotAccept(listener, unix.SOCK_CLOEXEC) })
	}
	dial(t, addr)
	second := dial(t, addr)
	var limit unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &limit))
	one := uint64(lowestFreeFd(t)) + 1
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: one, Max: limit.Max}))
	accept()
	got := wait(t, r, 2)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &limit))
	require.Len(t, got, 2)
	require.NoError(t, got[0].Err())
	require.True(t, got[0].More())
	require.ErrorIs(t, got[1].Err(), unix.EMFILE)
	require.False(t, got[1].More())
	require.NoError(t, unix.Close(int(got[0].Res)))

	accept()
	got = wait(t, r, 1)
	require.Len(t, got, 1)
	require.NoError(t, got[0].Err(), "the connection is still in the backlog")
	_, err := unix.Write(second, []byte("hello"))
	require.NoError(t, err)
	require.Equal(t, "hello", string(readAll(t, int(got[0].Res), 5)))
	require.NoError(t, unix.Close(int(got[0].Res)))
}

func TestClientThatIsGoneBeforeTheAccept(t *testing.T) { // fault 80
	r := newTestRing(t, 4)
	listener, addr := listenOnLoopback(t)
	reset(t, dial(t, addr))
	client := dial(t, addr)
	_, err := unix.Write(client, []byte("hello"))
	require.NoError(t, err)
	free := lowestFreeFd(t)
	var last []byte
	for range 2 { // Linux hands out the connection that was reset as well.
		queued(t, r, func(s *SQE) error { return s.PrepAccept(listener, nil, unix.SOCK_CLOEXEC) })
		got := wait(t, r, 1)
		require.Len(t, got, 1)
		require.NoError(t, got[0].Err())
		last = make([]byte, 64)
		recvOp(t, r, int(got[0].Res), last)
		read := wait(t, r, 1)
		require.Len(t, read, 1)
		if err := read[0].Err(); err != nil {
			require.ErrorIs(t, err, unix.ECONNRESET)
		} else {
			last = last[:read[0].Res]
		}
		require.NoError(t, unix.Close(int(got[0].Res)))
	}
	require.Equal(t, "hello", string(last))
	require.Equal(t, free, lowestFreeFd(t), "a descriptor is still open")
}

// TestRingCannotBePassedOn: a ring in flight through a socket that is in the ring could keep both alive for good.
func TestRingCannotBePassedOn(t *testing.T) { // fault 86
	r := newTestRing(t, 4)
	a, _ := testutil.SocketPair(t, "unix")
	err := unix.Sendmsg(a, []byte{1}, unix.UnixRights(r.Fd()), nil, 0)
	if err == nil {
		// Distributions have ported it back, since what it ends is a leak.
		testutil.SkipIfUnsupported(t, &UnsupportedError{
			Name: "refusal of a ring in a message", SinceMajor: 6, SinceMinor: 7, Provider: "kernel 6.7",
		})
	}
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestZeroCopySendToAPeerThatNeverReadsEndsWithIt(t *testing.T) { // faults 72 and 90
	caps, _ := Probe()
	testutil.SkipIfUnsupported(t, caps.Require(CanSendZC))
	for _, test := range []struct {
		name string
		end  func(t *testing.T, r *Ring, peer int, id OpID)
	}{
		{"the peer closes", func(t *testing.T, _ *Ring, peer int, _ OpID) { reset(t, peer) }},
		{"the send is cancelled, then the peer closes", func(t *testing.T, r *Ring, peer int, id OpID) {
			queueCancel(t, r, id)
			_, err := r.Submit()
			require.NoError(t, err)
			reset(t, peer)
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			testutil.Timeout(t, time.Minute)
			r := newTestRing(t, 8)
			a, peer := testutil.SocketPair(t, "tcp4")
			// More than the buffers of both sockets hold, so that the request is waiting when the end comes.
			p := make([]byte, 64<<20)
			s := queued(t, r, func(s *SQE) error { return s.PrepSendZC(a, p, unix.MSG_WAITALL, 0) })
			id := s.ID()
			_, err := r.Submit()
			require.NoError(t, err)
			require.Positive(t, r.slots.live, "the memory is held")
			test.end(t, r, peer, id)
			var results, notifications int
			for r.slots.live > 0 {
				_, err := r.SubmitAndWait(context.Background(), 1)
				require.NoError(t, err)
				for _, c := range reapAll(r) {
					switch {
					case c.ID != id:
					case c.Flags&CQENotif != 0:
						notifications++
					default:
						results++
					}
				}
			}
			require.Equal(t, 1, results)
			require.Equal(t, 1, notifications)
		})
	}
}

// TestWriteBeyondTheFileSizeLimit: the kernel sends SIGXFSZ with EFBIG, to a thread that may be any.
func TestWriteBeyondTheFileSizeLimit(t *testing.T) { // fault 95
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	const limit = 4096
	r := newTestRing(t, 4)
	f, err := os.Create(filepath.Join(t.TempDir(), "limited"))
	require.NoError(t, err)
	defer f.Close()
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: limit, Max: limit}))
	p := make([]byte, 2*limit)
	for _, want := range []struct {
		offset int64
		n      int32
		err    error
	}{
		{offset: 0, n: limit},
		{offset: limit, err: unix.EFBIG},
	} {
		queued(t, r, func(s *SQE) error { return s.PrepWrite(int(f.Fd()), p, want.offset) })
		got := wait(t, r, 1)
		require.Len(t, got, 1)
		if want.err != nil {
			require.ErrorIs(t, got[0].Err(), want.err)
		} else {
			require.Equal(t, want.n, got[0].Res)
		}
	}
	queued(t, r, func(s *SQE) error { return s.PrepRead(int(f.Fd()), p, 0) })
	got := wait(t, r, 1)
	require.Len(t, got, 1)
	require.EqualValues(t, limit, got[0].Res, "a short read at the end of the file")
}
