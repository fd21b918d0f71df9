package uring

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

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
