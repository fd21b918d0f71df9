//go:build linux && cgo

package uring

import (
	"bytes"
	"math"
	"net/netip"
	"time"

	"github.com/sockring/uring/cring"
)

// input makes up the arguments of a Prep call. What it draws is valid unless wild is set afterwards.
type input struct {
	draw func(lo, hi int64) int64 // a number from lo to hi, or any other at will
	wild bool                     // a number was out of its range
	seen []sight                  // what the kernel has to find in memory
}

// sight is memory that an SQE names and what it has to hold.
type sight struct {
	addr uint64
	want []byte
}

// sees notes that the kernel has to find want at addr, even after the caller has dropped all that it passed.
func (in *input) sees(addr uint64, want []byte) {
	if len(want) > 0 {
		in.seen = append(in.seen, sight{addr, bytes.Clone(want)})
	}
}

// text is sees for a string with its NUL.
func (in *input) text(addr uint64, s string) { in.sees(addr, append([]byte(s), 0)) }

func (in *input) num(lo, hi int64) int64 {
	n := in.draw(lo, hi)
	if n < lo || n > hi {
		in.wild = true
	}
	return n
}

func (in *input) fd() int         { return int(in.num(-1, math.MaxInt32)) }
func (in *input) direct() int     { return int(in.num(0, math.MaxInt32)) }
func (in *input) flags() int      { return int(in.num(0, math.MaxUint32)) }
func (in *input) i32() int        { return int(in.num(math.MinInt32, math.MaxInt32)) }
func (in *input) u32() uint32     { return uint32(in.num(0, math.MaxUint32)) }
func (in *input) u16() uint16     { return uint16(in.num(0, math.MaxUint16)) }
func (in *input) u64() uint64     { return uint64(in.num(math.MinInt64, math.MaxInt64)) }
func (in *input) offset() int64   { return in.num(-1, math.MaxInt64) }
func (in *input) size() int64     { return in.num(0, math.MaxInt64) }
func (in *input) foreign() uint64 { return uint64(in.num(0, math.MaxInt64)) } // user data of C code

func (in *input) duration() time.Duration { return time.Duration(in.num(0, math.MaxInt64)) }

// index is a direct descriptor to fill, or the kernel's choice.
func (in *input) index() uint32 {
	n := in.num(0, math.MaxInt32)
	if n == math.MaxInt32 {
		return cring.FileIndexAlloc
	}
	return uint32(n)
}

// bytes is a buffer with contents of its own.
func (in *input) bytes() []byte {
	const most = 300
	b := make([]byte, min(max(in.num(0, most), 0), most))
	for i := range b {
		b[i] = byte(i + len(b))
	}
	return b
}

func (in *input) buffers() [][]byte {
	n := in.num(0, 40)
	if n < 0 || n > 40 {
		return make([][]byte, iovMax+1)
	}
	v := make([][]byte, n)
	for i := range v {
		v[i] = in.bytes()
	}
	return v
}

// str is a string without a NUL, or where wild one with a NUL or a very long one.
func (in *input) str(most int64) string {
	n := in.num(0, most)
	switch {
	case n < 0:
		return "a\x00b"
	case n > most:
		n = most + 1
	}
	return string(bytes.Repeat([]byte{'p'}, int(n)))
}

func (in *input) path() string { return in.str(pathMax - 1) }

func (in *input) sockaddr() *Sockaddr {
	var a Sockaddr
	switch in.num(0, 4) {
	case 0:
		a, _ = SockaddrInet(netip.AddrPortFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(in.u16())}), in.u16()))
	case 1:
		ip := netip.AddrFrom16([16]byte{0xfe, 0x80, 15: byte(in.u16())}).WithZone("7")
		a, _ = SockaddrInet(netip.AddrPortFrom(ip, in.u16()))
	case 2:
		a, _ = SockaddrUnix("/run/" + in.str(90))
	case 3:
		a, _ = SockaddrAbstract(in.str(107))
	case 4:
		a = SockaddrVsock(in.u32(), in.u32())
	}
	if a.IsZero() {
		in.wild = true
	}
	return &a
}

func (in *input) message() *Msghdr {
	m := &Msghdr{Buffers: in.buffers(), Control: in.bytes(), NameRoom: int(in.num(0, sockaddrMax))}
	if in.num(0, 1) == 1 {
		m.To = *in.sockaddr()
	}
	return m
}

// iovecs is the memory of the vector for buffers.
func iovecs(buffers [][]byte) []byte {
	var v []cring.Iovec
	for _, b := range buffers {
		v = append(v, cring.Iovec{Base: address(b), Len: uint64(len(b))})
	}
	return memory(v)
}

// vals are arguments as the C functions take them.
func vals(args ...any) []uint64 {
	out := make([]uint64, len(args))
	for i, a := range args {
		switch a := a.(type) {
		case int:
			out[i] = uint64(a)
		case int32:
			out[i] = uint64(a)
		case int64:
			out[i] = uint64(a)
		case uint16:
			out[i] = uint64(a)
		case uint32:
			out[i] = uint64(a)
		case uint64:
			out[i] = a
		case OpID:
			out[i] = uint64(a)
		case []byte:
			out[i] = address(a)
		default:
			panic("uring: no such argument")
		}
	}
	return out
}
