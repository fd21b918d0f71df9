//go:build linux

package socketops

import (
	"context"
	"math"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestTimeoutOption(t *testing.T) {
	for name, set := range map[string]struct {
		option Option
		kernel int
		set    func(*Socket, time.Duration) error
		get    func(*Socket) time.Duration
	}{
		"receive": {OptReceiveTimeout, unix.SO_RCVTIMEO, (*Socket).SetReadTimeout, (*Socket).ReadTimeout},
		"send":    {OptSendTimeout, unix.SO_SNDTIMEO, (*Socket).SetWriteTimeout, (*Socket).WriteTimeout},
	} {
		s := udpSocket(t)
		kernel := func(t *testing.T) (sec, usec int64) {
			tv, err := unix.GetsockoptTimeval(s.current.Load().fd, unix.SOL_SOCKET, set.kernel)
			require.NoError(t, err)
			return int64(tv.Sec), int64(tv.Usec)
		}
		t.Run("A61 "+name+" in milliseconds", func(t *testing.T) {
			require.NoError(t, s.SetOptionInt(LevelSocket, set.option, 2500))
			require.Equal(t, 2500*time.Millisecond, set.get(s))
			sec, usec := kernel(t)
			require.Equal(t, int64(2), sec, "G07")
			require.InDelta(t, 500_000, usec, 20_000, "G07: the kernel counts in ticks")
			v, err := s.OptionInt(LevelSocket, set.option)
			require.NoError(t, err)
			require.Equal(t, 2500, v, "A69")
		})
		t.Run("N23 negative "+name, func(t *testing.T) {
			require.ErrorIs(t, s.SetOptionInt(LevelSocket, set.option, -1), unix.EINVAL)
			require.ErrorIs(t, set.set(s, -1), unix.EINVAL)
			require.Equal(t, 2500*time.Millisecond, set.get(s), "A61: not stored where it fails")
		})
		t.Run("A69 short "+name+" is not none", func(t *testing.T) {
			require.NoError(t, set.set(s, time.Nanosecond))
			require.Equal(t, time.Nanosecond, set.get(s))
			v, err := s.OptionInt(LevelSocket, set.option)
			require.NoError(t, err)
			require.Equal(t, 1, v)
			sec, usec := kernel(t)
			require.NotZero(t, sec+usec)
		})
		t.Run("A61 longest "+name, func(t *testing.T) {
			require.NoError(t, set.set(s, math.MaxInt64))
			require.Equal(t, time.Duration(math.MaxInt64), set.get(s))
			sec, _ := kernel(t)
			require.Positive(t, sec)
			v, err := s.OptionInt(LevelSocket, set.option)
			require.NoError(t, err)
			require.Equal(t, math.MaxInt32, v)
		})
		t.Run("N23 no "+name, func(t *testing.T) {
			require.NoError(t, set.set(s, 0))
			require.Zero(t, set.get(s))
			sec, usec := kernel(t)
			require.Zero(t, sec+usec)
		})
		t.Run("A69 closed "+name, func(t *testing.T) {
			require.NoError(t, s.Close())
			_, err := s.OptionInt(LevelSocket, set.option)
			require.ErrorIs(t, err, ErrClosed)
			require.ErrorIs(t, set.set(s, time.Second), ErrClosed)
			require.Zero(t, set.get(s))
		})
	}
	t.Run("G07 enforced by the package", func(t *testing.T) {
		s := udpSocket(t)
		bindOption(t, s, "127.0.0.1:0")
		require.NoError(t, s.SetReadTimeout(10*time.Millisecond))
		_, err := s.Recv(context.Background(), make([]byte, 1), 0)
		require.ErrorIs(t, err, ErrTimeout)
	})
}
