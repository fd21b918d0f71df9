package cring

// Operations of io_uring_register(2).
const (
	RegisterBuffers        = 0  // Since 5.1.
	UnregisterBuffers      = 1  // Since 5.1.
	RegisterFiles          = 2  // Since 5.1.
	UnregisterFiles        = 3  // Since 5.1.
	RegisterEventfd        = 4  // Since 5.2.
	UnregisterEventfd      = 5  // Since 5.2.
	RegisterFilesUpdate    = 6  // Since 5.5.
	RegisterEventfdAsync   = 7  // Since 5.6.
	RegisterProbe          = 8  // Since 5.6.
	RegisterPersonality    = 9  // Since 5.6.
	UnregisterPersonality  = 10 // Since 5.6.
	RegisterRestrictions   = 11 // Since 5.10.
	RegisterEnableRings    = 12 // Since 5.10.
	RegisterFiles2         = 13 // Since 5.13.
	RegisterFilesUpdate2   = 14 // Since 5.13.
	RegisterBuffers2       = 15 // Since 5.13.
	RegisterBuffersUpdate  = 16 // Since 5.13.
	RegisterIOWQAff        = 17 // Since 5.14.
	UnregisterIOWQAff      = 18 // Since 5.14.
	RegisterIOWQMaxWorkers = 19 // Since 5.15.
	RegisterRingFds        = 20 // Since 5.18.
	UnregisterRingFds      = 21 // Since 5.18.
	RegisterPbufRing       = 22 // Since 5.19.
	UnregisterPbufRing     = 23 // Since 5.19.
	RegisterSyncCancel     = 24 // Since 6.0.
	RegisterFileAllocRange = 25 // Since 6.0.
	RegisterPbufStatus     = 26 // Since 6.8.
	RegisterNAPI           = 27 // Since 6.9.
	UnregisterNAPI         = 28 // Since 6.9.
	RegisterClock          = 29 // Since 6.12.
	RegisterCloneBuffers   = 30 // Since 6.12.
	RegisterSendMsgRing    = 31 // Since 6.13.
	RegisterZCRXIfq        = 32 // Since 6.15.
	RegisterResizeRings    = 33 // Since 6.13.
	RegisterMemRegion      = 34 // Since 6.13.
	RegisterQuery          = 35 // Since 6.18.
	RegisterZCRXCtrl       = 36 // Since 6.19.
	RegisterBPFFilter      = 37 // Since 7.0.

	// RegisterLast is one past the highest operation of this file, which is that of liburing 2.15.
	RegisterLast = 38

	// RegisterUseRegisteredRing added to an operation says that the descriptor is a registered index. Since 6.3.
	RegisterUseRegisteredRing = 1 << 31
)

// Flags and special values of registered files and buffers.
const (
	RsrcRegisterSparse = 1 << 0 // A table of empty slots. Since 5.19.
	RegisterFilesSkip  = -2     // Leave this slot as it is. Since 5.12.

	RegisterSrcRegistered = 1 << 0 // CloneBuffers.SrcFd is a registered index. Since 6.12.
	RegisterDstReplace    = 1 << 1 // Replace the buffers of the destination. Since 6.13.
)

// OpSupported in ProbeOp.Flags says that the kernel has the opcode. Since 5.6.
const OpSupported = 1 << 0

// Bits of BufReg.Flags.
const (
	PbufRingMmap = 1 // The kernel allocates the ring, to be mapped with mmap(2). Since 6.4.
	PbufRingInc  = 2 // Buffers are consumed bit by bit. Since 6.12.
)

// Kinds of Restriction.Opcode.
const (
	RestrictionRegisterOp       = 0 // Allow a register operation. Since 5.10.
	RestrictionSQEOp            = 1 // Allow an opcode. Since 5.10.
	RestrictionSQEFlagsAllowed  = 2 // Allow SQE flags. Since 5.10.
	RestrictionSQEFlagsRequired = 3 // Demand SQE flags. Since 5.10.

	// RestrictionLast is one past the highest kind.
	RestrictionLast = 4
)

// Kinds of worker threads, the two places of RegisterIOWQMaxWorkers.
const (
	WQBound   = 0 // Workers for files and block devices. Since 5.15.
	WQUnbound = 1 // Workers for what may wait without bound, such as sockets. Since 5.15.
)

// Flags of registered memory regions.
const (
	MemRegionTypeUser   = 1 // RegionDesc.UserAddr is memory of the application. Since 6.13.
	MemRegionRegWaitArg = 1 // The region holds RegWait entries. Since 6.13.
)
