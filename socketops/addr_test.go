//go:build linux

package socketops

import (
	"context"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/internal/testutil"
)

func TestAddressesComeBackFromTheKernelsForm(t *testing.T) { // A02, N42
	packet, err := PacketAddr(0x0800, 3, []byte{1, 2, 3, 4, 5, 6})
	require.NoError(t, err)
	raw, err := RawAddr(unix.AF_NETLINK, []byte{0, 0, 1, 0, 0, 0, 2, 0, 0, 0})
	require.NoError(t, err)
	for _, tt := range []struct {
		addr          Addr
		network, text string
		size          int
	}{
		{IPAddr(netip.MustParseAddrPort("192.0.2.1:80")), "ip", "192.0.2.1:80", 16},
		{IPAddr(netip.MustParseAddrPort("[2001:db8::1]:443")), "ip", "[2001:db8::1]:443", 28},
		{IPAddr(netip.MustParseAddrPort("[fe80::1%7]:443")), "ip", "[fe80::1%7]:443", 28},
		{UnixAddr("/run/x"), "unix", "/run/x", 2 + 7},
		{UnixAddr("@hidden"), "unix", "@hidden", 2 + 7},
		{UnixAddr(""), "unix", "", 2},
		{VsockAddr(2, 1024), "vsock", "2:1024", 16},
		{packet, "packet", "08000300000000000006010203040506" + "0000", 20},
		{raw, "family 16", "00000100000002000000", 12},
	} {
		b, err := tt.addr.sockaddr(nil)
		require.NoError(t, err)
		require.Len(t, b, tt.size, tt.text)
		require.LessOrEqual(t, len(b), MaxAddrLen)
		require.Equal(t, tt.addr, parseAddr(b))
		require.Equal(t, tt.network, tt.addr.Network())
		require.Equal(t, tt.text, tt.addr.String())
		require.Equal(t, b[2:], tt.addr.Raw())
		require.False(t, tt.addr.IsZero())
	}
	require.True(t, Addr{}.IsZero())
	require.Equal(t, Addr{}, parseAddr(nil))
	require.Equal(t, Addr{}, IPAddr(netip.AddrPort{}))
}

func TestAddressesThatDoNotFit(t *testing.T) {
	for _, tt := range []struct {
		addr Addr
		want error
	}{
		{Addr{}, unix.EDESTADDRREQ},
		{UnixAddr(strings.Repeat("x", 108)), unix.ENAMETOOLONG},
		{UnixAddr("@" + strings.Repeat("x", 108)), unix.ENAMETOOLONG},
		{UnixAddr("a\x00b"), unix.EINVAL},
		{IPAddr(netip.MustParseAddrPort("[fe80::1%no-such-interface]:1")), unix.ENODEV},
	} {
		_, err := tt.addr.sockaddr(nil)
		require.ErrorIs(t, err, tt.want)
	}
	_, err := UnixAddr(strings.Repeat("x", 107)).sockaddr(nil)
	require.NoError(t, err)
	_, err = RawAddr(unix.AF_NETLINK, make([]byte, MaxAddrLen))
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = PacketAddr(0, 0, make([]byte, 9))
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestAddressesDoNotAllocate(t *testing.T) {
	a := IPAddr(netip.MustParseAddrPort("[2001:db8::1]:443"))
	var room [MaxAddrLen]byte
	require.Zero(t, testing.AllocsPerRun(100, func() {
		b, err := a.sockaddr(room[:0])
		if err != nil || parseAddr(b) != a {
			t.Error("changed on its way")
		}
	}))
}

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

// TestDatagramsToAFullReceiver has a unix socket send to a receiver that others have filled. The kernel calls a socket
// that is not connected writable all the same: only another attempt tells.
func TestDatagramsToAFullReceiver(t *testing.T) { // A50, B06
	onEngines(t, func(t *testing.T, e *Engine) {
		socket := func() *Socket {
			s, err := e.Socket(unix.AF_UNIX, unix.SOCK_DGRAM, 0)
			require.NoError(t, err)
			return s
		}
		receiver, filler, sender := socket(), socket(), socket()
		at := UnixAddr(filepath.Join(t.TempDir(), "s"))
		require.NoError(t, receiver.Bind(at))
		filled := 0
		for ; ; filled++ {
			if _, err := filler.TrySendTo([]byte{1}, 0, at); err != nil {
				require.ErrorIs(t, err, ErrWouldBlock)
				break
			}
		}
		told, results := outcomes(2)
		cancelled := sender.GoSendvTo([][]byte{{2}}, 0, at, told)
		sender.GoSendvTo([][]byte{{3}}, 0, at, told)
		cancelled.Cancel()
		require.ErrorIs(t, (<-results).err, ErrCanceled)
		for range filled {
			_, err := receiver.Recv(t.Context(), make([]byte, 1), 0)
			require.NoError(t, err)
		}
		p := make([]byte, 1)
		_, err := receiver.Recv(t.Context(), p, 0)
		require.NoError(t, err)
		require.Equal(t, []byte{3}, p)
		require.Equal(t, outcome{1, nil}, <-results)
	})
}
