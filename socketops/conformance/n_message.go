//go:build linux

package conformance

import (
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/socketops"
)

// nMessage has a datagram go to an address, and returns what arrives.
func nMessage(t *T, from, s *socketops.Socket, to socketops.Addr) socketops.Msg {
	t.Helper()
	_, err := from.SendTo(t.Late(), []byte("hello"), 0, to)
	t.ok(err)
	b := make([]byte, 8)
	m, err := s.RecvMsg(t.Late(), [][]byte{b[:2], b[2:]}, 0)
	t.ok(err)
	t.equal("hello", string(b[:m.N]))
	return m
}

// nInfo is how a packet came through the loopback interface.
func nInfo(t *T, to string) socketops.PacketInfo {
	t.Helper()
	return socketops.PacketInfo{Addr: netip.MustParseAddr(to), IfIndex: nLoopback(t)}
}

func nPacketInfoOfBoth(t *T) { // N16
	dual, at := t.bound(kind("udp dual mode"))
	from4, sender4 := t.bound(kind("udp4"))
	from6, sender6 := t.bound(kind("udp6"))
	for range 2 {
		if _, err := dual.TryRecvMsg([][]byte{make([]byte, 1)}, 0); err != nil {
			t.is(err, socketops.ErrWouldBlock)
		}
		m := nMessage(t, from4, dual, nAt("127.0.0.3", at))
		t.equal([]any{sender4, nInfo(t, "127.0.0.3")}, []any{m.From, m.PacketInfo})
		m = nMessage(t, from6, dual, nAt("::1", at))
		t.equal([]any{sender6, nInfo(t, "::1")}, []any{m.From, m.PacketInfo})
	}
}

func nPacketInfoFromFirstUse(t *T) { // N17
	for _, tt := range []struct {
		name       string
		v4, v6     int // what the kernel is told
		to, atLast string
	}{
		{"udp4", 1, -1, "127.0.0.1", "127.0.0.1"},
		{"udp6", 1, 1, "::1", "::1"},
		{"udp dual mode", 1, 1, "127.0.0.1", "127.0.0.1"},
	} {
		t.Sub(tt.name, func(t *T) {
			s, at := t.bound(kind(tt.name))
			from, _ := t.bound(kind(tt.name).client())
			told := func(want bool) {
				t.Helper()
				v := 0
				if want {
					v = 1
				}
				t.equal(tt.v4*v, t.kernel(s, unix.IPPROTO_IP, unix.IP_PKTINFO))
				if tt.v6 >= 0 {
					t.equal(tt.v6*v, t.kernel(s, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO))
				}
			}
			_, _, _, err := s.TryRecvFrom(make([]byte, 1), 0)
			t.is(err, socketops.ErrWouldBlock)
			told(false)
			_, err = s.TryRecvMsg([][]byte{make([]byte, 1)}, 0)
			t.is(err, socketops.ErrWouldBlock)
			told(true)
			t.equal(nInfo(t, tt.atLast), nMessage(t, from, s, nAt(tt.to, at)).PacketInfo)
			t.ok(s.SetRecvPacketInfo(false))
			told(false)
			t.equal(socketops.PacketInfo{}, nMessage(t, from, s, nAt(tt.to, at)).PacketInfo)
			told(false) // It is not told anew against the user's will.
			t.ok(s.SetRecvPacketInfo(true))
			told(true)
		})
	}
	t.Sub("others have none", func(t *T) {
		a, b := t.pair(kind("unixgram"))
		nSend(t, a, "x")
		m, err := b.RecvMsg(t.Late(), [][]byte{make([]byte, 1)}, 0)
		t.ok(err)
		t.equal([]any{1, socketops.PacketInfo{}}, []any{m.N, m.PacketInfo})
		t.is(b.SetRecvPacketInfo(true), unix.EOPNOTSUPP)
	})
}

func nTruncated(t *T) { // N48
	messages := func(n network) bool { return !n.stream() }
	t.onPairs(messages, func(t *T, n network, a, b *socketops.Socket) {
		nSend(t, a, "hello")
		p := make([]byte, 2)
		for _, flags := range []socketops.MsgFlags{socketops.Peek, socketops.Peek | socketops.Truncated, 0} {
			want := 2
			if flags&socketops.Truncated != 0 {
				want = 5 // all that there is
			}
			k, _, f, err := b.RecvFrom(t.Late(), p, flags)
			t.ok(err)
			t.equal([]any{want, "he", socketops.Truncated}, []any{k, string(p), f})
		}
		_, err := b.TryRecv(p, 0) // The rest is lost with it.
		t.is(err, socketops.ErrWouldBlock)
		nSend(t, a, "hi")
		k, _, f, err := b.RecvFrom(t.Late(), p, 0)
		t.ok(err)
		t.equal([]any{2, "hi", socketops.MsgFlags(0)}, []any{k, string(p), f})
		nSend(t, a, "hello")
		k, err = b.Recv(t.Late(), p, 0) // which has no flags to say it by
		t.ok(err)
		t.equal([]any{2, "he"}, []any{k, string(p)})
	})
	t.onPairs(network.stream, func(t *T, n network, a, b *socketops.Socket) {
		nSend(t, a, "hello")
		p := make([]byte, 2)
		for range 2 {
			k, _, f, err := b.RecvFrom(t.Late(), p, socketops.Peek)
			t.ok(err)
			t.equal([]any{2, "he", socketops.MsgFlags(0)}, []any{k, string(p), f})
		}
		t.equal("hello", string(t.receive(b, 5)))
	})
}

func nFlagsAreReturned(t *T) { // N49
	a, b := t.pair(kind("udp4"))
	type result struct {
		n     int
		flags socketops.MsgFlags
	}
	want := result{2, socketops.Truncated}
	for _, receive := range []func(bufs [][]byte) (result, error){
		func(bufs [][]byte) (result, error) {
			n, _, f, err := b.RecvFrom(t.Late(), bufs[0], 0)
			return result{n, f}, err
		},
		func(bufs [][]byte) (result, error) {
			n, _, f, err := b.TryRecvFrom(bufs[0], 0)
			return result{n, f}, err
		},
		func(bufs [][]byte) (result, error) {
			n, f, err := b.Recvv(t.Late(), bufs, 0)
			return result{n, f}, err
		},
		func(bufs [][]byte) (result, error) {
			m, err := b.RecvMsg(t.Late(), bufs, 0)
			return result{m.N, m.Flags}, err
		},
		func(bufs [][]byte) (result, error) {
			got := make(chan socketops.Msg, 1)
			b.GoRecvMsg(bufs, 0, func(m socketops.Msg, err error) { got <- m })
			m := <-got
			return result{m.N, m.Flags}, nil
		},
	} {
		nSend(t, a, "hello")
		nReady(t, b, socketops.PollRead)
		got, err := receive([][]byte{make([]byte, 2)})
		t.ok(err)
		t.equal(want, got)
	}
}

func nNoAddressOfAStream(t *T) { // N56
	t.onPairs(network.tcp, func(t *T, n network, a, b *socketops.Socket) {
		for range 3 {
			nSend(t, a, "hello")
		}
		p := make([]byte, 5)
		k, from, _, err := b.RecvFrom(t.Late(), p, 0)
		t.ok(err)
		t.equal([]any{5, socketops.Addr{}}, []any{k, from})
		nUntil(t, "the rest has arrived", func() bool { there, err := b.Available(); return err != nil || there == 10 })
		k, from, _, err = b.TryRecvFrom(p, 0)
		t.ok(err)
		t.equal([]any{5, socketops.Addr{}}, []any{k, from})
		m, err := b.RecvMsg(t.Late(), [][]byte{p}, 0)
		t.ok(err)
		t.equal([]any{5, socketops.Addr{}, socketops.PacketInfo{}}, []any{m.N, m.From, m.PacketInfo})
	})
}

func nFamilies(t *T) { // N57
	dual, at := t.bound(kind("udp dual mode"))
	v4, at4 := t.bound(kind("udp4"))
	here := nAt("127.0.0.1", at)
	_, err := dual.SendTo(t.Late(), []byte("x"), 0, at4) // which is mapped on its way
	t.ok(err)
	p := make([]byte, 8)
	_, from, _, err := v4.RecvFrom(t.Late(), p, 0)
	t.ok(err)
	t.equal(here, from)
	_, err = v4.SendTo(t.Late(), []byte("x"), 0, from)
	t.ok(err)
	_, from, _, err = dual.RecvFrom(t.Late(), p, 0)
	t.ok(err)
	t.equal(at4, from) // and back
	mapped := socketops.IPAddr(netip.AddrPortFrom(netip.AddrFrom16(at4.AddrPort().Addr().As16()), at4.AddrPort().Port()))
	t.that(mapped != at4 && mapped.Family() == unix.AF_INET6, "%v is mapped", mapped)
	t.ok(dual.Connect(t.Late(), mapped))
	peer, err := dual.PeerAddr()
	t.ok(err)
	t.equal(at4, peer)
	t.equal(here, nLocal(t, dual))

	v6, at6 := t.bound(kind("udp6"))
	_, err = v4.SendTo(t.Late(), []byte("x"), 0, at6)
	t.is(err, unix.EAFNOSUPPORT)
	_, err = v6.SendTo(t.Late(), []byte("x"), 0, at4) // a socket of IPv6 only
	t.that(err != nil, "IPv4 cannot be reached")
	_, err = v4.SendTo(t.Late(), []byte("x"), 0, socketops.Addr{})
	t.is(err, unix.EDESTADDRREQ)
}
