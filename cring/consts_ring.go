package cring

// Bits of Params.Flags for io_uring_setup(2).
const (
	SetupIOPoll           = 1 << 0  // Busy-wait for completions. Since 5.1.
	SetupSQPoll           = 1 << 1  // A kernel thread submits. Since 5.1.
	SetupSQAff            = 1 << 2  // Bind that thread to Params.SQThreadCPU. Since 5.1.
	SetupCQSize           = 1 << 3  // Params.CQEntries is set. Since 5.5.
	SetupClamp            = 1 << 4  // Clamp sizes instead of refusing them. Since 5.6.
	SetupAttachWQ         = 1 << 5  // Share the workers of the ring Params.WQFd. Since 5.6.
	SetupRDisabled        = 1 << 6  // Start disabled. Since 5.10.
	SetupSubmitAll        = 1 << 7  // Submit on after a bad entry. Since 5.18.
	SetupCoopTaskrun      = 1 << 8  // Do not interrupt the task for completions. Since 5.19.
	SetupTaskrunFlag      = 1 << 9  // Say in SQTaskrun that work waits. Since 5.19.
	SetupSQE128           = 1 << 10 // Entries of 128 bytes. Since 5.19.
	SetupCQE32            = 1 << 11 // Completions of 32 bytes. Since 5.19.
	SetupSingleIssuer     = 1 << 12 // Only one thread submits. Since 6.0.
	SetupDeferTaskrun     = 1 << 13 // Complete only inside a waiting call. Since 6.1.
	SetupNoMmap           = 1 << 14 // The application brings the memory. Since 6.5.
	SetupRegisteredFdOnly = 1 << 15 // No file descriptor, only a registered index. Since 6.5.
	SetupNoSQArray        = 1 << 16 // No indirection through an index array. Since 6.6.
	SetupHybridIOPoll     = 1 << 17 // Sleep before busy-waiting. Since 6.13.
	SetupCQEMixed         = 1 << 18 // Completions of 16 and 32 bytes. Since 6.18.
	SetupSQEMixed         = 1 << 19 // Entries of 64 and 128 bytes. Since 6.19.
	SetupSQRewind         = 1 << 20 // Submit always from entry 0. Since 7.0.
)

// Bits of Params.Features, as the kernel returns them.
const (
	FeatSingleMmap     = 1 << 0  // Both rings in one mapping. Since 5.4.
	FeatNoDrop         = 1 << 1  // Completions are kept when the ring is full. Since 5.5.
	FeatSubmitStable   = 1 << 2  // Argument memory is read during submission. Since 5.5.
	FeatRWCurPos       = 1 << 3  // Offset -1 is the file position. Since 5.6.
	FeatCurPersonality = 1 << 4  // Requests run with the submitter's credentials. Since 5.6.
	FeatFastPoll       = 1 << 5  // Waiting needs no worker thread. Since 5.7.
	FeatPoll32Bits     = 1 << 6  // Poll masks of 32 bits. Since 5.9.
	FeatSQPollNonfixed = 1 << 7  // SQPOLL without registered files. Since 5.11.
	FeatExtArg         = 1 << 8  // Waits take a time. Since 5.11.
	FeatNativeWorkers  = 1 << 9  // Workers are threads of the process. Since 5.12.
	FeatRsrcTags       = 1 << 10 // Resources may be tagged and updated. Since 5.13.
	FeatCQESkip        = 1 << 11 // SQECQESkipSuccess works. Since 5.17.
	FeatLinkedFile     = 1 << 12 // Files are looked up when a request starts. Since 5.17.
	FeatRegRegRing     = 1 << 13 // RegisterUseRegisteredRing works. Since 6.3.
	FeatRecvSendBundle = 1 << 14 // Bundles, and provided buffers for SEND. Since 6.10.
	FeatMinTimeout     = 1 << 15 // GetEventsArg.MinWaitUsec works. Since 6.12.
	FeatRWAttr         = 1 << 16 // Read and write take attributes. Since 6.14.
	FeatNoIOWait       = 1 << 17 // EnterNoIOWait works. Since 6.15.
)

// Flags of io_uring_enter(2).
const (
	EnterGetEvents      = 1 << 0 // Wait for completions. Since 5.1.
	EnterSQWakeup       = 1 << 1 // Wake the submission thread. Since 5.1.
	EnterSQWait         = 1 << 2 // Wait for room in the submission queue. Since 5.10.
	EnterExtArg         = 1 << 3 // The argument is a GetEventsArg. Since 5.11.
	EnterRegisteredRing = 1 << 4 // The descriptor is a registered index. Since 5.18.
	EnterAbsTimer       = 1 << 5 // GetEventsArg.TS is a point in time. Since 6.12.
	EnterExtArgReg      = 1 << 6 // The argument is an index of a RegWait. Since 6.13.
	EnterNoIOWait       = 1 << 7 // Do not account the wait as I/O. Since 6.15.
)

// RegWaitTS in RegWait.Flags says that its time is set. Since 6.13.
const RegWaitTS = 1 << 0

// Bits of the submission queue's flags word, which the kernel writes.
const (
	SQNeedWakeup = 1 << 0 // The submission thread sleeps. Since 5.1.
	SQCQOverflow = 1 << 1 // Completions wait outside the ring. Since 5.8.
	SQTaskrun    = 1 << 2 // Work waits for the task to enter the kernel. Since 5.19.
)

// CQEventfdDisabled in the completion queue's flags word, which the application writes, silences the
// registered eventfd. Since 5.8.
const CQEventfdDisabled = 1 << 0

// Offsets for mmap(2) of the ring's descriptor.
const (
	OffSQRing    = 0          // Since 5.1.
	OffCQRing    = 0x8000000  // Since 5.1.
	OffSQEs      = 0x10000000 // Since 5.1.
	OffPbufRing  = 0x80000000 // Since 6.4.
	OffPbufShift = 16         // Since 6.4.
	OffMmapMask  = 0xf8000000 // Since 6.4.
)
