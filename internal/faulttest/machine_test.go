//go:build linux

package faulttest

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	aio "github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// sysctl sets a sysctl of the machine until the test ends.
func sysctl(t testing.TB, path, value string) {
	t.Helper()
	before, err := os.ReadFile(path)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.WriteFile(path, before, 0)) })
	require.NoError(t, os.WriteFile(path, []byte(value), 0))
}

// disabled is the sysctl that says who may make rings.
const disabled = "/proc/sys/kernel/io_uring_disabled"

// needsDisabled skips the test where the machine is not the test's own, or has no such sysctl.
func needsDisabled(t testing.TB) {
	t.Helper()
	testutil.NeedsOwnMachine(t)
	if testutil.IOURingDisabled() == "" {
		testutil.SkipIfUnsupported(t, &uring.UnsupportedError{
			Name: "kernel.io_uring_disabled", Provider: "kernel 6.6", SinceMajor: 6, SinceMinor: 6,
		})
	}
}

// requireDisabled requires that io_uring is refused here, by every way in, and that each says why.
func requireDisabled(t testing.TB) {
	t.Helper()
	_, err := uring.New(8)
	require.ErrorIs(t, err, unix.EPERM)
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "kernel.io_uring_disabled")
	caps, err := uring.ProbeAfresh()
	require.NoError(t, err)
	require.ErrorContains(t, caps.Require(uring.CanSetup), "kernel.io_uring_disabled")
	_, err = socketops.New(socketops.WithBackend(socketops.BackendURing))
	require.ErrorIs(t, err, errors.ErrUnsupported)
	require.ErrorContains(t, err, "kernel.io_uring_disabled")

	e, err := socketops.New()
	require.NoError(t, err)
	require.NotEqual(t, socketops.BackendURing, e.Backend())
	require.Contains(t, e.Status().String(), "kernel.io_uring_disabled")
	requireWhole(t, e)
	require.NoError(t, e.Close())
}

// requireWhole requires that an engine transfers, which takes waiting.
func requireWhole(t testing.TB, e *socketops.Engine) {
	t.Helper()
	a, b, err := e.SocketPair(unix.SOCK_STREAM)
	require.NoError(t, err)
	defer a.Close()
	defer b.Close()
	for _, s := range []*socketops.Socket{a, b} {
		require.NoError(t, s.SetDeadline(time.Now().Add(late)))
	}
	require.Equal(t, transfer{whole: true}, stream(a, b, noise(1, 2<<20)))
}

func TestIOURingIsDisabled(t *testing.T) { // fault 4
	if testutil.InChild() { // a process remembers what its probe was refused
		requireDisabled(t)
		return
	}
	needsDisabled(t)
	requireRefused := func(change func(*exec.Cmd)) {
		child := testutil.ReExecAs(t, t.Name(), change)
		require.Zero(t, child.ExitCode, child.Output)
	}
	sysctl(t, disabled, "2")
	requireRefused(func(*exec.Cmd) {})
	sysctl(t, disabled, "1")
	r, err := uring.New(8)
	require.NoError(t, err, "root may")
	require.NoError(t, r.Close())
	requireRefused(func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 54340, Gid: 54340}}
	})
}

// TestIOURingIsDisabledWhileRunning has the sysctl be set while rings are in use: those go on, with all that they can
// do, and new ones are refused.
func TestIOURingIsDisabledWhileRunning(t *testing.T) { // fault 115
	needsDisabled(t)
	if !testutil.InChild() { // a process remembers what its probe was refused
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, 5*time.Minute)
	r, err := uring.New(8)
	require.NoError(t, err)
	e, err := socketops.New(socketops.WithBackend(socketops.BackendURing))
	require.NoError(t, err)
	reader, writer := testutil.Pipe(t)
	waiting, err := r.SQE()
	require.NoError(t, err)
	require.NoError(t, waiting.PrepPollAdd(reader, unix.POLLIN))
	waiting.SetData64(1)
	_, err = r.Submit()
	require.NoError(t, err)

	sysctl(t, disabled, "2")
	requireDisabled(t)
	_, err = unix.Write(writer, []byte{1})
	require.NoError(t, err)
	_, err = r.SubmitAndWaitTimeout(context.Background(), 1, late)
	require.NoError(t, err)
	cqes := make([]uring.CQE, 8)
	n, err := r.Reap(cqes)
	require.NoError(t, err)
	require.Equal(t, 1, n, "what was in flight")
	require.EqualValues(t, 1, cqes[0].Data64)
	require.NoError(t, cqes[0].Err())
	require.NoError(t, r.RegisterBuffers([][]byte{make([]byte, 4096)}))
	a, b := testutil.SocketPair(t, "unix")
	n, err = r.Send(context.Background(), a, []byte("heron"), 0)
	require.NoError(t, err)
	require.Equal(t, 5, n)
	got := make([]byte, 8)
	n, err = unix.Read(b, got)
	require.NoError(t, err)
	require.Equal(t, "heron", string(got[:n]))
	requireWhole(t, e)

	sysctl(t, disabled, "0")
	again, err := uring.New(8)
	require.NoError(t, err, "a refused ring is not remembered")
	require.NoError(t, again.Close())
	require.NoError(t, e.Close())
	require.NoError(t, r.Close())
}

// TestAIOEventsAreExhausted has no events left for another context, as where another process has taken all.
func TestAIOEventsAreExhausted(t *testing.T) { // fault 97
	testutil.NeedsOwnMachine(t)
	c, err := aio.NewContext(8)
	require.NoError(t, err)
	limits, err := aio.GetLimits()
	require.NoError(t, err)
	t.Run("exhausted", func(t *testing.T) {
		sysctl(t, "/proc/sys/fs/aio-max-nr", strconv.Itoa(int(limits.InUse)))
		_, err := aio.NewContext(8)
		require.ErrorIs(t, err, unix.EAGAIN)
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorIs(t, err, aio.ErrInsufficientEvents)
		require.ErrorContains(t, err, "fs.aio-max-nr")
		_, err = aio.NewQueue(8)
		require.ErrorIs(t, err, aio.ErrInsufficientEvents)
		_, err = aio.NewBatcher(8)
		require.ErrorIs(t, err, aio.ErrInsufficientEvents)
		_, err = socketops.New(socketops.WithBackend(socketops.BackendAIO))
		require.ErrorIs(t, err, errors.ErrUnsupported)
		require.ErrorContains(t, err, "fs.aio-max-nr")
		e, err := socketops.New()
		require.NoError(t, err)
		require.NotEqual(t, socketops.BackendAIO, e.Backend())
		requireWhole(t, e)
		require.NoError(t, e.Close())

		cb, err := c.IOCB() // what there is goes on
		require.NoError(t, err)
		a, _ := testutil.SocketPair(t, "unix")
		require.NoError(t, cb.PrepPoll(a, unix.POLLOUT))
		_, err = c.Submit(cb)
		require.NoError(t, err)
		n, err := c.GetEvents(1, make([]aio.Event, 1), late)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
	require.NoError(t, c.Close())
	c, err = aio.NewContext(8)
	require.NoError(t, err, "a refusal is not remembered")
	require.NoError(t, c.Close())
}

// jump sets the machine's clock.
func jump(t testing.TB, by time.Duration) {
	t.Helper()
	now := unix.NsecToTimeval(time.Now().Add(by).UnixNano())
	require.NoError(t, unix.Settimeofday(&now))
}

// TestClockJumps has the time of day jump while everything waits that has an end: no wait ends early, and none late.
func TestClockJumps(t *testing.T) { // fault 109
	testutil.NeedsOwnMachine(t)
	const waits, soon, day = 20, 300 * time.Millisecond, 24 * time.Hour
	for _, by := range []time.Duration{day, -day} {
		t.Run(by.String(), func(t *testing.T) {
			defer jump(t, -by)
			onEngines(t, func(t *testing.T, e *socketops.Engine) {
				var pairs [waits][2]*socketops.Socket
				long, short := make(chan error, waits), make(chan error, waits)
				for i := range pairs {
					a, b, err := e.SocketPair(unix.SOCK_STREAM)
					require.NoError(t, err)
					defer a.Close()
					defer b.Close()
					pairs[i] = [2]*socketops.Socket{a, b}
					require.NoError(t, a.SetReadDeadline(time.Now().Add(time.Hour)))
					require.NoError(t, b.SetReadDeadline(time.Now().Add(soon)))
					a.GoRecv(make([]byte, 1), 0, func(_ int, err error) { long <- err })
					b.GoRecv(make([]byte, 1), 0, func(_ int, err error) { short <- err })
				}
				ctx, cancel := context.WithTimeout(context.Background(), time.Hour)
				defer cancel()
				jump(t, by)
				for range pairs {
					require.ErrorIs(t, <-short, socketops.ErrTimeout)
				}
				require.Empty(t, long, "an hour is not over")
				require.NoError(t, ctx.Err())
				for _, p := range pairs {
					_, err := p[1].Send(lateContext(t), []byte{1}, 0)
					require.NoError(t, err)
				}
				for range pairs {
					require.NoError(t, <-long)
				}
				_, _, err := tcpTimeout(e, soon)
				require.ErrorIs(t, err, socketops.ErrTimeout)
			})
			t.Run("ring", func(t *testing.T) {
				testutil.Timeout(t, 3*late)
				r, err := uring.New(8)
				require.NoError(t, err)
				begun := time.Now()
				s, err := r.SQE()
				require.NoError(t, err)
				require.NoError(t, s.PrepTimeout(soon, 0, 0))
				go jump(t, by)
				_, err = r.SubmitAndWaitTimeout(context.Background(), 1, time.Hour)
				require.NoError(t, err, "the request has ended")
				_, err = r.SubmitAndWaitTimeout(context.Background(), 2, soon)
				require.ErrorIs(t, err, os.ErrDeadlineExceeded)
				require.GreaterOrEqual(t, time.Since(begun), 2*soon)
				for c := range r.Completions() {
					require.ErrorIs(t, c.Err(), unix.ETIME)
				}
				require.NoError(t, r.Close())
				jump(t, -by)
			})
			t.Run("aio", func(t *testing.T) {
				testutil.Timeout(t, 3*late)
				q, err := aio.NewQueue(1)
				require.NoError(t, err)
				a, _ := testutil.SocketPair(t, "unix")
				var poll aio.Request
				require.NoError(t, poll.PreparePoll(aio.FD(a), unix.POLLIN, nil))
				_, err = q.Submit(&poll)
				require.NoError(t, err)
				begun := time.Now()
				go jump(t, by)
				_, err = q.WaitTimeout(soon, 1, make([]*aio.Request, 1))
				require.ErrorIs(t, err, aio.ErrTimeout)
				require.GreaterOrEqual(t, time.Since(begun), soon)
				require.NoError(t, q.Close())
				jump(t, -by)
			})
		})
	}
}

// tcpTimeout accepts on a socket that nobody connects to, for as long as d.
func tcpTimeout(e *socketops.Engine, d time.Duration) (*socketops.Socket, socketops.Addr, error) {
	l, err := e.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	if err != nil {
		return nil, socketops.Addr{}, err
	}
	defer l.Close()
	if err := errors.Join(l.Listen(1), l.SetReadDeadline(time.Now().Add(d))); err != nil {
		return nil, socketops.Addr{}, err
	}
	return l.Accept(context.Background())
}

// controlGroup makes a control group with settings, and returns a change to a command that starts it in there, and the
// group's directory.
func controlGroup(t testing.TB, settings map[string]string) (func(*exec.Cmd), string) {
	t.Helper()
	testutil.NeedsOwnMachine(t)
	const root = "/sys/fs/cgroup"
	require.NoError(t, os.WriteFile(root+"/cgroup.subtree_control", []byte("+memory"), 0))
	dir, err := os.MkdirTemp(root, "test")
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.Remove(dir), "a process is left in the group") })
	for name, value := range settings {
		if _, err := os.Stat(dir + "/" + name); name != "memory.max" && err != nil {
			continue // swap is not there to be limited
		}
		require.NoError(t, os.WriteFile(dir+"/"+name, []byte(value), 0), name)
	}
	f, err := os.Open(dir)
	require.NoError(t, err)
	t.Cleanup(func() { f.Close() })
	return func(cmd *exec.Cmd) {
		cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(f.Fd())}
	}, dir
}

// groupEvents reads the counts of a control group's memory.events.
func groupEvents(t testing.TB, dir string) map[string]int {
	t.Helper()
	content, err := os.ReadFile(dir + "/memory.events")
	require.NoError(t, err)
	counts := map[string]int{}
	for line := range strings.Lines(string(content)) {
		name, number, _ := strings.Cut(strings.TrimSpace(line), " ")
		counts[name], err = strconv.Atoi(number)
		require.NoError(t, err)
	}
	return counts
}
