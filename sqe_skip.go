package uring

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

// silentOps are the operations whose requests name no memory and whose success tells nothing but itself.
// TIMEOUT_REMOVE may name a time, and SOCKET may make a descriptor: namesNothing looks closer. FSYNC, SYNC_FILE_RANGE,
// FALLOCATE, FTRUNCATE and SHUTDOWN are missing because kernel 6.18 does not take their errors for failures: they would
// fail as silently as they succeed.
var silentOps = opcodes(
	cring.OpNop, cring.OpPollAdd, cring.OpPollRemove, cring.OpTimeoutRemove, cring.OpAsyncCancel, cring.OpClose,
	cring.OpFadvise, cring.OpSplice, cring.OpTee, cring.OpMsgRing, cring.OpSocket, cring.OpListen,
)

func opcodes(ops ...uint8) (set Opcodes) {
	for _, op := range ops {
		set.add(op)
	}
	return set
}

// namesNothing reports whether the kernel needs nothing of a request but its entry, and leaves nothing to be taken
// over.
func namesNothing(raw *cring.SQE) bool {
	switch raw.Opcode {
	case cring.OpTimeoutRemove:
		return raw.OpFlags&cring.TimeoutUpdateMask == 0
	case cring.OpSocket:
		return raw.FileIndex != 0
	}
	return silentOps.Has(raw.Opcode)
}

// silentData64Max is the largest number that a silent operation's user data has room for.
const silentData64Max = 1<<silentOpShift - 1

// SkipSuccess has the operation complete without a CQE unless it fails (IOSQE_CQE_SKIP_SUCCESS), which saves the
// reaping of results that say nothing. The CQE of a failure carries v, below 1<<54, in CQE.Data64, and no CQE.Data.
// Call it after the Prep method: another one undoes it.
//
// The ring forgets the operation with its submission. It counts as Stats.Silent and never as in flight, nothing can
// wait for it or name it by SQE.ID, and Close does not see to its end. So only operations are served whose requests
// name no memory and whose failures the kernel tells: NOP, POLL_ADD, POLL_REMOVE, TIMEOUT_REMOVE, ASYNC_CANCEL, CLOSE,
// FADVISE, SPLICE, TEE, MSG_RING, SOCKET for a direct descriptor, and LISTEN; others are unix.EINVAL.
//
// No other operation can be linked to it, only it to others: the kernel takes its failure for leave to skip the CQEs
// of the rest of the chain, and what they name would stay pinned. SkipSuccess is unix.EINVAL after SQE.Link, and Link
// undoes it.
//
// On the ring SQE.Drain is refused by the kernel from then on. Since 5.17 (IORING_FEAT_CQE_SKIP).
func (r *Ring) SkipSuccess(s *SQE, v uint64) error {
	switch {
	case !s.filled():
		return nil // its Prep failed, or it is not ours to change any more
	case r.Features()&FeatCQESkip == 0:
		return &UnsupportedError{
			Name: "IOSQE_CQE_SKIP_SUCCESS", Missing: "IORING_FEAT_CQE_SKIP", Provider: "kernel 5.17",
			SinceMajor: 5, SinceMinor: 17,
		}
	case v > silentData64Max:
		return fmt.Errorf("uring: SkipSuccess: number %#x, at most %#x: %w", v, uint64(silentData64Max), unix.EINVAL)
	case s.raw.Flags&(cring.SQEIOLink|cring.SQEIOHardlink) != 0:
		return fmt.Errorf("uring: SkipSuccess of an operation that another is linked to: %w", unix.EINVAL)
	case !namesNothing(s.raw) || s.slot.pins > 0:
		return fmt.Errorf("uring: SkipSuccess of a %s: %w", opName(s.raw.Opcode), unix.EINVAL)
	}
	s.raw.Flags |= cring.SQECQESkipSuccess
	s.raw.UserData = userDataOurs | userDataSilent | uint64(s.raw.Opcode)<<silentOpShift | v
	s.slot.state, s.slot.data64 = slotSilent, v
	return nil
}

// audible makes an entry again what it was before SkipSuccess.
func (s *SQE) audible() {
	if s.slot.state == slotSilent {
		s.slot.state = slotFilling
		s.raw.Flags &^= cring.SQECQESkipSuccess
		s.raw.UserData = s.slot.userData()
	}
}

// serveSilent delivers the failure of an operation that the ring has forgotten.
func (r *Ring) serveSilent(raw *cring.CQE) {
	op := uint8(raw.UserData >> silentOpShift)
	if !silentOps.Has(op) {
		r.stats.Stale++
		return
	}
	r.ready = append(r.ready, CQE{
		Res: raw.Res, Flags: CQEFlags(raw.Flags), ID: OpID(raw.UserData), Data64: raw.UserData & silentData64Max, op: op,
	})
}
