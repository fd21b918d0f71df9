//go:build linux

package uring

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/cring"
)

// completed is the completion of a bundle of b that began with buffer id and moved n bytes.
func completed(b *BufRing, id uint16, n int) CQE {
	return CQE{
		Res: int32(n), Flags: CQEBuffer | CQEFlags(id)<<cring.CQEBufferShift,
		op: cring.OpSend, bundle: true, group: b.group.serial,
	}
}

// BenchmarkBufRing is what a sender of bundles pays for each buffer besides the kernel's work.
func BenchmarkBufRing(b *testing.B) {
	const entries, size = 1024, 64
	ring := newTestBufRing(b, newTestRing(b, 4), entries, size)
	all := completed(ring, 0, entries*size)
	pieces := make([]Piece, 0, entries)
	check := func(err error) {
		if err != nil {
			b.Fatal(err)
		}
	}
	add := func() {
		for id := range uint16(entries) {
			if ring.Add(id, size) != nil {
				b.FailNow()
			}
		}
	}
	addRange := func() { check(ring.AddRange(0, entries, size)) }
	recycle := func() {
		for id := range uint16(entries) {
			if ring.Recycle(id) != nil {
				b.FailNow()
			}
		}
	}
	consume := func() {
		ring.Publish()
		var err error
		pieces, err = ring.Consume(all, pieces[:0])
		check(err)
	}
	tests := []struct {
		name         string
		timed, other func()
	}{
		{"Add", add, consume},
		{"AddRange", addRange, consume},
		{"Recycle", recycle, consume},
		{"Consume", consume, addRange},
	}
	for _, tt := range tests {
		b.Run(tt.name, func(b *testing.B) {
			b.ReportAllocs()
			if tt.name == "Consume" {
				addRange()
			}
			for b.Loop() {
				tt.timed()
				b.StopTimer()
				tt.other()
				b.StartTimer()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/entries, "ns/buffer")
			ring.regain(func(Piece) {})
			require.Zero(b, ring.Lent())
		})
	}
}
