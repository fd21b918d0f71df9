package sendq

import (
	"errors"
	"fmt"
	"math"
	"net"
	"os"
)

// Defaults of SlabOptions.
const (
	DefaultChunkSize    = 64 << 10
	DefaultRegionChunks = 16
)

// poisonByte fills freed chunks when SlabOptions.Poison is set.
const poisonByte = 0xDB

// SlabOptions sizes a Slab. The zero value asks for the defaults.
type SlabOptions struct {
	// ChunkSize is the size of every chunk in bytes; 0 means DefaultChunkSize. It is the longest message
	// that can be reserved, and what a queue with anything copied in occupies at least.
	ChunkSize int

	// RegionChunks is how many chunks are mapped at a time; 0 means DefaultRegionChunks.
	RegionChunks int

	// Limit is how many bytes the slab may map, rounded down to whole chunks; 0 means no limit.
	Limit int

	// Poison overwrites every chunk that comes back, so that a test sees when its memory is still used.
	Poison bool
}

// SlabStats says where the chunks of a Slab are.
type SlabStats struct {
	Out  int // chunks that queues hold
	Free int // chunks mapped and waiting for use
}

// Slab is a pool of equal chunks of memory for the queues that share it. Chunks are carved from regions
// mapped outside the Go heap, so the kernel may read them without their being pinned; regions are mapped
// as they are needed and unmapped by Close only.
//
// Ownership: a Slab belongs to one owner at a time, together with the queues on it; it has no lock. A
// chunk is the slab's while it is free and one queue's while it is out. Memory that the kernel may still
// read is always part of a chunk that is out, so it is neither handed to another queue nor unmapped.
type Slab struct {
	options SlabOptions
	regions [][]byte // what Close unmaps
	free    *chunk   // linked by next, the latest freed first: its memory is the likeliest to be cached
	stats   SlabStats
	closed  bool
}

// chunk is one piece of a region. Its descriptor is Go memory and lives as long as the slab; its memory has
// the owner that the slab's ownership rules say.
type chunk struct {
	mem  []byte // all of the chunk
	next *chunk // the next one in the list that the chunk is on
	runs int    // how many segments of the queue that holds the chunk are in it
	free bool
}

// NewSlab returns a slab without any memory yet. Close it after the queues on it are empty or failed. The
// error wraps os.ErrInvalid when a size is negative or too large, or the limit is less than one chunk.
func NewSlab(options SlabOptions) (*Slab, error) {
	if options.ChunkSize == 0 {
		options.ChunkSize = DefaultChunkSize
	}
	if options.RegionChunks == 0 {
		options.RegionChunks = DefaultRegionChunks
	}
	switch {
	case options.ChunkSize < 0, options.RegionChunks < 0, options.Limit < 0:
		return nil, fmt.Errorf("sendq: negative size in %+v: %w", options, os.ErrInvalid)
	case options.ChunkSize > math.MaxInt/options.RegionChunks:
		return nil, fmt.Errorf("sendq: a region of %d chunks of %d bytes: %w",
			options.RegionChunks, options.ChunkSize, os.ErrInvalid)
	case options.Limit != 0 && options.Limit < options.ChunkSize:
		return nil, fmt.Errorf("sendq: slab limit of %d bytes is less than a chunk of %d: %w",
			options.Limit, options.ChunkSize, os.ErrInvalid)
	}
	return &Slab{options: options}, nil
}

// ChunkSize returns the size of every chunk in bytes.
func (s *Slab) ChunkSize() int { return s.options.ChunkSize }

// Stats returns how many chunks are out and free now.
func (s *Slab) Stats() SlabStats { return s.stats }

// Close unmaps the slab's memory. While queues hold chunks it fails, says how many, and unmaps nothing,
// because the kernel may still read them; it can be called again. Closing a closed slab does nothing.
func (s *Slab) Close() error {
	if s.stats.Out > 0 {
		return fmt.Errorf("sendq: closing a slab: %d chunks of %d bytes are still out",
			s.stats.Out, s.options.ChunkSize)
	}
	s.closed = true
	s.free = nil
	s.stats.Free = 0
	var errs []error
	for _, region := range s.regions {
		errs = append(errs, unmapRegion(region))
	}
	s.regions = nil
	return errors.Join(errs...)
}

// get takes a chunk out. It fails with ErrSlabFull, with net.ErrClosed, or with what mmap(2) returned.
func (s *Slab) get() (*chunk, error) {
	if s.free == nil {
		if err := s.grow(); err != nil {
			return nil, err
		}
	}
	c := s.free
	s.free = c.next
	c.next, c.free = nil, false
	s.stats.Free--
	s.stats.Out++
	return c, nil
}

// put takes a chunk back, which nobody may read any more.
func (s *Slab) put(c *chunk) {
	if c.free || c.runs != 0 {
		panic(fmt.Sprintf("sendq: chunk %p put back: free %v, %d segments in it", c, c.free, c.runs))
	}
	if s.options.Poison {
		for i := range c.mem {
			c.mem[i] = poisonByte
		}
	}
	c.next, c.free = s.free, true
	s.free = c
	s.stats.Free++
	s.stats.Out--
}

// grow maps one more region, smaller than the others where the limit leaves no more, and frees its chunks.
func (s *Slab) grow() error {
	if s.closed {
		return fmt.Errorf("sendq: slab: %w", net.ErrClosed)
	}
	count, size := s.options.RegionChunks, s.options.ChunkSize
	if s.options.Limit != 0 {
		count = min(count, s.options.Limit/size-s.stats.Out-s.stats.Free)
	}
	if count == 0 {
		return ErrSlabFull
	}
	region, err := mapRegion(count * size)
	if err != nil {
		return fmt.Errorf("sendq: slab region of %d chunks of %d bytes: %w", count, size, err)
	}
	s.regions = append(s.regions, region)
	chunks := make([]chunk, count)
	for i := range chunks {
		end := len(region) - i*size
		chunks[i] = chunk{mem: region[end-size : end : end], next: s.free, free: true}
		s.free = &chunks[i]
	}
	s.stats.Free += count
	return nil
}
