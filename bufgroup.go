package uring

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/cpu"
	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

const (
	bufRingEntriesMax = 32768
	groupIDMax        = 65535
)

// bufGroup is a provided-buffer ring as the kernel sees it: a ring of addresses under a group id. It knows nothing
// of whom the memory belongs to; BufRing and Sender do.
//
//	          head (kernel)          tail            staged
//	            |                     |                |
//	+-----+-----+-----+-----+-----+---+-+-----+-----+--+--+
//	| app | app |  published buffers    |  not yet seen   |
//	+-----+-----+-----+-----+-----+-----+-----+-----+-----+
//
// Ownership: the memory is mapped by us, never by the kernel (IOU_PBUF_RING_MMAP had its use-after-free). Go
// writes entries at or behind tail and publishes them by moving tail; the kernel reads entries between head and
// tail while a request of the group runs, and in incremental rings writes them. With no request in flight the
// kernel touches nothing, and Go may even take tail back.
type bufGroup struct {
	ring     *Ring
	id       uint16
	mem      []byte
	buffers  []byte // the BufRing's, to be freed with the group
	entries  []cring.Buf
	mask     uint16
	staged   uint16 // position behind the last entry written
	tail     uint16 // position behind the last entry published
	inFlight int    // requests that may take buffers of the group
}

// newBufGroup registers a ring of entries, a power of two up to 32768, under the group id, or under a free one
// where id is negative. It needs kernel 5.19.
func (r *Ring) newBufGroup(entries, id int, flags uint16) (*bufGroup, error) {
	if entries < 1 || entries > bufRingEntriesMax || entries&(entries-1) != 0 {
		return nil, fmt.Errorf("uring: buffer ring of %d entries, want a power of two up to %d: %w",
			entries, bufRingEntriesMax, unix.EINVAL)
	}
	id, err := r.groups.choose(id)
	if err != nil {
		return nil, err
	}
	mem, err := mapMemory(entries * int(unsafe.Sizeof(cring.Buf{})))
	if err != nil {
		return nil, err
	}
	g := &bufGroup{
		ring: r, id: uint16(id), mem: mem, mask: uint16(entries - 1),
		// SAFETY: mem is page-aligned, zeroed, at least this long, and unmapped only by free.
		entries: unsafe.Slice((*cring.Buf)(unsafe.Pointer(&mem[0])), entries),
	}
	if err := g.register(flags); err != nil {
		_ = unix.Munmap(mem)
		return nil, err
	}
	r.groups.add(g)
	return g, nil
}

func (g *bufGroup) register(flags uint16) error {
	reg := cring.BufReg{
		RingAddr:    uint64(uintptr(unsafe.Pointer(&g.entries[0]))), // SAFETY: mapped memory, which does not move.
		RingEntries: uint32(len(g.entries)), Bgid: g.id, Flags: flags,
	}
	ret := g.ring.c.Register(cring.RegisterPbufRing, unsafe.Pointer(&reg), 1) // SAFETY: read during the call only.
	if ret == 0 {
		return nil
	}
	err := opError("io_uring_register", -ret)
	if unix.Errno(-ret) == unix.EINVAL {
		return &UnsupportedError{
			Name: "provided-buffer ring", Missing: fmt.Sprintf("registration with flags %#x", flags),
			Provider: bufRingProvider(flags), SinceMajor: bufRingSince(flags).major,
			SinceMinor: bufRingSince(flags).minor, Err: err,
		}
	}
	return fmt.Errorf("uring: register buffer group %d: %w", g.id, err)
}

type kernelVersion struct{ major, minor int }

// bufRingSince is the first kernel that registers a ring with these flags.
func bufRingSince(flags uint16) kernelVersion {
	if flags&cring.PbufRingInc != 0 {
		return kernelVersion{6, 12}
	}
	return kernelVersion{5, 19}
}

func bufRingProvider(flags uint16) string {
	v := bufRingSince(flags)
	return fmt.Sprintf("kernel %d.%d", v.major, v.minor)
}

// stage writes an entry behind the last one, not yet visible to the kernel. The caller sees to it that the ring
// has room and that the memory stays in place until the entry is consumed or taken back.
func (g *bufGroup) stage(p unsafe.Pointer, n uint32, bid uint16) {
	e := &g.entries[g.staged&g.mask]
	// The last field is left alone: in the first entry it is the tail.
	e.Addr, e.Len, e.Bid = uint64(uintptr(p)), n, bid // SAFETY: a number for the kernel; the caller keeps the memory.
	g.staged++
}

// publish makes the staged entries visible to the kernel, and returns how many.
func (g *bufGroup) publish() int {
	n := int(g.staged - g.tail)
	g.setTail(g.staged)
	return n
}

// rewind takes back every entry from position head on. No request of the group may be in flight.
func (g *bufGroup) rewind(head uint16) {
	g.staged = head
	g.setTail(head)
}

// setTail stores the tail with release semantics. It is a 16-bit field, and Go's smallest atomic store has 32
// bits, so the entry's buffer id next to it is written again with the value it has.
func (g *bufGroup) setTail(tail uint16) {
	first := &g.entries[0]
	word := uint32(first.Bid) | uint32(tail)<<16
	if cpu.IsBigEndian {
		word = uint32(first.Bid)<<16 | uint32(tail)
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

// unregister takes the ring from the kernel.
func (g *bufGroup) unregister() error {
	reg := cring.BufReg{Bgid: g.id}
	ret := g.ring.c.Register(cring.UnregisterPbufRing, unsafe.Pointer(&reg), 1) // SAFETY: read during the call only.
	if ret < 0 {
		return fmt.Errorf("uring: unregister buffer group %d: %w", g.id, opError("io_uring_register", -ret))
	}
	return nil
}

// reset gives the kernel an empty ring in place of what it had, so that its head is known to be zero.
func (g *bufGroup) reset(flags uint16) error {
	if err := g.unregister(); err != nil {
		return err
	}
	g.rewind(0)
	return g.register(flags)
}

// close unregisters the group and frees its ring.
func (g *bufGroup) close() error {
	if err := g.unregister(); err != nil {
		return err
	}
	g.ring.groups.remove(g)
	return g.free()
}

func (g *bufGroup) free() error {
	mem, buffers := g.mem, g.buffers
	g.mem, g.entries, g.buffers = nil, nil, nil
	err := unix.Munmap(mem)
	if buffers != nil {
		err = errors.Join(err, unix.Munmap(buffers))
	}
	return err
}

// groupSet is the buffer groups of a ring by their ids.
type groupSet struct {
	byID map[uint16]*bufGroup
	next int // where the search for a free id begins
}

// choose returns a free id, or the wished one unless it is taken.
func (s *groupSet) choose(id int) (int, error) {
	if id > groupIDMax {
		return 0, fmt.Errorf("uring: buffer group %d, at most %d: %w", id, groupIDMax, unix.EINVAL)
	}
	if id >= 0 {
		if s.byID[uint16(id)] != nil {
			return 0, fmt.Errorf("uring: buffer group %d: %w", id, unix.EEXIST)
		}
		return id, nil
	}
	for range groupIDMax + 1 {
		id = s.next
		s.next = (s.next + 1) & groupIDMax
		if s.byID[uint16(id)] == nil {
			return id, nil
		}
	}
	return 0, fmt.Errorf("uring: all %d buffer groups are taken: %w", groupIDMax+1, unix.ENOSPC)
}

func (s *groupSet) add(g *bufGroup) {
	if s.byID == nil {
		s.byID = map[uint16]*bufGroup{}
	}
	s.byID[g.id] = g
}

func (s *groupSet) remove(g *bufGroup) { delete(s.byID, g.id) }

// free unmaps the groups' rings after the io_uring is gone.
func (s *groupSet) free() {
	for _, g := range s.byID {
		_ = g.free() // the mapping is ours: munmap of it cannot fail
	}
	s.byID = nil
}

// mapMemory returns n bytes of zeroed, page-aligned memory outside the Go heap, rounded up to whole pages.
func mapMemory(n int) ([]byte, error) {
	page := unix.Getpagesize()
	n = (n + page - 1) &^ (page - 1)
	mem, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil, fmt.Errorf("uring: map %d bytes: %w", n, os.NewSyscallError("mmap", err))
	}
	return mem, nil
}
