package uring

import (
	"errors"
	"fmt"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

const (
	bufRingEntriesMax = 32768
	groupIDMax        = 65535

	// groupIDFirst is where free ids are looked for. Kernel 6.1 keeps the groups below it in a fixed table, and
	// with them their heads: one that is registered again would not begin at its first buffer.
	groupIDFirst uint16 = 64
)

// bufGroup is a provided-buffer ring as the kernel sees it: a ring of addresses under a group id. It knows nothing
// of whom the memory behind the addresses belongs to; BufRing and Sender do.
//
//	          head (kernel)          tail            staged
//	            |                     |                |
//	+-----+-----+-----+-----+-----+---+-+-----+-----+--+--+
//	| app | app |  published buffers    |  not yet seen   |
//	+-----+-----+-----+-----+-----+-----+-----+-----+-----+
//
// Ownership: the memory is mapped by us, never by the kernel (IOU_PBUF_RING_MMAP had its use-after-free). Go
// writes entries at or behind tail and publishes them by moving tail; the kernel reads entries between head
// and tail while a request of the group runs, and may shorten those it takes. With no request in flight the
// kernel touches nothing, and Go may even take tail back.
type bufGroup struct {
	ring       *Ring
	id         uint16
	serial     uint32 // tells the group from every other of the process; never 0
	registered bool
	mem        []byte
	buffers    bufMem      // the BufRing's, to be freed with the group
	entries    []cring.Buf // nil once the group is closed
	staged     uint32      // position behind the last entry written; the kernel sees positions modulo 65536
	tail       uint32      // position behind the last entry published
	inFlight   int         // requests that may take buffers of the group
}

// groupSerial is the serial of the group made last.
var groupSerial atomic.Uint32

// newBufGroup registers a ring of entries, a power of two up to 32768, under the group id, or under a free one
// where id is negative. It needs kernel 5.19.
func (r *Ring) newBufGroup(entries, id int, flags uint16) (*bufGroup, error) {
	if entries < 1 || entries > bufRingEntriesMax || entries&(entries-1) != 0 {
		return nil, fmt.Errorf("uring: buffer ring of %d entries, want a power of two up to %d: %w",
			entries, bufRingEntriesMax, unix.EINVAL)
	}
	mem, err := mapMemory(entries * int(unsafe.Sizeof(cring.Buf{})))
	if err != nil {
		return nil, err
	}
	g := &bufGroup{
		ring: r, serial: groupSerial.Add(1), mem: mem,
		// SAFETY: mem is page-aligned, zeroed, at least this long, and unmapped only by free.
		entries: unsafe.Slice((*cring.Buf)(unsafe.Pointer(&mem[0])), entries),
	}
	if err := g.enrol(id, flags); err != nil {
		_ = unix.Munmap(mem)
		return nil, err
	}
	return g, nil
}

// enrol registers the group under id, or where that is negative under the first id that is free. C code on an
// adopted ring may have taken ids that this side does not know of.
func (g *bufGroup) enrol(id int, flags uint16) error {
	groups := &g.ring.groups
	for range groupIDMax + 1 {
		chosen, err := groups.choose(id)
		if err != nil {
			return err
		}
		g.id = chosen
		err = g.register(flags)
		if err == nil {
			groups.add(g)
			return nil
		}
		if id >= 0 || !errors.Is(err, unix.EEXIST) {
			return err
		}
	}
	return errNoFreeGroup()
}

func (g *bufGroup) register(flags uint16) error {
	reg := cring.BufReg{
		RingAddr:    uint64(uintptr(unsafe.Pointer(&g.entries[0]))), // SAFETY: mapped memory, which does not move.
		RingEntries: uint32(len(g.entries)), Bgid: g.id, Flags: flags,
	}
	ret := g.ring.c.Register(cring.RegisterPbufRing, unsafe.Pointer(&reg), 1) // SAFETY: read during the call only.
	if ret == 0 {
		g.registered = true
		return nil
	}
	err := opError("io_uring_register", -ret)
	switch unix.Errno(-ret) {
	case unix.EINVAL:
		major, minor := bufRingSince(flags)
		return &UnsupportedError{
			Name: "provided-buffer ring", Missing: fmt.Sprintf("registration with flags %#x", flags),
			Provider: fmt.Sprintf("kernel %d.%d", major, minor), SinceMajor: major, SinceMinor: minor, Err: err,
		}
	case unix.EPERM, unix.EACCES, unix.ENOSYS:
		return &UnsupportedError{
			Name: "provided-buffer ring", Missing: "refused by a seccomp filter or by the ring's restrictions",
			Provider: "a filter that allows io_uring_register", Err: err,
		}
	}
	return fmt.Errorf("uring: register buffer group %d: %w", g.id, err)
}

// bufRingSince is the first kernel that registers a ring with these flags.
func bufRingSince(flags uint16) (major, minor int) {
	if flags&cring.PbufRingInc != 0 {
		return 6, 12
	}
	return 5, 19
}

// stage writes an entry behind the last one, not yet visible to the kernel. The caller sees to it that the ring has
// room and that the memory stays in place until the entry is consumed or taken back.
func (g *bufGroup) stage(p unsafe.Pointer, n uint32, bid uint16) {
	e := g.entry(g.staged)
	// The last field is left alone: in the first entry it is the tail.
	e.Addr, e.Len, e.Bid = uint64(uintptr(p)), n, bid // SAFETY: a number for the kernel; the caller keeps the memory.
	g.staged++
}

// entry is where the entry of a position lies.
func (g *bufGroup) entry(pos uint32) *cring.Buf { return &g.entries[int(pos)&(len(g.entries)-1)] }

// publish makes the staged entries visible to the kernel, and returns how many.
func (g *bufGroup) publish() int {
	n := int(g.staged - g.tail)
	g.setTail(g.staged)
	return n
}

// rewind takes back every entry from position head on. No request of the group may be in flight.
func (g *bufGroup) rewind(head uint16) {
	g.staged = uint32(head)
	g.setTail(g.staged)
}

// setTail stores the tail with release semantics. It is a 16-bit field, and Go's smallest atomic store has 32 bits,
// so the entry's buffer id next to it is written again with the value it has.
func (g *bufGroup) setTail(tail uint32) {
	first := &g.entries[0]
	word := uint32(first.Bid) | tail<<16
	if cpu.IsBigEndian {
		word = uint32(first.Bid)<<16 | tail&0xffff
	}
	// SAFETY: Bid and Resv are the aligned last four bytes of the entry.
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&first.Bid)), word)
	g.tail = tail
}

// head asks the kernel up to which position it has consumed buffers (IORING_REGISTER_PBUF_STATUS, kernel 6.8).
func (g *bufGroup) head() (uint16, error) {
	st := cring.BufStatus{BufGroup: uint32(g.id)}
	ret := g.ring.c.Register(cring.RegisterPbufStatus, unsafe.Pointer(&st), 1) // SAFETY: used during the call only.
	switch {
	case ret == 0:
		return uint16(st.Head), nil
	case unix.Errno(-ret) == unix.EINVAL:
		return 0, &UnsupportedError{
			Name: "buffer ring status", Missing: "IORING_REGISTER_PBUF_STATUS", Provider: "kernel 6.8",
			SinceMajor: 6, SinceMinor: 8, Err: opError("io_uring_register", -ret),
		}
	}
	return 0, fmt.Errorf("uring: status of buffer group %d: %w", g.id, opError("io_uring_register", -ret))
}

// unregister takes the ring from the kernel, where it has it.
func (g *bufGroup) unregister() error {
	if !g.registered {
		return nil
	}
	reg := cring.BufReg{Bgid: g.id}
	ret := g.ring.c.Register(cring.UnregisterPbufRing, unsafe.Pointer(&reg), 1) // SAFETY: read during the call only.
	if ret < 0 {
		return fmt.Errorf("uring: unregister buffer group %d: %w", g.id, opError("io_uring_register", -ret))
	}
	g.registered = false
	return nil
}

// close unregisters the group and frees its ring.
func (g *bufGroup) close() error {
	if err := g.unregister(); err != nil {
		return err
	}
	g.ring.groups.remove(g)
	return g.free()
}

// closed reports whether the group is gone, by its own end or the ring's.
func (g *bufGroup) closed() bool { return g.entries == nil }

func (g *bufGroup) free() error {
	mem, buffers := g.mem, g.buffers
	g.mem, g.entries, g.buffers = nil, nil, bufMem{}
	return errors.Join(unix.Munmap(mem), g.ring.groups.memory.free(buffers))
}

// busy returns an error where a request that may take buffers of the group is with the kernel, or queued.
func (g *bufGroup) busy(what string) error {
	n := g.inFlight
	for _, s := range g.ring.queued {
		if raw := s.sqe.raw; raw.Flags&cring.SQEBufferSelect != 0 && raw.BufIndex == g.id {
			n++
		}
	}
	if n == 0 {
		return nil
	}
	return fmt.Errorf("uring: %s buffer group %d with %d requests queued or in flight: %w", what, g.id, n, unix.EBUSY)
}

// groupSet is the buffer groups of a ring.
type groupSet struct {
	// byID finds a group in two steps, the high and the low byte of its id: each submission of each request looks
	// for one, and a map takes several times as long.
	byID   [256]*[256]*bufGroup
	next   uint16 // where behind groupIDFirst the search for a free id begins
	memory bufRegions
}

// get returns the group of an id, or nil.
func (s *groupSet) get(id uint16) *bufGroup {
	if page := s.byID[id>>8]; page != nil {
		return page[id&0xff]
	}
	return nil
}

// choose returns a free id, or the wished one unless it is taken.
func (s *groupSet) choose(id int) (uint16, error) {
	if id > groupIDMax {
		return 0, fmt.Errorf("uring: buffer group %d, at most %d: %w", id, groupIDMax, unix.EINVAL)
	}
	if id >= 0 {
		if s.get(uint16(id)) != nil {
			return 0, fmt.Errorf("uring: buffer group %d: %w", id, unix.EEXIST)
		}
		return uint16(id), nil
	}
	for range groupIDMax + 1 {
		next := groupIDFirst + s.next
		s.next++
		if s.get(next) == nil {
			return next, nil
		}
	}
	return 0, errNoFreeGroup()
}

func errNoFreeGroup() error {
	return fmt.Errorf("uring: all %d buffer groups are taken: %w", groupIDMax+1, unix.ENOSPC)
}

func (s *groupSet) add(g *bufGroup) {
	page := &s.byID[g.id>>8]
	if *page == nil {
		*page = new([256]*bufGroup)
	}
	(*page)[g.id&0xff] = g
}

func (s *groupSet) remove(g *bufGroup) { s.byID[g.id>>8][g.id&0xff] = nil }

// all yields every group.
func (s *groupSet) all(yield func(*bufGroup) bool) {
	for _, page := range s.byID {
		if page == nil {
			continue
		}
		for _, g := range page {
			if g != nil && !yield(g) {
				return
			}
		}
	}
}

// free unmaps the groups' rings after the io_uring is gone.
func (s *groupSet) free() {
	for g := range s.all {
		_ = g.free() // the mapping is ours: munmap of it cannot fail
	}
	s.byID = [256]*[256]*bufGroup{}
}
