//go:build linux

package socketops

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestIOControl(t *testing.T) {
	e := engine(t)
	a, b := unixPair(t, e, unix.SOCK_STREAM)
	t.Run("A59 FIONREAD", func(t *testing.T) {
		_, err := a.TrySend([]byte("hello"), 0)
		require.NoError(t, err)
		out := append(intValue(0), 9, 9)
		n, err := b.IOControl(IOControlFIONREAD, nil, out)
		require.NoError(t, err)
		require.Equal(t, 4, n)
		require.Equal(t, append(intValue(5), 9, 9), out)
	})
	t.Run("A59 SIOCATMARK", func(t *testing.T) {
		from, fd := testutil.SocketPair(t, "tcp4")
		own, err := unix.Dup(fd)
		require.NoError(t, err)
		s, err := e.FromFD(own)
		require.NoError(t, err)
		out := intValue(7)
		n, err := s.IOControl(IOControlSIOCATMARK, nil, out)
		require.NoError(t, err)
		require.Equal(t, 4, n)
		require.Equal(t, intValue(0), out)
		require.NoError(t, unix.Send(from, []byte("!"), unix.MSG_OOB))
		require.Eventually(t, func() bool {
			_, err := s.IOControl(IOControlSIOCATMARK, nil, out)
			return err == nil && out[0]|out[3] == 1
		}, 10*time.Second, time.Millisecond)
	})
	t.Run("A59 short out", func(t *testing.T) {
		for _, code := range []IOControlCode{IOControlFIONREAD, IOControlSIOCATMARK} {
			for _, out := range [][]byte{nil, {}, {1, 2, 3}} {
				n, err := a.IOControl(code, nil, out)
				require.ErrorIs(t, err, unix.EFAULT)
				require.Zero(t, n)
			}
		}
	})
	t.Run("A59 FIONBIO", func(t *testing.T) {
		n, err := a.IOControl(IOControlFIONBIO, intValue(1), nil)
		require.ErrorIs(t, err, ErrBlockingMode)
		require.Zero(t, n)
		require.True(t, a.Blocking())
	})
	t.Run("A59 other codes", func(t *testing.T) {
		for _, code := range []IOControlCode{0, 0x541b, 0x98000004} {
			n, err := a.IOControl(code, intValue(1), intValue(0))
			require.ErrorIs(t, err, errors.ErrUnsupported)
			require.ErrorIs(t, err, unix.EOPNOTSUPP)
			require.Zero(t, n)
		}
	})
	t.Run("A59 refused by the kernel", func(t *testing.T) {
		out := intValue(7)
		s := tcpSocket(t)
		bindOption(t, s, "127.0.0.1:0")
		require.NoError(t, s.Listen(1))
		n, err := s.IOControl(IOControlFIONREAD, nil, out)
		require.ErrorIs(t, err, unix.EINVAL)
		require.Zero(t, n)
		require.Equal(t, intValue(7), out)
		require.NoError(t, s.Close())
		_, err = s.IOControl(IOControlFIONREAD, nil, out)
		require.ErrorIs(t, err, ErrClosed)
	})
}
