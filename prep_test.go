//go:build linux && cgo

package uring

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"math"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/cprep"
	"github.com/sockring/uring/internal/goroutine"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/testutil"
)

// prepRows are all Prep methods that stand for one C function.
var prepRows = slices.Concat(sendRows, recvRows, socketRows, readWriteRows, fileRows, openRows, pathRows, timeRows,
	pollRows, otherRows)

// testSQE returns an entry outside of any ring, with something of an earlier operation in every field.
func testSQE(t testing.TB) *SQE {
	raw := &cring.SQE{
		Opcode: 0xa5, Flags: 0xa5, IOPrio: 0xa5a5, Fd: 0xa5, Off: 0xa5, Addr: 0xa5, Len: 0xa5, OpFlags: 0xa5,
		BufIndex: 0xa5, Personality: 0xa5, FileIndex: 0xa5, Addr3: 0xa5, Pad2: 0xa5,
	}
	s := &slot{index: 5, gen: 3, state: slotFilling, table: &slotTable{owner: goroutine.Self()}}
	s.sqe = SQE{raw: raw, slot: s}
	raw.UserData = s.userData()
	t.Cleanup(s.unpin)
	return &s.sqe
}

// repairedIn are functions that some headers have with a fault, and the version that works.
var repairedIn = map[string]int{
	"io_uring_prep_cmd_sock":       206, // 2.5 leaves out the option
	"io_uring_prep_read_multishot": 207, // 2.6 leaves out IOSQE_BUFFER_SELECT
}

// skipAbsent skips where the headers lack the C function, so that there is nothing to compare with.
func skipAbsent(t *testing.T, c string) {
	t.Helper()
	if cprep.Has(c) {
		return
	}
	if cprep.Version() >= repairedIn[c] {
		require.False(t, slices.Contains(headerPreps(t), c), "package cprep lacks %s, which the headers have", c)
	}
	testutil.SkipIfUnsupported(t, &UnsupportedError{
		Name: c, Missing: "liburing's headers are too old for a comparison", Provider: "a newer liburing",
	})
}

// check runs one row and compares the entry with C's. With collect the garbage collector takes meanwhile whatever
// nothing but the slot keeps.
func (r *prepRow) check(t *testing.T, in *input, collect bool) {
	t.Helper()
	s := testSQE(t)
	args, err := r.call(s, in)
	if err != nil {
		require.True(t, in.wild, "valid arguments were refused: %v", err)
		requireRefused(t, s, err)
		return
	}
	if collect {
		runtime.GC()
	}
	want := cring.SQE{UserData: s.slot.userData()}
	require.True(t, cprep.Call(&want, r.c, args...))
	if r.also != nil {
		r.also(&want, args)
	}
	require.Equal(t, want, *s.raw)
	require.Equal(t, slotFilling, s.slot.state)
	for i, m := range in.seen {
		require.Equal(t, m.want, cprep.Memory(m.addr, len(m.want)), "memory %d at %#x", i, m.addr)
	}
}

// requireRefused checks that an entry whose arguments were bad is a NOP that holds on to nothing.
func requireRefused(t *testing.T, s *SQE, err error) {
	t.Helper()
	var errno unix.Errno
	require.ErrorAs(t, err, &errno)
	require.True(t, errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EBADF) || errors.Is(err, unix.ENAMETOOLONG), err)
	require.Equal(t, cring.SQE{Opcode: cring.OpNop, Fd: -1, UserData: s.slot.userData()}, *s.raw)
	require.Equal(t, slotDropped, s.slot.state)
	require.Zero(t, s.slot.pins)
}

// corners are ways to draw arguments that are all valid.
var corners = []struct {
	name string
	draw func() func(lo, hi int64) int64
}{
	{"zeros", func() func(lo, hi int64) int64 {
		return func(lo, hi int64) int64 { return min(max(0, lo), hi) }
	}},
	{"ones", func() func(lo, hi int64) int64 {
		return func(lo, hi int64) int64 { return min(max(1, lo), hi) }
	}},
	{"lowest", func() func(lo, hi int64) int64 {
		return func(lo, _ int64) int64 { return lo }
	}},
	{"highest", func() func(lo, hi int64) int64 {
		return func(lo, hi int64) int64 {
			if hi == math.MaxUint32 {
				return hi &^ cring.TimeoutImmediateArg // the one flag that is refused
			}
			return hi
		}
	}},
	{"counting", func() func(lo, hi int64) int64 {
		n := int64(0)
		return func(lo, hi int64) int64 {
			n += 3
			return min(max(n, lo), hi)
		}
	}},
}

func TestPrepEqualsC(t *testing.T) { // SPEC E02
	testutil.InSource(t)
	for i := range prepRows {
		r := &prepRows[i]
		t.Run(r.method, func(t *testing.T) {
			skipAbsent(t, r.c)
			for i, c := range corners {
				if testing.Short() && i%4 != 0 {
					continue
				}
				t.Run(c.name, func(t *testing.T) {
					in := &input{draw: c.draw()}
					r.check(t, in, true)
					require.False(t, in.wild)
				})
			}
		})
	}
}

// FuzzPrep takes the bytes as the choice of a method and then as its arguments, some of them out of range.
func FuzzPrep(f *testing.F) {
	testutil.InSource(f)
	for i := range prepRows {
		f.Add([]byte{byte(i)})
		f.Add(append([]byte{byte(i)}, "\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"...))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) == 0 {
			return
		}
		r := &prepRows[int(data[0])%len(prepRows)]
		if !cprep.Has(r.c) {
			return // TestPrepEqualsC says so
		}
		d := drawer{data[1:]}
		r.check(t, &input{draw: d.draw}, false)
	})
}

// drawer draws numbers from bytes, and zeros when they are used up.
type drawer struct{ data []byte }

func (d *drawer) byte() byte {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return b
}

// draw takes a byte that says how to go on, and then up to eight more for the number.
func (d *drawer) draw(lo, hi int64) int64 {
	kind := d.byte()
	if kind < 128 { // most often something small
		return min(max(int64(kind), lo), hi)
	}
	var v uint64
	for range kind&7 + 1 {
		v = v<<8 | uint64(d.byte())
	}
	switch {
	case kind&0x70 == 0x70: // out of range, like as not
		return int64(v)
	case kind&0x70 == 0x60:
		return hi
	case uint64(hi-lo) == math.MaxUint64:
		return int64(v)
	}
	return lo + int64(v%(uint64(hi-lo)+1))
}

// leftOutPreps are the functions of liburing without a Prep method, with the reason in the words of docs/liburing.md.
var leftOutPreps = map[string]string{
	"io_uring_prep_rw":           "not an operation, but what the others are made of",
	"io_uring_prep_uring_cmd":    "the command's arguments are the driver's own; sockets have PrepCmdSock",
	"io_uring_prep_uring_cmd128": "needs entries of 128 bytes, which Ring does not offer",
	"io_uring_prep_nop128":       "needs entries of 128 bytes, which Ring does not offer",
}

// setterRows are the functions of liburing that change an entry that was prepared.
var setterRows = map[string]string{
	"io_uring_prep_send_set_addr": "PrepSendSetAddr",
	"io_uring_sqe_set_flags":      "SetFlags",
	"io_uring_sqe_set_buf_group":  "BufferSelect",
	"io_uring_sqe_set_data":       "SetData",
	"io_uring_sqe_set_data64":     "SetData64",
}

// inlineFunction matches the definition of a function that fills or changes an entry.
var inlineFunction = regexp.MustCompile(
	`(?m)^(?:static inline|IOURINGINLINE) void (io_uring_prep_\w+|io_uring_sqe_set_\w+)\(`)

// headerPreps returns the functions that the headers compiled against define.
func headerPreps(t *testing.T) []string {
	t.Helper()
	testutil.InSource(t)
	dir, err := cprep.IncludeDir()
	require.NoError(t, err)
	text, err := os.ReadFile(filepath.Join(dir, "liburing.h"))
	require.NoError(t, err)
	var names []string
	for _, m := range inlineFunction.FindAllStringSubmatch(string(text), -1) {
		names = append(names, m[1])
	}
	require.Greater(t, len(names), 70)
	return names
}

func TestEveryPrepOfTheHeadersIsKnown(t *testing.T) { // SPEC E01
	known := map[string]bool{}
	for _, r := range prepRows {
		require.False(t, known[r.c], "%s is there twice", r.c)
		known[r.c] = true
	}
	for _, c := range headerPreps(t) {
		_, leftOut := leftOutPreps[c]
		require.True(t, known[c] || leftOut || setterRows[c] != "", "no Prep method for %s", c)
	}
}

func TestEveryPrepMethodIsCompared(t *testing.T) { // SPEC E01
	compared := map[string]bool{}
	for _, r := range prepRows {
		compared[r.method] = true
	}
	for _, method := range setterRows {
		compared[method] = true
	}
	typ := reflect.TypeFor[*SQE]()
	for i := range typ.NumMethod() {
		if name := typ.Method(i).Name; strings.HasPrefix(name, "Prep") {
			require.True(t, compared[name], "%s is not compared with C", name)
		}
	}
	for method := range compared {
		_, ok := typ.MethodByName(method)
		require.True(t, ok, "there is no method %s", method)
	}
}

// update has the page of Prep methods written instead of compared.
var update = flag.Bool("update", false, "write the table of docs/liburing.md instead of comparing with it")

// prepTable begins the table of Prep methods in docs/liburing.md, which ends in an empty line.
const prepTable = "\n### The methods\n\n| liburing | method |\n|---|---|\n"

func TestDocumentedPreps(t *testing.T) {
	testutil.InSource(t)
	file := filepath.Join("docs", "liburing.md")
	page, err := os.ReadFile(file)
	require.NoError(t, err)
	before, rest, found := strings.Cut(string(page), prepTable)
	require.True(t, found, "%s has no table of the methods", file)
	got, after, _ := strings.Cut(rest, "\n\n")
	var want strings.Builder
	for _, r := range prepRows {
		fmt.Fprintf(&want, "| `%s` | `%s` |\n", r.c, r.method)
	}
	if *update {
		require.NoError(t, os.WriteFile(file, []byte(before+prepTable+want.String()+"\n"+after), 0o644))
		return
	}
	require.Equal(t, want.String(), got+"\n", "go test -run TestDocumentedPreps . -update writes it anew")
	for c, reason := range leftOutPreps {
		require.Contains(t, after, "| `"+c+"` | "+reason+" |")
	}
	for c, method := range setterRows {
		require.Contains(t, after, "| `"+c+"` | `"+method+"` |")
	}
}

// registration matches the declaration of a function that registers something.
var registration = regexp.MustCompile(
	`(?m)^(?:struct |int )?(?:\w+ )?\*?(io_uring_(?:(?:un)?register_|enable_|resize_|clone_|close_|set_iowait)\w*)\(`)

// documentedRow matches a row of the tables of docs/liburing.md.
var documentedRow = regexp.MustCompile("(?m)^\\| `(io_uring_\\w+)` \\| (.+) \\|$")

// methodOfRing matches what such a row says of a function that Ring has.
var methodOfRing = regexp.MustCompile("^`(\\w+)`$")

func TestEveryRegistrationOfTheHeadersIsKnown(t *testing.T) {
	testutil.InSource(t)
	dir, err := cprep.IncludeDir()
	require.NoError(t, err)
	header, err := os.ReadFile(filepath.Join(dir, "liburing.h"))
	require.NoError(t, err)
	page, err := os.ReadFile(filepath.Join("docs", "liburing.md"))
	require.NoError(t, err)
	_, rows, found := strings.Cut(string(page), "\n## Registrations\n")
	require.True(t, found)
	known := map[string]string{}
	for _, m := range documentedRow.FindAllStringSubmatch(rows, -1) {
		require.NotContains(t, known, m[1])
		known[m[1]] = m[2]
	}
	registrations := registration.FindAllStringSubmatch(string(header), -1)
	require.Greater(t, len(registrations), 25)
	for _, m := range registrations {
		require.Contains(t, known, m[1])
	}
	typ := reflect.TypeFor[*Ring]()
	for c, method := range known {
		if m := methodOfRing.FindStringSubmatch(method); m != nil {
			_, ok := typ.MethodByName(m[1])
			require.True(t, ok, "%s: there is no method %s", c, m[1])
		}
	}
}

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

// hugeSlice returns more bytes than a request takes, of which none is ever touched.
func hugeSlice(t *testing.T) []byte {
	t.Helper()
	mem, err := unix.Mmap(-1, 0, ioLenMax+1, unix.PROT_NONE, unix.MAP_PRIVATE|unix.MAP_ANON|unix.MAP_NORESERVE)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(mem)) })
	return mem
}

func TestPrepRefusesBadArguments(t *testing.T) { // SPEC E19, E26
	huge, long := hugeSlice(t), strings.Repeat("p", pathMax)
	oversized := &Sockaddr{n: sockaddrMax + 1} // as the kernel reports an address that did not fit
	for _, row := range []struct {
		name string
		want unix.Errno
		prep func(s *SQE) error
	}{
		{"descriptor too large", unix.EBADF, func(s *SQE) error { return s.PrepSend(math.MaxInt32+1, nil, 0) }},
		{"descriptor too small", unix.EBADF, func(s *SQE) error { return s.PrepClose(math.MinInt32 - 1) }},
		{"negative flags", unix.EINVAL, func(s *SQE) error { return s.PrepSend(0, nil, -1) }},
		{"flags of 33 bits", unix.EINVAL, func(s *SQE) error { return s.PrepRecv(0, nil, 1<<32) }},
		{"buffer too long", unix.EINVAL, func(s *SQE) error { return s.PrepSend(0, huge, 0) }},
		{"buffers too long together", unix.EINVAL, func(s *SQE) error {
			return s.PrepWritev(0, [][]byte{huge[:ioLenMax], {1}}, 0)
		}},
		{"too many buffers", unix.EINVAL, func(s *SQE) error { return s.PrepReadv(0, make([][]byte, iovMax+1), 0) }},
		{"too many buffers in a message", unix.EINVAL, func(s *SQE) error {
			return s.PrepSendmsg(0, &Msghdr{Buffers: make([][]byte, iovMax+1)}, 0)
		}},
		{"no message", unix.EINVAL, func(s *SQE) error { return s.PrepRecvmsg(0, nil, 0) }},
		{"message to an oversized address", unix.EINVAL, func(s *SQE) error {
			return s.PrepSendmsg(0, &Msghdr{To: *oversized}, 0)
		}},
		{"name room too large", unix.EINVAL, func(s *SQE) error {
			return s.PrepRecvmsgMultishot(0, &Msghdr{NameRoom: sockaddrMax + 1}, 0, 0)
		}},
		{"negative first round", unix.EINVAL, func(s *SQE) error {
			return s.PrepSendBundle(0, 0, 0, WithFirstRoundLimit(-1))
		}},
		{"vectorized zero-copy send", unix.EINVAL, func(s *SQE) error {
			return s.PrepSendZC(0, []byte{1}, 0, cring.SendVectorized)
		}},
		{"no address", unix.EINVAL, func(s *SQE) error { return s.PrepConnect(0, nil) }},
		{"zero address", unix.EINVAL, func(s *SQE) error { return s.PrepBind(0, &Sockaddr{}) }},
		{"oversized address", unix.EINVAL, func(s *SQE) error { return s.PrepSendTo(0, nil, 0, oversized) }},
		{"nowhere for a name", unix.EINVAL, func(s *SQE) error { return s.PrepCmdGetsockname(0, nil, false) }},
		{"NUL in a path", unix.EINVAL, func(s *SQE) error { return s.PrepOpen("a\x00b", 0, 0) }},
		{"NUL in an attribute", unix.EINVAL, func(s *SQE) error { return s.PrepGetxattr("a\x00b", nil, "/") }},
		{"path too long", unix.ENAMETOOLONG, func(s *SQE) error { return s.PrepUnlink(long, 0) }},
		{"second path too long", unix.ENAMETOOLONG, func(s *SQE) error { return s.PrepRename("/a", long) }},
		{"nowhere for a statx", unix.EINVAL, func(s *SQE) error { return s.PrepStatx(0, "/", 0, 0, nil) }},
		{"nowhere for a pipe", unix.EINVAL, func(s *SQE) error { return s.PrepPipe(nil, 0) }},
		{"offset below -1", unix.EINVAL, func(s *SQE) error { return s.PrepRead(0, nil, -2) }},
		{"negative size", unix.EINVAL, func(s *SQE) error { return s.PrepFtruncate(0, -1) }},
		{"negative time", unix.EINVAL, func(s *SQE) error { return s.PrepTimeout(-time.Second, 0, 0) }},
		{"immediate time", unix.EINVAL, func(s *SQE) error {
			return s.PrepLinkTimeout(time.Second, cring.TimeoutImmediateArg)
		}},
		{"direct descriptor out of range", unix.EINVAL, func(s *SQE) error {
			return s.PrepAcceptDirect(0, nil, 0, cring.FileIndexAlloc-1)
		}},
		{"close of any direct descriptor", unix.EINVAL, func(s *SQE) error {
			return s.PrepCloseDirect(cring.FileIndexAlloc)
		}},
		{"negative direct descriptor", unix.EBADF, func(s *SQE) error { return s.PrepMsgRingFd(0, -1, 0, 0, 0) }},
		{"message that passes for an operation", unix.EINVAL, func(s *SQE) error {
			return s.PrepMsgRing(0, 0, uint64(s.ID()), 0)
		}},
		{"operation renamed", unix.EINVAL, func(s *SQE) error {
			return s.PrepPollUpdate(s.ID(), 1, 0, cring.PollUpdateUserData)
		}},
		{"no futex", unix.EINVAL, func(s *SQE) error { return s.PrepFutexWait(nil, 0, 0, 0, 0) }},
		{"no futexes", unix.EINVAL, func(s *SQE) error { return s.PrepFutexWaitv(nil, 0) }},
		{"too many futexes", unix.EINVAL, func(s *SQE) error { return s.PrepFutexWaitv(make([]FutexWaiter, 129), 0) }},
		{"nowhere for events", unix.EINVAL, func(s *SQE) error { return s.PrepEpollWait(0, nil, 0) }},
		{"provided buffers beyond their memory", unix.EINVAL, func(s *SQE) error {
			return s.PrepProvideBuffers(make([]byte, 10), 4, 3, 0, 0)
		}},
		{"provided buffers of no bytes", unix.EINVAL, func(s *SQE) error {
			return s.PrepProvideBuffers(make([]byte, 10), 0, 1, 0, 0)
		}},
		{"provided buffers beyond the last id", unix.EINVAL, func(s *SQE) error {
			return s.PrepProvideBuffers(make([]byte, 10), 1, 2, 0, math.MaxUint16)
		}},
		{"removal of no buffers", unix.EINVAL, func(s *SQE) error { return s.PrepRemoveBuffers(0, 0) }},
		{"destination of what is no send", unix.EINVAL, func(s *SQE) error {
			require.NoError(t, s.PrepNop())
			to := SockaddrVsock(1, 2)
			return s.PrepSendSetAddr(&to)
		}},
		{"no destination", unix.EINVAL, func(s *SQE) error {
			require.NoError(t, s.PrepSend(0, []byte{1}, 0))
			return s.PrepSendSetAddr(nil)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := testSQE(t)
			err := row.prep(s)
			require.ErrorIs(t, err, row.want)
			require.ErrorContains(t, err, "uring: Prep")
			requireRefused(t, s, err)
		})
	}
}

func TestPrepWithoutAnEntry(t *testing.T) { // SPEC E19
	to := SockaddrVsock(1, 2)
	for name, s := range map[string]*SQE{"nil": nil, "zero": {}, "submitted": nil} {
		t.Run(name, func(t *testing.T) {
			if name == "submitted" {
				s = testSQE(t)
				s.raw = nil // as after its submission
			}
			require.ErrorIs(t, s.PrepSend(0, []byte{1}, 0), unix.EINVAL)
			require.ErrorIs(t, s.PrepReadv(0, [][]byte{{1}}, 0), unix.EINVAL)
			require.ErrorIs(t, s.PrepConnect(0, &to), unix.EINVAL)
			require.ErrorIs(t, s.PrepSendmsg(0, &Msghdr{}, 0), unix.EINVAL)
			require.ErrorIs(t, s.PrepSendSetAddr(&to), unix.EINVAL)
			require.ErrorIs(t, s.PrepTimeout(1, 0, 0), unix.EINVAL)
			require.ErrorIs(t, s.PrepFutexWait(new(uint32), 0, 0, 0, 0), unix.EINVAL)
			require.NoError(t, s.SetFlags(SQEAsync))
			s.Link()
			s.BufferSelect(1)
			s.SetPersonality(1)
		})
	}
}

// TestPrepAgain prepares an entry twice, the second time after a failure too: it holds what the last Prep needs.
func TestPrepAgain(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepRename("/a", "/b"))
	require.Equal(t, 2, s.slot.pins)
	require.NoError(t, s.PrepSend(1, []byte{1}, 0))
	require.Equal(t, 1, s.slot.pins)
	requireRefused(t, s, s.PrepSend(1, []byte{1}, -1))
	require.NoError(t, s.PrepSend(1, []byte{1}, 0))
	require.Equal(t, slotFilling, s.slot.state)
	require.Equal(t, 1, s.slot.pins)
}

// TestPrepDoesNotAllocate covers what steady traffic uses. Paths, and vectors of more than eight buffers, are copied.
func TestPrepDoesNotAllocate(t *testing.T) {
	if race.Enabled {
		testutil.Skip(t, testutil.NeedsNoRace, "the race detector's announcements allocate")
	}
	p, to := make([]byte, 100), SockaddrVsock(2, 3)
	buffers := [][]byte{p, p, p}
	m := &Msghdr{Buffers: buffers, Control: p[:10], To: to}
	from := new(Sockaddr)
	for _, row := range []struct {
		name string
		prep func(s *SQE) error
	}{
		{"PrepSend", func(s *SQE) error { return s.PrepSend(1, p, 0) }},
		{"PrepSendTo", func(s *SQE) error { return s.PrepSendTo(1, p, 0, &to) }},
		{"PrepSendBundle", func(s *SQE) error { return s.PrepSendBundle(1, 2, 0, WithFirstRoundLimit(100)) }},
		{"PrepSendmsg", func(s *SQE) error { return s.PrepSendmsg(1, m, 0) }},
		{"PrepSendZC", func(s *SQE) error { return s.PrepSendZC(1, p, 0, 0) }},
		{"PrepRecv", func(s *SQE) error { return s.PrepRecv(1, p, 0) }},
		{"PrepRecvMultishot", func(s *SQE) error { return s.PrepRecvMultishot(1, 2, 0) }},
		{"PrepRecvmsg", func(s *SQE) error { return s.PrepRecvmsg(1, m, 0) }},
		{"PrepWritev", func(s *SQE) error { return s.PrepWritev(1, buffers, -1) }},
		{"PrepAccept", func(s *SQE) error { return s.PrepAccept(1, from, 0) }},
		{"PrepConnect", func(s *SQE) error { return s.PrepConnect(1, &to) }},
		{"PrepTimeout", func(s *SQE) error { return s.PrepTimeout(time.Second, 0, 0) }},
		{"PrepCancel", func(s *SQE) error { return s.PrepCancel(1, 0) }},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := testSQE(t)
			require.Zero(t, testing.AllocsPerRun(100, func() {
				if err := row.prep(s); err != nil {
					t.Fatal(err)
				}
				s.Link()
			}))
		})
	}
}

func TestFlagsEqualC(t *testing.T) {
	p := []byte{1, 2, 3}
	for _, row := range []struct {
		name  string
		set   func(s *SQE)
		flags uint64
	}{
		{"FixedFile", (*SQE).FixedFile, cring.SQEFixedFile},
		{"Drain", (*SQE).Drain, cring.SQEIODrain},
		{"Link", (*SQE).Link, cring.SQEIOLink},
		{"HardLink", (*SQE).HardLink, cring.SQEIOHardlink},
		{"Async", (*SQE).Async, cring.SQEAsync},
		{"SetFlags", func(s *SQE) { require.NoError(t, s.SetFlags(SQEAsync|SQEFixedFile)) }, 1<<4 | 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := testSQE(t)
			require.NoError(t, s.PrepRecv(4, p, 5))
			row.set(s)
			want := cring.SQE{UserData: s.raw.UserData}
			require.True(t, cprep.Call(&want, "io_uring_prep_recv", vals(4, p, len(p), 5)...))
			require.True(t, cprep.Apply(&want, "io_uring_sqe_set_flags", row.flags))
			require.Equal(t, want, *s.raw)
		})
	}
}

func TestPrepSendSetAddrEqualsC(t *testing.T) { // SPEC E22
	p, to := []byte{1, 2, 3}, SockaddrVsock(2, 1024)
	s := testSQE(t)
	require.NoError(t, s.PrepSendZC(4, p, 5, cring.SendZCReportUsage))
	require.NoError(t, s.PrepSendSetAddr(&to))
	want := cring.SQE{UserData: s.raw.UserData}
	require.True(t, cprep.Call(&want, "io_uring_prep_send_zc", vals(4, p, len(p), 5, cring.SendZCReportUsage)...))
	require.True(t, cprep.Apply(&want, "io_uring_prep_send_set_addr", s.raw.Off, uint64(to.Len())))
	require.Equal(t, want, *s.raw)
	require.Equal(t, to.Bytes(), cprep.Memory(s.raw.Off, to.Len()))
}

func TestBufferSelectEqualsC(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepRecv(4, nil, 0))
	s.BufferSelect(77)
	require.NoError(t, s.SetLen(1000))
	want := cring.SQE{UserData: s.raw.UserData}
	require.True(t, cprep.Call(&want, "io_uring_prep_recv", 4, 0, 1000, 0))
	require.True(t, cprep.Apply(&want, "io_uring_sqe_set_flags", cring.SQEBufferSelect))
	if cprep.Has("io_uring_sqe_set_buf_group") {
		require.True(t, cprep.Apply(&want, "io_uring_sqe_set_buf_group", 77))
	}
	want.BufIndex = 77
	require.Equal(t, want, *s.raw)
}

func TestSetFlagsRefuses(t *testing.T) {
	for name, f := range map[string]SQEFlags{"skipped CQE": cring.SQECQESkipSuccess, "unknown": 1 << 7} {
		t.Run(name, func(t *testing.T) {
			s := testSQE(t)
			require.NoError(t, s.PrepNop())
			before := *s.raw
			require.ErrorIs(t, s.SetFlags(f|SQEAsync), unix.EINVAL)
			require.Equal(t, before, *s.raw)
		})
	}
}

// TestSetFlagsKeepsWhatPrepSet: a bundle that lost its buffer group would send nothing, without an error.
func TestSetFlagsKeepsWhatPrepSet(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepSendBundle(1, 2, 0))
	require.NoError(t, s.SetFlags(0))
	require.EqualValues(t, cring.SQEBufferSelect, s.raw.Flags)
}

func TestSetIOPrio(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepSend(1, []byte{1}, 0))
	require.NoError(t, s.SetIOPrio(cring.RecvSendPollFirst))
	require.EqualValues(t, cring.RecvSendPollFirst, s.raw.IOPrio)
	require.ErrorIs(t, s.SetIOPrio(cring.RecvSendBundle), unix.EINVAL, "no buffer group")
	require.ErrorIs(t, s.SetIOPrio(cring.SendVectorized), unix.EINVAL)
	require.EqualValues(t, cring.RecvSendPollFirst, s.raw.IOPrio)
	s.BufferSelect(1)
	require.NoError(t, s.SetIOPrio(cring.RecvSendBundle))
	require.EqualValues(t, cring.RecvSendPollFirst|cring.RecvSendBundle, s.raw.IOPrio)
}

func TestSetLenRefuses(t *testing.T) {
	s := testSQE(t)
	require.NoError(t, s.PrepRecv(1, []byte{1}, 0))
	require.ErrorIs(t, s.SetLen(2), unix.EINVAL, "longer than the memory")
	s.BufferSelect(1)
	require.ErrorIs(t, s.SetLen(-1), unix.EINVAL)
	require.ErrorIs(t, s.SetLen(ioLenMax+1), unix.EINVAL)
	require.EqualValues(t, 1, s.raw.Len)
}

func TestFailedEntryStaysANop(t *testing.T) {
	s := testSQE(t)
	err := s.PrepSend(1, nil, -1)
	s.Link()
	s.FixedFile()
	s.BufferSelect(3)
	s.SetPersonality(4)
	require.NoError(t, s.SetIOPrio(1))
	require.NoError(t, s.SetLen(1))
	requireRefused(t, s, err)
}

// TestLinkedSendIsSentWhole sends more than the socket takes. Alone that is a short send and a success; with another
// operation linked to it, it must not be.
func TestLinkedSendIsSentWhole(t *testing.T) { // SPEC E03
	for _, linked := range []bool{false, true} {
		r := newTestRing(t, 4)
		a, _ := testutil.SocketPair(t, "unix")
		s, err := r.SQE()
		require.NoError(t, err)
		require.NoError(t, s.PrepSend(a, make([]byte, 8<<20), unix.MSG_DONTWAIT))
		s.SetData64(1)
		if linked {
			s.Link()
		}
		nop(t, r, 2)
		_, err = r.SubmitAndWait(context.Background(), 2)
		require.NoError(t, err)
		res := map[uint64]int32{}
		for c := range r.Completions() {
			res[c.Data64] = c.Res
		}
		require.Len(t, res, 2)
		require.Less(t, res[1], int32(8<<20), "the socket took it all")
		if linked {
			require.Equal(t, -int32(unix.ECANCELED), res[2], "the linked operation followed a short send")
		} else {
			require.Zero(t, res[2])
		}
	}
}

func TestSQEFlagsString(t *testing.T) {
	require.Equal(t, "IO_LINK|ASYNC", (SQEIOLink | SQEAsync).String())
	require.Equal(t, "0", SQEFlags(0).String())
}
