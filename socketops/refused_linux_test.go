//go:build cgo

package socketops

import (
	"bytes"
	"context"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// journal is a log that can be read while it is written.
type journal struct {
	mu  sync.Mutex
	all bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.all.String()
}

// rideTogether has sends of a socket leave together, so that it has a Sender and a buffer group.
func rideTogether(t *testing.T, e *Engine, a, b *Socket) {
	t.Helper()
	before := e.Stats().Bundles
	left := fill(t, a)
	told, results := outcomes(3)
	for range cap(results) {
		a.GoSend(make([]byte, 1000), 0, told)
	}
	_, err := b.Recv(t.Context(), make([]byte, left+3000), WaitAll)
	require.NoError(t, err)
	for range cap(results) {
		require.Equal(t, outcome{1000, nil}, <-results)
	}
	require.Greater(t, e.Stats().Bundles, before)
}

// TestRefusedRegisterEndsNoEngine has io_uring_register(2) refused once sockets have buffer groups, as by a filter that
// a program loads after its start. Sockets are closed, and all others go on; the log says what was kept, once.
func TestRefusedRegisterEndsNoEngine(t *testing.T) { // found 27
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, hangLimit)
	var log journal
	e, err := New(WithBackend(BackendURing), WithLogger(slog.New(slog.NewTextHandler(&log, nil))))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	var pairs [3][2]*Socket
	for i := range pairs {
		pairs[i][0], pairs[i][1] = unixPair(t, e, unix.SOCK_STREAM)
		rideTogether(t, e, pairs[i][0], pairs[i][1])
	}
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_REGISTER)
	for i := range pairs {
		rideTogether(t, e, pairs[i][0], pairs[i][1])
		requireSound(t, pairs[i][0], pairs[i][1])
	}
	a, b := unixPair(t, e, unix.SOCK_STREAM)
	left := fill(t, a) // and without groups sends leave all the same
	told, results := outcomes(3)
	for range cap(results) {
		a.GoSend(make([]byte, 1000), 0, told)
	}
	_, err = b.Recv(t.Context(), make([]byte, left+3000), WaitAll)
	require.NoError(t, err)
	for range cap(results) {
		require.Equal(t, outcome{1000, nil}, <-results)
	}
	requireSound(t, a, b)
	require.NoError(t, e.Close())
	if strings.Contains(log.String(), "kept") { // where bundles, and so groups, are
		require.Equal(t, 1, strings.Count(log.String(), "level=WARN"), log.String())
	}
	require.NotContains(t, log.String(), "level=ERROR")
}

// leaver is a log's handler that ends the goroutine that calls it.
type leaver struct {
	slog.Handler
	level slog.Level
}

func (l leaver) Enabled(context.Context, slog.Level) bool { return true }

func (l leaver) Handle(_ context.Context, r slog.Record) error {
	if r.Level >= l.level {
		runtime.Goexit()
	}
	return nil
}

// TestLogHandlerMayExit has the log's handler end the goroutine of the engine. All that waits ends with a reason, what
// comes later does so too, and Close returns.
func TestLogHandlerMayExit(t *testing.T) { // found 3 and 26
	for _, b := range tested(t) {
		t.Run(string(b.name), func(t *testing.T) {
			testutil.Timeout(t, hangLimit)
			e, err := New(WithBackend(b.name), WithLogger(slog.New(leaver{slog.DiscardHandler, slog.LevelWarn})))
			testutil.SkipIfUnsupported(t, err)
			require.NoError(t, err)
			_, here := unixPair(t, e, unix.SOCK_STREAM)
			told, results := outcomes(2)
			here.GoRecv(make([]byte, 1), 0, told)
			switch d := e.driver.(type) {
			case *ringDriver:
				d.mu.Lock()
				d.kept, d.sleeping = unix.EPERM, true
				d.wake()
				d.mu.Unlock()
			case *reactor:
				go d.fail(errLeft)
			}
			require.ErrorIs(t, (<-results).err, errLeft)
			here.GoRecv(make([]byte, 1), 0, told)
			require.ErrorIs(t, (<-results).err, errLeft)
			require.NoError(t, e.Close())
		})
	}
}

// TestCancelBeforeTheKernelWaits has a request and its cancellation reach the kernel together, when a part of the bytes
// is there. The kernel then has the request neither waiting nor running when it looks for what to cancel: it finds
// nothing, and goes on to wait for the rest.
func TestCancelBeforeTheKernelWaits(t *testing.T) { // B06
	testutil.Timeout(t, hangLimit)
	e, err := New(WithBackend(BackendURing))
	testutil.SkipIfUnsupported(t, err)
	require.NoError(t, err)
	defer e.Close()
	a, b := unixPair(t, e, unix.SOCK_STREAM)

	release := holdUp(t, e)
	told, results := outcomes(1)
	op := b.GoRecv(make([]byte, 100), WaitAll, told)
	_, err = a.TrySend([]byte("part"), 0)
	require.NoError(t, err)
	op.Cancel()
	release()
	require.Equal(t, outcome{4, nil}, <-results)
}

// holdUp has the goroutine of a ring wait until release is called, so that it finds all that is handed to it meanwhile
// at once.
func holdUp(t *testing.T, e *Engine) (release func()) {
	t.Helper()
	s, _ := unixPair(t, e, unix.SOCK_STREAM)
	o, err := s.newRecv(make([]byte, 1), 0)
	require.NoError(t, err)
	o.callback = func(*op) {}
	o.handle, err = s.acquire()
	require.NoError(t, err)
	d := e.driver.(*ringDriver)
	l := &o.handle.lanes[receiving]
	l.mu.Lock() // which the goroutine needs to look at what has been handed to it
	l.push(d, o)
	for left := 1; left > 0; runtime.Gosched() {
		d.mu.Lock()
		left = len(d.starts)
		d.mu.Unlock()
	}
	return l.mu.Unlock
}
