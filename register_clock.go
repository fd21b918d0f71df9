package uring

import (
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

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
