package uring

import (
	"fmt"

	"github.com/sockring/uring/cring"
	"github.com/sockring/uring/internal/unix"
)

// ioLenMax is the most that the kernel moves with one request, MAX_RW_COUNT: whole pages below 2 GiB.
const ioLenMax = 0x7ffff000

// SQE is one entry of the submission queue while it is being filled. It is valid from Ring.SQE until the next
// submission, and belongs to the ring's owner. To another goroutine its methods give ErrNotOwner, and those that return
// no error do nothing; ID may be called from anywhere.
type SQE struct {
	raw  *cring.SQE // in the mapped submission queue
	slot *slot      // the operation's argument memory and pins
}

// SetData attaches a value that the operation's CQEs will carry in CQE.Data.
func (s *SQE) SetData(v any) {
	if s.settable() {
		s.slot.data = v
	}
}

// SetData64 attaches a number that the operation's CQEs will carry in CQE.Data64.
func (s *SQE) SetData64(v uint64) {
	if s.settable() {
		s.slot.data64 = v
	}
}

// owned returns ErrNotOwner to another goroutine than the owner of the entry's ring.
func (s *SQE) owned() error {
	if s == nil || s.slot == nil || s.slot.table.mine() {
		return nil
	}
	return ErrNotOwner
}

// settable reports whether the operation is there, and the calling goroutine's.
func (s *SQE) settable() bool { return s != nil && s.slot != nil && s.owned() == nil }

// OpID names one operation of a ring for its whole life, to cancel or update it. It is never reused while a CQE of
// the operation can still arrive.
type OpID uint64

// ID returns the operation's identity, which is also the user data that the kernel sees.
func (s *SQE) ID() OpID {
	if s.slot == nil {
		return 0
	}
	return OpID(s.slot.userData())
}

// SQEFlags are the flags of a submission entry.
type SQEFlags uint8

// Flags of an SQE, each with the first mainline kernel that knows it. IOSQE_CQE_SKIP_SUCCESS is not among them:
// without a CQE nobody could tell when the memory of an operation is free again. See Ring.SkipSuccess.
const (
	SQEFixedFile    SQEFlags = cring.SQEFixedFile    // 5.1: the descriptor is an index into the registered files
	SQEIODrain      SQEFlags = cring.SQEIODrain      // 5.2: start when all earlier operations have completed
	SQEIOLink       SQEFlags = cring.SQEIOLink       // 5.3: the next operation starts when this one has succeeded
	SQEIOHardlink   SQEFlags = cring.SQEIOHardlink   // 5.5: the next operation starts when this one has ended
	SQEAsync        SQEFlags = cring.SQEAsync        // 5.6: leave it to a worker thread at once
	SQEBufferSelect SQEFlags = cring.SQEBufferSelect // 5.7: take a provided buffer of the group
)

const sqeFlagsAll = SQEFixedFile | SQEIODrain | SQEIOLink | SQEIOHardlink | SQEAsync | SQEBufferSelect

var sqeFlagNames = []string{
	"FIXED_FILE", "IO_DRAIN", "IO_LINK", "IO_HARDLINK", "ASYNC", "BUFFER_SELECT", "CQE_SKIP_SUCCESS",
}

// String names the flags as the kernel does, without their prefix: "IO_LINK|ASYNC".
func (f SQEFlags) String() string { return bitNames(uint32(f), sqeFlagNames) }

// All that changes an entry comes after the Prep call, which resets it. On an entry whose Prep failed these methods
// have no effect: it stays a NOP.

// filled reports whether there is an entry to change.
func (s *SQE) filled() bool {
	return s != nil && s.raw != nil && (s.slot.state == slotFilling || s.slot.state == slotSilent)
}

// SetFlags adds flags to the entry, see io_uring_sqe_set_flags(3). Flags that the Prep method set itself stay.
// SQEIOLink and SQEIOHardlink do what Link and HardLink do. Unknown flags and IOSQE_CQE_SKIP_SUCCESS are
// unix.EINVAL and change nothing.
func (s *SQE) SetFlags(f SQEFlags) error {
	if err := s.owned(); err != nil {
		return err
	}
	if f&^sqeFlagsAll != 0 {
		return fmt.Errorf("uring: SetFlags: %v: %w", f&^sqeFlagsAll, unix.EINVAL)
	}
	if !s.filled() {
		return nil
	}
	s.raw.Flags |= uint8(f)
	if f&(SQEIOLink|SQEIOHardlink) != 0 {
		s.audible()
		s.sendAll()
	}
	return nil
}

// sendAll makes a linked send go on until everything is sent. The kernel takes a short send for a success, and the
// operation linked to it would follow a message with a hole in it.
func (s *SQE) sendAll() {
	switch s.raw.Opcode {
	case cring.OpSend, cring.OpSendmsg, cring.OpSendZC, cring.OpSendmsgZC:
		s.raw.OpFlags |= msgWaitall
	}
}

// Flags of Linux.
const (
	msgTrunc   = 0x20  // MSG_TRUNC
	msgWaitall = 0x100 // MSG_WAITALL
)

// Link has the next entry start when this operation has succeeded; if it fails the next one completes with
// unix.ECANCELED. A send is given MSG_WAITALL, since a short send would count as a success. Both entries must go
// out with the same submission. Since 5.3.
func (s *SQE) Link() { s.add(SQEIOLink) }

// HardLink has the next entry start when this operation has ended, failed or not. A send is given MSG_WAITALL, as
// with Link. Since 5.5.
func (s *SQE) HardLink() { s.add(SQEIOHardlink) }

// Drain has the operation start only when all that were submitted before it have completed, and those after it only
// when it has. Since 5.2.
func (s *SQE) Drain() { s.add(SQEIODrain) }

// Async leaves the operation to a worker thread at once, without first trying whether it can complete inline. Since
// 5.6.
func (s *SQE) Async() { s.add(SQEAsync) }

// FixedFile makes the entry's descriptor an index into the registered files, a direct descriptor. Since 5.1.
func (s *SQE) FixedFile() { s.add(SQEFixedFile) }

func (s *SQE) add(f SQEFlags) { _ = s.SetFlags(f) } // none of them is refused

// BufferSelect has the operation take its buffer from the group when it needs one, see
// io_uring_sqe_set_buf_group(3). Prepare it without a buffer; it takes a whole buffer of the group unless SetLen
// limits it. Receives and reads take one since 5.7, sends (but not sendmsg) since 6.10.
//
// What PrepRecvMultishot says of incremental rings and MSG_ flags holds here too: the error is unix.EINVAL, and the
// entry stays without a buffer.
func (s *SQE) BufferSelect(group uint16) error {
	if err := s.owned(); err != nil {
		return err
	}
	if !s.filled() {
		return nil
	}
	e := *s.raw
	e.Flags |= cring.SQEBufferSelect
	e.BufIndex = group
	return s.change("BufferSelect", e)
}

// change makes the entry e, unless that could not work.
func (s *SQE) change(name string, e cring.SQE) error {
	if err := s.slot.table.cannotReceive(&e); err != nil {
		return fmt.Errorf("uring: %s: %w", name, err)
	}
	*s.raw = e
	return nil
}

// SetLen limits how many bytes of a provided buffer the operation uses; the buffer is consumed as a whole all
// the same. Without BufferSelect before it, it is unix.EINVAL: the length of other memory is that of its slice.
func (s *SQE) SetLen(n int) error {
	if err := s.owned(); err != nil {
		return err
	}
	switch {
	case n < 0 || n > ioLenMax:
		return fmt.Errorf("uring: SetLen: %d bytes, at most %d: %w", n, ioLenMax, unix.EINVAL)
	case !s.filled():
		return nil
	case s.raw.Flags&cring.SQEBufferSelect == 0:
		return fmt.Errorf("uring: SetLen without a buffer group: %w", unix.EINVAL)
	}
	s.raw.Len = uint32(n)
	return nil
}

// SetPersonality runs the operation with the credentials that were registered under the id. Since 5.6.
func (s *SQE) SetPersonality(id uint16) {
	if s.owned() == nil && s.filled() {
		s.raw.Personality = id
	}
}

// SetIOPrio adds bits to the entry's ioprio field. For sends and receives these are cring.RecvSendPollFirst and the
// like, for accepts cring.AcceptPollFirst and the like, for reads and writes an I/O priority as of ioprio_set(2).
//
// cring.RecvSendBundle without a buffer group, which kernels take for a send of nothing, is unix.EINVAL; so is
// cring.SendVectorized, with which the kernel would take the bytes to be sent for addresses. Both change nothing.
func (s *SQE) SetIOPrio(bits uint16) error {
	if err := s.owned(); err != nil {
		return err
	}
	if !s.filled() {
		return nil
	}
	switch s.raw.Opcode {
	case cring.OpSend, cring.OpRecv, cring.OpSendZC:
		if bits&cring.RecvSendBundle != 0 && s.raw.Flags&cring.SQEBufferSelect == 0 {
			return fmt.Errorf("uring: SetIOPrio: a bundle without a buffer group: %w", unix.EINVAL)
		}
		if bits&cring.SendVectorized != 0 && s.raw.Opcode != cring.OpRecv {
			return fmt.Errorf("uring: SetIOPrio: a vectorized send: %w", unix.EINVAL)
		}
	}
	e := *s.raw
	e.IOPrio |= bits
	return s.change("SetIOPrio", e)
}

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
	if err := r.owned(); err != nil {
		return err
	}
	switch {
	case s == nil:
		return fmt.Errorf("uring: SkipSuccess of no entry: %w", unix.EINVAL)
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
