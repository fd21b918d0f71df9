package testutil_test

import (
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestRefuseSyscallsInEveryThread(t *testing.T) {
	if !testutil.InChild() {
		child := testutil.ReExec(t, t.Name())
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	other := newThread(t)
	refused := []uintptr{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER}
	// Of two filters the later one gives the errno, so the second row cannot pass on what was there before.
	for _, errno := range []unix.Errno{unix.EPERM, unix.EMULTIHOP, unix.EPERM} {
		testutil.RefuseSyscalls(t, errno, refused...)
		for _, number := range refused {
			require.Equal(t, errno, call(number))
			require.Equal(t, errno, other(number))
		}
		require.Zero(t, call(unix.SYS_GETPID))
		require.Zero(t, other(unix.SYS_GETPID))
	}
	require.Equal(t, unix.EPERM, newThread(t)(unix.SYS_IO_URING_SETUP))
}

func TestRefuseSyscallsStaysOutOfTheTestProcess(t *testing.T) {
	got := watch(t, func(t testing.TB) { testutil.RefuseSyscalls(t, unix.EPERM, unix.SYS_IO_URING_SETUP) })
	require.Contains(t, got.fatal, "in a ReExec child")
	require.NotEqual(t, unix.EMULTIHOP, call(unix.SYS_IO_URING_SETUP))
}

// call makes a system call without arguments and returns its errno.
func call(number uintptr) unix.Errno {
	_, _, errno := unix.Syscall(number, 0, 0, 0)
	return errno
}

// newThread starts a thread that lives as long as the test and returns call as it runs there.
func newThread(t *testing.T) func(number uintptr) unix.Errno {
	numbers, results := make(chan uintptr), make(chan unix.Errno)
	go func() {
		runtime.LockOSThread()
		for number := range numbers {
			results <- call(number)
		}
	}()
	onThread := func(number uintptr) unix.Errno {
		numbers <- number
		return <-results
	}
	t.Cleanup(func() { close(numbers) })
	onThread(unix.SYS_GETPID)
	return onThread
}
