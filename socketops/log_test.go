//go:build linux

package socketops

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/compat_aio"
	"github.com/sockring/uring/internal/testutil"
)

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
