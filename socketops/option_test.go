//go:build linux

package socketops

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// optionRows are options that are set to a number, and what the kernel then has.
var optionRows = []struct {
	name         string
	open         func(testing.TB) *Socket
	key          optionKey
	kernel       kernelOption
	set, kernels int
}{
	{
		"A61 KeepAlive", tcpSocket,
		optionKey{LevelSocket, OptKeepAlive},
		kernelOption{unix.SOL_SOCKET, unix.SO_KEEPALIVE},
		1, 1,
	},
	{
		"A61 DontRoute", udpSocket,
		optionKey{LevelSocket, OptDontRoute},
		kernelOption{unix.SOL_SOCKET, unix.SO_DONTROUTE},
		1, 1,
	},
	{
		"A61 Broadcast", udpSocket,
		optionKey{LevelSocket, OptBroadcast},
		kernelOption{unix.SOL_SOCKET, unix.SO_BROADCAST},
		1, 1,
	},
	{
		"A61 OutOfBandInline", tcpSocket,
		optionKey{LevelSocket, OptOutOfBandInline},
		kernelOption{unix.SOL_SOCKET, unix.SO_OOBINLINE},
		1, 1,
	},
	{
		"A61 ReceiveLowWater", tcpSocket,
		optionKey{LevelSocket, OptReceiveLowWater},
		kernelOption{unix.SOL_SOCKET, unix.SO_RCVLOWAT},
		9, 9,
	},
	{
		"A61 TypeOfService", udpSocket,
		optionKey{LevelIP, OptTypeOfService},
		kernelOption{unix.IPPROTO_IP, unix.IP_TOS},
		16, 16,
	},
	{
		"A61 IPTimeToLive", udpSocket,
		optionKey{LevelIP, OptIPTimeToLive},
		kernelOption{unix.IPPROTO_IP, unix.IP_TTL},
		33, 33,
	},
	{
		"A61 MulticastTimeToLive", udpSocket,
		optionKey{LevelIP, OptMulticastTimeToLive},
		kernelOption{unix.IPPROTO_IP, unix.IP_MULTICAST_TTL},
		7, 7,
	},
	{
		"A61 MulticastLoopback", udpSocket,
		optionKey{LevelIP, OptMulticastLoopback},
		kernelOption{unix.IPPROTO_IP, unix.IP_MULTICAST_LOOP},
		0, 0,
	},
	{
		"A61 PacketInformation", udpSocket,
		optionKey{LevelIP, OptPacketInformation},
		kernelOption{unix.IPPROTO_IP, unix.IP_PKTINFO},
		1, 1,
	},
	{
		"N28 DontFragment", udpSocket,
		optionKey{LevelIP, OptDontFragment},
		kernelOption{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER},
		1, unix.IP_PMTUDISC_DO,
	},
	{
		"N28 Fragment", udpSocket,
		optionKey{LevelIP, OptDontFragment},
		kernelOption{unix.IPPROTO_IP, unix.IP_MTU_DISCOVER},
		0, unix.IP_PMTUDISC_DONT,
	},
	{
		"A61 NoDelay", tcpSocket,
		optionKey{LevelTCP, OptNoDelay},
		kernelOption{unix.IPPROTO_TCP, unix.TCP_NODELAY},
		1, 1,
	},
	{
		"A61 TCPKeepAliveCount", tcpSocket,
		optionKey{LevelTCP, OptTCPKeepAliveCount},
		kernelOption{unix.IPPROTO_TCP, unix.TCP_KEEPCNT},
		5, 5,
	},
	{
		"A61 TCPKeepAliveIdle", tcpSocket,
		optionKey{LevelTCP, OptTCPKeepAliveIdle},
		kernelOption{unix.IPPROTO_TCP, unix.TCP_KEEPIDLE},
		50, 50,
	},
	{
		"A61 TCPKeepAliveInterval", tcpSocket,
		optionKey{LevelTCP, OptTCPKeepAliveInterval},
		kernelOption{unix.IPPROTO_TCP, unix.TCP_KEEPINTVL},
		6, 6,
	},
	{
		"A61 IPv6 only", udp6Socket,
		optionKey{LevelIPv6, OptIPv6Only},
		kernelOption{unix.IPPROTO_IPV6, unix.IPV6_V6ONLY},
		0, 0,
	},
	{
		"A61 IPv6 PacketInformation", udp6Socket,
		optionKey{LevelIPv6, OptPacketInformation},
		kernelOption{unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO},
		1, 1,
	},
	{
		"A61 IPv6 IPTimeToLive", udp6Socket,
		optionKey{LevelIPv6, OptIPTimeToLive},
		kernelOption{unix.IPPROTO_IPV6, unix.IPV6_UNICAST_HOPS},
		3, 3,
	},
	{
		"A61 IPv6 MulticastTimeToLive", udp6Socket,
		optionKey{LevelIPv6, OptMulticastTimeToLive},
		kernelOption{unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_HOPS},
		4, 4,
	},
	{
		"A61 IPv6 MulticastLoopback", udp6Socket,
		optionKey{LevelIPv6, OptMulticastLoopback},
		kernelOption{unix.IPPROTO_IPV6, unix.IPV6_MULTICAST_LOOP},
		0, 0,
	},
	{
		"N27 ReuseAddress", tcpSocket,
		optionKey{LevelSocket, OptReuseAddress},
		kernelOption{unix.SOL_SOCKET, unix.SO_REUSEPORT},
		1, 1,
	},
	{
		"N27 ExclusiveAddressUse", tcpSocket,
		optionKey{LevelSocket, OptExclusiveAddressUse},
		kernelOption{unix.SOL_SOCKET, unix.SO_REUSEPORT},
		0, 1,
	},
}

func TestOptionIsSetAndRead(t *testing.T) {
	for _, row := range optionRows {
		t.Run(row.name, func(t *testing.T) {
			s := row.open(t)
			require.NoError(t, s.SetOptionInt(row.key.level, row.key.name, row.set))
			require.Equal(t, row.kernels, kernelInt(t, s, row.kernel.level, row.kernel.name))
			v, err := s.OptionInt(row.key.level, row.key.name)
			require.NoError(t, err)
			require.Equal(t, row.set, v)
		})
	}
}

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
	t.Run("A68 protection level", func(t *testing.T) {
		err := a.SetIPProtectionLevel(10)
		require.ErrorIs(t, err, unix.EOPNOTSUPP)
		require.ErrorIs(t, err, errors.ErrUnsupported)
	})
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

func TestOptionOfReadOnlyNameIsRefusedByTheKernel(t *testing.T) {
	s := tcpSocket(t)
	for name, option := range map[string]Option{
		"A61 AcceptConnection": OptAcceptConnection,
		"A61 SendLowWater":     OptSendLowWater,
		"N29 Type":             OptType,
		"N30 Error":            OptError,
	} {
		t.Run(name, func(t *testing.T) {
			require.ErrorIs(t, s.SetOptionInt(LevelSocket, option, 1), unix.ENOPROTOOPT)
			_, err := s.OptionInt(LevelSocket, option)
			require.NoError(t, err)
		})
	}
	t.Run("A61 HopLimit", func(t *testing.T) {
		s := udp6Socket(t)
		require.ErrorIs(t, s.SetOptionInt(LevelIPv6, OptHopLimit, 1), unix.ENOPROTOOPT)
		_, err := s.OptionInt(LevelIPv6, OptHopLimit)
		require.ErrorIs(t, err, unix.ENOPROTOOPT)
	})
	require.False(t, s.Exposed(), "nothing was set")
}
