package sendq

import (
	"fmt"
	"testing"
)

// benchLimit is the byte limit of the queues measured: small enough to stay in the second-level cache, as a
// queue does that its engine keeps up with.
const benchLimit = 256 << 10

// BenchmarkCopy is what a Write cannot be faster than: the same bytes to the same places, nothing noted.
func BenchmarkCopy(b *testing.B) {
	for _, size := range []int{64, 1400} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			to, from := make([]byte, benchLimit), make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			at := 0
			for b.Loop() {
				if len(to)-at < size {
					at = 0
				}
				copy(to[at:], from)
				at += size
			}
		})
	}
}

// BenchmarkWrite measures one message on its whole way: written, taken with many others, sent, settled.
func BenchmarkWrite(b *testing.B) {
	for _, size := range []int{64, 128, 1400, 16 << 10} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			q, drain := benchQueue(b)
			p := make([]byte, size)
			b.SetBytes(int64(size))
			b.ReportAllocs()
			for b.Loop() {
				for q.Write(p) != nil {
					drain()
				}
			}
		})
	}
}

// BenchmarkCycle measures what an engine pays for a request of one small message.
func BenchmarkCycle(b *testing.B) {
	q, drain := benchQueue(b)
	p := make([]byte, 64)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if err := q.Write(p); err != nil {
			b.Fatal(err)
		}
		drain()
	}
}

// BenchmarkHandOver measures a buffer handed over, with its release.
func BenchmarkHandOver(b *testing.B) {
	q, drain := benchQueue(b)
	p := make([]byte, 4096)
	released := 0
	release := func(int, error) { released++ }
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		for q.HandOver(p, release) != nil {
			drain()
		}
	}
}

// benchQueue returns a queue, and a function that sends all that is in it.
func benchQueue(b *testing.B) (q *Queue, drain func()) {
	slab, err := NewSlab(SlabOptions{})
	if err != nil {
		b.Fatal(err)
	}
	q, err = NewQueue(slab, benchLimit)
	if err != nil {
		b.Fatal(err)
	}
	pieces := make([][]byte, 0, 256)
	drain = func() {
		for q.Buffered() > 0 {
			if _, err := q.Take(pieces, cap(pieces), benchLimit); err != nil {
				b.Fatal(err)
			}
			if err := q.Sent(q.InFlight()); err != nil {
				b.Fatal(err)
			}
			q.Settle()
		}
	}
	b.Cleanup(func() {
		drain()
		if err := slab.Close(); err != nil {
			b.Fatal(err)
		}
	})
	return q, drain
}
