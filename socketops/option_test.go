//go:build linux

package socketops

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestOptionThatLinuxDoesNotHave(t *testing.T) {
	a, b, err := engine(t).SocketPair(unix.SOCK_STREAM)
	require.NoError(t, err)
	for _, k := range []optionKey{
		{LevelSocket, OptUseLoopback},
		{LevelSocket, OptDontLinger},
		{LevelSocket, OptMaxConnections},
		{LevelIPv6, OptIPProtectionLevel},
		{LevelTCP, OptBSDUrgent},
		{LevelTCP, OptExpedited},
		{LevelUDP, OptNoChecksum},
		{LevelUDP, OptChecksumCoverage},
		{LevelUDP, OptUpdateAcceptContext},
		{LevelUDP, OptUpdateConnectContext},
		{LevelUDP, OptKeepAlive},
		{LevelTCP, OptKeepAlive},
		{Level(77), OptKeepAlive},
		{LevelSocket, Option(-1)},
		{0, 0},
	} {
		t.Run("N18 "+k.level.String()+" "+k.name.String(), func(t *testing.T) {
			_, read := s2(a.OptionInt(k.level, k.name))
			_, readBytes := s2(a.OptionBytes(k.level, k.name, make([]byte, 4)))
			for _, err := range []error{
				a.SetOptionInt(k.level, k.name, 1), a.SetOptionBytes(k.level, k.name, make([]byte, 4)), read, readBytes,
			} {
				require.ErrorIs(t, err, unix.EOPNOTSUPP)
				require.ErrorIs(t, err, errors.ErrUnsupported)
				require.ErrorAs(t, err, new(*UnsupportedError))
			}
		})
	}
	t.Run("N18 socket stays connected", func(t *testing.T) {
		require.False(t, a.Exposed())
		_, err := a.TrySend([]byte("x"), 0)
		require.NoError(t, err)
		n, err := b.TryRecv(make([]byte, 2), 0)
		require.NoError(t, err)
		require.Equal(t, 1, n)
	})
}

// s2 makes one value of two, for calls among others.
func s2(v int, err error) (int, error) { return v, err }
