package uring_test

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"github.com/sockring/uring"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestSentinelsAreWhatGoUsersTestFor(t *testing.T) {
	for _, test := range []struct {
		name     string
		sentinel error
		is       error
	}{
		{"closed", uring.ErrClosed, net.ErrClosed},
		{"unsupported", uring.ErrUnsupported, errors.ErrUnsupported},
		{"no buffers", uring.ErrNoBuffers, unix.ENOBUFS},
		{"no buffer group", uring.ErrNoBufferGroup, unix.ENOENT},
	} {
		t.Run(test.name, func(t *testing.T) {
			wrapped := fmt.Errorf("somewhere: %w", os.NewSyscallError("send", test.sentinel))
			require.ErrorIs(t, wrapped, test.sentinel)
			require.ErrorIs(t, wrapped, test.is)
			require.NotErrorIs(t, test.is, test.sentinel, "the general error must not count as ours")
		})
	}
}

func TestUnsupportedErrorSaysWhatIsMissing(t *testing.T) {
	for _, test := range []struct {
		name  string
		err   uring.UnsupportedError
		text  string
		major int
		minor int
	}{
		{
			name: "kernel too old",
			err: uring.UnsupportedError{
				Name: "send_bundle", Missing: "IORING_FEAT_RECVSEND_BUNDLE is not set", Provider: "kernel 6.10",
				SinceMajor: 6, SinceMinor: 10,
			},
			text: "uring: send_bundle is not supported: IORING_FEAT_RECVSEND_BUNDLE is not set" +
				" (needs kernel 6.10)",
			major: 6, minor: 10,
		},
		{
			name: "refused by the process's surroundings",
			err: uring.UnsupportedError{
				Name: "io_uring", Missing: "seccomp filter answers EPERM", Err: unix.EPERM,
			},
			text: "uring: io_uring is not supported: seccomp filter answers EPERM: operation not permitted",
		},
		{
			name: "only the remedy known",
			err:  uring.UnsupportedError{Name: "io_uring", Provider: "a build with cgo"},
			text: "uring: io_uring is not supported: needs a build with cgo",
		},
		{
			name: "nothing known",
			err:  uring.UnsupportedError{Name: "napi"},
			text: "uring: napi is not supported",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := fmt.Errorf("setting up: %w", &test.err)
			require.EqualError(t, &test.err, test.text)
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorIs(t, err, uring.ErrUnsupported)
			if test.err.Err != nil {
				require.ErrorIs(t, err, test.err.Err)
			}
			var unsupported *uring.UnsupportedError
			require.ErrorAs(t, err, &unsupported)
			require.Equal(t, test.err.Name, unsupported.Feature())
			major, minor := unsupported.SinceKernel()
			require.Equal(t, test.major, major)
			require.Equal(t, test.minor, minor)
		})
	}
}
