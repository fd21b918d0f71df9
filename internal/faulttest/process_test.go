//go:build linux

package faulttest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/sockring/uring"
	aio "github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/internal/testutil"
	"github.com/sockring/uring/socketops"
)

// process is a child that runs while the test does something to it.
type process struct {
	*exec.Cmd
	in  io.WriteCloser
	out *bufio.Reader
	log strings.Builder
}

// start starts a child for the test called name.
func start(t testing.TB, name string, env ...string) *process {
	t.Helper()
	p := command(t, name, env...)
	require.NoError(t, p.Start())
	return p
}

// command is the child that start starts.
func command(t testing.TB, name string, env ...string) *process {
	t.Helper()
	p := &process{Cmd: testutil.ChildCommand(t, name, env...)}
	var err error
	p.in, err = p.StdinPipe()
	require.NoError(t, err)
	out, err := p.StdoutPipe()
	require.NoError(t, err)
	p.out, p.Stderr = bufio.NewReader(out), &p.log
	return p
}

// await reads what the child prints until a line that begins with a word, and returns the rest of that.
func (p *process) await(t testing.TB, word string) string {
	t.Helper()
	for {
		line, err := p.out.ReadString('\n')
		p.log.WriteString(line)
		if rest, ok := strings.CutPrefix(line, word); ok {
			return strings.TrimSpace(rest)
		}
		if err != nil {
			_ = p.Wait()
			require.Fail(t, "the child said no "+word, "%s", p.log.String())
		}
	}
}

// end waits for the child's end.
func (p *process) end(t testing.TB) *os.ProcessState {
	t.Helper()
	rest, err := io.ReadAll(p.out)
	require.NoError(t, err)
	_ = p.Wait() // its state says it
	p.log.Write(rest)
	return p.ProcessState
}

// everyBackend are the backends, of which some may not work here.
var everyBackend = []socketops.Backend{socketops.BackendURing, socketops.BackendAIO, socketops.BackendSyscall}

// told waits until the parent says something.
func told() { _, _ = bufio.NewReader(os.Stdin).ReadString('\n') }

// TestStoppedProcess stops a process for a while in which some of its deadlines pass and others do not: the former end
// one wait each, the latter none, and everything goes on.
func TestStoppedProcess(t *testing.T) { // fault 109
	if testutil.InChild() {
		waitWhileStopped(t)
		return
	}
	p := start(t, t.Name())
	p.await(t, "waiting")
	require.NoError(t, p.Process.Signal(unix.SIGSTOP))
	var status unix.WaitStatus
	_, err := unix.Wait4(p.Process.Pid, &status, unix.WUNTRACED, nil)
	require.NoError(t, err)
	require.True(t, status.Stopped())
	time.Sleep(time.Duration(testutil.Fewer(5, 1)) * time.Second) // which is the fault
	require.NoError(t, p.Process.Signal(unix.SIGCONT))
	_, err = fmt.Fprintln(p.in, "go on")
	require.NoError(t, err)
	require.True(t, p.end(t).Success(), p.log.String())
}

func waitWhileStopped(t *testing.T) {
	testutil.Timeout(t, 2*late)
	type waits struct {
		e           *socketops.Engine
		long, short []*socketops.Socket
		ended       chan error // of the long ones
		over        chan error // of the short ones
	}
	const each, soon = 20, 500 * time.Millisecond
	var all []waits
	for _, backend := range everyBackend {
		e, err := socketops.New(socketops.WithBackend(backend))
		if err != nil {
			continue // the parent of this one tests whatever there is
		}
		w := waits{e: e, ended: make(chan error, each), over: make(chan error, 2*each)}
		for range each {
			for _, long := range []bool{true, false} {
				a, b, err := e.SocketPair(unix.SOCK_STREAM)
				require.NoError(t, err)
				if long {
					require.NoError(t, a.SetReadDeadline(time.Now().Add(time.Hour)))
					a.GoRecv(make([]byte, 1), 0, func(_ int, err error) { w.ended <- err })
					w.long = append(w.long, a, b)
				} else {
					require.NoError(t, a.SetReadDeadline(time.Now().Add(soon)))
					a.GoRecv(make([]byte, 1), 0, func(_ int, err error) { w.over <- err })
					w.short = append(w.short, a, b)
				}
			}
		}
		all = append(all, w)
	}
	require.NotEmpty(t, all)
	fmt.Println("waiting")
	if ring, err := uring.New(8); err == nil {
		reader, writer := testutil.Pipe(t)
		s, err := ring.SQE()
		require.NoError(t, err)
		require.NoError(t, s.PrepPollAdd(reader, unix.POLLIN))
		go func() {
			told()
			_, _ = unix.Write(writer, []byte{1})
		}()
		_, err = ring.SubmitAndWaitTimeout(context.Background(), 1, time.Hour)
		require.NoError(t, err)
		require.NoError(t, ring.Close())
	} else {
		told()
	}
	for _, w := range all {
		for range each {
			require.ErrorIs(t, <-w.over, socketops.ErrTimeout)
		}
		require.Empty(t, w.ended, "a deadline that is an hour away")
		for i := 0; i < len(w.long); i += 2 {
			_, err := w.long[i+1].Send(lateContext(t), []byte{1}, 0)
			require.NoError(t, err)
		}
		for range each {
			require.NoError(t, <-w.ended)
		}
		for i := 0; i < len(w.short); i += 2 { // a deadline that was set anew is as good as the first
			require.NoError(t, w.short[i].SetReadDeadline(time.Now().Add(late)))
			_, err := w.short[i+1].Send(lateContext(t), []byte{1}, 0)
			require.NoError(t, err)
			n, err := w.short[i].Recv(context.Background(), make([]byte, 8), 0)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		}
		require.Empty(t, w.over, "each was told once")
		require.NoError(t, w.e.Close())
	}
}

// engineVariable tells a child which engine to use.
const engineVariable = "FAULTTEST_ENGINE"

// TestKilledProcessLeavesNothing kills a busy server at a random moment: its peers see the end, its addresses are free,
// and the process is gone. In a guest of the kernel matrix the kernel's log is looked at besides.
func TestKilledProcessLeavesNothing(t *testing.T) { // fault 110
	if testutil.InChild() {
		serveUntilKilled(t)
		return
	}
	testutil.Timeout(t, 30*time.Minute)
	var backends []socketops.Backend
	for _, backend := range everyBackend {
		if e, err := socketops.New(socketops.WithBackend(backend)); err == nil {
			require.NoError(t, e.Close())
			backends = append(backends, backend)
		}
	}
	name := fmt.Sprintf("@faulttest-%d", os.Getpid())
	rapid.Check(t, func(rt *rapid.T) {
		backend := rapid.SampledFrom(backends).Draw(rt, "engine")
		after := time.Duration(rapid.IntRange(0, 30_000).Draw(rt, "microseconds")) * time.Microsecond
		defer func() {
			if t.Failed() {
				t.Logf("killed %v after %v", backend, after)
			}
		}()
		p := start(t, t.Name(), engineVariable+"="+string(backend), "FAULTTEST_NAME="+name)
		at := p.await(t, "listening")
		ended := make(chan error, 8)
		for range 4 {
			c, err := net.Dial("tcp4", at)
			require.NoError(t, err)
			go func() { _, _ = io.Copy(c, endless{}) }() // until the peer is gone
			go func() {
				_ = c.SetReadDeadline(time.Now().Add(late))
				_, err := io.Copy(io.Discard, c)
				c.Close()
				ended <- err
			}()
		}
		time.Sleep(after) // the random moment
		require.NoError(t, p.Process.Kill())
		state := p.end(t)
		require.Equal(t, unix.SIGKILL, state.Sys().(syscall.WaitStatus).Signal(), p.log.String())
		for range 4 {
			if err := <-ended; err != nil { // or the end of the stream
				require.ErrorIs(t, err, unix.ECONNRESET)
			}
		}
		// The kernel takes a ring down after its process has ended, and lets go of the sockets of requests then.
		require.Eventually(t, func() bool {
			c, err := net.Dial("tcp4", at)
			if err == nil {
				c.Close()
			}
			return errors.Is(err, unix.ECONNREFUSED)
		}, late, 10*time.Millisecond, "somebody listens")
		require.Eventually(t, func() bool {
			l, err := net.Listen("unix", name)
			if err == nil {
				l.Close()
			}
			return err == nil
		}, late, 10*time.Millisecond, "the name is not free")
		require.NoDirExists(t, fmt.Sprintf("/proc/%d", state.Pid()))
	})
}

// endless is an endless stream.
type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// serveUntilKilled echoes on an engine, and keeps a ring and a context of AIO busy besides.
func serveUntilKilled(t *testing.T) {
	testutil.Timeout(t, 2*late)
	e, err := socketops.New(socketops.WithBackend(socketops.Backend(os.Getenv(engineVariable))))
	require.NoError(t, err)
	named, err := e.Socket(unix.AF_UNIX, unix.SOCK_STREAM, 0)
	require.NoError(t, err)
	require.NoError(t, named.Bind(socketops.UnixAddr(os.Getenv("FAULTTEST_NAME"))))
	require.NoError(t, named.Listen(1))
	named.GoAccept(func(*socketops.Socket, socketops.Addr, error) {})
	l, err := e.Socket(unix.AF_INET, unix.SOCK_STREAM, unix.IPPROTO_TCP)
	require.NoError(t, err)
	require.NoError(t, l.Bind(socketops.IPAddr(netip.MustParseAddrPort("127.0.0.1:0"))))
	require.NoError(t, l.Listen(16))
	at, err := l.LocalAddr()
	require.NoError(t, err)
	fmt.Println("listening", at)
	go func() {
		for {
			s, _, err := l.Accept(context.Background())
			if err != nil {
				return
			}
			go echo(s)
		}
	}()
	inFlight(t)
	select {}
}

func echo(s *socketops.Socket) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := s.Recv(context.Background(), buffer, 0)
		if err != nil || n == 0 {
			return
		}
		if _, err := s.Send(context.Background(), buffer[:n], 0); err != nil {
			return
		}
	}
}

// keptInFlight keeps what inFlight has begun.
var keptInFlight atomic.Pointer[[]any]

// inFlight has requests of all kinds in flight that do not end by themselves: on a ring and a queue of AIO, where there
// are such here, and on those of the engines that work.
func inFlight(t *testing.T, backends ...socketops.Backend) {
	var kept []any
	a, b := testutil.SocketPair(t, "tcp4")
	_ = b
	if r, err := uring.New(64); err == nil {
		buffer := make([]byte, 4096)
		for i, prep := range []func(s *uring.SQE) error{
			func(s *uring.SQE) error { return s.PrepRecv(a, buffer, 0) },
			func(s *uring.SQE) error { return s.PrepTimeout(time.Hour, 0, 0) },
			func(s *uring.SQE) error { return s.PrepPollAdd(a, unix.POLLIN) },
			func(s *uring.SQE) error { return s.PrepSend(a, make([]byte, 16<<20), unix.MSG_WAITALL) },
			func(s *uring.SQE) error { return s.PrepSendZC(a, make([]byte, 1<<20), 0, 0) }, // where there is that
		} {
			s, err := r.SQE()
			require.NoError(t, err)
			require.NoError(t, prep(s), i)
		}
		_, err = r.Submit()
		require.NoError(t, err)
		kept = append(kept, r)
	}
	if q, err := aio.NewQueue(8); err == nil {
		poll := new(aio.Request)
		require.NoError(t, poll.PreparePoll(aio.FD(b), unix.POLLPRI, nil))
		_, err = q.Submit(poll)
		require.NoError(t, err)
		kept = append(kept, q, poll)
	}
	for _, backend := range backends {
		e, err := socketops.New(socketops.WithBackend(backend))
		if err != nil {
			continue
		}
		one, other, err := e.SocketPair(unix.SOCK_STREAM)
		require.NoError(t, err)
		one.GoRecv(make([]byte, 8), 0, func(int, error) {})
		one.GoSend(make([]byte, 4<<20), 0, func(int, error) {})
		go func() { _, _ = other.Recv(context.Background(), make([]byte, 8), 0) }()
		other.GoSend(make([]byte, 4<<20), 0, func(int, error) {})
		kept = append(kept, e, one, other)
	}
	keptInFlight.Store(&kept)
}

// TestExitWithRequestsInFlight ends a process in every way that does not clean up: nothing that is in flight holds it.
func TestExitWithRequestsInFlight(t *testing.T) { // fault 111
	for name, way := range map[string]struct {
		leave  func()
		status int
		says   string
	}{
		"os.Exit":              {leave: func() { os.Exit(3) }, status: 3},
		"panic":                {leave: func() { panic("away") }, status: 2, says: "panic: away"},
		"panic of a goroutine": {leave: func() { go panic("away"); select {} }, status: 2, says: "panic: away"},
		"exit_group":           {leave: func() { unix.Exit(4) }, status: 4},
	} {
		t.Run(name, func(t *testing.T) {
			if testutil.InChild() {
				inFlight(t, everyBackend...)
				fmt.Println("in flight")
				told()
				way.leave()
			}
			testutil.Timeout(t, 3*late)
			p := start(t, t.Name())
			p.await(t, "in flight")
			_, err := fmt.Fprintln(p.in, "leave")
			require.NoError(t, err)
			begun := time.Now()
			state := p.end(t)
			require.Equal(t, way.status, state.ExitCode(), p.log.String())
			require.Contains(t, p.log.String(), way.says)
			require.Less(t, time.Since(begun), late, "something held it")
		})
	}
}
