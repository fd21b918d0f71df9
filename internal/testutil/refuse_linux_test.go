package testutil

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestParseRefusals(t *testing.T) {
	told, err := parseRefusals("io_uring=ENOSYS,aio=EPERM")
	require.NoError(t, err)
	require.Equal(t, map[string]unix.Errno{"io_uring": unix.ENOSYS, "aio": unix.EPERM}, told)
	told, err = parseRefusals("")
	require.NoError(t, err)
	require.Empty(t, told)
	for _, list := range []string{"io_uring", "io_uring=", "io_uring=EIO", "epoll=EPERM", "io_uring=EPERM,"} {
		_, err := parseRefusals(list)
		require.ErrorContains(t, err, RefuseVariable, list)
	}
}

func TestMainRefusesAsTold(t *testing.T) {
	if !InChild() {
		child := ReExec(t, t.Name(), RefuseVariable+"=io_uring=EPERM,aio=ENOSYS")
		require.Zero(t, child.ExitCode, child.Output)
		return
	}
	for _, number := range interfaces["io_uring"] {
		_, _, errno := unix.Syscall(number, 0, 0, 0)
		require.Equal(t, unix.EPERM, errno)
	}
	for _, number := range interfaces["aio"] {
		_, _, errno := unix.Syscall(number, 0, 0, 0)
		require.Equal(t, unix.ENOSYS, errno)
	}
}
