package uring

import (
	"iter"
	"unsafe"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/probe"
)

var opProbe = registerOp{cring.RegisterProbe, probe.RegisterProbe, probe.Version{Major: 5, Minor: 6}, 1}

// Opcodes is a set of operations by their opcodes, such as cring.OpSend.
type Opcodes [4]uint64

// Has reports whether the opcode is in the set.
func (o Opcodes) Has(opcode uint8) bool { return o[opcode/64]&(1<<(opcode%64)) != 0 }

func (o *Opcodes) add(opcode uint8) { o[opcode/64] |= 1 << (opcode % 64) }

// All yields the opcodes of the set in ascending order.
func (o Opcodes) All() iter.Seq[uint8] {
	return func(yield func(uint8) bool) {
		for op := range 256 {
			if o.Has(uint8(op)) && !yield(uint8(op)) {
				return
			}
		}
	}
}

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
