//go:build linux

package socketops

import (
	"errors"
	"log/slog"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestBestBackendThatWorksIsChosen(t *testing.T) {
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

func TestRefusedBackendsSayWhy(t *testing.T) {
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

func TestRingThatStopsWorkingEndsWhatWaits(t *testing.T) {
	if !testutil.InChild() { // a filter stays for the life of the process, and what the kernel keeps is a leak
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	testutil.Timeout(t, hangLimit)
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
	testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_ENTER)
	a.GoRecv(make([]byte, 1), 0, told)
	require.ErrorIs(t, (<-results).err, unix.EPERM)
	require.ErrorIs(t, (<-results).err, unix.EPERM)
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
