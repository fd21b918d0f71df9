package uring

import (
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
)

const (
	// cacheLine is what each buffer begins on: copies from anywhere else are slower.
	cacheLine = 64

	// Regions begin small, for rings with few buffers, and double what there is. Where that has come to regionsSmall
	// the next are huge pages.
	regionMin    = 64 << 10
	regionsSmall = 512 << 10
	regionHuge   = 2 << 20
)

// bufRegions is the buffer memory of a ring's BufRings. Small BufRings share regions and lie close to each other
// there: a program that sends from hundreds of them in turn then walks through memory in one direction, which
// processors are made for, where a mapping for each would be a page, and an entry of the TLB, for a few hundred bytes.
type bufRegions struct {
	last  *bufRegion // the one with room left, or nil
	total int        // bytes of all regions that are mapped
}

// bufRegion is a mapping that is unmapped with the last BufRing in it.
type bufRegion struct {
	mem  []byte
	used int // bytes handed out, from the start
	live int // BufRings in it
}

// bufMem is the buffer memory of one BufRing.
type bufMem struct {
	bytes  []byte
	region *bufRegion // nil where the memory is all its own
}

// alloc returns n bytes that begin on a cache line and stay where they are until free.
func (s *bufRegions) alloc(n int) (bufMem, error) {
	if race.Enabled || n > regionHuge/2 {
		mem, err := allocBuffers(n)
		return bufMem{bytes: mem}, err
	}
	n = (n + cacheLine - 1) &^ (cacheLine - 1)
	if s.last == nil || n > len(s.last.mem)-s.last.used {
		if err := s.grow(n); err != nil {
			return bufMem{}, err
		}
	}
	g := s.last
	mem := g.mem[g.used : g.used+n : g.used+n]
	g.used += n
	g.live++
	return bufMem{bytes: mem, region: g}, nil
}

// grow maps another region, with room for n bytes.
func (s *bufRegions) grow(n int) error {
	size := regionMin
	for size < n || size < s.total && size < regionsSmall {
		size *= 2
	}
	if s.total >= regionsSmall {
		size = regionHuge
	}
	mem, err := mapMemory(size)
	if err != nil {
		return err
	}
	if size == regionHuge {
		adviseHugePages(mem)
	}
	s.last = &bufRegion{mem: mem}
	s.total += len(mem)
	return nil
}

// free gives memory back. What others share stays mapped; the sanitizer watches the part that nobody has any more.
func (s *bufRegions) free(m bufMem) error {
	g := m.region
	if g == nil {
		return freeBuffers(m.bytes)
	}
	if g.live--; g.live > 0 {
		cring.AsanPoison(unsafe.Pointer(&m.bytes[0]), len(m.bytes)) // SAFETY: only the address is used.
		return nil
	}
	if s.last == g {
		s.last = nil
	}
	s.total -= len(g.mem)
	return freeBuffers(g.mem)
}
