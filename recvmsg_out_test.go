package uring

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

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
