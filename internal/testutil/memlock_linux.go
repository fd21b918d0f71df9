package testutil

import (
	"testing"

	"golang.org/x/sys/unix"
)

// NeedsOtherUser skips the test unless this process may become another user, as LimitMemlock has it do.
func NeedsOtherUser(t testing.TB) {
	t.Helper()
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var held [2]unix.CapUserData
	if err := unix.Capget(&header, &held[0]); err != nil {
		t.Fatalf("capget: %v", err)
	}
	if held[0].Effective&(1<<unix.CAP_SETUID) == 0 {
		Skip(t, NeedsPrivilege, "a limit of locked memory is for all processes of a user, who must be the test's alone")
	}
}

// LimitMemlock makes this process, for the rest of its life, one of the user uid that may lock as many bytes of memory
// and lacks CAP_IPC_LOCK, which would except it. The limit is for all processes of a user: each test has its own.
func LimitMemlock(t testing.TB, uid int, bytes uint64) {
	t.Helper()
	limit := unix.Rlimit{Cur: bytes, Max: bytes}
	if err := unix.Setrlimit(unix.RLIMIT_MEMLOCK, &limit); err != nil {
		t.Fatalf("setrlimit: %v", err)
	}
	if err := unix.Setresuid(uid, uid, uid); err != nil {
		t.Fatalf("setresuid: %v", err)
	}
}
