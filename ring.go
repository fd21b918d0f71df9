package uring

import (
	"context"
	"fmt"
	"runtime"
	"sync/atomic"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/goroutine"
	"github.com/sockring/uring/internal/unix"
)

// Ring is an io_uring instance: a submission queue that Go fills and a completion queue that Go reads, in memory
// shared with the kernel.
//
// A Ring is raw and single-owner. New locks the calling goroutine to its thread, and that thread is the only one
// that may fill, submit and reap; from another thread Submit, the waits, Completions and Reap give ErrNotOwner.
// Close may be called from anywhere. The goroutine must call Close, or see ErrClosed, before it returns: when a
// thread ends the kernel cancels what it submitted. The zero Ring is a closed one, as are the zero BufRing and Sender.
//
// Ownership: memory that an operation names stays the kernel's from the Prep call until the operation's terminal
// CQE, the one without IORING_CQE_F_MORE. The Ring pins it for that time; the caller must not write it, nor read
// what the kernel is to write.
type Ring struct {
	c       *cring.Ring
	slots   *slotTable
	adopted bool
	tid     int         // of the owner's thread, to send signals to; another thread may get the number after it
	owner   uintptr     // the owner's goroutine
	hold    *cring.Hold // what tells the owner's thread from all others

	sqMask, cqMask uint32
	sqSubmitted    uint32 // position up to which the kernel's SQEs are accounted for
	enterFlags     uint32 // for every io_uring_enter that Go makes itself
	queued         []*slot
	feeders        []feeder // what queues requests of its own

	ready   []CQE // reaped and not yet handed out, from readyAt on
	readyAt int
	batch   []cring.CQE // taken from the completion queue and not yet served, from batchAt on
	batchAt int
	serving bool   // drainCQ is at work further up the stack
	cqTaken uint64 // how many CQEs ever left the completion queue
	shared  bool   // C code may use the ring too

	stats        Stats
	overflowing  bool   // the kernel was holding back CQEs when last looked at
	droppedAtNew uint32 // what the kernel had counted as lost before this Ring

	groups      groupSet
	undo        undo
	fixed       *fixedBuffers // made with the first table
	restricted  bool
	cancelFlags uint8 // which a restricted ring demands of every SQE

	calls   []*call // free ones
	cfg     config
	life    lifetime
	cleanup runtime.Cleanup
	seam    seam // of tests
}

// Stats counts what a Ring has done since New.
type Stats struct {
	Submitted  uint64 // operations that the kernel has taken, without those of C code
	Completed  uint64 // operations that ended: their terminal CQE was reaped
	InFlight   int    // operations that the kernel has taken and that have not ended, without silent ones
	Silent     uint64 // operations that the kernel has taken and that make no CQE unless they fail, see SkipSuccess
	Overflowed uint64 // times the kernel was found holding back CQEs because the completion queue was full
	Dropped    uint64 // SQEs that the kernel could not even read, and CQEs it lost for want of memory
	EINTR      uint64 // kernel entries that a signal ended and that were resumed
	Enters     uint64 // kernel entries (io_uring_enter)
	Stale      uint64 // CQEs of operations that had already ended, dropped
	Bundles    uint64 // bundle requests of Senders
}

// New sets up a ring with room for entries submissions, rounded up to a power of two, at most 32768; see
// io_uring_setup(2). It locks the calling goroutine to its thread until Close.
//
// New asks for IORING_SETUP_SINGLE_ISSUER, DEFER_TASKRUN, COOP_TASKRUN, TASKRUN_FLAG, SUBMIT_ALL and a registered
// ring descriptor, and steps down where the kernel refuses; Flags says what was granted. Options change what is
// asked for. Where there is no io_uring at all the error is an *UnsupportedError that names the cause. It needs
// kernel 5.5 (IORING_FEAT_NODROP).
func New(entries uint32, opts ...Option) (*Ring, error) {
	cfg := defaultConfig()
	for _, o := range opts {
		if o == nil {
			return nil, errNilOption
		}
		o(&cfg)
	}
	if err := cfg.validate(entries); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	hold := cring.TakeHold()
	if hold == nil {
		runtime.UnlockOSThread()
		return nil, errNoMemory
	}
	c, err := setup(entries, &cfg)
	if err != nil {
		hold.Release()
		runtime.UnlockOSThread()
		return nil, err
	}
	return newRing(c, hold, cfg, false), nil
}

// errNoMemory occurs where C has none.
var errNoMemory = fmt.Errorf("uring: set-up: %w", unix.ENOMEM)

// Adopt makes a Ring of a struct io_uring that C code set up with liburing and goes on owning: Close ends only
// the operations that were started through Go, and leaves the ring to C. p must stay valid until then. As
// with New, the calling goroutine is locked to its thread; it must be the thread that C code means to submit from.
//
// The kernel may bind a ring to the thread that sets it up: call runtime.LockOSThread before C code does, and Adopt
// from the same goroutine.
//
// C and Go take turns on that thread, and each may do everything:
//
//   - Submitting takes what both have queued. Before C code calls io_uring_submit(3), ArmSenders adds what Senders have
//     queued. A chain of linked entries is finished by whoever began it before the other has its turn.
//   - Reaping gets the completions of both. Those of C's requests come out of Completions with Foreign set and their
//     user data as it is. Those of Go's have bit 63 of the user data set, which C code must not use: it copies the
//     three fields, calls io_uring_cqe_seen(3) and hands them to Reaped. One that is kept back is an operation that
//     never ends, and memory that Close cannot free.
//   - No pointer to an SQE or a CQE in the ring is kept from one turn to the next.
//   - Buffers, files, an eventfd and restrictions are one set for both: one side registers them. Buffer groups are
//     many; NewBufRing passes over ids that C code has taken.
//   - Close comes before io_uring_queue_exit(3). C code that cancels everything cancels what Go waits for too.
func Adopt(p unsafe.Pointer) (*Ring, error) {
	if !cring.Supported {
		return nil, errNoCgo()
	}
	if p == nil {
		return nil, fmt.Errorf("uring: adopt: nil struct io_uring: %w", unix.EINVAL)
	}
	c := cring.Adopt(p)
	if f := SetupFlags(c.Flags) & notServed; f != 0 {
		return nil, fmt.Errorf("uring: adopt: a ring with %v: %w", f, ErrUnsupported)
	}
	if err := checkFeatures(c); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	hold := cring.TakeHold()
	if hold == nil {
		runtime.UnlockOSThread()
		return nil, errNoMemory
	}
	return newRing(c, hold, defaultConfig(), true), nil
}

func newRing(c *cring.Ring, hold *cring.Hold, cfg config, adopted bool) *Ring {
	r := &Ring{
		c:       c,
		slots:   newSlotTable(),
		adopted: adopted,
		shared:  adopted,
		tid:     gettid(),
		owner:   goroutine.Self(),
		hold:    hold,
		sqMask:  uint32(len(c.SQEs)) - 1,
		cqMask:  uint32(len(c.CQEs)) - 1,
		cfg:     cfg,
	}
	r.slots.owner, r.slots.hold = r.owner, r.hold
	r.groups.others = adopted
	r.sqSubmitted = r.taken()
	r.droppedAtNew = r.lost()
	r.life.init()
	if adopted {
		r.enterFlags = cring.EnterRegisteredRing & registeredMask(c)
	} else if !cfg.plainFd && r.Flags()&SetupRDisabled == 0 {
		r.registerFd()
	}
	r.reportIfLost()
	return r
}

// registeredMask is all ones where the adopted ring's descriptor is a registered index.
func registeredMask(c *cring.Ring) uint32 {
	if c.EnterFd != c.Fd {
		return ^uint32(0)
	}
	return 0
}

// registerFd lets the owner's thread enter the ring by index, which spares the kernel a descriptor look-up.
// It needs kernel 5.18; without it the ring works as well.
func (r *Ring) registerFd() {
	if r.c.RegisterRingFd() == 1 {
		r.enterFlags = cring.EnterRegisteredRing
	}
}

// Fd returns the ring's file descriptor, to be named by another ring, or for poll(2); -1 once the ring is closed. The
// Ring owns it. Fd, Entries, Flags, Features and FdRegistered may be called from anywhere while nobody closes the ring.
//
// poll(2) and epoll need not wake for the completions of a ring with IORING_SETUP_DEFER_TASKRUN, which New asks for by
// default: completions are posted only when the owner enters the kernel, and on 6.18 the descriptor stays silent until
// then. An event loop waits for an eventfd instead, which the kernel signals as soon as there is something to be
// fetched: see RegisterEventfd. Or the ring is made WithoutFlags(SetupDeferTaskrun).
func (r *Ring) Fd() int { return r.known().Fd }

// C returns the ring's struct io_uring for C code on the owner's thread, and nil to another goroutine. It is valid
// until Close. C code may use the ring between two calls of this package, as Adopt says.
func (r *Ring) C() unsafe.Pointer {
	if !r.mine() {
		return nil
	}
	r.shared, r.groups.others = true, true
	return r.c.Pointer()
}

// Entries returns the sizes of the submission queue and the completion queue; zeros once the ring is closed.
func (r *Ring) Entries() (sq, cq int) {
	c := r.known()
	return len(c.SQEs), len(c.CQEs)
}

// Flags returns the set-up flags that the kernel granted.
func (r *Ring) Flags() SetupFlags { return SetupFlags(r.known().Flags) }

// Features returns the feature bits that the kernel announced at set-up.
func (r *Ring) Features() Features { return Features(r.known().Features) }

// noRing is what the zero Ring knows: as little as one that is closed.
var noRing = closedRing()

func closedRing() *cring.Ring {
	c := new(cring.Ring)
	c.Fd = -1
	return c
}

// known is the ring to be asked about.
func (r *Ring) known() *cring.Ring {
	if r.isZero() {
		return noRing
	}
	return r.c
}

// isZero reports whether the Ring was not made by New or Adopt.
func (r *Ring) isZero() bool { return r == nil || r.c == nil }

// FdRegistered reports whether the ring's descriptor is registered with the owner's thread (kernel 5.18).
func (r *Ring) FdRegistered() bool { return r.enterFlags&cring.EnterRegisteredRing != 0 }

// Stats returns the ring's counters: to its owner, and to anyone once the ring is closed. To others they are zero.
func (r *Ring) Stats() Stats {
	if !r.readable() {
		return Stats{}
	}
	s := r.stats
	s.InFlight = r.inFlight()
	s.Dropped += uint64(r.lost() - r.droppedAtNew)
	return s
}

// lost is what the kernel counted as lost so far. A closed ring has its count in the stats.
func (r *Ring) lost() uint32 {
	if r.c.SQDropped == nil {
		return r.droppedAtNew
	}
	return atomic.LoadUint32(r.c.SQDropped) + atomic.LoadUint32(r.c.CQOverflow)
}

// inFlight is how many operations the kernel has.
func (r *Ring) inFlight() int { return r.slots.live - len(r.queued) }

// owned reports why the calling goroutine may not use the ring, if it may not. The owner is locked to its thread, so
// that to compare goroutines is to compare threads, without a system call. Another goroutine on that thread can only be
// a coroutine that the owner has switched to (iter.Pull, FACTS 49): it may do what the owner may.
func (r *Ring) owned() error {
	if r.isZero() {
		return ErrClosed
	}
	if r.life.closing.Load() {
		return r.closeOwned()
	}
	if goroutine.Self() != r.owner && !r.hold.Mine() {
		return ErrNotOwner
	}
	return nil
}

// mine reports whether the calling goroutine is the owner, or one that the owner has switched to. It changes nothing.
func (r *Ring) mine() bool { return !r.isZero() && (goroutine.Self() == r.owner || r.hold.Mine()) }

// readable reports whether the calling goroutine may look at what is the owner's. A ring that is closed is nobody's.
func (r *Ring) readable() bool {
	if r.mine() || r.isZero() {
		return !r.isZero()
	}
	select {
	case <-r.life.done:
		return true
	default:
		return false
	}
}

// SQE hands out the next free entry of the submission queue, to be filled by one Prep call before the next
// submission; until then it is a NOP. Where the queue is full it submits what is there and tries again; with an
// unfinished chain of links in the queue, or where that gives no room, the error is ErrSQFull.
func (r *Ring) SQE() (*SQE, error) {
	if err := r.owned(); err != nil {
		return nil, err
	}
	if r.sqSpace() == 0 {
		if err := r.makeRoom(); err != nil {
			return nil, err
		}
	}
	return &r.claim().sqe, nil
}

// claim takes the next entry of a queue that has room, with a slot for the operation.
func (r *Ring) claim() *slot {
	r.accountSubmitted() // C code may have submitted the SQE that lay here before
	tail := *r.c.SQETail
	s := r.slots.get()
	s.pos = tail
	s.sqe.raw = &r.c.SQEs[tail&r.sqMask]
	*s.sqe.raw = cring.SQE{Opcode: cring.OpNop, Fd: -1, UserData: s.userData()}
	*r.c.SQETail = tail + 1
	r.queued = append(r.queued, s)
	return s
}

// SQSpace returns how many SQEs can be handed out before the next submission: none once the ring is closed, and none to
// another goroutine than the owner.
func (r *Ring) SQSpace() int {
	if !r.mine() {
		return 0
	}
	return r.sqSpace()
}

func (r *Ring) sqSpace() int {
	if r.c.SQETail == nil {
		return 0
	}
	return len(r.c.SQEs) - int(*r.c.SQETail-atomic.LoadUint32(r.c.SQHead))
}

// makeRoom submits a full queue, unless that would tear a chain of linked SQEs apart.
func (r *Ring) makeRoom() error {
	if r.isZero() {
		return ErrClosed
	}
	last := r.c.SQEs[(*r.c.SQETail-1)&r.sqMask]
	if last.Flags&(cring.SQEIOLink|cring.SQEIOHardlink) != 0 {
		return ErrSQFull
	}
	if _, err := r.submitQueued(); err != nil {
		return err
	}
	if r.sqSpace() == 0 && r.c.Flags&cring.SetupSQPoll != 0 {
		return r.awaitSQ()
	}
	if r.sqSpace() == 0 {
		return ErrSQFull
	}
	return nil
}

// awaitSQ waits until a polling thread, which takes its time, has taken an SQE, for at most as long as Close waits.
// Kernels before 5.10 cannot wait for that.
func (r *Ring) awaitSQ() error {
	ctx, cancel := context.WithTimeout(context.Background(), r.cfg.closeTimeout)
	defer cancel()
	defer r.life.kickOn(ctx, r.tid)()
	for tries := (attempts{}); r.sqSpace() == 0; {
		ret := r.c.WaitSQ()
		switch {
		case r.life.closing.Load():
			return r.closeOwned()
		case ret >= 0 || r.sqSpace() > 0:
		case unix.Errno(-ret) != unix.EINTR || tries.interrupted() || ctx.Err() != nil:
			return ErrSQFull
		}
	}
	return nil
}
