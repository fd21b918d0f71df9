package uring

import (
	"runtime"
	"sync"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/goroutine"
	"github.com/sockring/uring/internal/race"
	"github.com/sockring/uring/internal/unix"
)

// User data is how a CQE finds its operation again:
//
//	 63  62  61        32 31           0
//	+---+---+------------+--------------+
//	| 1 | 0 | generation |  slot index  |
//	+---+---+------------+--------------+
//	| 1 | 1 | opcode (8) |  number (54) |   without a slot: see Ring.SkipSuccess
//	+---+---+------------+--------------+
//
// The generation grows each time the slot is used again, so that a late or doubled CQE is recognised and
// dropped. Bit 63 tells our operations from those of C code on an adopted ring: no user-space pointer and no
// small number has it.
const (
	userDataOurs     = 1 << 63
	userDataGenShift = 32
	userDataGenMask  = 1<<30 - 1
	userDataSilent   = 1 << 62
	silentOpShift    = 54

	// userDataTimeout is LIBURING_UDATA_TIMEOUT, the timeout that liburing itself queues where the kernel lacks
	// IORING_FEAT_EXT_ARG.
	userDataTimeout = ^uint64(0)

	// slotIndexMax keeps a slot's user data from ever being userDataTimeout.
	slotIndexMax = 1<<31 - 1
)

// access says what the kernel does with memory that an operation names.
type access uint8

const (
	kernelReads access = iota
	kernelWrites
)

// completer takes the CQEs of an operation that the library itself started, such as a Sender's bundle. They never
// reach Ring.Completions.
type completer interface {
	complete(c CQE)
}

// slot is what one operation owns from the time its SQE is handed out until its terminal CQE.
//
// Ownership: the owner of the ring writes a slot while it fills the SQE; from the submission on the kernel may
// read and write args and everything pinned, and Go keeps its hands off, until the CQE without IORING_CQE_F_MORE
// releases the slot. Slots live in pinned blocks that are never freed before the ring's end, so the addresses of
// args are stable.
type slot struct {
	// What every operation needs comes first, on one cache line.
	sqe    SQE // its raw is nil once the kernel has it
	index  uint32
	gen    uint32
	pos    uint32 // where in the submission queue its SQE lies
	state  slotState
	op     uint8 // opcode, kept for the text of errors
	bundle bool
	from   bufferSource
	group  *bufGroup // whose buffers it may take
	data64 uint64
	pins   int

	data    any
	owner   completer
	pinners []runtime.Pinner // pinsPerPinner in each
	ranges  []memRange       // filled only where a detector listens

	args  slotArgs
	table *slotTable
	_     [16]byte // slots begin on cache lines
}

// slotArgs is memory for the arguments that a request names by address. Kernels with
// IORING_FEAT_SUBMIT_STABLE are done with some of it at submission; nothing here depends on that.
type slotArgs struct {
	addr [128]byte // struct sockaddr_storage
	ts   [2]cring.Timespec
	hdr  cring.Msghdr
	iov  [8]cring.Iovec
}

type slotState uint8

const (
	slotFree     slotState = iota
	slotFilling            // its SQE is in the queue, not submitted
	slotDropped            // its Prep failed: the SQE is a NOP and nobody waits for the CQE
	slotSilent             // as slotFilling, but nobody waits for a success
	slotInFlight           // the kernel has it
)

// pinsPerPinner is how many pointers a runtime.Pinner holds without allocating each time anew.
const pinsPerPinner = 5

// memRange is memory that the kernel uses. It is held by its address alone: what a pin forgot must not be kept
// alive by the very note that is to find it.
type memRange struct {
	addr   uintptr
	n      int
	access access
}

// userData returns the user data of the operation that the slot holds now.
func (s *slot) userData() uint64 {
	return userDataOurs | uint64(s.gen)<<userDataGenShift | uint64(s.index)
}

// pin keeps n bytes of Go memory at p allocated and unmoved until the terminal CQE, and tells the detectors what
// the kernel will do with them. Memory outside the Go heap may be passed too.
func (s *slot) pin(p unsafe.Pointer, n int, a access) {
	if p == nil || n == 0 {
		return
	}
	s.pinQuietly(p)
	s.note(p, n, a)
}

// pinQuietly is pin for memory of which the kernel makes atomic use, which is nothing that detectors watch for.
func (s *slot) pinQuietly(p unsafe.Pointer) {
	if s.pins == len(s.pinners)*pinsPerPinner {
		s.pinners = append(s.pinners, runtime.Pinner{})
	}
	// SAFETY: a *byte keeps the whole object alive and pinned, and Pinner takes any pointer.
	s.pinners[s.pins/pinsPerPinner].Pin((*byte)(p))
	s.pins++
}

// note tells the race detector and the address sanitizer, where one listens, that the kernel uses memory until the
// terminal CQE. Memory that needs no pin is only noted.
func (s *slot) note(p unsafe.Pointer, n int, a access) {
	if !race.Enabled && !cring.AsanEnabled {
		return
	}
	m := memRange{addr: uintptr(p), n: n, access: a} // SAFETY: see memRange.
	m.announce()
	s.ranges = append(s.ranges, m)
}

// announce says the kernel's use of the range to the detectors: at the submission, and again at the completion, so
// that whoever touched the memory in between without synchronisation is reported.
func (m memRange) announce() {
	if cring.AsanPoisoned(m.addr, m.n) {
		panic("uring: the kernel was given memory that is poisoned: it was freed or never allocated")
	}
	if !race.Enabled {
		return
	}
	p := *(*unsafe.Pointer)(unsafe.Pointer(&m.addr)) // SAFETY: what the address names is pinned, and only named.
	if m.access == kernelWrites {
		race.WriteRange(p, m.n)
		return
	}
	race.ReadRange(p, m.n)
}

// launch notes that the kernel has taken the SQE, and what will matter of it when its CQEs come.
func (s *slot) launch(groups *groupSet) {
	raw := s.sqe.raw
	s.op = raw.Opcode
	if raw.Flags&cring.SQEBufferSelect != 0 {
		s.bundle = raw.IOPrio&cring.RecvSendBundle != 0 && bundles(raw.Opcode)
		s.from = groups.source(raw.BufIndex)
		if s.group = groups.get(raw.BufIndex); s.group != nil {
			s.group.inFlight++
		}
	}
	if raw.Opcode == cring.OpProvideBuffers {
		groups.others = true
	}
	s.sqe.raw = nil
	if s.state == slotFilling {
		s.state = slotInFlight
	}
}

// bundles reports whether IORING_RECVSEND_BUNDLE is what its bit means in an opcode's ioprio.
func bundles(op uint8) bool { return op == cring.OpSend || op == cring.OpRecv }

// withdraw takes back an SQE that the kernel has not taken: it becomes a NOP that names nothing and that nobody waits
// for.
func (s *slot) withdraw() {
	s.owner = nil
	_ = s.sqe.fail(nil)
}

// unpin gives up the memory that the operation names.
func (s *slot) unpin() {
	for _, m := range s.ranges {
		m.announce()
	}
	s.ranges = s.ranges[:0]
	for i := 0; s.pins > 0; i++ {
		s.pinners[i].Unpin()
		s.pins = max(s.pins-pinsPerPinner, 0)
	}
}

// clear gives up what the operation held: the terminal CQE is there, or it was never submitted.
func (s *slot) clear() {
	s.unpin()
	if s.group != nil {
		s.group.inFlight--
		s.group = nil
	}
	s.data, s.data64, s.owner = nil, 0, nil
	s.bundle, s.from = false, fromNowhere
	s.sqe.raw = nil
}

// cancelled is the completion of an operation that will get none from the kernel.
func (s *slot) cancelled() CQE {
	op, id := s.op, s.userData()
	if raw := s.sqe.raw; raw != nil {
		op, id = raw.Opcode, raw.UserData
	}
	return CQE{Res: -int32(unix.ECANCELED), ID: OpID(id), Data: s.data, Data64: s.data64, op: op}
}

// slotBlockLen is how many slots are allocated at a time.
const slotBlockLen = 64

// slotTable is all slots of a ring. It grows as more operations are in flight at once, and never shrinks.
type slotTable struct {
	blocks []*[slotBlockLen]slot
	free   []uint32
	live   int
	pinner runtime.Pinner       // holds the blocks in place, for their args
	kept   func()               // lets go of memory that the ring's registrations name, where there is some
	owner  uintptr              // the ring's, as Ring.owner
	hold   *cring.Hold          // the ring's
	rings  map[uint16]provision // what Prep has to know of BufRings, which would keep a lost Ring from being noticed
}

// slotTables is every table whose ring may still have operations in the kernel. It keeps their memory, and what
// they pinned, even where the program lost the Ring itself.
var slotTables = struct {
	sync.Mutex
	held map[*slotTable]struct{}
}{held: map[*slotTable]struct{}{}}

func newSlotTable() *slotTable {
	t := &slotTable{}
	slotTables.Lock()
	defer slotTables.Unlock()
	slotTables.held[t] = struct{}{}
	return t
}

// mine is Ring.mine.
func (t *slotTable) mine() bool { return goroutine.Self() == t.owner || t.hold.Mine() }

// get takes a free slot and starts its next generation.
func (t *slotTable) get() *slot {
	if len(t.free) == 0 {
		t.grow()
	}
	last := len(t.free) - 1
	s := t.at(t.free[last])
	t.free = t.free[:last]
	s.gen = (s.gen + 1) & userDataGenMask
	s.state = slotFilling
	t.live++
	return s
}

func (t *slotTable) grow() {
	block := new([slotBlockLen]slot)
	t.pinner.Pin(block)
	base := len(t.blocks) * slotBlockLen
	if base+slotBlockLen > slotIndexMax {
		panic("uring: more than 2^31 operations in flight")
	}
	t.blocks = append(t.blocks, block)
	for i := slotBlockLen - 1; i >= 0; i-- {
		s := &block[i]
		s.index = uint32(base + i)
		s.sqe.slot = s
		s.table = t
		t.free = append(t.free, s.index)
	}
}

func (t *slotTable) at(index uint32) *slot {
	return &t.blocks[index/slotBlockLen][index%slotBlockLen]
}

// find returns the slot that a CQE's user data names, or nil where that operation has ended or not begun.
func (t *slotTable) find(userData uint64) *slot {
	index := uint32(userData)
	if int(index) >= len(t.blocks)*slotBlockLen {
		return nil
	}
	s := t.at(index)
	if s.state == slotFree || s.sqe.raw != nil || s.userData() != userData {
		return nil
	}
	return s
}

// put ends the operation in the slot.
func (t *slotTable) put(s *slot) {
	if s.state == slotFree {
		panic("uring: an operation ended twice")
	}
	s.clear()
	s.state = slotFree
	t.live--
	t.free = append(t.free, s.index)
}

// each calls f for every slot in use.
func (t *slotTable) each(f func(*slot)) {
	for _, b := range t.blocks {
		for i := range b {
			if b[i].state != slotFree {
				f(&b[i])
			}
		}
	}
}

// release lets the blocks go, once the kernel is done with all of them.
func (t *slotTable) release() {
	slotTables.Lock()
	defer slotTables.Unlock()
	delete(slotTables.held, t)
	t.pinner.Unpin()
	t.blocks, t.free = nil, nil
	if t.kept != nil {
		t.kept()
	}
}
