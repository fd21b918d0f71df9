package uring

import (
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/sockring/uring/cring"
)

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

// msgWaitall is MSG_WAITALL of Linux.
const msgWaitall = 0x100

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
func (s *SQE) BufferSelect(group uint16) {
	if s.filled() {
		s.raw.Flags |= cring.SQEBufferSelect
		s.raw.BufIndex = group
	}
}

// SetLen limits how many bytes of a provided buffer the operation uses; the buffer is consumed as a whole all
// the same. Without BufferSelect before it, it is unix.EINVAL: the length of other memory is that of its slice.
func (s *SQE) SetLen(n int) error {
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
	if s.filled() {
		s.raw.Personality = id
	}
}

// SetIOPrio adds bits to the entry's ioprio field. For sends and receives these are cring.RecvSendPollFirst and the
// like, for accepts cring.AcceptPollFirst and the like, for reads and writes an I/O priority as of ioprio_set(2).
//
// cring.RecvSendBundle without a buffer group, which kernels take for a send of nothing, is unix.EINVAL; so is
// cring.SendVectorized, with which the kernel would take the bytes to be sent for addresses. Both change nothing.
func (s *SQE) SetIOPrio(bits uint16) error {
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
	s.raw.IOPrio |= bits
	return nil
}
