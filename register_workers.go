package uring

import (
	"fmt"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

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
