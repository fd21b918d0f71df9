package probe

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

// TestSmallMemlockIsEnough leaves room for three of the rings that the probe makes one after the other, some of which
// the kernel still counts when they are closed. What is there without the limit must be found all the same.
func TestSmallMemlockIsEnough(t *testing.T) {
	if !mayChangeUser(t) {
		testutil.Skip(t, testutil.NeedsPrivilege, "the limit is for all processes of a user, who must be ours alone")
	}
	if !inChild(t) {
		return
	}
	before := run(t)
	const user, bytes = 54321, 24 << 10
	limit := unix.Rlimit{Cur: bytes, Max: bytes}
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit))
	require.NoError(t, unix.Setresuid(user, user, user)) // and no CAP_IPC_LOCK, which excepts from the limit
	after := run(t)
	names := []string{IOURingSetup, IOURingEnter, IOURingRegister, PbufRing, FeatNoDrop, SetupDeferTaskrun}
	for _, name := range present(before, names...) {
		require.NoError(t, after[name].Err, name)
	}
}

func mayChangeUser(t *testing.T) bool {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	require.NoError(t, unix.Capget(&header, &held[0]))
	return held[0].Effective&(1<<unix.CAP_SETUID) != 0
}
