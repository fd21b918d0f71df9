//go:build linux

package socketops

import "golang.org/x/sys/unix"

// MsgFlags say how to transfer, and what was special about what was received. Their values are the kernel's MSG_ flags.
type MsgFlags int

// The flags of recv(2) and send(2).
const (
	OOB       MsgFlags = unix.MSG_OOB       // urgent data
	Peek      MsgFlags = unix.MSG_PEEK      // leave what is received where it is
	DontRoute MsgFlags = unix.MSG_DONTROUTE // send to neighbours only
	Truncated MsgFlags = unix.MSG_TRUNC     // the datagram was longer; asked for, its whole length is returned
	CtrlTrunc MsgFlags = unix.MSG_CTRUNC    // control data was lost
	ErrQueue  MsgFlags = unix.MSG_ERRQUEUE  // receive from the queue of errors
	DontWait  MsgFlags = unix.MSG_DONTWAIT  // as the Try form
	EOR       MsgFlags = unix.MSG_EOR       // the end of a record

	// WaitAll, More and FastOpen are what the platform layers do not have: receive until the buffers are full, send
	// together with what follows, and send with the connection request.
	WaitAll  MsgFlags = unix.MSG_WAITALL
	More     MsgFlags = unix.MSG_MORE
	FastOpen MsgFlags = unix.MSG_FASTOPEN
)

const flagsKnown = OOB | Peek | DontRoute | Truncated | CtrlTrunc | ErrQueue | DontWait | EOR |
	WaitAll | More | FastOpen

// check refuses flags that the package does not know, with EOPNOTSUPP, before the kernel sees them (N06).
func (f MsgFlags) check() error {
	if f&^flagsKnown != 0 {
		return unix.EOPNOTSUPP
	}
	return nil
}

// flagsReported are those that a receive returns (N07).
const flagsReported = OOB | DontRoute | Truncated | CtrlTrunc | EOR | ErrQueue
