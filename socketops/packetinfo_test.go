//go:build linux

package socketops

import (
	"context"
	"net"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

var local4 = netip.MustParseAddr("127.0.0.1")

// loopbackOf returns the number of the loopback interface.
func loopbackOf(t testing.TB) int {
	t.Helper()
	all, err := net.Interfaces()
	require.NoError(t, err)
	for _, i := range all {
		if i.Flags&net.FlagLoopback != 0 {
			return i.Index
		}
	}
	require.Fail(t, "no loopback interface")
	return 0
}

// receiveFrom has a message go from one socket to the other, and returns what arrived.
func receiveFrom(t *testing.T, s, from *Socket, to Addr) Msg {
	t.Helper()
	require.NoError(t, s.SetReadTimeout(10*time.Second))
	_, err := from.TrySendTo([]byte("hello"), 0, to)
	require.NoError(t, err)
	b := make([]byte, 16)
	m, err := s.RecvMsg(context.Background(), [][]byte{b[:2], b[2:]}, 0)
	require.NoError(t, err)
	require.Equal(t, "hello", string(b[:m.N]))
	return m
}

// noMessage makes the first RecvMsg of a socket, for which there is nothing.
func noMessage(t *testing.T, s *Socket) {
	t.Helper()
	_, err := s.TryRecvMsg([][]byte{make([]byte, 1)}, 0)
	require.ErrorIs(t, err, ErrWouldBlock)
}

func onPort(ip string, a Addr) Addr {
	return IPAddr(netip.AddrPortFrom(netip.MustParseAddr(ip), a.AddrPort().Port()))
}

func TestRecvMsgTellsPacketInfo(t *testing.T) {
	lo := loopbackOf(t)
	t.Run("N17 IPv4 from the first use on", func(t *testing.T) {
		s, from := udpSocket(t), udpSocket(t)
		at, sender := bindOption(t, s, "0.0.0.0:0"), bindOption(t, from, "127.0.0.1:0")
		_, _, _, err := s.TryRecvFrom(make([]byte, 1), 0)
		require.ErrorIs(t, err, ErrWouldBlock)
		require.Zero(t, kernelInt(t, s, unix.IPPROTO_IP, unix.IP_PKTINFO), "RecvFrom needs none")
		noMessage(t, s)
		require.Equal(t, 1, kernelInt(t, s, unix.IPPROTO_IP, unix.IP_PKTINFO))
		m := receiveFrom(t, s, from, onPort("127.0.0.3", at))
		require.Equal(t, PacketInfo{netip.MustParseAddr("127.0.0.3"), lo}, m.PacketInfo)
		require.Equal(t, sender, m.From)
		require.False(t, s.Exposed())
	})
	t.Run("N17 IPv6", func(t *testing.T) {
		s, from := udp6Socket(t), udp6Socket(t)
		at, sender := bindOption(t, s, "[::]:0"), bindOption(t, from, "[::1]:0")
		noMessage(t, s)
		m := receiveFrom(t, s, from, onPort("::1", at))
		require.Equal(t, PacketInfo{netip.IPv6Loopback(), lo}, m.PacketInfo)
		require.Equal(t, sender, m.From)
	})
	t.Run("N16 both versions on a dual-mode socket", func(t *testing.T) {
		s, from4, from6 := udp6Socket(t), udpSocket(t), udp6Socket(t)
		noMessage(t, s)
		require.NoError(t, s.SetDualMode(true), "after the first use")
		at := bindOption(t, s, "[::]:0")
		require.Equal(t, PacketInfo{netip.IPv6Loopback(), lo}, receiveFrom(t, s, from6, onPort("::1", at)).PacketInfo)
		require.Equal(t, PacketInfo{local4, lo}, receiveFrom(t, s, from4, onPort("127.0.0.1", at)).PacketInfo)
	})
	t.Run("N17 not where it was turned off", func(t *testing.T) {
		s, from := udpSocket(t), udpSocket(t)
		at := bindOption(t, s, "127.0.0.1:0")
		require.NoError(t, s.SetRecvPacketInfo(true))
		require.NoError(t, s.SetRecvPacketInfo(false))
		m := receiveFrom(t, s, from, at)
		require.Zero(t, m.PacketInfo)
		require.NoError(t, s.SetRecvPacketInfo(true))
		require.Equal(t, PacketInfo{local4, lo}, receiveFrom(t, s, from, at).PacketInfo)
	})
	t.Run("N17 a stream has no packets", func(t *testing.T) {
		_, fd := testutil.SocketPair(t, "tcp4")
		own, err := unix.Dup(fd)
		require.NoError(t, err)
		s, err := engine(t).FromFD(own)
		require.NoError(t, err)
		noMessage(t, s)
		require.Zero(t, kernelInt(t, s, unix.IPPROTO_IP, unix.IP_PKTINFO))
	})
	t.Run("N17 other sockets have none", func(t *testing.T) {
		a, b, err := engine(t).SocketPair(unix.SOCK_DGRAM)
		require.NoError(t, err)
		_, err = a.TrySend([]byte("x"), 0)
		require.NoError(t, err)
		m, err := b.TryRecvMsg([][]byte{make([]byte, 4)}, 0)
		require.NoError(t, err)
		require.Equal(t, 1, m.N)
		require.Zero(t, m.PacketInfo)
		require.ErrorIs(t, b.SetRecvPacketInfo(true), unix.EOPNOTSUPP)
	})
	t.Run("N17 closed", func(t *testing.T) {
		s := udpSocket(t)
		require.NoError(t, s.Close())
		_, err := s.TryRecvMsg([][]byte{make([]byte, 1)}, 0)
		require.ErrorIs(t, err, ErrClosed)
		require.ErrorIs(t, s.SetRecvPacketInfo(true), ErrClosed)
	})
	t.Run("A08 dual-mode packet information is never missing", func(t *testing.T) {
		require.NoError(t, checkDualModePacketInfo())
	})
}
