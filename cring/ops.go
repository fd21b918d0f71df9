package cring

// Request opcodes, for SQE.Opcode, up to those of liburing 2.15. What a kernel supports is what its probe says, never
// its version.
const (
	OpNop = iota
	OpReadv
	OpWritev
	OpFsync
	OpReadFixed
	OpWriteFixed
	OpPollAdd
	OpPollRemove
	OpSyncFileRange
	OpSendmsg
	OpRecvmsg
	OpTimeout
	OpTimeoutRemove
	OpAccept
	OpAsyncCancel
	OpLinkTimeout
	OpConnect
	OpFallocate
	OpOpenat
	OpClose
	OpFilesUpdate
	OpStatx
	OpRead
	OpWrite
	OpFadvise
	OpMadvise
	OpSend
	OpRecv
	OpOpenat2
	OpEpollCtl
	OpSplice
	OpProvideBuffers
	OpRemoveBuffers
	OpTee
	OpShutdown
	OpRenameat
	OpUnlinkat
	OpMkdirat
	OpSymlinkat
	OpLinkat
	OpMsgRing
	OpFsetxattr
	OpSetxattr
	OpFgetxattr
	OpGetxattr
	OpSocket
	OpUringCmd
	OpSendZC
	OpSendmsgZC
	OpReadMultishot
	OpWaitid
	OpFutexWait
	OpFutexWake
	OpFutexWaitv
	OpFixedFdInstall
	OpFtruncate
	OpBind
	OpListen
	OpRecvZC
	OpEpollWait
	OpReadvFixed
	OpWritevFixed
	OpPipe
	OpNop128
	OpUringCmd128

	// OpLast is one past the highest opcode of this file.
	OpLast
)

// Op is what an opcode stands for.
type Op struct {
	Name         string // in <linux/io_uring.h>, such as IORING_OP_SEND
	Major, Minor int    // the first version of Linux that has it
}

// LookupOp returns what an opcode stands for, and whether it is one of this package.
func LookupOp(opcode uint8) (op Op, known bool) {
	if opcode >= OpLast {
		return Op{}, false
	}
	return ops[opcode], true
}

var ops = [OpLast]Op{
	OpNop:            {"IORING_OP_NOP", 5, 1},
	OpReadv:          {"IORING_OP_READV", 5, 1},
	OpWritev:         {"IORING_OP_WRITEV", 5, 1},
	OpFsync:          {"IORING_OP_FSYNC", 5, 1},
	OpReadFixed:      {"IORING_OP_READ_FIXED", 5, 1},
	OpWriteFixed:     {"IORING_OP_WRITE_FIXED", 5, 1},
	OpPollAdd:        {"IORING_OP_POLL_ADD", 5, 1},
	OpPollRemove:     {"IORING_OP_POLL_REMOVE", 5, 1},
	OpSyncFileRange:  {"IORING_OP_SYNC_FILE_RANGE", 5, 2},
	OpSendmsg:        {"IORING_OP_SENDMSG", 5, 3},
	OpRecvmsg:        {"IORING_OP_RECVMSG", 5, 3},
	OpTimeout:        {"IORING_OP_TIMEOUT", 5, 4},
	OpTimeoutRemove:  {"IORING_OP_TIMEOUT_REMOVE", 5, 5},
	OpAccept:         {"IORING_OP_ACCEPT", 5, 5},
	OpAsyncCancel:    {"IORING_OP_ASYNC_CANCEL", 5, 5},
	OpLinkTimeout:    {"IORING_OP_LINK_TIMEOUT", 5, 5},
	OpConnect:        {"IORING_OP_CONNECT", 5, 5},
	OpFallocate:      {"IORING_OP_FALLOCATE", 5, 6},
	OpOpenat:         {"IORING_OP_OPENAT", 5, 6},
	OpClose:          {"IORING_OP_CLOSE", 5, 6},
	OpFilesUpdate:    {"IORING_OP_FILES_UPDATE", 5, 6},
	OpStatx:          {"IORING_OP_STATX", 5, 6},
	OpRead:           {"IORING_OP_READ", 5, 6},
	OpWrite:          {"IORING_OP_WRITE", 5, 6},
	OpFadvise:        {"IORING_OP_FADVISE", 5, 6},
	OpMadvise:        {"IORING_OP_MADVISE", 5, 6},
	OpSend:           {"IORING_OP_SEND", 5, 6},
	OpRecv:           {"IORING_OP_RECV", 5, 6},
	OpOpenat2:        {"IORING_OP_OPENAT2", 5, 6},
	OpEpollCtl:       {"IORING_OP_EPOLL_CTL", 5, 6},
	OpSplice:         {"IORING_OP_SPLICE", 5, 7},
	OpProvideBuffers: {"IORING_OP_PROVIDE_BUFFERS", 5, 7},
	OpRemoveBuffers:  {"IORING_OP_REMOVE_BUFFERS", 5, 7},
	OpTee:            {"IORING_OP_TEE", 5, 8},
	OpShutdown:       {"IORING_OP_SHUTDOWN", 5, 11},
	OpRenameat:       {"IORING_OP_RENAMEAT", 5, 11},
	OpUnlinkat:       {"IORING_OP_UNLINKAT", 5, 11},
	OpMkdirat:        {"IORING_OP_MKDIRAT", 5, 15},
	OpSymlinkat:      {"IORING_OP_SYMLINKAT", 5, 15},
	OpLinkat:         {"IORING_OP_LINKAT", 5, 15},
	OpMsgRing:        {"IORING_OP_MSG_RING", 5, 18},
	OpFsetxattr:      {"IORING_OP_FSETXATTR", 5, 19},
	OpSetxattr:       {"IORING_OP_SETXATTR", 5, 19},
	OpFgetxattr:      {"IORING_OP_FGETXATTR", 5, 19},
	OpGetxattr:       {"IORING_OP_GETXATTR", 5, 19},
	OpSocket:         {"IORING_OP_SOCKET", 5, 19},
	OpUringCmd:       {"IORING_OP_URING_CMD", 5, 19},
	OpSendZC:         {"IORING_OP_SEND_ZC", 6, 0},
	OpSendmsgZC:      {"IORING_OP_SENDMSG_ZC", 6, 1},
	OpReadMultishot:  {"IORING_OP_READ_MULTISHOT", 6, 7},
	OpWaitid:         {"IORING_OP_WAITID", 6, 7},
	OpFutexWait:      {"IORING_OP_FUTEX_WAIT", 6, 7},
	OpFutexWake:      {"IORING_OP_FUTEX_WAKE", 6, 7},
	OpFutexWaitv:     {"IORING_OP_FUTEX_WAITV", 6, 7},
	OpFixedFdInstall: {"IORING_OP_FIXED_FD_INSTALL", 6, 8},
	OpFtruncate:      {"IORING_OP_FTRUNCATE", 6, 9},
	OpBind:           {"IORING_OP_BIND", 6, 11},
	OpListen:         {"IORING_OP_LISTEN", 6, 11},
	OpRecvZC:         {"IORING_OP_RECV_ZC", 6, 15},
	OpEpollWait:      {"IORING_OP_EPOLL_WAIT", 6, 15},
	OpReadvFixed:     {"IORING_OP_READV_FIXED", 6, 15},
	OpWritevFixed:    {"IORING_OP_WRITEV_FIXED", 6, 15},
	OpPipe:           {"IORING_OP_PIPE", 6, 16},
	OpNop128:         {"IORING_OP_NOP128", 6, 19},
	OpUringCmd128:    {"IORING_OP_URING_CMD128", 6, 19},
}
