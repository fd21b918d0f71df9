//go:build linux && cgo

package uring

import (
	"errors"
	"math"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/cring/cprep"
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
	s := &slot{index: 5, gen: 3, state: slotFilling}
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

func TestPrepEqualsC(t *testing.T) {
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
