package cring

// View is the memory that a ring shares with the kernel, and what was granted at its set-up.
//
// Ownership: the kernel writes SQHead, SQFlags, SQDropped, CQTail, CQOverflow and the CQEs between head and
// tail; Go reads those with acquire semantics. Go writes SQTail, the SQEs between tail and what the kernel has
// consumed, and CQHead, with release semantics. SQEHead and SQETail are liburing's own counters, shared with C code
// on the same ring and never with the kernel.
type View struct {
	SQHead, SQTail, SQFlags, SQDropped *uint32
	SQEHead, SQETail                   *uint32
	SQEs                               []SQE
	CQHead, CQTail, CQOverflow         *uint32
	CQFlags                            *uint32
	CQEs                               []CQE
	Flags, Features                    uint32
	Fd, EnterFd                        int // EnterFd is an index where the ring descriptor is registered
}
