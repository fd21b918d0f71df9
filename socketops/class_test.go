//go:build linux

package socketops

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestClassifyKnowsEveryErrno(t *testing.T) {
	t.Run("A07 the table has 42 entries", func(t *testing.T) { require.Len(t, classes, 42) })
	t.Run("A07 every errno has one class", func(t *testing.T) {
		for errno := range unix.Errno(4096) {
			want, ok := classes[errno]
			if !ok {
				want = ClassSocketError
			}
			require.Equal(t, want, Classify(errno), "%d %v", int(errno), errno)
			require.Equal(t, want, Classify(fmt.Errorf("wrapped: %w", opError("send", errno))))
		}
	})
	t.Run("A07 samples", func(t *testing.T) {
		for errno, name := range map[unix.Errno]string{
			unix.ENXIO: "HostNotFound", unix.ENOENT: "AddressNotAvailable", unix.EBADF: "OperationAborted",
			unix.EWOULDBLOCK: "WouldBlock", unix.ENOTSUP: "OperationNotSupported", unix.EPIPE: "Shutdown",
			unix.ESHUTDOWN: "Disconnecting", unix.ENOMEM: "SocketError", unix.ETIME: "SocketError",
			unix.EPROTOTYPE: "ProtocolType", unix.ENOSYS: "SocketError", unix.ENODATA: "NoData",
		} {
			require.Equal(t, name, Classify(errno).String())
		}
	})
}

func TestClassifyKnowsThePackagesErrors(t *testing.T) {
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(ErrTimeout)
	for _, tt := range []struct {
		name string
		err  error
		want ErrorClass
	}{
		{"A07 nil", nil, ClassSuccess},
		{"A07 time-out", opError("recv", ErrTimeout), ClassTimedOut},
		{"A07 closed", opError("recv", ErrClosed), ClassOperationAborted},
		{"A07 cancelled", opError("recv", errCanceled), ClassOperationAborted},
		{"A07 cancelled for a time-out", opError("recv", ended(ctx)), ClassOperationAborted},
		{"A07 would block", opError("recv", ErrWouldBlock), ClassWouldBlock},
		{"A07 in progress", opError("connect", ErrInProgress), ClassInProgress},
		{"A07 blocking mode", opError("ioctl", ErrBlockingMode), ClassInvalidOperation},
		{"A07 unsupported", &UnsupportedError{What: "x", Why: "y"}, ClassOperationNotSupported},
		{"A07 foreign", errors.New("foreign"), ClassSocketError},
	} {
		t.Run(tt.name, func(t *testing.T) { require.Equal(t, tt.want, Classify(tt.err)) })
	}
}

func TestErrnoIsTheReverseOfClassify(t *testing.T) {
	names := make(map[string]bool)
	for class := ClassSocketError; class <= ClassWouldBlock; class++ {
		require.NotContains(t, names, class.String())
		names[class.String()] = true
		errno, ok := class.Errno()
		require.Equal(t, class != ClassSocketError && class != ClassInvalidOperation, ok, "A07 %v", class)
		if ok {
			require.Equal(t, class, Classify(errno), "A07 %v", class)
		}
	}
	require.Len(t, names, len(classNames))
	require.Equal(t, "ErrorClass(99)", ErrorClass(99).String())
	require.Equal(t, "ErrorClass(-2)", ErrorClass(-2).String())
}
