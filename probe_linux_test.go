package uring_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring"
	"github.com/sockring/uring/internal/testutil"
)

// TestProbeUnderSeccomp has the engine step down, and say why (faults 1 and 2).
func TestProbeUnderSeccomp(t *testing.T) {
	for _, test := range []struct {
		name   string
		errno  unix.Errno
		calls  []uintptr
		engine uring.Engine
		reason string
	}{
		{
			"io_uring EPERM", unix.EPERM,
			[]uintptr{unix.SYS_IO_URING_SETUP},
			uring.EngineAIO,
			"uring: io_uring_setup is not supported: a seccomp filter answers EPERM to io_uring_setup",
		},
		{
			"io_uring ENOSYS", unix.ENOSYS,
			[]uintptr{unix.SYS_IO_URING_SETUP},
			uring.EngineAIO,
			"uring: io_uring_setup is not supported: ",
		},
		{
			"io_uring and AIO EPERM", unix.EPERM,
			[]uintptr{unix.SYS_IO_URING_SETUP, unix.SYS_IO_SETUP},
			uring.EngineSyscall,
			"uring: io_uring_setup is not supported: a seccomp filter answers EPERM to io_uring_setup",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			if !testutil.InChild() {
				if test.engine == uring.EngineAIO {
					caps, _ := uring.Probe()
					testutil.SkipIfUnsupported(t, caps.Require(uring.CanAIO, uring.CanAIOSubmit))
				}
				child := testutil.ReExec(t, t.Name())
				require.Zero(t, child.ExitCode, child.Output)
				return
			}
			testutil.RefuseSyscalls(t, test.errno, test.calls...)
			caps, err := uring.Probe()
			require.NoError(t, err, "a refusal is a verdict")
			require.ErrorIs(t, caps.Require(uring.CanSendBundle), uring.ErrUnsupported)
			require.ErrorIs(t, caps.Require(uring.CanSendBundle), test.errno)
			engine, refusals := caps.Engine()
			require.Equal(t, test.engine, engine)
			require.Equal(t, uring.EngineURingBundle, refusals[0].Engine)
			reason := test.reason
			if testutil.IOURingDisabled() == "2" && test.errno == unix.EPERM {
				reason = "uring: io_uring_setup is not supported: kernel.io_uring_disabled=2"
			}
			require.ErrorContains(t, refusals[0].Reasons[0], reason)
		})
	}
}
