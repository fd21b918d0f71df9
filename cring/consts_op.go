package cring

// Request opcodes, for SQE.Opcode. What a kernel supports is what its probe says, never its version.
const (
	OpNop            = 0  // Since 5.1.
	OpReadv          = 1  // Since 5.1.
	OpWritev         = 2  // Since 5.1.
	OpFsync          = 3  // Since 5.1.
	OpReadFixed      = 4  // Since 5.1.
	OpWriteFixed     = 5  // Since 5.1.
	OpPollAdd        = 6  // Since 5.1.
	OpPollRemove     = 7  // Since 5.1.
	OpSyncFileRange  = 8  // Since 5.2.
	OpSendmsg        = 9  // Since 5.3.
	OpRecvmsg        = 10 // Since 5.3.
	OpTimeout        = 11 // Since 5.4.
	OpTimeoutRemove  = 12 // Since 5.5.
	OpAccept         = 13 // Since 5.5.
	OpAsyncCancel    = 14 // Since 5.5.
	OpLinkTimeout    = 15 // Since 5.5.
	OpConnect        = 16 // Since 5.5.
	OpFallocate      = 17 // Since 5.6.
	OpOpenat         = 18 // Since 5.6.
	OpClose          = 19 // Since 5.6.
	OpFilesUpdate    = 20 // Since 5.6.
	OpStatx          = 21 // Since 5.6.
	OpRead           = 22 // Since 5.6.
	OpWrite          = 23 // Since 5.6.
	OpFadvise        = 24 // Since 5.6.
	OpMadvise        = 25 // Since 5.6.
	OpSend           = 26 // Since 5.6.
	OpRecv           = 27 // Since 5.6.
	OpOpenat2        = 28 // Since 5.6.
	OpEpollCtl       = 29 // Since 5.6.
	OpSplice         = 30 // Since 5.7.
	OpProvideBuffers = 31 // Since 5.7.
	OpRemoveBuffers  = 32 // Since 5.7.
	OpTee            = 33 // Since 5.8.
	OpShutdown       = 34 // Since 5.11.
	OpRenameat       = 35 // Since 5.11.
	OpUnlinkat       = 36 // Since 5.11.
	OpMkdirat        = 37 // Since 5.15.
	OpSymlinkat      = 38 // Since 5.15.
	OpLinkat         = 39 // Since 5.15.
	OpMsgRing        = 40 // Since 5.18.
	OpFsetxattr      = 41 // Since 5.19.
	OpSetxattr       = 42 // Since 5.19.
	OpFgetxattr      = 43 // Since 5.19.
	OpGetxattr       = 44 // Since 5.19.
	OpSocket         = 45 // Since 5.19.
	OpUringCmd       = 46 // Since 5.19.
	OpSendZC         = 47 // Since 6.0.
	OpSendmsgZC      = 48 // Since 6.1.
	OpReadMultishot  = 49 // Since 6.7.
	OpWaitid         = 50 // Since 6.7.
	OpFutexWait      = 51 // Since 6.7.
	OpFutexWake      = 52 // Since 6.7.
	OpFutexWaitv     = 53 // Since 6.7.
	OpFixedFdInstall = 54 // Since 6.8.
	OpFtruncate      = 55 // Since 6.9.
	OpBind           = 56 // Since 6.11.
	OpListen         = 57 // Since 6.11.
	OpRecvZC         = 58 // Since 6.15.
	OpEpollWait      = 59 // Since 6.15.
	OpReadvFixed     = 60 // Since 6.15.
	OpWritevFixed    = 61 // Since 6.15.
	OpPipe           = 62 // Since 6.16.
	OpNop128         = 63 // Since 6.19.
	OpUringCmd128    = 64 // Since 6.19.

	// OpLast is one past the highest opcode of this file, which is that of liburing 2.15.
	OpLast = 65
)
