package uring

import (
	"errors"
	"fmt"
	"math"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
	"github.com/sockring/uring/internal/unix"
)

// Registrations about a ring as a whole: which operations it knows, its descriptor, an eventfd, its workers, busy
// polling, its clock, and credentials.

var opProbe = registerOp{cring.RegisterProbe, probe.RegisterProbe, probe.Version{Major: 5, Minor: 6}, 1}

// Probe asks the kernel which operations it has. It wraps io_uring_register_probe(3); the function Probe tries out
// more, and for real. An operation that the kernel does not have completes with unix.EINVAL. Since 5.6.
func (r *Ring) Probe() (Opcodes, error) {
	if err := r.owned(); err != nil {
		return Opcodes{}, err
	}
	arg := new(cring.Probe)
	// SAFETY: written during the call only.
	if _, err := r.register(opProbe, "probe operations", unsafe.Pointer(arg), uint32(len(arg.Ops))); err != nil {
		return Opcodes{}, err
	}
	var known Opcodes
	for _, op := range arg.Ops[:min(int(arg.OpsLen), len(arg.Ops))] {
		if op.Flags&cring.OpSupported != 0 {
			known.add(op.Op)
		}
	}
	return known, nil
}

var opRingFd = registerOp{cring.RegisterRingFds, "IORING_REGISTER_RING_FDS", probe.Version{Major: 5, Minor: 18}, 1}

// RegisterRingFd has the owner's thread enter the ring by an index of its own, which spares the kernel the look-up of
// the descriptor. New does it unless told not to (WithPlainFd, WithDisabled), and EnableRings makes up for it. It
// wraps io_uring_register_ring_fd(3). Where it is registered already it is unix.EEXIST, where the thread's 16 indexes
// are taken unix.EBUSY. Since 5.18.
func (r *Ring) RegisterRingFd() error {
	if err := r.owned(); err != nil {
		return err
	}
	if r.FdRegistered() {
		return fmt.Errorf("uring: register ring descriptor: %w", unix.EEXIST)
	}
	if ret := r.c.RegisterRingFd(); ret < 0 {
		return r.registerError(opRingFd, "register ring descriptor", unix.Errno(-ret))
	}
	r.enterFlags |= cring.EnterRegisteredRing
	return nil
}

// UnregisterRingFd has the thread enter the ring by its descriptor again. It wraps io_uring_unregister_ring_fd(3).
// Where it is not registered it is unix.EINVAL. Since 5.18.
func (r *Ring) UnregisterRingFd() error {
	if err := r.owned(); err != nil {
		return err
	}
	if !r.FdRegistered() {
		return fmt.Errorf("uring: unregister ring descriptor: %w", unix.EINVAL)
	}
	if ret := r.c.UnregisterRingFd(); ret < 0 {
		return r.registerError(opRingFd, "unregister ring descriptor", unix.Errno(-ret))
	}
	r.enterFlags &^= cring.EnterRegisteredRing
	return nil
}

var (
	opEventfd = registerOp{cring.RegisterEventfd, "IORING_REGISTER_EVENTFD", probe.Version{Major: 5, Minor: 2}, everKnown}

	opEventfdAsync = registerOp{
		cring.RegisterEventfdAsync, "IORING_REGISTER_EVENTFD_ASYNC",
		probe.Version{Major: 5, Minor: 6},
		1,
	}

	opEventfdUnregister = registerOp{
		cring.UnregisterEventfd, "IORING_UNREGISTER_EVENTFD",
		probe.Version{Major: 5, Minor: 2},
		everKnown,
	}
)

// RegisterEventfd has the kernel add to the eventfd(2) fd whenever it posts completions, for a poll(2) of some other
// loop to see. It wraps io_uring_register_eventfd(3). A second eventfd is unix.EBUSY, another kind of file
// unix.EINVAL. The ring holds the file open by itself. Since 5.2.
//
// With IORING_SETUP_DEFER_TASKRUN the kernel signals already that a completion can be fetched; Reap and Completions
// do that. The descriptor of such a ring itself wakes nobody: see Fd.
func (r *Ring) RegisterEventfd(fd int) error {
	return r.registerEventfd(opEventfd, "register eventfd", fd)
}

// RegisterEventfdAsync is RegisterEventfd without the operations that complete within their submission: the kernel
// signals those that a worker thread has served, see SQE.Async. It wraps io_uring_register_eventfd_async(3). Since
// 5.6.
func (r *Ring) RegisterEventfdAsync(fd int) error {
	return r.registerEventfd(opEventfdAsync, "register asynchronous eventfd", fd)
}

func (r *Ring) registerEventfd(op registerOp, what string, fd int) error {
	if err := r.owned(); err != nil {
		return err
	}
	file := int32(fd)
	_, err := r.register(op, what, unsafe.Pointer(&file), 1) // SAFETY: read during the call only.
	if err == nil {
		r.undo.eventfd = r.unregisterEventfd
	}
	return err
}

// UnregisterEventfd ends the signalling. It wraps io_uring_unregister_eventfd(3). Where there is no eventfd it is
// unix.ENXIO. Since 5.2.
func (r *Ring) UnregisterEventfd() error {
	if err := r.owned(); err != nil {
		return err
	}
	return r.unregisterEventfd()
}

func (r *Ring) unregisterEventfd() error {
	_, err := r.register(opEventfdUnregister, "unregister eventfd", nil, 0)
	if err == nil {
		r.undo.eventfd = nil
	}
	return err
}

// SetEventfdEnabled switches the signals of a registered eventfd off and on, without a system call. It wraps
// io_uring_cq_eventfd_toggle(3). Since 5.8.
func (r *Ring) SetEventfdEnabled(on bool) error {
	if err := r.owned(); err != nil {
		return err
	}
	flags := r.c.CQFlags
	if flags == nil {
		return &UnsupportedError{
			Name: "IORING_CQ_EVENTFD_DISABLED", Missing: "the kernel shares no flags of the completion queue",
			Provider: "kernel 5.8", SinceMajor: 5, SinceMinor: 8, Err: unix.EOPNOTSUPP,
		}
	}
	word := atomic.LoadUint32(flags) &^ cring.CQEventfdDisabled
	if !on {
		word |= cring.CQEventfdDisabled
	}
	atomic.StoreUint32(flags, word)
	return nil
}

// cpusMax bounds the numbers of processors; no kernel is built for more.
const cpusMax = 1 << 16

var (
	opIOWQAff = registerOp{cring.RegisterIOWQAff, "IORING_REGISTER_IOWQ_AFF", probe.Version{Major: 5, Minor: 14}, 8}

	opIOWQAffUnregister = registerOp{
		cring.UnregisterIOWQAff, "IORING_UNREGISTER_IOWQ_AFF",
		probe.Version{Major: 5, Minor: 14},
		noArgument,
	}

	opIOWQMaxWorkers = registerOp{
		cring.RegisterIOWQMaxWorkers, "IORING_REGISTER_IOWQ_MAX_WORKERS",
		probe.Version{Major: 5, Minor: 15},
		2,
	}
)

// RegisterIOWQAff binds the worker threads that serve what cannot complete inline to these processors; they are those
// of the owner's thread, shared by its rings. It wraps io_uring_register_iowq_aff(3). Since 5.14.
func (r *Ring) RegisterIOWQAff(cpus ...int) error {
	if err := r.owned(); err != nil {
		return err
	}
	if len(cpus) == 0 {
		return fmt.Errorf("uring: bind workers to no processor: %w", unix.EINVAL)
	}
	var mask []uint64 // a bit for each processor, in words as cpu_set_t has them
	for _, cpu := range cpus {
		if cpu < 0 || cpu >= cpusMax {
			return fmt.Errorf("uring: bind workers to processor %d: %w", cpu, unix.EINVAL)
		}
		for len(mask) <= cpu/64 {
			mask = append(mask, 0)
		}
		mask[cpu/64] |= 1 << (cpu % 64)
	}
	// SAFETY: read during the call only.
	_, err := r.register(opIOWQAff, "bind workers", unsafe.Pointer(&mask[0]), uint32(8*len(mask)))
	return err
}

// UnregisterIOWQAff lets the worker threads run on all processors again. It wraps io_uring_unregister_iowq_aff(3).
// Since 5.14.
func (r *Ring) UnregisterIOWQAff() error {
	if err := r.owned(); err != nil {
		return err
	}
	_, err := r.register(opIOWQAffUnregister, "unbind workers", nil, 0)
	return err
}

// RegisterIOWQMaxWorkers limits the worker threads for operations that take a bounded time, such as reads of files,
// and for those that may wait without bound, such as those of sockets, and returns the limits before; zero leaves one
// as it is. The limits are those of the owner's thread, for all its rings. It wraps
// io_uring_register_iowq_max_workers(3). Since 5.15.
func (r *Ring) RegisterIOWQMaxWorkers(bounded, unbounded int) (oldBounded, oldUnbounded int, err error) {
	if err := r.owned(); err != nil {
		return 0, 0, err
	}
	if bounded < 0 || unbounded < 0 || bounded > math.MaxInt32 || unbounded > math.MaxInt32 {
		return 0, 0, fmt.Errorf("uring: limit workers to %d and %d: %w", bounded, unbounded, unix.EINVAL)
	}
	var arg [2]uint32
	arg[cring.WQBound], arg[cring.WQUnbound] = uint32(bounded), uint32(unbounded)
	// SAFETY: read and written during the call only.
	if _, err := r.register(opIOWQMaxWorkers, "limit workers", unsafe.Pointer(&arg), 2); err != nil {
		return 0, 0, err
	}
	return int(arg[cring.WQBound]), int(arg[cring.WQUnbound]), nil
}

var (
	opNAPI = registerOp{cring.RegisterNAPI, "IORING_REGISTER_NAPI", probe.Version{Major: 6, Minor: 9}, 1}

	opNAPIUnregister = registerOp{
		cring.UnregisterNAPI, "IORING_UNREGISTER_NAPI",
		probe.Version{Major: 6, Minor: 9},
		1,
	}
)

// NAPI says how waits on a ring poll the network devices of its sockets themselves, instead of sleeping until an
// interrupt.
type NAPI struct {
	BusyPoll       time.Duration // how long to poll before sleeping, rounded down to microseconds, at most 71 minutes
	PreferBusyPoll bool          // as the socket option SO_PREFER_BUSY_POLL
}

// RegisterNAPI has waits on the ring busy-poll, and returns the settings before. It wraps io_uring_register_napi(3).
// Since 6.9, in kernels that are built with CONFIG_NET_RX_BUSY_POLL.
func (r *Ring) RegisterNAPI(conf NAPI) (NAPI, error) {
	return r.napi(opNAPI, "register NAPI", conf)
}

// UnregisterNAPI ends the busy-polling and returns the settings before. It wraps io_uring_unregister_napi(3). Since
// 6.9.
func (r *Ring) UnregisterNAPI() (NAPI, error) {
	return r.napi(opNAPIUnregister, "unregister NAPI", NAPI{})
}

func (r *Ring) napi(op registerOp, what string, conf NAPI) (NAPI, error) {
	if err := r.owned(); err != nil {
		return NAPI{}, err
	}
	usec := conf.BusyPoll.Microseconds()
	if usec < 0 || usec > math.MaxUint32 {
		return NAPI{}, fmt.Errorf("uring: %s: busy poll of %v: %w", what, conf.BusyPoll, unix.EINVAL)
	}
	arg := cring.NapiConf{BusyPollTo: uint32(usec)}
	if conf.PreferBusyPoll {
		arg.PreferBusyPoll = 1
	}
	_, err := r.register(op, what, unsafe.Pointer(&arg), 1) // SAFETY: read and written during the call only.
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = &UnsupportedError{
			Name: op.name, Missing: "the kernel was built without busy-polling",
			Provider: "a kernel with CONFIG_NET_RX_BUSY_POLL", Err: err,
		}
	}
	if err != nil {
		return NAPI{}, err
	}
	return NAPI{
		BusyPoll: time.Duration(arg.BusyPollTo) * time.Microsecond, PreferBusyPoll: arg.PreferBusyPoll != 0,
	}, nil
}

var opClock = registerOp{cring.RegisterClock, "IORING_REGISTER_CLOCK", probe.Version{Major: 6, Minor: 12}, 0}

// RegisterClock chooses the clock that the ring's waits go by: unix.CLOCK_MONOTONIC, which is the default, or
// unix.CLOCK_BOOTTIME, which goes on while the machine is suspended. Any other is unix.EINVAL. It wraps
// io_uring_register_clock(3). Since 6.12.
func (r *Ring) RegisterClock(clock int32) error {
	if err := r.owned(); err != nil {
		return err
	}
	arg := cring.ClockRegister{Clockid: uint32(clock)}
	_, err := r.register(opClock, "register clock", unsafe.Pointer(&arg), 0) // SAFETY: read during the call only.
	return err
}

var (
	opPersonality = registerOp{
		cring.RegisterPersonality, "IORING_REGISTER_PERSONALITY",
		probe.Version{Major: 5, Minor: 6},
		noArgument,
	}

	opPersonalityUnregister = registerOp{
		cring.UnregisterPersonality, "IORING_UNREGISTER_PERSONALITY",
		probe.Version{Major: 5, Minor: 6},
		everKnown,
	}
)

// RegisterPersonality keeps the thread's present credentials under an id, for SQE.SetPersonality to run operations
// with after the thread has changed its own. It wraps io_uring_register_personality(3). Since 5.6.
func (r *Ring) RegisterPersonality() (uint16, error) {
	if err := r.owned(); err != nil {
		return 0, err
	}
	id, err := r.register(opPersonality, "register personality", nil, 0)
	return uint16(id), err
}

// UnregisterPersonality forgets the credentials under the id. It wraps io_uring_unregister_personality(3). An id that
// is not registered is unix.EINVAL. Since 5.6.
func (r *Ring) UnregisterPersonality(id uint16) error {
	if err := r.owned(); err != nil {
		return err
	}
	// The id goes where other operations have the count of their arguments.
	_, err := r.register(opPersonalityUnregister, "unregister personality", nil, uint32(id))
	return err
}
