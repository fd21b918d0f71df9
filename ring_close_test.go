//go:build linux

package uring

import (
	"context"
	"errors"
	"os"
	"runtime"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

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
