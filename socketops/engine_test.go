//go:build linux

package socketops

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/internal/testutil"
)

func TestBestBackendThatWorksIsChosen(t *testing.T) {
	t.Setenv(EngineVariable, "")
	refused := map[Backend]bool{}
	want := Backend("")
	for _, b := range backends {
		e, err := New(WithBackend(b.name))
		if err != nil {
			require.ErrorIs(t, err, errors.ErrUnsupported)
			refused[b.name] = want == ""
			continue
		}
		require.Equal(t, b.name, e.Backend())
		require.Empty(t, e.Status().Refusals)
		require.NoError(t, e.Close())
		if want == "" {
			want = b.name
		}
	}
	s := engine(t).Status()
	require.Equal(t, want, s.Backend)
	for _, r := range s.Refusals {
		require.True(t, refused[r.Backend], "%v", r)
		require.Contains(t, s.String(), r.String())
	}
	require.Contains(t, s.String(), "backend "+string(want)+" serves")
}

func TestBackendByName(t *testing.T) {
	t.Setenv(EngineVariable, "syscall")
	require.Equal(t, BackendSyscall, engine(t).Backend())
	t.Setenv(EngineVariable, "nonsense")
	_, err := New()
	require.ErrorContains(t, err, `"nonsense"`)
	e, err := New(WithBackend(BackendSyscall))
	require.NoError(t, err)
	require.NoError(t, e.Close())
}

// TestChoiceIsTestedWhateverTheEnvironment runs the tests of the choice of the backend where one is forced.
func TestChoiceIsTestedWhateverTheEnvironment(t *testing.T) { // found 45
	for _, name := range []string{
		"TestBestBackendThatWorksIsChosen", "TestRefusedBackendsSayWhy", "TestChoiceOfTheBackendIsLogged",
		"TestBackendByName",
	} {
		child := testutil.ReExec(t, name, EngineVariable+"="+string(BackendSyscall))
		require.Zero(t, child.ExitCode, child.Output)
	}
}

// TestStatusTellsEachCauseOnce has many features refused for the same reason, as probes are where descriptors lack.
func TestStatusTellsEachCauseOnce(t *testing.T) { // found 32
	var reasons []error
	for i := range 14 {
		reasons = append(reasons, fmt.Errorf("feature %d: %w", i, os.NewSyscallError("io_uring_setup", unix.EMFILE)))
	}
	other := fmt.Errorf("feature 14: %w", unix.EPERM)
	r := Refusal{BackendURing, errors.Join(errors.Join(reasons...), nil, other)}
	s := EngineStatus{BackendAIO, []Refusal{r}}
	require.Equal(t, "backend aio serves\nbackend uring: "+reasons[0].Error()+"\n  "+other.Error()+"\n", s.String())
	require.Equal(t, "aio: "+unix.EPERM.Error(), Refusal{BackendAIO, unix.EPERM}.String())
}

func TestRefusedBackendsSayWhy(t *testing.T) {
	t.Setenv(EngineVariable, "")
	if !testutil.InChild() { // a filter stays for the life of the process
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_SETUP, unix.SYS_IO_SETUP)
	e := engine(t)
	require.Equal(t, BackendSyscall, e.Backend())
	require.Len(t, e.Status().Refusals, 2)
	for _, r := range e.Status().Refusals {
		require.ErrorIs(t, r.Err, errors.ErrUnsupported, "%v", r)
	}
	a, b := unixPair(t, e, unix.SOCK_STREAM)
	told, results := outcomes(1)
	b.GoRecv(make([]byte, 9), 0, told)
	_, err := a.Send(t.Context(), []byte("served"), 0)
	require.NoError(t, err)
	require.Equal(t, outcome{6, nil}, <-results)
}

// TestRingThatStopsWorkingEndsWhatWaits has io_uring_enter(2) refused for good: at once where no time mends that, and
// else when patience is over. What waits ends with the errno, and Close returns.
func TestRingThatStopsWorkingEndsWhatWaits(t *testing.T) { // found 2 and 27
	for _, errno := range []unix.Errno{unix.EPERM, unix.EAGAIN, unix.EBUSY, unix.ENOMEM} {
		t.Run(unix.ErrnoName(errno), func(t *testing.T) {
			if !testutil.InChild() { // a filter stays for the life of the process, and what the kernel keeps is a leak
				child := testutil.ReExec(t, t.Name())
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			testRingThatStopsWorking(t, errno)
		})
	}
}

func testRingThatStopsWorking(t *testing.T, errno unix.Errno) {
	testutil.Timeout(t, hangLimit)
	refusalPatience = 200 * time.Millisecond
	e, err := New(WithBackend(BackendURing))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	a, b := unixPair(t, e, unix.SOCK_STREAM)
	told, results := outcomes(2)
	b.GoRecv(make([]byte, 1), 0, told)
	_, err = a.TrySend([]byte("x"), 0)
	require.NoError(t, err)
	require.Equal(t, outcome{1, nil}, <-results)
	b.GoRecv(make([]byte, 1), 0, told)
	testutil.RefuseSyscalls(t, errno, unix.SYS_IO_URING_ENTER)
	a.GoRecv(make([]byte, 1), 0, told)
	require.ErrorIs(t, (<-results).err, errno)
	require.ErrorIs(t, (<-results).err, errno)
	worksOn(t, b, a)
	require.NoError(t, e.Close())
}

// worksOn holds that plain forms wait without an engine that has stopped working.
func worksOn(t *testing.T, from, to *Socket) {
	t.Helper()
	told, results := outcomes(1)
	go func() { told(to.Recv(t.Context(), make([]byte, 9), 0)) }()
	queued(t, to, 1)
	_, err := from.TrySend([]byte("x"), 0)
	require.NoError(t, err)
	require.Equal(t, outcome{1, nil}, <-results)
}

func TestReactorThatStopsWorkingEndsWhatWaits(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	records := &recorder{}
	m := &meter{log: slog.New(records)}
	r, err := newReactor(BackendSyscall, m)
	require.NoError(t, err)
	var broken atomic.Bool
	r.await = func() error {
		if err := r.poller.Wait(); err != nil || !broken.Load() {
			return err
		}
		return unix.EPERM
	}
	r.start()
	e := newEngine(m)
	e.backend, e.driver = BackendSyscall, r
	a, b := unixPair(t, e, unix.SOCK_STREAM)
	told, results := outcomes(3)
	b.GoRecv(make([]byte, 1), 0, told)
	_, err = a.TrySend([]byte("x"), 0)
	require.NoError(t, err)
	require.Equal(t, outcome{1, nil}, <-results)
	for range 3 {
		a.GoRecv(make([]byte, 1), 0, told)
	}
	broken.Store(true)
	_, err = b.TrySend([]byte("x"), 0)
	require.NoError(t, err)
	for range 3 {
		require.ErrorIs(t, (<-results).err, unix.EPERM)
	}
	n, err := a.TryRecv(make([]byte, 9), 0)
	require.Equal(t, outcome{1, nil}, outcome{n, err}, "what need not wait works on")
	worksOn(t, a, b)
	require.NoError(t, e.Close())
	failures := records.take()
	require.Len(t, failures, 1)
	require.Equal(t, slog.LevelError, failures[0].level)
	require.Equal(t, "syscall", failures[0].attrs["backend"])
}

// tooLong are the ways to receive a message, which say how much of it there was.
var tooLong = map[string]func(t *testing.T, s *Socket, p []byte) (int, error){
	"TryRecv": func(_ *testing.T, s *Socket, p []byte) (int, error) { return s.TryRecv(p, 0) },
	"Recv":    func(t *testing.T, s *Socket, p []byte) (int, error) { return s.Recv(t.Context(), p, 0) },
	"GoRecv": func(_ *testing.T, s *Socket, p []byte) (int, error) {
		told, results := outcomes(1)
		s.GoRecv(p, 0, told)
		r := <-results
		return r.n, r.err
	},
	"Recvv": func(t *testing.T, s *Socket, p []byte) (int, error) {
		n, _, err := s.Recvv(t.Context(), [][]byte{p[:1], p[1:]}, 0)
		return n, err
	},
	"RecvFrom": func(t *testing.T, s *Socket, p []byte) (int, error) {
		n, _, _, err := s.RecvFrom(t.Context(), p, 0)
		return n, err
	},
	"RecvMsg": func(t *testing.T, s *Socket, p []byte) (int, error) {
		m, err := s.RecvMsg(t.Context(), [][]byte{p}, 0)
		return m.N, err
	},
}

func TestWithTruncError(t *testing.T) { // N48
	onEnginesWith(t, []EngineOption{WithTruncError()}, func(t *testing.T, e *Engine) {
		for name, receive := range tooLong {
			t.Run(name, func(t *testing.T) {
				a, b := unixPair(t, e, unix.SOCK_DGRAM)
				p := make([]byte, 2)
				for text, want := range map[string]error{"hi": nil, "hello": unix.EMSGSIZE} {
					sendAll(t, a, text)
					n, err := receive(t, b, p)
					require.ErrorIs(t, err, want)
					require.Equal(t, text[:2], string(p[:n]))
					_, err = b.TryRecv(p, 0)
					require.ErrorIs(t, err, ErrWouldBlock, "the rest is lost")
				}
			})
		}
		t.Run("who wants the length, or nothing, gets no error", func(t *testing.T) {
			a, b := unixPair(t, e, unix.SOCK_DGRAM)
			sendAll(t, a, "hello")
			require.NoError(t, b.RecvReady(t.Context()))
			_, _, flags, err := b.RecvFrom(t.Context(), nil, 0)
			require.NoError(t, err)
			require.Equal(t, Truncated, flags)
			n, err := b.Recv(t.Context(), make([]byte, 2), Truncated)
			require.NoError(t, err)
			require.Equal(t, 5, n)
		})
		t.Run("a stream has no messages", func(t *testing.T) {
			a, b := unixPair(t, e, unix.SOCK_STREAM)
			sendAll(t, a, "hello")
			for range 2 {
				n, err := b.Recv(t.Context(), make([]byte, 2), 0)
				require.NoError(t, err)
				require.Equal(t, 2, n)
			}
		})
	})
}

func sendAll(t *testing.T, s *Socket, text string) {
	t.Helper()
	n, err := s.Send(t.Context(), []byte(text), 0)
	require.NoError(t, err)
	require.Equal(t, len(text), n)
}

func TestWithUnmap(t *testing.T) { // N57
	for _, on := range []bool{true, false} {
		onEnginesWith(t, []EngineOption{WithUnmap(on)}, func(t *testing.T, e *Engine) {
			told := func(a Addr) Addr {
				if on {
					return a
				}
				return IPAddr(netip.AddrPortFrom(netip.AddrFrom16(a.AddrPort().Addr().As16()), a.AddrPort().Port()))
			}
			s := network{"udp6", unix.AF_INET6, unix.SOCK_DGRAM, unix.IPPROTO_UDP}.socket(t, e)
			require.NoError(t, s.SetDualMode(true))
			require.NoError(t, s.Bind(IPAddr(netip.MustParseAddrPort("[::]:0"))))
			local, err := s.LocalAddr()
			require.NoError(t, err)
			four, at := udp(t, e)
			_, err = four.SendTo(t.Context(), []byte("x"), 0,
				IPAddr(netip.AddrPortFrom(loopback.AddrPort().Addr(), local.AddrPort().Port())))
			require.NoError(t, err)
			require.NoError(t, s.SetRecvPacketInfo(true))
			m, err := s.RecvMsg(t.Context(), [][]byte{make([]byte, 1)}, 0)
			require.NoError(t, err)
			require.Equal(t, told(at), m.From)
			require.NoError(t, s.Connect(t.Context(), m.From))
			peer, err := s.PeerAddr()
			require.NoError(t, err)
			require.Equal(t, told(at), peer)
			_, err = s.SendTo(t.Context(), []byte("y"), 0, m.From)
			require.NoError(t, err)
			n, err := four.Recv(t.Context(), make([]byte, 2), 0)
			require.NoError(t, err)
			require.Equal(t, 1, n)
		})
	}
}

// recorder is a slog.Handler that keeps what it is told.
type recorder struct {
	mu      sync.Mutex
	records []slog.Record
}

func (r *recorder) Enabled(context.Context, slog.Level) bool { return true }
func (r *recorder) WithAttrs([]slog.Attr) slog.Handler       { return r }
func (r *recorder) WithGroup(string) slog.Handler            { return r }

func (r *recorder) Handle(_ context.Context, record slog.Record) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.records = append(r.records, record)
	return nil
}

// logged is one record, with the values of its attributes.
type logged struct {
	level slog.Level
	text  string
	attrs map[string]any
}

// take returns what was told since the last time.
func (r *recorder) take() []logged {
	r.mu.Lock()
	defer r.mu.Unlock()
	var all []logged
	for _, record := range r.records {
		l := logged{record.Level, record.Message, map[string]any{}}
		record.Attrs(func(a slog.Attr) bool {
			l.attrs[a.Key] = a.Value.Any()
			return true
		})
		all = append(all, l)
	}
	r.records = nil
	return all
}

// recorded returns an engine, and what it logs.
func recorded(t *testing.T, opts ...EngineOption) (*Engine, *recorder) {
	t.Helper()
	r := &recorder{}
	e, err := New(append(opts, WithLogger(slog.New(r)))...)
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e, r
}

func TestChoiceOfTheBackendIsLogged(t *testing.T) {
	t.Setenv(EngineVariable, "")
	if !testutil.InChild() { // a filter stays for the life of the process
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_SETUP, unix.SYS_IO_SETUP)
	e, r := recorded(t)
	told := r.take()
	require.Len(t, told, 3)
	for i, refusal := range e.Status().Refusals {
		require.Equal(t, logged{slog.LevelWarn, "socketops: backend refused", map[string]any{
			"backend": string(refusal.Backend), "error": refusal.Err,
		}}, told[i])
	}
	require.Equal(t, logged{slog.LevelInfo, "socketops: backend serves", map[string]any{"backend": "syscall"}}, told[2])

	_, err := New(WithBackend(BackendAIO), WithLogger(slog.New(r)))
	require.Error(t, err)
	told = r.take()
	require.Len(t, told, 1)
	require.Equal(t, slog.LevelDebug, told[0].level)
	require.Equal(t, "aio", told[0].attrs["backend"])
	require.ErrorIs(t, err, told[0].attrs["error"].(error))
}

func TestRingThatFailsIsLogged(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, hangLimit)
	e, r := recorded(t, WithBackend(BackendURing))
	_, b := unixPair(t, e, unix.SOCK_STREAM)
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_ENTER)
	told, results := outcomes(1)
	b.GoRecv(make([]byte, 1), 0, told)
	require.ErrorIs(t, (<-results).err, unix.EPERM)
	records := r.take()
	require.Len(t, records, 2)
	require.Equal(t, slog.LevelError, records[1].level)
	require.Equal(t, "socketops: backend failed", records[1].text)
	require.Equal(t, "uring", records[1].attrs["backend"])
	require.ErrorIs(t, records[1].attrs["error"].(error), unix.EPERM)
	require.Equal(t, uint64(1), b.Stats().Received.Errors)
}

// receiveTogether has an AIO engine make one batch of receives, of two at least, and returns their results. The
// reactor is held up with the first that becomes ready, so that it finds the others together.
func receiveTogether(t *testing.T, e *Engine) []outcome {
	t.Helper()
	const pairs = 3
	told, results := outcomes(pairs)
	var here [pairs]*Socket
	for i := range here {
		var there *Socket
		here[i], there = unixPair(t, e, unix.SOCK_STREAM)
		there.GoRecv(make([]byte, 1), 0, told)
	}
	r := e.driver.(*reactor)
	r.mu.Lock()
	for _, s := range here {
		_, err := s.TrySend(make([]byte, 1), 0)
		require.NoError(t, err)
	}
	r.mu.Unlock()
	var all []outcome
	for range here {
		all = append(all, <-results)
	}
	return all
}

func TestBatchesAreCounted(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	e, r := recorded(t, WithBackend(BackendAIO))
	for _, got := range receiveTogether(t, e) {
		require.Equal(t, outcome{1, nil}, got)
	}
	s := e.Stats()
	require.Equal(t, uint64(1), s.Batches)
	require.GreaterOrEqual(t, s.BatchOperations, uint64(2))
	require.Equal(t, [2]uint64{3, 3}, [2]uint64{s.Received.Bytes, s.Received.Operations})
	require.Len(t, r.take(), 1)
}

func TestBatchThatIsRefusedIsLogged(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, hangLimit)
	e, r := recorded(t, WithBackend(BackendAIO))
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_SUBMIT)
	for range 2 {
		for _, got := range receiveTogether(t, e) {
			require.Equal(t, outcome{1, nil}, got, "the system calls do")
		}
	}
	require.NoError(t, e.Close()) // after it all is told
	records := r.take()
	require.Len(t, records, 2, "told once")
	require.Equal(t, slog.LevelWarn, records[1].level)
	require.ErrorIs(t, records[1].attrs["error"].(error), unix.EPERM)
}

func TestLostResultsOfABatchEndTheirOperations(t *testing.T) {
	testutil.Timeout(t, hangLimit)
	e, r := recorded(t, WithBackend(BackendAIO))
	batch := e.driver.(*reactor).batch
	batch.reap = func(int, []aio.Event, time.Duration) (int, error) { return 0, unix.EPERM }
	lost := 0
	for _, got := range receiveTogether(t, e) {
		if got.err == nil {
			continue // It was alone.
		}
		require.ErrorIs(t, got.err, unix.EPERM)
		require.ErrorContains(t, got.err, "lost")
		lost++
	}
	require.GreaterOrEqual(t, lost, 2)
	for _, got := range receiveTogether(t, e) {
		require.Equal(t, outcome{1, nil}, got, "the system calls do from then on")
	}
	s := e.Stats()
	require.Equal(t, [2]uint64{1, uint64(lost)}, [2]uint64{s.Batches, s.Received.Errors})
	records := r.take()
	require.Len(t, records, 2)
	require.Equal(t, slog.LevelWarn, records[1].level)
	require.ErrorIs(t, records[1].attrs["error"].(error), unix.EPERM)
	n, err := batch.ctx.GetEvents(lost, make([]aio.Event, lost), -1) // or the context could not be closed
	require.NoError(t, err)
	require.Equal(t, lost, n)
}
