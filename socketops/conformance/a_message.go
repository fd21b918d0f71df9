//go:build linux

package conformance

import (
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

func messagesAreReceived(t *T) { // A21
	t.on(network.udp, func(t *T, n network) {
		s, at := t.bound(n)
		from, atFrom := t.bound(n.client())
		_, err := s.TryRecvMsg([][]byte{make([]byte, 1)}, 0)
		t.is(err, socketops.ErrWouldBlock) // and from now on the kernel tells how packets come
		want := socketops.PacketInfo{Addr: at.AddrPort().Addr(), IfIndex: t.loopback()}
		for _, tt := range []struct {
			room  int
			flags socketops.MsgFlags
		}{{10, 0}, {5, 0}, {4, socketops.Truncated}, {0, socketops.Truncated}} {
			_, err := from.TrySendTo([]byte("hello"), 0, at)
			t.ok(err)
			room := make([]byte, tt.room)
			m, err := s.RecvMsg(t.Late(), [][]byte{room}, 0)
			t.ok(err)
			size := min(tt.room, 5)
			t.equal("hello"[:size], string(room[:size]))
			t.equal(socketops.Msg{N: size, From: atFrom, Flags: tt.flags, PacketInfo: want}, m)
			t.quiet(s) // an empty buffer takes the datagram, too
		}
	})
	t.Sub("closed", func(t *T) {
		m, err := t.closed(udp4).TryRecvMsg([][]byte{make([]byte, 1)}, 0)
		t.is(err, socketops.ErrClosed)
		t.equal(socketops.Msg{}, m)
	})
}

func messagesAreReceivedInLists(t *T) { // A22
	t.on(network.udp, func(t *T, n network) {
		s, at := t.bound(n)
		from, atFrom := t.bound(n.client())
		t.ok(s.SetRecvPacketInfo(true))
		send := func() {
			_, err := from.TrySendTo(pattern(50), 0, at)
			t.ok(err)
		}
		send()
		room := make([]byte, 100)
		m, err := s.RecvMsg(t.Late(), cut(room, ones(30)...), 0)
		t.ok(err)
		t.equal(pattern(50), room[:m.N])
		t.equal(atFrom, m.From)
		t.equal(socketops.PacketInfo{Addr: at.AddrPort().Addr(), IfIndex: t.loopback()}, m.PacketInfo)
		send()
		_, err = s.RecvMsg(t.Late(), cut(make([]byte, 2000), ones(1024)...), 0)
		t.is(err, unix.EMSGSIZE)
		t.equal(string(pattern(50)), t.message(s))
	})
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		_, err := a.Send(t.Late(), pattern(1500), 0)
		t.ok(err)
		t.readable(b)
		t.until(func() bool { k, err := b.Available(); return err != nil || k == 1500 })
		room := make([]byte, 2000)
		m, err := b.RecvMsg(t.Late(), cut(room, ones(1900)...), 0)
		t.ok(err)
		t.equal(1024, m.N) // as many buffers as the kernel takes
		t.equal(pattern(1500)[:1024], room[:1024])
	})
}

func packetsTellTheirWay(t *T) { // A09
	lo := t.loopback()
	// arrive has a packet come, and returns what is told of it.
	arrive := func(t *T, s, from *socketops.Socket, to socketops.Addr) socketops.PacketInfo {
		_, err := from.TrySendTo([]byte("x"), 0, to)
		t.ok(err)
		m, err := s.RecvMsg(t.Late(), [][]byte{make([]byte, 4)}, 0)
		t.ok(err)
		t.equal(1, m.N)
		return m.PacketInfo
	}
	t.Sub("IPv4: the address in the header", func(t *T) {
		s := t.socket(udp4)
		t.ok(s.Bind(ipAddr("0.0.0.0:0")))
		at, err := s.LocalAddr()
		t.ok(err)
		t.ok(s.SetRecvPacketInfo(true))
		from := t.socket(udp4)
		for _, to := range []string{"127.0.0.1", "127.0.0.3"} {
			got := arrive(t, s, from, onPort(to, at))
			t.equal(socketops.PacketInfo{Addr: onPort(to, at).AddrPort().Addr(), IfIndex: lo}, got)
		}
	})
	t.Sub("both versions on a dual-mode socket", func(t *T) {
		s, at := t.bound(udpDual)
		t.ok(s.SetRecvPacketInfo(true))
		six, _ := t.bound(udp6)
		t.equal("::1", arrive(t, s, six, onPort("::1", at)).Addr.String())
		got := arrive(t, s, t.socket(udp4), onPort("127.0.0.1", at))
		t.equal("127.0.0.1", got.Addr.String()) // IP_PKTINFO, though IPV6_PKTINFO is there
		t.equal(lo, got.IfIndex)
	})
	t.Sub("none where none was asked for", func(t *T) {
		s, at := t.bound(udp4)
		t.ok(s.SetRecvPacketInfo(true))
		t.ok(s.SetRecvPacketInfo(false))
		t.equal(socketops.PacketInfo{}, arrive(t, s, t.socket(udp4), at))
		t.ok(s.SetRecvPacketInfo(true))
		t.equal(lo, arrive(t, s, t.socket(udp4), at).IfIndex)
	})
	t.on(func(n network) bool { return !n.ip() && n.messages() }, func(t *T, n network) {
		a, b := t.pair(n)
		t.is(b.SetRecvPacketInfo(true), unix.EOPNOTSUPP)
		_, err := a.TrySend([]byte("x"), 0)
		t.ok(err)
		m, err := b.RecvMsg(t.Late(), [][]byte{make([]byte, 4)}, 0)
		t.ok(err)
		t.equal(socketops.PacketInfo{}, m.PacketInfo)
	})
}

// dualModeTells holds that a dual-mode socket tells how packets of IPv4 come, by the first use or when it is asked.
func dualModeTells(ask bool) func(t *T) { // A03, A06, A67
	return func(t *T) {
		for _, bound := range []string{"[::]:0", "[::ffff:127.0.0.1]:0"} {
			t.Sub("bound to "+bound, func(t *T) {
				s := t.socket(udpDual)
				t.permitted(udpDual, s.Bind(ipAddr(bound)))
				at, err := s.LocalAddr()
				t.ok(err)
				if ask {
					t.ok(s.SetRecvPacketInfo(true))
				} else {
					_, err := s.TryRecvMsg([][]byte{nil}, 0)
					t.is(err, socketops.ErrWouldBlock)
				}
				t.equal(1, t.kernel(s, unix.IPPROTO_IP, unix.IP_PKTINFO))
				t.equal(1, t.kernel(s, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO))
				from, atFrom := t.bound(udp4)
				_, err = from.TrySendTo([]byte("x"), 0, onPort("127.0.0.1", at))
				t.ok(err)
				m, err := s.RecvMsg(t.Late(), [][]byte{make([]byte, 4)}, 0)
				t.ok(err)
				info := socketops.PacketInfo{Addr: onPort("127.0.0.1", at).AddrPort().Addr(), IfIndex: t.loopback()}
				t.equal(socketops.Msg{N: 1, From: atFrom, PacketInfo: info}, m)
				t.equal(false, s.Exposed())
				t.ok(s.SetRecvPacketInfo(false))
				t.equal(0, t.kernel(s, unix.IPPROTO_IP, unix.IP_PKTINFO))
				t.equal(0, t.kernel(s, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO))
			})
		}
	}
}

func packetInfoIsNeverMissing(t *T) { // A08
	t.on(network.udp, func(t *T, n network) {
		s := t.socket(n)
		_, err := s.TryRecvMsg([][]byte{nil}, 0)
		t.is(err, socketops.ErrWouldBlock)
		if n.family == unix.AF_INET6 {
			for _, dual := range []bool{true, false, true} { // before and after the first use
				t.ok(s.SetDualMode(dual))
				t.ok(s.SetRecvPacketInfo(true))
			}
		}
	})
	t.onRaws(func(t *T, n network) { // which have no packets of IPv4 on IPv6
		t.ok(t.socket(n).SetRecvPacketInfo(true))
	})
}

func recvFromTellsFlags(t *T) { // A57, A58
	t.on(network.datagrams, func(t *T, n network) {
		a, b := t.pair(n)
		_, err := a.TrySend([]byte("0123"), 0)
		t.ok(err)
		local, err := a.LocalAddr()
		t.ok(err)
		for range 2 { // what Peek leaves is told once more
			_, from, flags, err := b.RecvFrom(t.Late(), make([]byte, 2), socketops.Peek)
			t.ok(err)
			t.equal(local, from)
			t.equal(socketops.Truncated, flags)
		}
		k, _, flags, err := b.RecvFrom(t.Late(), make([]byte, 4), 0)
		t.ok(err)
		t.equal(4, k)
		t.equal(socketops.MsgFlags(0), flags)
		_, err = a.TrySend([]byte("0123"), 0)
		t.ok(err)
		k, _, _, err = b.RecvFrom(t.Late(), make([]byte, 2), socketops.Truncated)
		t.ok(err)
		t.equal(4, k) // asked for, the whole length is told
	})
}
