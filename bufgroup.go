package uring

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/cpu"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/unix"
)

// Buffer groups: the ring of entries that the kernel takes buffers from, the memory of those buffers, and what an
// operation says that got none.

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
	delete(g.ring.slots.rings, g.id)
	return g.free()
}

// closed reports whether the group is gone, by its own end or the ring's, or never was: that of the zero BufRing.
func (g *bufGroup) closed() bool { return g == nil || g.entries == nil }

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
	others bool   // there may be groups of C code's or of PrepProvideBuffers
	memory bufRegions
}

// get returns the group of an id, or nil.
func (s *groupSet) get(id uint16) *bufGroup {
	if page := s.byID[id>>8]; page != nil {
		return page[id&0xff]
	}
	return nil
}

// source says where a request that names the group gets its buffers.
func (s *groupSet) source(id uint16) bufferSource {
	switch {
	case s.get(id) != nil:
		return fromGroup
	case s.others:
		return fromOthers
	}
	return fromNoGroup
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

// watchedBuffers is the buffer memory under the race detector, which watches the Go heap and no mappings. It stays
// pinned until it is freed, also where the program lost the Ring.
var watchedBuffers = struct {
	sync.Mutex
	held map[*byte]*runtime.Pinner
}{held: map[*byte]*runtime.Pinner{}}

// allocBuffers returns n bytes that stay where they are until freeBuffers: mapped, or Go memory under the race
// detector.
func allocBuffers(n int) ([]byte, error) {
	if !race.Enabled {
		return mapMemory(n)
	}
	mem := make([]byte, n)
	pinner := &runtime.Pinner{}
	pinner.Pin(&mem[0])
	watchedBuffers.Lock()
	defer watchedBuffers.Unlock()
	watchedBuffers.held[&mem[0]] = pinner
	return mem, nil
}

// freeBuffers gives back what allocBuffers returned; nil is fine.
func freeBuffers(mem []byte) error {
	if len(mem) == 0 {
		return nil
	}
	// SAFETY: the sanitizer forgets what it was told of the range, before others get the addresses.
	cring.AsanUnpoison(unsafe.Pointer(&mem[0]), len(mem))
	if !race.Enabled {
		return unix.Munmap(mem)
	}
	watchedBuffers.Lock()
	defer watchedBuffers.Unlock()
	watchedBuffers.held[&mem[0]].Unpin()
	delete(watchedBuffers.held, &mem[0])
	return nil
}

// lendBytes tells the detectors that the kernel may read n bytes at p from now on, and that nobody else may touch
// them.
func lendBytes(p unsafe.Pointer, n int) {
	race.ReadRange(p, n)
	cring.AsanPoison(p, n)
}

// regainBytes tells the detectors that n bytes at p, into which the kernel may have written, are the application's
// again.
func regainBytes(p unsafe.Pointer, n int) {
	cring.AsanUnpoison(p, n)
	race.WriteRange(p, n)
}

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

// bufferSource is where a request has its provided buffers from, as far as this side knew when the kernel took it. The
// errno alone does not tell an empty group from one that does not exist.
type bufferSource uint8

const (
	fromNowhere bufferSource = iota // it wants none
	fromGroup                       // of this ring
	fromOthers                      // perhaps a group of C code's or of PrepProvideBuffers
	fromNoGroup                     // it names a group that the ring does not have
)

// noGroupENOBUFS is ErrNoBufferGroup where the kernel said ENOBUFS, as it does to a receive.
var noGroupENOBUFS error = noGroupError{}

type noGroupError struct{}

func (noGroupError) Error() string   { return ErrNoBufferGroup.Error() }
func (noGroupError) Unwrap() []error { return []error{ErrNoBufferGroup, unix.ENOBUFS} }

// lack is what an operation did not find.
type lack uint8

const (
	lackBuffers lack = iota
	lackGroup
	lackGroupENOBUFS
)

// bufferErrors are the errors of operations that found no buffer, made in advance: a receiver that runs out of buffers
// meets them often.
var bufferErrors = func() (all [3][len(opNames)]error) {
	for what, why := range [...]error{
		lackBuffers: ErrNoBuffers, lackGroup: ErrNoBufferGroup, lackGroupENOBUFS: noGroupENOBUFS,
	} {
		for op := range opNames {
			all[what][op] = os.NewSyscallError(opNames[op], why)
		}
	}
	return all
}()

// bufferError is the error of an operation that found no provided buffer, or nil where it failed for another reason. An
// operation that has a buffer may meet an ENOBUFS or ENOENT of the network.
func (c CQE) bufferError() error {
	if c.from == fromNowhere || c.Flags&CQEBuffer != 0 || int(c.op) >= len(opNames) {
		return nil
	}
	switch errno := unix.Errno(-c.Res); {
	case errno == unix.ENOBUFS && c.from == fromNoGroup:
		return bufferErrors[lackGroupENOBUFS][c.op]
	case errno == unix.ENOBUFS:
		return bufferErrors[lackBuffers][c.op]
	case errno == unix.ENOENT && c.from != fromGroup:
		return bufferErrors[lackGroup][c.op]
	}
	return nil
}

// provision is what is known of the buffers of a BufRing.
type provision struct {
	size        int
	incremental bool
}

// provided notes what a group has to give, for Prep to refuse what cannot work.
func (t *slotTable) provided(group uint16, p provision) {
	if t.rings == nil {
		t.rings = map[uint16]provision{}
	}
	t.rings[group] = p
}

// cannotReceive says why a receive into provided buffers could not be accounted for, or could never work.
func (t *slotTable) cannotReceive(e *cring.SQE) error {
	if e.Flags&cring.SQEBufferSelect == 0 || e.Opcode != cring.OpRecv && e.Opcode != cring.OpRecvmsg {
		return nil
	}
	ring := t.rings[e.BufIndex]
	why := ""
	switch {
	case e.OpFlags&msgTrunc != 0 && e.Opcode == cring.OpRecv && e.IOPrio&cring.RecvSendBundle != 0:
		why = "MSG_TRUNC in a bundle: its result would not say what was stored"
	case !ring.incremental:
		return nil
	case e.OpFlags&msgTrunc != 0:
		why = "MSG_TRUNC with an incremental ring: the kernel would pass over bytes of it that it did not store"
	case e.OpFlags&msgWaitall != 0:
		why = "MSG_WAITALL with an incremental ring: the kernel would count the last part of what it stored, only"
	case e.Opcode == cring.OpRecvmsg && e.IOPrio&cring.RecvMultishot != 0:
		why = "messages in an incremental ring: a rest shorter than their fixed parts would be EFAULT for ever"
	default:
		return nil
	}
	return fmt.Errorf("%s: %w", why, unix.EINVAL)
}

// fits refuses messages whose fixed parts no buffer of the group has room for: each would be EFAULT.
func (p *prep) fits(group uint16, fixed int) {
	if p.err != nil {
		return
	}
	if ring, known := p.s.slot.table.rings[group]; known && ring.size < fixed {
		p.bad(unix.EINVAL, "buffers of %d bytes, of which header, address and control data take %d", ring.size, fixed)
	}
}
