//go:build linux

package uring

import (
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/testutil"
)

// completerFunc is a part of the library that waits for completions of its own.
type completerFunc func(c CQE)

func (f completerFunc) complete(c CQE) { f(c) }

// ringOfLostThread returns a ring whose owner's thread has ended after it ran fill and submitted.
func ringOfLostThread(t testing.TB, fill func(r *Ring), opts ...Option) *Ring {
	t.Helper()
	made := make(chan *Ring, 1)
	go func() { // returns locked, so its thread ends
		defer close(made)
		r, err := New(8, opts...)
		if err != nil {
			t.Errorf("new: %v", err)
			return
		}
		fill(r)
		if _, err := r.Submit(); err != nil {
			t.Errorf("submit: %v", err)
		}
		made <- r
	}()
	r := <-made
	require.NotNil(t, r)
	for !errors.Is(interrupt(r.tid), unix.ESRCH) {
		time.Sleep(time.Millisecond)
	}
	return r
}

func TestCloseEndsEveryKindOfOperation(t *testing.T) { // fault 66
	needs(t, CanSetup)
	testutil.Timeout(t, time.Minute)
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	defer unix.Close(listener)
	require.NoError(t, unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, unix.Listen(listener, 1))
	idle, _ := testutil.SocketPair(t, "tcp4")
	full, _ := testutil.SocketPair(t, "unix")
	rd, _ := testutil.Pipe(t)

	r, err := New(16)
	require.NoError(t, err)
	queued(t, r, func(s *SQE) error { return s.PrepAccept(listener, nil, 0) }).SetData("accept")
	kinds := 5
	if has(t, CanAcceptMultishot) {
		kinds++
		queued(t, r, func(s *SQE) error { return s.PrepMultishotAccept(listener, 0) }).SetData("multishot accept")
	}
	recvOp(t, r, idle, make([]byte, 64)).SetData("recv")
	sendOp(t, r, full, make([]byte, 16<<20)).SetData("send")
	timeoutOp(t, r, time.Hour).SetData("timeout")
	pollOp(t, r, rd).SetData("poll")
	_, err = r.Submit()
	require.NoError(t, err)
	require.Equal(t, kinds, r.Stats().InFlight)

	require.NoError(t, r.Close())
	got := map[any]CQE{}
	for _, c := range reapAll(r) {
		got[c.Data] = c
	}
	require.Len(t, got, kinds)
	for name, c := range got {
		if name == "send" { // a part of it went into the socket's buffer
			require.Positive(t, c.Res)
			continue
		}
		require.ErrorIs(t, c.Err(), unix.ECANCELED, name)
	}
	require.Zero(t, r.Stats().InFlight)
	require.Zero(t, r.slots.live)
}

func TestClosedRingAnswersWithoutItsMemory(t *testing.T) {
	needs(t, CanSetup)
	r, err := New(4)
	require.NoError(t, err)
	flags, features := r.Flags(), r.Features()
	nop(t, r, 1)
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.NoError(t, r.Close())

	require.Equal(t, -1, r.Fd())
	require.Zero(t, r.SQSpace())
	require.Equal(t, flags, r.Flags())
	require.Equal(t, features, r.Features())
	require.False(t, r.FdRegistered())
	require.Nil(t, r.C())
	require.EqualValues(t, 1, r.Stats().Submitted)
	require.Equal(t, 1, r.Ready())
	sq, cq := r.Entries()
	require.Zero(t, sq+cq)
	for name, call := range map[string]func() error{
		"SQE":     func() error { _, err := r.SQE(); return err },
		"Submit":  func() error { _, err := r.Submit(); return err },
		"wait":    func() error { _, err := r.SubmitAndWait(context.Background(), 1); return err },
		"timeout": func() error { _, err := r.SubmitAndWaitTimeout(context.Background(), 1, 0); return err },
		"Close":   func() error { require.NoError(t, r.Close()); return ErrClosed },
	} {
		require.ErrorIs(t, call(), ErrClosed, name)
	}
}

func TestCloseFromACompletionEndsTheRingAfterIt(t *testing.T) { // fault 67
	needs(t, CanSetup)
	testutil.Timeout(t, time.Minute)
	r, err := New(4)
	require.NoError(t, err)
	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd)
	s, err := r.SQE()
	require.NoError(t, err)
	calls := 0
	s.slot.owner = completerFunc(func(CQE) {
		calls++
		require.NoError(t, r.Close())
		require.False(t, r.life.ending.Load() != 0, "the ring ended under the completion")
	})
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	got := reapAll(r)
	require.Equal(t, 1, calls)
	require.Len(t, got, 1)
	require.ErrorIs(t, got[0].Err(), unix.ECANCELED)
	require.NoError(t, r.Close())
	require.Zero(t, r.slots.live)
}

func TestCallsFromWithinTheTeardownReturn(t *testing.T) { // fault 67
	needs(t, CanSetup)
	testutil.Timeout(t, time.Minute)
	for _, ownerLives := range []bool{true, false} {
		calls := 0
		var r *Ring
		onEnd := completerFunc(func(c CQE) {
			calls++
			require.ErrorIs(t, c.Err(), unix.ECANCELED)
			require.NoError(t, r.Close())
			_, err := r.SQE()
			require.ErrorIs(t, err, ErrClosed)
			_, err = r.Submit()
			require.ErrorIs(t, err, ErrClosed)
		})
		rd, _ := testutil.Pipe(t)
		fill := func(r *Ring) {
			pollOp(t, r, rd).slot.owner = onEnd
			if ownerLives {
				_, err := r.Submit()
				require.NoError(t, err)
				pollOp(t, r, rd).slot.owner = onEnd // not submitted
			}
		}
		if ownerLives {
			var err error
			r, err = New(8)
			require.NoError(t, err)
			fill(r)
		} else {
			r = ringOfLostThread(t, fill)
		}
		require.NoError(t, r.Close())
		require.Equal(t, map[bool]int{true: 2, false: 1}[ownerLives], calls)
		require.Zero(t, r.slots.live)
	}
}

func TestCloseAfterTheThreadEndedUnpinsAndResolves(t *testing.T) { // fault 24, FACTS 27
	needs(t, CanSetup)
	a, b := testutil.SocketPair(t, "unix")
	p := make([]byte, 64)
	r := ringOfLostThread(t, func(r *Ring) { recvOp(t, r, a, p).SetData64(7) })
	require.NoError(t, r.Close())
	got := reapAll(r)
	require.Len(t, got, 1)
	require.EqualValues(t, 7, got[0].Data64)
	require.ErrorIs(t, got[0].Err(), unix.ECANCELED)
	require.Zero(t, r.Stats().InFlight)

	_, err := unix.Write(b, []byte("late"))
	require.NoError(t, err)
	runtime.GC() // panics over a Pinner that was dropped while it still pinned
	runtime.GC()
	require.Equal(t, make([]byte, 64), p)
}

func TestCloseKeepsWhatAPollingThreadHasOfALostOwner(t *testing.T) { // fault 24
	needs(t, CanSetup)
	if !testutil.InChild() { // what is kept on purpose is a leak to everything that looks for leaks
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	a, _ := testutil.SocketPair(t, "unix")
	r := ringOfLostThread(t, func(r *Ring) {
		recvOp(t, r, a, make([]byte, 64))
		if err := r.RegisterBuffers([][]byte{make([]byte, 64)}); err != nil {
			t.Errorf("register: %v", err)
		}
	}, WithSQPoll(time.Millisecond, -1))
	var leak *LeakError
	require.ErrorAs(t, r.Close(), &leak)
	require.Equal(t, 1, leak.Operations)
	r = nil
	for range 3 {
		runtime.GC() // panics over pinned memory that nobody remembers
	}
}

func TestCloseOfALostThreadsRingLeavesTheCallersRingAlone(t *testing.T) {
	needs(t, CanSetup)
	// Without SINGLE_ISSUER the kernel does not keep other threads from the lost ring.
	lost := ringOfLostThread(t, func(r *Ring) { nop(t, r, 1) }, WithoutFlags(SetupSingleIssuer))
	r := newTestRing(t, 4)
	require.Equal(t, lost.FdRegistered(), r.FdRegistered())
	require.NoError(t, lost.Close())
	nop(t, r, 2)
	_, err := r.SubmitAndWait(context.Background(), 1)
	require.NoError(t, err)
	require.Len(t, reapAll(r), 1)
}

func TestSQEHelpsAWaitingCloseAlong(t *testing.T) {
	needs(t, CanSetup)
	testutil.Timeout(t, time.Minute)
	r, err := New(4)
	require.NoError(t, err)
	closed := make(chan error, 1)
	go func() { closed <- r.Close() }()
	for {
		if _, err = r.SQE(); err != nil { // the owner's only call, again and again
			break
		}
		_, err = r.Submit()
		if err != nil {
			break
		}
		reapAll(r)
	}
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, <-closed)
}

func TestCloseFromSixteenGoroutinesWithTheOwnerWaiting(t *testing.T) { // fault 67
	needs(t, CanSetup)
	testutil.Timeout(t, time.Minute)
	r, err := New(8)
	require.NoError(t, err)
	rd, _ := testutil.Pipe(t)
	pollOp(t, r, rd)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for range 16 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			<-start
			if err := r.Close(); err != nil {
				t.Error(err)
			}
		}()
	}
	close(start)
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.ErrorIs(t, err, ErrClosed)
	wg.Wait()
	require.NoError(t, r.Close())
}

func TestCloseOfAnOwnerThatDoesNotComeBackIsBounded(t *testing.T) {
	needs(t, CanSetup)
	r, err := New(4, WithCloseTimeout(10*time.Millisecond))
	require.NoError(t, err)
	closed := make(chan error)
	go func() { closed <- r.Close() }()
	require.ErrorIs(t, <-closed, os.ErrDeadlineExceeded) // this goroutine owns the ring, and does not touch it
	_, err = r.Submit()
	require.ErrorIs(t, err, ErrClosed)
	require.NoError(t, r.Close())
}

func TestRingDescriptorClosedBehindItsBack(t *testing.T) { // fault 69
	needs(t, CanSetup)
	r, err := New(4, WithPlainFd(), WithCloseTimeout(10*time.Millisecond))
	require.NoError(t, err)
	require.NoError(t, unix.Close(r.Fd()))
	nop(t, r, 1)
	_, err = r.Submit()
	require.ErrorIs(t, err, unix.EBADF)
	_, err = r.SubmitAndWait(context.Background(), 1)
	require.ErrorIs(t, err, unix.EBADF)
	require.NoError(t, r.Close())
	require.Len(t, reapAll(r), 1) // the NOP, as cancelled
}

func TestCloseSaysAloudWhatTheKernelKeeps(t *testing.T) { // fault 71
	needs(t, CanSetup)
	if !testutil.InChild() { // what is kept on purpose is a leak to everything that looks for leaks
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	page := newFaultPage(t)
	rd, wr := testutil.Pipe(t)
	_, err := unix.Write(wr, append(make([]byte, len(page.mem)), "late"...))
	require.NoError(t, err)

	r, err := New(4, WithCloseTimeout(50*time.Millisecond))
	require.NoError(t, err)
	p := make([]byte, 64)
	require.NoError(t, r.RegisterBuffers([][]byte{make([]byte, 64)}))
	queued(t, r, func(s *SQE) error {
		err := s.PrepReadv(rd, [][]byte{page.mem, p}, -1)
		s.Async() // a worker thread is to wait for the page, and not Submit
		return err
	})
	_, err = r.Submit()
	require.NoError(t, err)
	page.awaitFault(t, r)
	err = r.Close()
	var leak *LeakError
	require.ErrorAs(t, err, &leak)
	require.GreaterOrEqual(t, leak.Operations, 1)
	require.ErrorIs(t, err, os.ErrDeadlineExceeded)
	require.Equal(t, err, r.Close())
	require.Equal(t, leak.Operations, r.Stats().InFlight)

	// Nobody but the kernel knows of p now. It must not be given to anybody else before the kernel writes it.
	addr := addressOf(p)
	p, r = nil, nil
	for range 3 {
		runtime.GC()
	}
	fresh := make([][]byte, 10000)
	for i := range fresh {
		fresh[i] = make([]byte, 64)
		require.NotEqual(t, addr, addressOf(fresh[i]), "the kept memory was given out again")
	}
	page.resolve(t)
	for n := 1; n > 0; { // until the kernel has read the pipe empty
		n, err = unix.IoctlGetInt(rd, unix.TIOCINQ)
		require.NoError(t, err)
	}
	for _, p := range fresh {
		require.Equal(t, make([]byte, 64), p)
	}
}

// addressOf is where the memory of p lies, for comparing.
func addressOf(p []byte) uintptr {
	return uintptr(unsafe.Pointer(unsafe.SliceData(p))) // SAFETY: the slice itself.
}

// faultPage is a page of memory on which whoever touches it waits until it is resolved, in a way that no cancellation
// of a request ends.
type faultPage struct {
	mem []byte
	fd  int
}

// Arguments of userfaultfd(2), from <linux/userfaultfd.h>.
const (
	uffdAPI, uffdModeMissing                = 0xaa, 1
	uffdioAPI, uffdioRegister, uffdioZeroPg = 0xc018aa3f, 0xc020aa00, 0xc020aa04
)

func newFaultPage(t testing.TB) *faultPage {
	t.Helper()
	fd, _, errno := unix.Syscall(unix.SYS_USERFAULTFD, unix.O_CLOEXEC|unix.O_NONBLOCK, 0, 0)
	if errno != 0 {
		testutil.Skip(t, testutil.NeedsPrivilege, "userfaultfd(2) for faults of the kernel: %v", errno)
	}
	page, err := unix.Mmap(-1, 0, unix.Getpagesize(), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	require.NoError(t, err)
	t.Cleanup(func() { unix.Close(int(fd)) })
	p := &faultPage{mem: page, fd: int(fd)}
	p.ioctl(t, uffdioAPI, &[4]uint64{uffdAPI})
	p.ioctl(t, uffdioRegister, &[4]uint64{p.addr(), uint64(len(page)), uffdModeMissing})
	return p
}

func (p *faultPage) addr() uint64 {
	return uint64(uintptr(unsafe.Pointer(&p.mem[0]))) // SAFETY: mapped memory, which is never unmapped.
}

// awaitFault returns once somebody waits for the page, which is to be a worker thread of r. Kernel 6.1 was seen not to
// start one for ten seconds: it gives up creating a worker that signals interrupt a few times, and Go sends signals to
// its threads. The next request for workers has it create one for both.
func (p *faultPage) awaitFault(t testing.TB, r *Ring) {
	t.Helper()
	for range 30 {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}, 1000)
		if n == 1 {
			return
		}
		if err != unix.EINTR {
			require.NoError(t, err)
			t.Log("no worker has touched the page: a request for another")
			queued(t, r, func(s *SQE) error {
				err := s.PrepNop()
				s.Async()
				return err
			})
			_, err = r.Submit()
			require.NoError(t, err)
		}
	}
	require.Fail(t, "nobody touched the page")
}

// resolve lets everybody on who waits for the page.
func (p *faultPage) resolve(t testing.TB) {
	p.ioctl(t, uffdioZeroPg, &[4]uint64{p.addr(), uint64(len(p.mem))})
}

func (p *faultPage) ioctl(t testing.TB, request uintptr, arg *[4]uint64) {
	t.Helper()
	// SAFETY: no request of these has a longer argument.
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(p.fd), request, uintptr(unsafe.Pointer(arg)))
	require.Zero(t, errno)
}

// tooMuch is more than a socket takes whose peer does not read.
const tooMuch = 16 << 20

// midway is a call that enters the kernel and, but for one that ends at once, cannot do its work there.
type midway struct {
	name    string
	network string
	feature string // that the call needs, if any
	opts    []SenderOption
	atOnce  bool
	begin   func(t *testing.T, r *Ring, fd int, s *Sender) (call func() error) // makes what the call needs
}

// midways are the calls that may be in the kernel when somebody else closes their ring.
func midways() []midway {
	ctx, bySendmsg := context.Background(), []SenderOption{WithSendmsg()}
	handOver := func(t *testing.T, s *Sender) {
		for range 3 { // which fill the Sender's limit, and are more than the socket takes
			require.NoError(t, s.HandOver(make([]byte, 300<<10), nil))
		}
	}
	return []midway{
		{"Send", "unix", "", nil, false, func(_ *testing.T, r *Ring, fd int, _ *Sender) func() error {
			return func() error { _, err := r.Send(ctx, fd, make([]byte, tooMuch), unix.MSG_WAITALL); return err }
		}},
		{"SendZC", "tcp4", CanSendZC, nil, false, func(_ *testing.T, r *Ring, fd int, _ *Sender) func() error {
			return func() error {
				n, _, err := r.SendZC(ctx, fd, make([]byte, tooMuch), unix.MSG_WAITALL)
				if err == nil && n < tooMuch { // the peer left before the ring was seen to close
					err = io.ErrShortWrite
				}
				return err
			}
		}},
		{"SendBundle", "unix", CanSendBundle, nil, false, func(t *testing.T, r *Ring, fd int, _ *Sender) func() error {
			b, err := r.NewBufRing(256, 16<<10)
			require.NoError(t, err)
			require.NoError(t, b.AddRange(0, 256, 16<<10))
			b.Publish()
			return func() error { _, err := r.SendBundle(ctx, fd, b, 0); return err }
		}},
		{"Sender.Flush", "unix", "", nil, false, func(t *testing.T, _ *Ring, _ int, s *Sender) func() error {
			handOver(t, s)
			return func() error { return s.Flush(ctx) }
		}},
		{"Sender.Flush by sendmsg", "unix", "", bySendmsg, false, func(t *testing.T, _ *Ring, _ int, s *Sender) func() error {
			handOver(t, s)
			return func() error { return s.Flush(ctx) }
		}},
		{"WriteContext without room", "unix", "", nil, false, func(t *testing.T, _ *Ring, _ int, s *Sender) func() error {
			handOver(t, s)
			// More than what the socket takes of that leaves room for.
			return func() error { _, err := s.WriteContext(ctx, make([]byte, 900<<10)); return err }
		}},
		{"Sender.Close", "unix", "", nil, false, func(t *testing.T, r *Ring, _ int, s *Sender) func() error {
			handOver(t, s)
			_, err := r.Submit()
			require.NoError(t, err)
			return s.Close
		}},
		{"Ring.Flush", "unix", "", nil, false, func(t *testing.T, r *Ring, _ int, s *Sender) func() error {
			handOver(t, s)
			return func() error { return errors.Join(r.Flush(ctx), s.Err()) }
		}},
		{"SubmitAndWait", "unix", "", nil, false, func(t *testing.T, r *Ring, fd int, _ *Sender) func() error {
			recvOp(t, r, fd, make([]byte, 1))
			return func() error { _, err := r.SubmitAndWait(ctx, 1); return err }
		}},
		{"SQE of a full queue", "unix", "", nil, true, func(t *testing.T, r *Ring, fd int, _ *Sender) func() error {
			for range 8 {
				recvOp(t, r, fd, make([]byte, 1))
			}
			return func() error { _, err := r.SQE(); return err }
		}},
	}
}

// closeMidway makes the call on a ring that another goroutine begins to close at the call's n-th kernel entry, and
// reports whether it came to that entry. Where it stays in one before, the ring is closed after a moment.
func closeMidway(t *testing.T, m midway, n int, opts ...Option) (came bool) {
	runtime.LockOSThread() // the ring's
	defer runtime.UnlockOSThread()
	r := newTestRing(t, 8, opts...)
	fd, peer := testutil.SocketPair(t, m.network)
	s, err := r.NewSender(fd, m.opts...)
	require.NoError(t, err)
	call := m.begin(t, r, fd, s)

	closed := make(chan error, 1)
	leave := func() {}
	if m.feature == CanSendZC { // what the kernel has of it is told when its peer has left
		leave = func() { _ = unix.Shutdown(peer, unix.SHUT_RDWR) }
	}
	begin := func() { closed <- r.Close() }
	moment := time.AfterFunc(100*time.Millisecond, func() { go begin(); leave() })
	entries := 0
	r.seam = func(uint32, cring.Timespec) (int, bool) {
		if entries++; entries == n && moment.Stop() {
			came = true
			go begin()
			for !r.life.closing.Load() {
				time.Sleep(100 * time.Microsecond)
			}
			leave()
		}
		return 0, false
	}
	err = call()
	if !m.atOnce {
		require.Error(t, err)
	}
	for !errors.Is(err, ErrClosed) { // the owner comes back to the ring
		time.Sleep(time.Millisecond)
		_, err = r.Submit()
	}
	require.NoError(t, <-closed)
	require.Zero(t, r.Stats().InFlight)
	require.Zero(t, r.slots.live)
	return came
}

// TestCloseAtEveryEntryOfACall has another goroutine close the ring at each kernel entry that a call makes: the call
// returns, what it had is accounted for, and it touches nothing of a ring whose memory is gone.
func TestCloseAtEveryEntryOfACall(t *testing.T) { // found 1
	needs(t, CanSetup)
	testutil.Timeout(t, hangLimit)
	polled := map[string][]Option{"plain": nil, "SQPOLL": {WithSQPoll(time.Millisecond, -1)}}
	for _, m := range midways() {
		t.Run(m.name, func(t *testing.T) {
			if m.feature != "" {
				needs(t, m.feature)
			}
			for name, opts := range polled {
				t.Run(name, func(t *testing.T) {
					n := 1
					for ; closeMidway(t, m, n, opts...); n++ {
						require.Less(t, n, 100, "entries of one call")
					}
				})
			}
		})
	}
}

// TestSenderThatAnotherCloseEnds returns the error of the Sender, whose bytes were unsent.
func TestSenderThatAnotherCloseEnds(t *testing.T) { // found 1
	needs(t, CanSetup)
	testutil.Timeout(t, hangLimit)
	r := newTestRing(t, 8)
	s, _ := newTestSender(t, r, "unix")
	require.NoError(t, s.HandOver(make([]byte, 900<<10), nil))
	_, err := r.Submit()
	require.NoError(t, err)
	closed := make(chan error, 1)
	r.seam = func(uint32, cring.Timespec) (int, bool) {
		if r.life.closing.Load() {
			return 0, false
		}
		go func() { closed <- r.Close() }()
		for !r.life.closing.Load() {
			time.Sleep(100 * time.Microsecond)
		}
		return -int(unix.EINTR), true
	}
	err = s.Close()
	require.NoError(t, <-closed)
	require.Error(t, err, "bytes were left")
	require.True(t, errors.Is(err, ErrClosed) || errors.As(err, new(*UnsentError)), err)
}
