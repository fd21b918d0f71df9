//go:build linux && cgo

package socketops

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestSmallerRingIsLogged(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	e, r := recorded(t, WithBackend(BackendURing)) // which has probed, before there is no memory
	require.NoError(t, e.Close())
	require.Len(t, r.take(), 1)
	testutil.RefuseSyscalls(t, unix.ENOMEM, unix.SYS_IO_URING_SETUP)
	_, err := New(WithBackend(BackendURing), WithLogger(slog.New(r)))
	require.ErrorIs(t, err, unix.ENOMEM)
	told := r.take()
	require.Equal(t, slog.LevelDebug, told[len(told)-1].level)
	entries := uint32(ringEntries)
	for _, l := range told[:len(told)-1] {
		entries /= 2
		require.Equal(t, slog.LevelWarn, l.level)
		require.Equal(t, uint64(entries), l.attrs["entries"])
		require.ErrorIs(t, l.attrs["error"].(error), unix.ENOMEM)
	}
	require.Equal(t, uint32(ringEntriesMin), entries)
}
