package probe

import "github.com/sockring/uring/cring"

// op is a request's opcode, by name and first kernel.
type op struct {
	code  uint8
	name  string
	since Version
}

var ops = []op{
	{cring.OpNop, "IORING_OP_NOP", Version{5, 1}},
	{cring.OpReadv, "IORING_OP_READV", Version{5, 1}},
	{cring.OpWritev, "IORING_OP_WRITEV", Version{5, 1}},
	{cring.OpFsync, "IORING_OP_FSYNC", Version{5, 1}},
	{cring.OpReadFixed, "IORING_OP_READ_FIXED", Version{5, 1}},
	{cring.OpWriteFixed, "IORING_OP_WRITE_FIXED", Version{5, 1}},
	{cring.OpPollAdd, "IORING_OP_POLL_ADD", Version{5, 1}},
	{cring.OpPollRemove, "IORING_OP_POLL_REMOVE", Version{5, 1}},
	{cring.OpSyncFileRange, "IORING_OP_SYNC_FILE_RANGE", Version{5, 2}},
	{cring.OpSendmsg, "IORING_OP_SENDMSG", Version{5, 3}},
	{cring.OpRecvmsg, "IORING_OP_RECVMSG", Version{5, 3}},
	{cring.OpTimeout, "IORING_OP_TIMEOUT", Version{5, 4}},
	{cring.OpTimeoutRemove, "IORING_OP_TIMEOUT_REMOVE", Version{5, 5}},
	{cring.OpAccept, "IORING_OP_ACCEPT", Version{5, 5}},
	{cring.OpAsyncCancel, "IORING_OP_ASYNC_CANCEL", Version{5, 5}},
	{cring.OpLinkTimeout, "IORING_OP_LINK_TIMEOUT", Version{5, 5}},
	{cring.OpConnect, "IORING_OP_CONNECT", Version{5, 5}},
	{cring.OpFallocate, "IORING_OP_FALLOCATE", Version{5, 6}},
	{cring.OpOpenat, "IORING_OP_OPENAT", Version{5, 6}},
	{cring.OpClose, "IORING_OP_CLOSE", Version{5, 6}},
	{cring.OpFilesUpdate, "IORING_OP_FILES_UPDATE", Version{5, 6}},
	{cring.OpStatx, "IORING_OP_STATX", Version{5, 6}},
	{cring.OpRead, "IORING_OP_READ", Version{5, 6}},
	{cring.OpWrite, "IORING_OP_WRITE", Version{5, 6}},
	{cring.OpFadvise, "IORING_OP_FADVISE", Version{5, 6}},
	{cring.OpMadvise, "IORING_OP_MADVISE", Version{5, 6}},
	{cring.OpSend, "IORING_OP_SEND", Version{5, 6}},
	{cring.OpRecv, "IORING_OP_RECV", Version{5, 6}},
	{cring.OpOpenat2, "IORING_OP_OPENAT2", Version{5, 6}},
	{cring.OpEpollCtl, "IORING_OP_EPOLL_CTL", Version{5, 6}},
	{cring.OpSplice, "IORING_OP_SPLICE", Version{5, 7}},
	{cring.OpProvideBuffers, "IORING_OP_PROVIDE_BUFFERS", Version{5, 7}},
	{cring.OpRemoveBuffers, "IORING_OP_REMOVE_BUFFERS", Version{5, 7}},
	{cring.OpTee, "IORING_OP_TEE", Version{5, 8}},
	{cring.OpShutdown, "IORING_OP_SHUTDOWN", Version{5, 11}},
	{cring.OpRenameat, "IORING_OP_RENAMEAT", Version{5, 11}},
	{cring.OpUnlinkat, "IORING_OP_UNLINKAT", Version{5, 11}},
	{cring.OpMkdirat, "IORING_OP_MKDIRAT", Version{5, 15}},
	{cring.OpSymlinkat, "IORING_OP_SYMLINKAT", Version{5, 15}},
	{cring.OpLinkat, "IORING_OP_LINKAT", Version{5, 15}},
	{cring.OpMsgRing, "IORING_OP_MSG_RING", Version{5, 18}},
	{cring.OpFsetxattr, "IORING_OP_FSETXATTR", Version{5, 19}},
	{cring.OpSetxattr, "IORING_OP_SETXATTR", Version{5, 19}},
	{cring.OpFgetxattr, "IORING_OP_FGETXATTR", Version{5, 19}},
	{cring.OpGetxattr, "IORING_OP_GETXATTR", Version{5, 19}},
	{cring.OpSocket, "IORING_OP_SOCKET", Version{5, 19}},
	{cring.OpUringCmd, "IORING_OP_URING_CMD", Version{5, 19}},
	{cring.OpSendZC, "IORING_OP_SEND_ZC", Version{6, 0}},
	{cring.OpSendmsgZC, "IORING_OP_SENDMSG_ZC", Version{6, 1}},
	{cring.OpReadMultishot, "IORING_OP_READ_MULTISHOT", Version{6, 7}},
	{cring.OpWaitid, "IORING_OP_WAITID", Version{6, 7}},
	{cring.OpFutexWait, "IORING_OP_FUTEX_WAIT", Version{6, 7}},
	{cring.OpFutexWake, "IORING_OP_FUTEX_WAKE", Version{6, 7}},
	{cring.OpFutexWaitv, "IORING_OP_FUTEX_WAITV", Version{6, 7}},
	{cring.OpFixedFdInstall, "IORING_OP_FIXED_FD_INSTALL", Version{6, 8}},
	{cring.OpFtruncate, "IORING_OP_FTRUNCATE", Version{6, 9}},
	{cring.OpBind, "IORING_OP_BIND", Version{6, 11}},
	{cring.OpListen, "IORING_OP_LISTEN", Version{6, 11}},
	{cring.OpRecvZC, "IORING_OP_RECV_ZC", Version{6, 15}},
	{cring.OpEpollWait, "IORING_OP_EPOLL_WAIT", Version{6, 15}},
	{cring.OpReadvFixed, "IORING_OP_READV_FIXED", Version{6, 15}},
	{cring.OpWritevFixed, "IORING_OP_WRITEV_FIXED", Version{6, 15}},
	{cring.OpPipe, "IORING_OP_PIPE", Version{6, 16}},
	{cring.OpNop128, "IORING_OP_NOP128", Version{6, 19}},
	{cring.OpUringCmd128, "IORING_OP_URING_CMD128", Version{6, 19}},
}

// feature is a bit of io_uring_params.features, by name and first kernel.
type feature struct {
	bit   uint32
	name  string
	since Version
}

var features = []feature{
	{cring.FeatSingleMmap, "IORING_FEAT_SINGLE_MMAP", Version{5, 4}},
	{cring.FeatNoDrop, FeatNoDrop, Version{5, 5}},
	{cring.FeatSubmitStable, "IORING_FEAT_SUBMIT_STABLE", Version{5, 5}},
	{cring.FeatRWCurPos, "IORING_FEAT_RW_CUR_POS", Version{5, 6}},
	{cring.FeatCurPersonality, "IORING_FEAT_CUR_PERSONALITY", Version{5, 6}},
	{cring.FeatFastPoll, "IORING_FEAT_FAST_POLL", Version{5, 7}},
	{cring.FeatPoll32Bits, "IORING_FEAT_POLL_32BITS", Version{5, 9}},
	{cring.FeatSQPollNonfixed, "IORING_FEAT_SQPOLL_NONFIXED", Version{5, 11}},
	{cring.FeatExtArg, FeatExtArg, Version{5, 11}},
	{cring.FeatNativeWorkers, "IORING_FEAT_NATIVE_WORKERS", Version{5, 12}},
	{cring.FeatRsrcTags, "IORING_FEAT_RSRC_TAGS", Version{5, 13}},
	{cring.FeatCQESkip, "IORING_FEAT_CQE_SKIP", Version{5, 17}},
	{cring.FeatLinkedFile, "IORING_FEAT_LINKED_FILE", Version{5, 18}},
	{cring.FeatRegRegRing, "IORING_FEAT_REG_REG_RING", Version{6, 3}},
	{cring.FeatRecvSendBundle, FeatBundle, Version{6, 10}},
	{cring.FeatMinTimeout, FeatMinTimeout, Version{6, 12}},
	{cring.FeatRWAttr, "IORING_FEAT_RW_ATTR", Version{6, 14}},
	{cring.FeatNoIOWait, "IORING_FEAT_NO_IOWAIT", Version{6, 15}},
}
