package uring

import (
	"bytes"
	"encoding/binary"
	"math"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/internal/unix"
)

func TestSockaddrInet(t *testing.T) {
	for _, row := range []struct{ name, addr string }{
		{"IPv4", "192.0.2.1:80"},
		{"IPv4 any", "0.0.0.0:0"},
		{"IPv6", "[2001:db8::1]:65535"},
		{"IPv6 any", "[::]:0"},
		{"IPv4 in IPv6", "[::ffff:192.0.2.1]:8080"},
		{"link-local with an interface", "[fe80::1%7]:53"},
	} {
		t.Run(row.name, func(t *testing.T) {
			want := netip.MustParseAddrPort(row.addr)
			a, err := SockaddrInet(want)
			require.NoError(t, err)
			got, ok := a.AddrPort()
			require.True(t, ok)
			require.Equal(t, want, got)
			require.Equal(t, row.addr, a.String())
			again, err := SockaddrRaw(a.Bytes())
			require.NoError(t, err)
			require.Equal(t, a, again)
			_, ok = a.Unix()
			require.False(t, ok)
		})
	}
}

func TestSockaddrInetZoneByName(t *testing.T) {
	ifs, err := net.Interfaces()
	require.NoError(t, err)
	require.NotEmpty(t, ifs)
	ip := netip.MustParseAddr("fe80::1")
	byName, err := SockaddrInet(netip.AddrPortFrom(ip.WithZone(ifs[0].Name), 1))
	require.NoError(t, err)
	ap, ok := byName.AddrPort()
	require.True(t, ok)
	byNumber, err := SockaddrInet(ap)
	require.NoError(t, err)
	require.Equal(t, byName, byNumber)
}

func TestSockaddrInetRefuses(t *testing.T) {
	_, err := SockaddrInet(netip.AddrPort{})
	require.ErrorIs(t, err, unix.EINVAL)
	_, err = SockaddrInet(netip.MustParseAddrPort("[fe80::1%no-such-interface]:1"))
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestSockaddrUnix(t *testing.T) {
	for _, row := range []struct {
		name string
		make func() (Sockaddr, error)
		want UnixName
		len  int
		text string
	}{
		{"path", func() (Sockaddr, error) { return SockaddrUnix("/run/x") }, UnixName{Name: "/run/x"}, 9, "/run/x"},
		{"path of @", func() (Sockaddr, error) { return SockaddrUnix("@x") }, UnixName{Name: "@x"}, 5, "@x"},
		{
			"longest path", func() (Sockaddr, error) { return SockaddrUnix(strings.Repeat("p", 107)) },
			UnixName{Name: strings.Repeat("p", 107)},
			110, strings.Repeat("p", 107),
		},
		{"unnamed", func() (Sockaddr, error) { return SockaddrUnix("") }, UnixName{}, 2, "unnamed unix socket"},
		{
			"abstract", func() (Sockaddr, error) { return SockaddrAbstract("a\x00b") },
			UnixName{Name: "a\x00b", Abstract: true},
			6, "@a\x00b",
		},
		{
			"longest abstract", func() (Sockaddr, error) { return SockaddrAbstract(strings.Repeat("\x00", 107)) },
			UnixName{Name: strings.Repeat("\x00", 107), Abstract: true},
			110, "@" + strings.Repeat("\x00", 107),
		},
		{
			"empty abstract", func() (Sockaddr, error) { return SockaddrAbstract("") },
			UnixName{Abstract: true},
			3, "@",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			a, err := row.make()
			require.NoError(t, err)
			got, ok := a.Unix()
			require.True(t, ok)
			require.Equal(t, row.want, got)
			require.Equal(t, row.len, a.Len())
			require.Equal(t, row.text, a.String())
		})
	}
}

func TestSockaddrUnixRefuses(t *testing.T) {
	_, err := SockaddrUnix(strings.Repeat("p", 108))
	require.ErrorIs(t, err, unix.ENAMETOOLONG)
	_, err = SockaddrAbstract(strings.Repeat("p", 108))
	require.ErrorIs(t, err, unix.ENAMETOOLONG)
	_, err = SockaddrUnix("a\x00b")
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestSockaddrUnixPathWithoutNUL(t *testing.T) {
	raw := append([]byte{familyUnix, 0}, bytes.Repeat([]byte{'p'}, sunPathLen)...)
	a, err := SockaddrRaw(raw)
	require.NoError(t, err)
	u, ok := a.Unix()
	require.True(t, ok)
	require.Len(t, u.Name, sunPathLen)
}

func TestSockaddrVsock(t *testing.T) {
	a := SockaddrVsock(3, 1024)
	cid, port, ok := a.Vsock()
	require.True(t, ok)
	require.Equal(t, []uint32{3, 1024}, []uint32{cid, port})
	require.Equal(t, "vsock 3:1024", a.String())
}

func TestSockaddrPacket(t *testing.T) {
	want := PacketAddr{Protocol: 0x0800, Ifindex: 2, Hatype: 1, Pkttype: 4, Halen: 6, Addr: [8]byte{1, 2, 3, 4, 5, 6}}
	a, err := SockaddrPacket(want)
	require.NoError(t, err)
	got, ok := a.Packet()
	require.True(t, ok)
	require.Equal(t, want, got)
	require.Equal(t, "packet 010203040506 interface 2 protocol 0x0800", a.String())
	_, err = SockaddrPacket(PacketAddr{Halen: 9})
	require.ErrorIs(t, err, unix.EINVAL)
}

func TestSockaddrRawRefuses(t *testing.T) {
	for _, n := range []int{0, 1, 129} {
		_, err := SockaddrRaw(make([]byte, n))
		require.ErrorIs(t, err, unix.EINVAL, "%d bytes", n)
	}
}

func TestSockaddrZero(t *testing.T) {
	var a Sockaddr
	require.True(t, a.IsZero())
	require.Zero(t, a.Family())
	require.Empty(t, a.Bytes())
	require.Equal(t, "no address", a.String())
}

// TestSockaddrOversized: accept(2) tells the full length of an address that did not fit.
func TestSockaddrOversized(t *testing.T) {
	a := Sockaddr{n: 1 << 31}
	a.raw[0] = familyUnix
	require.Equal(t, sockaddrMax, a.Len())
	require.Len(t, a.Bytes(), sockaddrMax)
	_, ok := a.Unix()
	require.True(t, ok)
}

func TestSockaddrTooShort(t *testing.T) {
	for _, row := range []struct {
		family byte
		len    int
	}{{familyInet, 15}, {familyInet6, 27}, {familyVsock, 15}, {familyPacket, 11}} {
		b := make([]byte, row.len)
		b[0] = row.family
		a, err := SockaddrRaw(b)
		require.NoError(t, err)
		_, ip := a.AddrPort()
		_, _, vsock := a.Vsock()
		_, packet := a.Packet()
		require.False(t, ip || vsock || packet, "family %d of %d bytes", row.family, row.len)
		require.Contains(t, a.String(), "address family")
	}
}

// FuzzSockaddr takes any bytes for an address: what can be made of it can be made an address again that says the same.
func FuzzSockaddr(f *testing.F) {
	f.Add([]byte{familyInet, 0, 0, 80, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0})
	f.Add(append([]byte{familyInet6, 0, 0, 80}, make([]byte, 24)...))
	f.Add([]byte("\x01\x00/run/x\x00"))
	f.Add([]byte("\x01\x00\x00abstract"))
	f.Add(append([]byte{familyVsock, 0}, make([]byte, 14)...))
	f.Add(append([]byte{familyPacket, 0}, bytes.Repeat([]byte{9}, 18)...))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := SockaddrRaw(b)
		if len(b) < 2 || len(b) > sockaddrMax {
			require.ErrorIs(t, err, unix.EINVAL)
			return
		}
		require.NoError(t, err)
		require.Equal(t, b, a.Bytes())
		require.NotEmpty(t, a.String())
		if ap, ok := a.AddrPort(); ok {
			again, err := SockaddrInet(ap)
			require.NoError(t, err)
			same, ok := again.AddrPort()
			require.True(t, ok)
			require.Equal(t, ap, same)
		}
		if u, ok := a.Unix(); ok && len(u.Name) < sunPathLen {
			again, err := SockaddrUnix(u.Name)
			if u.Abstract {
				again, err = SockaddrAbstract(u.Name)
			}
			require.NoError(t, err)
			same, ok := again.Unix()
			require.True(t, ok)
			require.Equal(t, u, same)
		}
		if cid, port, ok := a.Vsock(); ok {
			require.Equal(t, a.Bytes()[4:12], SockaddrVsock(cid, port).Bytes()[4:12])
		}
		if p, ok := a.Packet(); ok {
			again, err := SockaddrPacket(p)
			require.NoError(t, err)
			same, ok := again.Packet()
			require.True(t, ok)
			require.Equal(t, p, same)
		}
	})
}

// recvmsgBuffer is a provided buffer as a multishot recvmsg fills it.
func recvmsgBuffer(name, control, payload, flags uint32, rest ...byte) []byte {
	var b []byte
	for _, v := range []uint32{name, control, payload, flags} {
		b = binary.NativeEndian.AppendUint32(b, v)
	}
	return append(b, rest...)
}

func TestParseRecvmsg(t *testing.T) {
	m := &Msghdr{NameRoom: 4, Control: make([]byte, 3)}
	rest := []byte{1, 0, '/', 'x', 21, 22, 23, 31, 32, 33, 34}
	for _, row := range []struct {
		name                       string
		namelen, control, payload  uint32
		wantName, wantControl, got int
	}{
		{"all as long as its room", 4, 3, 4, 4, 3, 4},
		{"shorter than its room", 3, 1, 2, 3, 1, 2},
		{"empty", 0, 0, 0, 0, 0, 0},
		{"longer than its room", 5, 4, 9, 4, 3, 4},
		{"nonsense", math.MaxUint32, math.MaxUint32, math.MaxUint32, 4, 3, 4},
	} {
		t.Run(row.name, func(t *testing.T) {
			out, err := ParseRecvmsg(recvmsgBuffer(row.namelen, row.control, row.payload, 0x20, rest...), m)
			require.NoError(t, err)
			require.Equal(t, rest[:row.wantName], append([]byte{}, out.Name.Bytes()...))
			require.Equal(t, rest[4:4+row.wantControl], out.Control)
			require.Equal(t, rest[7:7+row.got], out.Payload)
			require.Equal(t, 0x20, out.Flags)
			require.EqualValues(t, row.payload, out.PayloadSize)
		})
	}
}

func TestParseRecvmsgRefuses(t *testing.T) {
	for _, row := range []struct {
		name string
		b    []byte
		m    *Msghdr
	}{
		{"no buffer", nil, &Msghdr{}},
		{"no message", recvmsgBuffer(0, 0, 0, 0), nil},
		{"shorter than the header", recvmsgBuffer(0, 0, 0, 0)[:15], &Msghdr{}},
		{"shorter than the name", recvmsgBuffer(0, 0, 0, 0, 1), &Msghdr{NameRoom: 2}},
		{"shorter than the control data", recvmsgBuffer(0, 0, 0, 0, 1, 2), &Msghdr{NameRoom: 2, Control: make([]byte, 1)}},
		{"room below zero", recvmsgBuffer(0, 0, 0, 0, 1, 2), &Msghdr{NameRoom: -1}},
		{"too much room", recvmsgBuffer(0, 0, 0, 0, make([]byte, 200)...), &Msghdr{NameRoom: 129}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := ParseRecvmsg(row.b, row.m)
			require.ErrorIs(t, err, unix.EINVAL)
		})
	}
}

// FuzzParseRecvmsg: whatever lengths the buffer claims, the parts lie within it and do not overlap.
func FuzzParseRecvmsg(f *testing.F) {
	f.Add(recvmsgBuffer(4, 3, 2, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9), 4, 3)
	f.Add(recvmsgBuffer(math.MaxUint32, math.MaxUint32, math.MaxUint32, 0), 0, 0)
	f.Fuzz(func(t *testing.T, b []byte, nameRoom, controlRoom int) {
		m := &Msghdr{NameRoom: nameRoom, Control: make([]byte, max(min(controlRoom, 1<<16), 0))}
		out, err := ParseRecvmsg(b, m)
		if err != nil {
			require.ErrorIs(t, err, unix.EINVAL)
			require.Zero(t, out)
			return
		}
		require.LessOrEqual(t, out.Name.Len(), nameRoom)
		require.LessOrEqual(t, len(out.Control), len(m.Control))
		require.LessOrEqual(t, len(out.Payload), len(b)-recvmsgHeader-nameRoom-len(m.Control))
		fixed := b[recvmsgHeader:]
		require.Equal(t, fixed[:out.Name.Len()], append([]byte{}, out.Name.Bytes()...))
		require.Equal(t, fixed[nameRoom:][:len(out.Control)], out.Control)
		require.Equal(t, fixed[nameRoom+len(m.Control):][:len(out.Payload)], out.Payload)
	})
}
