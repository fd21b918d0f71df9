package uring

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

var (
	opRestrictions = registerOp{
		cring.RegisterRestrictions, "IORING_REGISTER_RESTRICTIONS",
		probe.Version{Major: 5, Minor: 10},
		everKnown,
	}

	opEnableRings = registerOp{
		cring.RegisterEnableRings, "IORING_REGISTER_ENABLE_RINGS",
		probe.Version{Major: 5, Minor: 10},
		everKnown,
	}
)

// Restriction is one thing that a restricted ring may still do. Whatever no Restriction allows is refused.
type Restriction struct{ raw cring.Restriction }

// AllowOp allows operations with this opcode, such as cring.OpSend.
func AllowOp(opcode uint8) Restriction {
	return Restriction{cring.Restriction{Opcode: cring.RestrictionSQEOp, Arg: opcode}}
}

// AllowRegister allows an operation of io_uring_register(2), such as cring.RegisterFilesUpdate.
func AllowRegister(opcode uint8) Restriction {
	return Restriction{cring.Restriction{Opcode: cring.RestrictionRegisterOp, Arg: opcode}}
}

// AllowSQEFlags allows SQEs to have these flags and no others.
func AllowSQEFlags(f SQEFlags) Restriction {
	return Restriction{cring.Restriction{Opcode: cring.RestrictionSQEFlagsAllowed, Arg: uint8(f)}}
}

// RequireSQEFlags demands these flags of every SQE, and allows them.
func RequireSQEFlags(f SQEFlags) Restriction {
	return Restriction{cring.Restriction{Opcode: cring.RestrictionSQEFlagsRequired, Arg: uint8(f)}}
}

// RegisterRestrictions limits for good what a ring that was made WithDisabled will do once EnableRings has started
// it: what is not allowed ends with unix.EACCES. It wraps io_uring_register_restrictions(3). On a ring that runs it
// is unix.EBADFD, and a second time unix.EBUSY. Since 5.10.
//
// IORING_OP_ASYNC_CANCEL is always allowed too, since Close depends on it. Say AllowRegister as well as AllowOp where
// a kind is to be limited: kernels before 7.0 take a list without the one kind for a list that allows nothing of it,
// and later ones for a list that allows all of it. Restrictions protect from mistakes of the program that holds the
// ring, and from those to whom it passes it on; they do not confine the program, which can make another ring.
func (r *Ring) RegisterRestrictions(restrictions ...Restriction) error {
	if err := r.owned(); err != nil {
		return err
	}
	if len(restrictions) == 0 {
		return fmt.Errorf("uring: register no restrictions: %w", unix.EINVAL)
	}
	list := make([]cring.Restriction, 0, len(restrictions)+1)
	var required uint8
	for _, x := range restrictions {
		list = append(list, x.raw)
		if x.raw.Opcode == cring.RestrictionSQEFlagsRequired {
			required |= x.raw.Arg
		}
	}
	list = append(list, AllowOp(cring.OpAsyncCancel).raw)
	// SAFETY: read during the call only.
	_, err := r.register(opRestrictions, "register restrictions", unsafe.Pointer(&list[0]), uint32(len(list)))
	if err == nil {
		r.restricted, r.cancelFlags = true, required&(cring.SQEFixedFile|cring.SQEAsync)
	}
	return err
}

// EnableRings starts a ring that was made WithDisabled. It wraps io_uring_enable_rings(3). On a ring that runs it is
// unix.EBADFD. Since 5.10.
func (r *Ring) EnableRings() error {
	if err := r.owned(); err != nil {
		return err
	}
	if _, err := r.register(opEnableRings, "enable rings", nil, 0); err != nil {
		return err
	}
	if !r.cfg.plainFd {
		r.registerFd()
	}
	return nil
}
