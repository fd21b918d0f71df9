package uring

import (
	"fmt"
	"os"
	"runtime"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/goroutine"
	"github.com/sockring/uring/internal/sendq"
)

// Ring is an io_uring instance: a submission queue that Go fills and a completion queue that Go reads, in memory
// shared with the kernel.
//
// A Ring is raw and single-owner. New locks the calling goroutine to its thread, and that thread is the only one
// that may fill, submit and reap; from another thread Submit, the waits, Completions and Reap give ErrNotOwner.
// Close may be called from anywhere. The goroutine must call Close, or see ErrClosed, before it returns: when a
// thread ends the kernel cancels what it submitted.
//
// Ownership: memory that an operation names stays the kernel's from the Prep call until the operation's terminal
// CQE, the one without IORING_CQE_F_MORE. The Ring pins it for that time; the caller must not write it, nor read
// what the kernel is to write.
type Ring struct {
	c       *cring.Ring
	slots   *slotTable
	adopted bool
	tid     int     // of the owner's thread
	owner   uintptr // the owner's goroutine

	sqMask, cqMask uint32
	sqSubmitted    uint32 // position up to which the kernel's SQEs are accounted for
	enterFlags     uint32 // for every io_uring_enter that Go makes itself
	queued         []*slot
	arm            []*Sender // those that send with the next submission
	sending        int       // requests of Senders in flight

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
	restricted  bool
	cancelFlags uint8 // which a restricted ring demands of every SQE

	senders map[*Sender]struct{}
	slab    *sendq.Slab // the Senders' memory
	calls   []*call     // free ones
	cfg     config
	life    lifetime
	cleanup runtime.Cleanup
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
		o(&cfg)
	}
	if err := cfg.validate(entries); err != nil {
		return nil, err
	}
	runtime.LockOSThread()
	c, err := setup(entries, &cfg)
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	return newRing(c, cfg, false), nil
}

// Adopt makes a Ring of a struct io_uring that C code set up with liburing and goes on owning: Close ends only
// the operations that were started through Go, and leaves the ring to C. p must stay valid until then. As
// with New, the calling goroutine is locked to its thread; it must be the thread that C code means to submit from.
//
// CQEs of requests that C code queued come out of Completions with Foreign set and their user data as it is.
// C code must not use user data with bit 63 set.
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
	return newRing(c, defaultConfig(), true), nil
}

func newRing(c *cring.Ring, cfg config, adopted bool) *Ring {
	r := &Ring{
		c:       c,
		slots:   newSlotTable(),
		adopted: adopted,
		shared:  adopted,
		tid:     gettid(),
		owner:   goroutine.Self(),
		sqMask:  uint32(len(c.SQEs)) - 1,
		cqMask:  uint32(len(c.CQEs)) - 1,
		cfg:     cfg,
	}
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

// Fd returns the ring's file descriptor, for poll(2) or to be named by another ring; -1 once the ring is closed. The
// Ring owns it.
func (r *Ring) Fd() int { return r.c.Fd }

// C returns the ring's struct io_uring for C code on the owner's thread. It is valid until Close. C code may
// queue requests of its own between two calls of this package; see Adopt for its user data.
func (r *Ring) C() unsafe.Pointer {
	r.shared = true
	return r.c.Pointer()
}

// Entries returns the sizes of the submission queue and the completion queue; zeros once the ring is closed.
func (r *Ring) Entries() (sq, cq int) { return len(r.c.SQEs), len(r.c.CQEs) }

// Flags returns the set-up flags that the kernel granted.
func (r *Ring) Flags() SetupFlags { return SetupFlags(r.c.Flags) }

// Features returns the feature bits that the kernel announced at set-up.
func (r *Ring) Features() Features { return Features(r.c.Features) }

// FdRegistered reports whether the ring's descriptor is registered with the owner's thread (kernel 5.18).
func (r *Ring) FdRegistered() bool { return r.enterFlags&cring.EnterRegisteredRing != 0 }

// Stats returns the ring's counters. Call it from the owner.
func (r *Ring) Stats() Stats {
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
// that to compare goroutines is to compare threads, without a system call.
func (r *Ring) owned() error {
	if r.life.closing.Load() {
		return r.closeOwned()
	}
	if goroutine.Self() != r.owner {
		return ErrNotOwner
	}
	return nil
}

// SQE hands out the next free entry of the submission queue, to be filled by one Prep call before the next
// submission; until then it is a NOP. Where the queue is full it submits what is there and tries again; with an
// unfinished chain of links in the queue, or where that gives no room, the error is ErrSQFull.
func (r *Ring) SQE() (*SQE, error) {
	if r.life.closing.Load() {
		return nil, r.closeOwned()
	}
	if r.SQSpace() == 0 {
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

// SQSpace returns how many SQEs can be handed out before the next submission; none once the ring is closed.
func (r *Ring) SQSpace() int {
	if r.c.SQETail == nil {
		return 0
	}
	return len(r.c.SQEs) - int(*r.c.SQETail-atomic.LoadUint32(r.c.SQHead))
}

// makeRoom submits a full queue, unless that would tear a chain of linked SQEs apart.
func (r *Ring) makeRoom() error {
	last := r.c.SQEs[(*r.c.SQETail-1)&r.sqMask]
	if last.Flags&(cring.SQEIOLink|cring.SQEIOHardlink) != 0 {
		return ErrSQFull
	}
	if _, err := r.submitQueued(); err != nil {
		return err
	}
	// A polling thread takes its time. A signal ends the wait for it early; kernels before 5.10 cannot wait.
	for r.SQSpace() == 0 && r.c.Flags&cring.SetupSQPoll != 0 && r.c.WaitSQ() >= 0 {
		if r.life.closing.Load() {
			return r.closeOwned()
		}
	}
	if r.SQSpace() == 0 {
		return ErrSQFull
	}
	return nil
}

// opError wraps a kernel result as package os does.
func opError(op string, errno int) error {
	return os.NewSyscallError(op, unix.Errno(errno))
}
