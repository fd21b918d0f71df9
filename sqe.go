package uring

import "github.com/sockring/uring/cring"

// ioLenMax is the most that the kernel moves with one request, MAX_RW_COUNT: whole pages below 2 GiB.
const ioLenMax = 0x7ffff000

// SQE is one entry of the submission queue while it is being filled. It is valid from Ring.SQE until the next
// submission, and belongs to the ring's owner.
type SQE struct {
	raw  *cring.SQE // in the mapped submission queue
	slot *slot      // the operation's argument memory and pins
}

// SetData attaches a value that the operation's CQEs will carry in CQE.Data.
func (s *SQE) SetData(v any) { s.slot.data = v }

// SetData64 attaches a number that the operation's CQEs will carry in CQE.Data64.
func (s *SQE) SetData64(v uint64) { s.slot.data64 = v }

// OpID names one operation of a ring for its whole life, to cancel or update it. It is never reused while a CQE of
// the operation can still arrive.
type OpID uint64

// ID returns the operation's identity, which is also the user data that the kernel sees.
func (s *SQE) ID() OpID { return OpID(s.slot.userData()) }
