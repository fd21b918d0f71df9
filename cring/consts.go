package cring

// The constants of <linux/io_uring.h>, as liburing 2.15 carries it, under the kernel's names in Go's spelling:
// IORING_SETUP_SINGLE_ISSUER is SetupSingleIssuer, IOSQE_BUFFER_SELECT is SQEBufferSelect. They are untyped, so
// that they fit every field of the mirrored structs. abi_test.go holds each of them equal to C's, and fails
// when the header in use has one that is neither here nor on its list of those left out.
//
// consts_op.go has the opcodes, consts_ring.go what concerns a ring as a whole, consts_register.go what
// io_uring_register(2) takes; this file has what concerns one request and its completion.

// Bits of SQE.Flags.
const (
	SQEFixedFile      = 1 << 0 // Fd is an index into the registered files. Since 5.1.
	SQEIODrain        = 1 << 1 // Start after all earlier requests have completed. Since 5.2.
	SQEIOLink         = 1 << 2 // The next entry starts after this one has succeeded. Since 5.3.
	SQEIOHardlink     = 1 << 3 // The next entry starts after this one, failed or not. Since 5.5.
	SQEAsync          = 1 << 4 // Go to a worker thread at once. Since 5.6.
	SQEBufferSelect   = 1 << 5 // Take the buffer from the group in BufIndex. Since 5.7.
	SQECQESkipSuccess = 1 << 6 // Post no completion on success. Since 5.17.
)

// FileIndexAlloc in place of a direct-descriptor slot lets the kernel choose a free one. Since 5.19.
const FileIndexAlloc = 0xffffffff

// Bits of CQE.Flags.
const (
	CQEFBuffer       = 1 << 0  // The upper 16 bits are a buffer id. Since 5.7.
	CQEFMore         = 1 << 1  // The request will complete again. Since 5.13.
	CQEFSockNonempty = 1 << 2  // The socket had more to read. Since 5.19.
	CQEFNotif        = 1 << 3  // A zero-copy send lets go of its memory. Since 6.0.
	CQEFBufMore      = 1 << 4  // The buffer is used again (incremental rings). Since 6.12.
	CQEFSkip         = 1 << 5  // Fills a gap in the ring: ignore it. Since 6.18.
	CQEF32           = 1 << 15 // A 32-byte completion (mixed rings). Since 6.18.
	CQEFTstampHW     = 1 << 16 // A TX timestamp is the hardware's. Since 6.17.

	// CQEBufferShift is how far the buffer id is shifted in CQE.Flags.
	CQEBufferShift = 16
	// TimestampHWShift and TimestampTypeShift place the kind of a TX timestamp in CQE.Flags. Since 6.17.
	TimestampHWShift   = 16
	TimestampTypeShift = 17
)

// UdataTimeout is the user data of the timeout that liburing adds by itself where the kernel lacks
// FeatExtArg (LIBURING_UDATA_TIMEOUT).
const UdataTimeout = 0xffffffffffffffff

// Bits of SQE.IOPrio for the send and receive families.
const (
	RecvSendPollFirst = 1 << 0 // Arm poll first, without an attempt. Since 5.19.
	RecvMultishot     = 1 << 1 // Receive again and again into provided buffers. Since 6.0.
	RecvSendFixedBuf  = 1 << 2 // Use the registered buffer in BufIndex. Since 6.0.
	SendZCReportUsage = 1 << 3 // Let the notification say whether data was copied. Since 6.2.
	RecvSendBundle    = 1 << 4 // Use as many provided buffers as there are. Since 6.10.
	SendVectorized    = 1 << 5 // Addr is an array of iovecs. Since 6.17.

	// NotifUsageZCCopied in the result of a notification says that data was copied. Since 6.2.
	NotifUsageZCCopied = 1 << 31
)

// Bits of SQE.IOPrio for accept.
const (
	AcceptMultishot = 1 << 0 // Accept again and again. Since 5.19.
	AcceptDontWait  = 1 << 1 // Fail with EAGAIN if nothing waits. Since 6.10.
	AcceptPollFirst = 1 << 2 // Arm poll first, without an attempt. Since 6.10.
)

// Bits of SQE.Len for POLL_ADD and POLL_REMOVE.
const (
	PollAddMulti       = 1 << 0 // Report again and again. Since 5.13.
	PollUpdateEvents   = 1 << 1 // Replace the mask of an armed poll. Since 5.13.
	PollUpdateUserData = 1 << 2 // Replace the user data of an armed poll. Since 5.13.
	PollAddLevel       = 1 << 3 // Level triggered instead of edge triggered. Since 6.0.
)

// Bits of SQE.OpFlags for ASYNC_CANCEL, and of SyncCancelReg.Flags.
const (
	AsyncCancelAll      = 1 << 0 // All that match, not the first. Since 5.19.
	AsyncCancelFd       = 1 << 1 // Match by file descriptor. Since 5.19.
	AsyncCancelAny      = 1 << 2 // Match every request. Since 5.19.
	AsyncCancelFdFixed  = 1 << 3 // The descriptor is a direct one. Since 6.0.
	AsyncCancelUserdata = 1 << 4 // Match by user data, together with other keys. Since 6.6.
	AsyncCancelOp       = 1 << 5 // Match by opcode. Since 6.6.
)

// Bits of SQE.OpFlags for TIMEOUT, TIMEOUT_REMOVE and LINK_TIMEOUT.
const (
	TimeoutAbs          = 1 << 0 // The time is a point in time, not a span. Since 5.4.
	TimeoutUpdate       = 1 << 1 // Replace the time of an armed timeout. Since 5.11.
	TimeoutBoottime     = 1 << 2 // CLOCK_BOOTTIME. Since 5.15.
	TimeoutRealtime     = 1 << 3 // CLOCK_REALTIME. Since 5.15.
	LinkTimeoutUpdate   = 1 << 4 // The armed timeout is a linked one. Since 5.15.
	TimeoutETimeSuccess = 1 << 5 // Expiry does not break a link. Since 5.16.
	TimeoutMultishot    = 1 << 6 // Expire again and again. Since 6.4.
	TimeoutImmediateArg = 1 << 7 // Addr is nanoseconds, not a pointer. Since 7.1.

	TimeoutClockMask  = TimeoutBoottime | TimeoutRealtime
	TimeoutUpdateMask = TimeoutUpdate | LinkTimeoutUpdate
)

// Commands (SQE.Addr) and flags (SQE.OpFlags) of MSG_RING.
const (
	MsgData   = 0 // Post Len and Off as result and user data. Since 5.18.
	MsgSendFd = 1 // Send a direct descriptor. Since 6.0.

	MsgRingCQESkip   = 1 << 0 // Post nothing to the target. Since 6.0.
	MsgRingFlagsPass = 1 << 1 // FileIndex becomes the flags of the target's completion. Since 6.3.
)

// Commands of URING_CMD when the file is a socket, in the low half of SQE.Off.
const (
	SocketOpSIOCINQ     = 0 // Bytes waiting to be read. Since 6.5.
	SocketOpSIOCOUTQ    = 1 // Bytes not yet sent, or not yet acknowledged. Since 6.5.
	SocketOpGetsockopt  = 2 // getsockopt(2), SOL_SOCKET only. Since 6.7.
	SocketOpSetsockopt  = 3 // setsockopt(2). Since 6.7.
	SocketOpTxTimestamp = 4 // Read transmit timestamps. Since 6.17.
	SocketOpGetsockname = 5 // getsockname(2) and getpeername(2). Since 6.19.
)

// Flags of single operations in SQE.OpFlags.
const (
	FsyncDatasync    = 1 << 0  // FSYNC as fdatasync(2). Since 5.1.
	SpliceFFdInFixed = 1 << 31 // SPLICE and TEE: the input is a direct descriptor. Since 5.7.
	UringCmdFixed    = 1 << 0  // URING_CMD: use the registered buffer in BufIndex. Since 6.1.
	UringCmdMask     = UringCmdFixed
	FixedFdNoCloexec = 1 << 0 // FIXED_FD_INSTALL: without O_CLOEXEC. Since 6.8.
	NopInjectResult  = 1 << 0 // NOP: complete with Len as the result. Since 6.10.
	NopCQE32         = 1 << 5 // NOP: post a 32-byte completion. Since 6.18.
	RWAttrFlagPI     = 1 << 0 // Read and write with protection information. Since 6.14.
)

// Flags of the futex operations, from <linux/futex.h>: the size of the word, and whether other processes share it.
const (
	Futex2SizeU32  = 2   // A word of 32 bits, the only size supported. Since 6.7.
	Futex2Private  = 128 // Waiters and wakers are of one process. Since 6.7.
	FutexBitsetAny = 0xffffffff
	FutexWaitvMax  = 128 // FUTEX_WAITV_MAX, the most words of one wait. Since 5.16.
)
